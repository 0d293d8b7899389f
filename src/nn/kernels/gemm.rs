//! Matrix product with a weight matrix that was packed once: `output = input · weightᵀ + bias`.
//!
//! The weights lie in panels of as many output features as two vector registers hold, so that a tile of the output
//! stays in registers while the inputs are walked once. Every output is one chain of fused multiply-adds over the
//! input features in their order: the same number for any number of rows and threads, and on any CPU.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::activation::Activation;
use super::shared::{Shape, SharedRows};

/// Multiplications below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 20;
/// Vector registers that a panel is wide.
const VECTORS: usize = 2;
/// Bytes that packed panels are aligned to: a cache line.
const ALIGNMENT: usize = 64;

/// A weight matrix `[outputs, inputs]` in panels, as [`matmul`] reads it.
pub struct PackedMatrix {
    data: Vec<f32>,
    /// Where the first panel starts in `data`, so that it lies on a cache line.
    start: usize,
    outputs: usize,
    inputs: usize,
    panel_width: usize,
}

impl PackedMatrix {
    /// Packs a row-major matrix `[outputs, inputs]`.
    ///
    /// # Panics
    /// When `weight` hasn't `outputs * inputs` elements.
    pub fn pack(weight: &[f32], outputs: usize, inputs: usize) -> Self {
        assert_eq!(weight.len(), outputs * inputs, "the weight's shape");
        Self::pack_rows(outputs, inputs, |row, buffer| {
            buffer.copy_from_slice(&weight[row * inputs..(row + 1) * inputs]);
        })
    }

    /// Packs a matrix `[outputs, inputs]`, whose rows `row` writes into a buffer of `inputs` numbers.
    pub fn pack_rows(outputs: usize, inputs: usize, row: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let panel_width = VECTORS * Arch::new().dispatch(Lanes);
        let panels = outputs.div_ceil(panel_width);
        let mut data = vec![0.0; panels * panel_width * inputs + ALIGNMENT / size_of::<f32>()];
        let start = data.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT / size_of::<f32>());
        let panels = data[start..].par_chunks_exact_mut((panel_width * inputs).max(1)).take(panels);
        panels.enumerate().for_each_init(
            || vec![0.0; inputs],
            |values, (index, panel)| {
                for (lane, output) in (index * panel_width..outputs).take(panel_width).enumerate() {
                    row(output, values);
                    for (to, &value) in panel[lane..].iter_mut().step_by(panel_width).zip(&*values) {
                        *to = value;
                    }
                }
            },
        );
        Self { data, start, outputs, inputs, panel_width }
    }

    /// The matrix of some of the outputs.
    ///
    /// # Panics
    /// When there is no such output.
    pub fn select(&self, outputs: &[u32]) -> Self {
        Self::pack_rows(outputs.len(), self.inputs, |row, buffer| self.row(outputs[row] as usize, buffer))
    }

    /// Number of output features.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Writes a row of the matrix into a buffer of `inputs` numbers.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, output: usize, values: &mut [f32]) {
        assert!(output < self.outputs, "row {output} of {}", self.outputs);
        let panel = self.panel(output / self.panel_width);
        let column = panel.iter().skip(output % self.panel_width).step_by(self.panel_width);
        for (value, &weight) in values.iter_mut().zip(column) {
            *value = weight;
        }
    }

    fn panel(&self, index: usize) -> &[f32] {
        let length = self.panel_width * self.inputs;
        let start = self.start + index * length;
        &self.data[start..start + length]
    }
}

/// `output[r, o] = activation(Σᵢ input[r, i] · weight[o, i] + bias[o])`, for `input` `[rows, inputs]` and `output`
/// `[rows, outputs]`, both row-major.
///
/// # Panics
/// When a slice's length isn't its shape's.
pub fn matmul(
    input: &[f32],
    weight: &PackedMatrix,
    bias: Option<&[f32]>,
    activation: Activation,
    output: &mut [f32],
) {
    let shape = Shape::new(input, weight.inputs, weight.outputs, bias);
    let output = SharedRows::new(output, shape);
    if shape.is_empty() {
        return;
    }
    let input = Tiles::pack(input, shape.rows, weight.inputs);
    shape.for_each_panel(weight.panel_width, PARALLEL_FROM, |index| {
        Arch::new().dispatch(PanelProduct {
            input: &input,
            weight,
            bias,
            activation,
            index,
            output: &output,
        });
    });
}

/// What [`matmul`] computes, written plainly: `weight` is row-major `[outputs, inputs]`.
pub fn matmul_reference(input: &[f32], weight: &[f32], inputs: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let mut output = Vec::new();
    for row in input.chunks_exact(inputs) {
        for (index, weights) in weight.chunks_exact(inputs).enumerate() {
            let product = row.iter().zip(weights).fold(0.0, |sum: f32, (x, w)| x.mul_add(*w, sum));
            output.push(product + bias.map_or(0.0, |bias| bias[index]));
        }
    }
    output
}

/// Number of `f32` that one vector register of this CPU holds.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// The input's rows in groups that a tile takes at once, each group transposed: `[inputs][height]`.
struct Tiles {
    data: Vec<f32>,
    inputs: usize,
    heights: Vec<usize>,
}

