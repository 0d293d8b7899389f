//! Matrix product in 8-bit integers with a weight matrix that was quantised and packed once.
//!
//! Every row of the weights has a scale, and so has every row of the input at every product: each found from the
//! row's largest magnitude (the vector-wise scheme of Dettmers et al. 2022), or given with the model. Products are
//! summed as 32-bit integers, which are exact in any order: a row's result is the same number in any batch, with any
//! number of threads and on any CPU.

mod rows;
mod tiles;

use rayon::prelude::*;

use super::activation::Activation;
use super::shared::{Shape, SharedRows};
pub use rows::{QuantizedRows, RowScale, largest_magnitude};
use tiles::Panel;

/// Multiplications below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 21;
/// Output features of a panel: two registers of AVX-512.
const WIDTH: usize = 32;
/// Input features that one instruction takes at once.
const DEPTH: usize = 4;
/// What is added to a quantised input so that it is never negative, as the instruction wants it.
const SHIFT: i32 = 128;
/// The largest magnitude of a quantised number.
const LARGEST: f32 = 127.0;

/// A weight matrix `[outputs, inputs]` in 8-bit integers, in panels as [`matmul_int8`] reads it.
pub struct QuantizedMatrix {
    /// One panel behind the other, each of `inputs / DEPTH` groups, rounded up.
    groups: Vec<Group>,
    /// What an output's integers are multiplied by; as many as the panels are wide.
    scales: Vec<f32>,
    /// What an output's products with inputs that are shifted by [`SHIFT`] have too much.
    surplus: Vec<i32>,
    outputs: usize,
    inputs: usize,
}

/// `DEPTH` input features of all outputs of a panel: `[WIDTH][DEPTH]`.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Group([[i8; DEPTH]; WIDTH]);

impl QuantizedMatrix {
    /// Quantises and packs a matrix `[outputs, inputs]`, whose rows `row` writes into a buffer of `inputs` numbers.
    pub fn quantize(outputs: usize, inputs: usize, row: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        Self::pack(outputs, inputs, SHIFT, |output, integers| {
            let mut values = vec![0.0; inputs];
            row(output, &mut values);
            let largest = largest_magnitude(&values);
            rows::quantize_signed(&values, largest, integers);
            largest / LARGEST
        })
    }

    /// Packs a matrix `[outputs, inputs]` of integers. `row` gives an output's `inputs` integers, and what their sums of
    /// products are multiplied by. In these sums every integer of an input counts as more by `shift`.
    ///
    /// # Panics
    /// When a row hasn't `inputs` integers.
    pub fn from_integers<'a>(
        outputs: usize,
        inputs: usize,
        shift: u8,
        row: impl Fn(usize) -> (&'a [i8], f32) + Sync,
    ) -> Self {
        Self::pack(outputs, inputs, SHIFT - i32::from(shift), |output, integers| {
            let (row, scale) = row(output);
            integers[..inputs].copy_from_slice(row);
            scale
        })
    }

    /// Packs rows that `row` writes into a buffer of zeros for `inputs` integers and some that stay as they are, and
    /// whose scales it returns. Sums of products are too large by `excess` times the sum of a row.
    fn pack(
        outputs: usize,
        inputs: usize,
        excess: i32,
        row: impl Fn(usize, &mut [i8]) -> f32 + Sync,
    ) -> Self {
        let depth = inputs.div_ceil(DEPTH);
        let panels = outputs.div_ceil(WIDTH);
        let mut matrix = Self {
            groups: vec![Group([[0; DEPTH]; WIDTH]); panels * depth],
            scales: vec![0.0; panels * WIDTH],
            surplus: vec![0; panels * WIDTH],
            outputs,
            inputs,
        };
        let panels = matrix
            .groups
            .par_chunks_mut(depth.max(1))
            .zip(matrix.scales.par_chunks_mut(WIDTH).zip(matrix.surplus.par_chunks_mut(WIDTH)));
        panels.enumerate().for_each_init(
            || vec![0i8; depth * DEPTH],
            |integers, (panel, (groups, (scales, surplus)))| {
                for lane in 0..WIDTH.min(outputs - panel * WIDTH) {
                    scales[lane] = row(panel * WIDTH + lane, integers);
                    surplus[lane] = excess * integers.iter().map(|&x| i32::from(x)).sum::<i32>();
                    for (group, four) in groups.iter_mut().zip(integers.as_chunks().0) {
                        group.0[lane] = *four;
                    }
                }
            },
        );
        matrix
    }

    /// The matrix of some of the outputs.
    ///
    /// # Panics
    /// When there is no such output.
    pub fn select(&self, outputs: &[u32]) -> Self {
        let (depth, panels) = (self.depth(), outputs.len().div_ceil(WIDTH));
        let mut matrix = Self {
            groups: vec![Group([[0; DEPTH]; WIDTH]); panels * depth],
            scales: vec![0.0; panels * WIDTH],
            surplus: vec![0; panels * WIDTH],
            outputs: outputs.len(),
            inputs: self.inputs,
        };
        for (to, &from) in outputs.iter().enumerate() {
            let from = from as usize;
            assert!(from < self.outputs, "row {from} of {}", self.outputs);
            (matrix.scales[to], matrix.surplus[to]) = (self.scales[from], self.surplus[from]);
            let groups = &self.groups[from / WIDTH * depth..][..depth];
            for (to_group, group) in matrix.groups[to / WIDTH * depth..][..depth].iter_mut().zip(groups) {
                to_group.0[to % WIDTH] = group.0[from % WIDTH];
            }
        }
        matrix
    }

    /// Number of output features.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Writes a row of the matrix, as it was rounded, into a buffer of `inputs` numbers.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, output: usize, values: &mut [f32]) {
        assert!(output < self.outputs, "row {output} of {}", self.outputs);
        let depth = self.depth();
        let groups = &self.groups[output / WIDTH * depth..][..depth];
        let scale = self.scales[output];
        for (values, group) in values.chunks_mut(DEPTH).zip(groups) {
            for (value, &integer) in values.iter_mut().zip(&group.0[output % WIDTH]) {
                *value = f32::from(integer) * scale;
            }
        }
    }

    fn depth(&self) -> usize {
        self.inputs.div_ceil(DEPTH)
    }

    fn panel(&self, index: usize) -> Panel<'_> {
        let depth = self.depth();
        Panel {
            groups: &self.groups[index * depth..(index + 1) * depth],
            scales: self.scales[index * WIDTH..].first_chunk().expect("scales for whole panels"),
            surplus: self.surplus[index * WIDTH..].first_chunk().expect("sums for whole panels"),
        }
    }
}

/// `output[r, o] = activation(Σᵢ input[r, i] · weight[o, i] + bias[o])` with both sides rounded to 8 bits, for
/// `input` `[rows, inputs]` and `output` `[rows, outputs]`, both row-major.
///
/// # Panics
/// When a slice's length isn't its shape's.
pub fn matmul_int8(
    input: &QuantizedRows,
    weight: &QuantizedMatrix,
    bias: Option<&[f32]>,
    activation: Activation,
    output: &mut [f32],
) {
    assert_eq!(input.inputs(), weight.inputs, "the input's shape");
    let shape = Shape::of_rows(input.rows(), weight.inputs, weight.outputs, bias);
    let output = SharedRows::new(output, shape);
    if shape.is_empty() {
        return;
    }
    shape.for_each_panel(WIDTH, PARALLEL_FROM, |index| {
        let column = index * WIDTH;
        let width = WIDTH.min(weight.outputs - column);
        let mut biases = [0.0; WIDTH];
        if let Some(bias) = bias {
            biases[..width].copy_from_slice(&bias[column..column + width]);
        }
        tiles::product(&weight.panel(index), input, &biases, activation, |row, values| {
            // SAFETY: every panel has columns of its own, and is multiplied by one thread.
            #[expect(
                unsafe_code,
                reason = "columns of a row-major matrix can't be split among threads as slices"
            )]
            unsafe {
                output.write(row, column, &values[..width]);
            }
        });
    });
}

/// What [`matmul_int8`] computes, written plainly.
pub fn matmul_int8_reference(
    input: &[f32],
    weight: &QuantizedMatrix,
    bias: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let mut output = Vec::new();
    for row in input.chunks_exact(weight.inputs) {
        let largest = row.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        #[expect(clippy::cast_possible_truncation)]
        let integers: Vec<i32> =
            row.iter().map(|x| (x * (LARGEST / largest)).round_ties_even() as i32).collect();
        for index in 0..weight.outputs {
            let groups = &weight.groups[index / WIDTH * weight.depth()..][..weight.depth()];
            let weights = groups.iter().flat_map(|group| group.0[index % WIDTH]);
            let sum: i32 = integers.iter().zip(weights).map(|(x, w)| x * i32::from(w)).sum();
            #[expect(clippy::cast_precision_loss)]
            let product = sum as f32 * (weight.scales[index] * (largest / LARGEST));
            output.push(activation.reference(product + bias.map_or(0.0, |bias| bias[index])));
        }
    }
    output
}

#[cfg(test)]
mod tests;