impl Tiles {
    fn pack(input: &[f32], rows: usize, inputs: usize) -> Self {
        let tallest = Arch::new().dispatch(TallestTile);
        let mut heights = Vec::new();
        let mut left = rows;
        while left > 0 {
            let height =
                [12, 8, 6, 5, 4, 3, 2, 1].into_iter().find(|&h| h <= left && h <= tallest).unwrap_or(1);
            heights.push(height);
            left -= height;
        }
        let mut data = Vec::with_capacity(rows * inputs);
        let mut first = 0;
        for &height in &heights {
            let group = &input[first * inputs..(first + height) * inputs];
            for column in 0..inputs {
                data.extend((0..height).map(|row| group[row * inputs + column]));
            }
            first += height;
        }
        Self { data, inputs, heights }
    }

    /// Each group's first row, height and data.
    fn iter(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        self.heights.iter().scan(0, |first, &height| {
            let row = *first;
            *first += height;
            Some((row, height, &self.data[row * self.inputs..(row + height) * self.inputs]))
        })
    }
}

/// Rows that a tile can have without spilling its accumulators: 32 registers with AVX-512 and NEON, 16 with AVX2.
struct TallestTile;

impl WithSimd for TallestTile {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        if S::F32_LANES == 8 { 6 } else { 12 }
    }
}

/// The product of all input rows with one panel of the weights.
struct PanelProduct<'a> {
    input: &'a Tiles,
    weight: &'a PackedMatrix,
    bias: Option<&'a [f32]>,
    activation: Activation,
    index: usize,
    output: &'a SharedRows,
}

impl WithSimd for PanelProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let panel = self.weight.panel(self.index);
        for (row, height, tile) in self.input.iter() {
            match height {
                1 => self.tile::<S, 1>(simd, tile, panel, row),
                2 => self.tile::<S, 2>(simd, tile, panel, row),
                3 => self.tile::<S, 3>(simd, tile, panel, row),
                4 => self.tile::<S, 4>(simd, tile, panel, row),
                5 => self.tile::<S, 5>(simd, tile, panel, row),
                6 => self.tile::<S, 6>(simd, tile, panel, row),
                8 => self.tile::<S, 8>(simd, tile, panel, row),
                12 => self.tile::<S, 12>(simd, tile, panel, row),
                _ => unreachable!("no tile is {height} rows tall"),
            }
        }
    }
}

impl PanelProduct<'_> {
    #[inline(always)]
    fn tile<S: Simd, const HEIGHT: usize>(&self, simd: S, tile: &[f32], panel: &[f32], row: usize) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; HEIGHT];
        let (panel, _) = S::as_simd_f32s(panel);
        let (inputs, _) = tile.as_chunks::<HEIGHT>();
        let (weights, _) = panel.as_chunks::<VECTORS>();
        for (inputs, weights) in inputs.iter().zip(weights) {
            for (sums, &input) in sums.iter_mut().zip(inputs) {
                let input = simd.splat_f32s(input);
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = simd.mul_add_f32s(input, weight, *sum);
                }
            }
        }
        let column = self.index * self.weight.panel_width;
        let width = self.weight.panel_width.min(self.weight.outputs - column);
        for (offset, sums) in sums.iter_mut().enumerate() {
            let sums: &mut [f32] = pulp::bytemuck::cast_slice_mut(sums.as_mut_slice());
            let sums = &mut sums[..width];
            if let Some(bias) = self.bias {
                for (sum, bias) in sums.iter_mut().zip(&bias[column..]) {
                    *sum += bias;
                }
            }
            self.activation.apply(sums);
            // SAFETY: every panel has columns of its own, and every tile rows of its own.
            #[expect(
                unsafe_code,
                reason = "columns of a row-major matrix can't be split among threads as slices"
            )]
            unsafe {
                self.output.write(row + offset, column, sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::numbers;
    use super::*;

    fn product(rows: usize, inputs: usize, outputs: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let (input, weight) = (numbers(seed, rows * inputs), numbers(seed + 1, outputs * inputs));
        let bias = numbers(seed + 2, outputs);
        let mut output = vec![f32::NAN; rows * outputs];
        matmul(
            &input,
            &PackedMatrix::pack(&weight, outputs, inputs),
            Some(&bias),
            Activation::None,
            &mut output,
        );
        (output, matmul_reference(&input, &weight, inputs, Some(&bias)))
    }

    proptest! {
        #[test]
        fn equals_its_reference_to_the_bit(
            rows in 0usize..30, inputs in 1usize..70, outputs in 1usize..150, seed in 0u64..1000,
        ) {
            let (actual, expected) = product(rows, inputs, outputs, seed);
            prop_assert_eq!(actual, expected);
        }
    }

    #[test]
    fn its_rows_are_the_matrix() {
        let weight = numbers(3, 70 * 5);
        let matrix = PackedMatrix::pack(&weight, 70, 5);
        let mut rows = vec![f32::NAN; weight.len()];
        rows.chunks_exact_mut(5).enumerate().for_each(|(output, row)| matrix.row(output, row));
        assert_eq!(rows, weight);
    }

    #[test]
    fn equals_its_reference_when_threads_share_the_work() {
        let (actual, expected) = product(13, 257, 1001, 7);
        assert_eq!(actual, expected);
    }

    #[test]
    fn infinities_and_nans_stay_in_their_rows() {
        let weight = PackedMatrix::pack(&numbers(1, 40 * 8), 40, 8);
        let mut input = numbers(2, 3 * 8);
        let mut clean = vec![0.0; 3 * 40];
        matmul(&input, &weight, None, Activation::None, &mut clean);
        input[8] = f32::NAN;
        let mut output = vec![0.0; 3 * 40];
        matmul(&input, &weight, None, Activation::None, &mut output);
        assert_eq!(output[..40], clean[..40]);
        assert!(output[40..80].iter().all(|x| x.is_nan()));
        assert_eq!(output[80..], clean[80..]);
    }
}
