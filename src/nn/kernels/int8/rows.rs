//! Rows of numbers as 8-bit integers.

use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::tiles::TALLEST;
use super::{DEPTH, LARGEST, SHIFT};
use crate::nn::threads::is_shared;

/// Numbers below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 16;

/// The rows of an input in integers of at most ±127, in tiles of some rows and a last one of what is left.
#[derive(Default)]
pub struct QuantizedRows {
    /// Each tile is `[inputs / DEPTH][height]` of `DEPTH` integers, shifted so that none is negative.
    data: Vec<[u8; DEPTH]>,
    /// What the integers of a row are multiplied by.
    scales: Vec<f32>,
    inputs: usize,
}

/// How a row is rounded whose scale is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowScale {
    /// What its numbers are multiplied by before they are rounded.
    pub multiplier: f32,
    /// What sums of products of its integers are multiplied by.
    pub scale: f32,
}

/// Rows that are multiplied at once.
pub(super) struct Tile<'a> {
    /// `[inputs / DEPTH][height]`.
    pub(super) data: &'a [[u8; DEPTH]],
    /// One for each row.
    pub(super) scales: &'a [f32],
    /// The number of the first row.
    pub(super) first: usize,
}

thread_local! {
    static SPARE: Cell<QuantizedRows> = Cell::default();
}

impl QuantizedRows {
    /// Lends `work` rows of this thread, whose memory is used again and again.
    pub fn borrow<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut rows = SPARE.take();
        let result = work(&mut rows);
        SPARE.set(rows);
        result
    }

    /// Quantises `[rows, inputs]` by each row's largest magnitude. A row with an infinity or NaN has the scale NaN.
    pub fn by_largest(&mut self, input: &[f32], inputs: usize) -> &Self {
        self.quantize(input, inputs, None)
    }

    /// Quantises `[rows, inputs]` by a scale for each row. What is too large for it becomes ±127, NaN becomes 0.
    ///
    /// # Panics
    /// When there aren't as many scales as rows.
    pub fn by_scales(&mut self, input: &[f32], inputs: usize, scales: &[RowScale]) -> &Self {
        assert_eq!(input.len(), scales.len() * inputs, "the rows' scales");
        self.quantize(input, inputs, Some(scales))
    }

    fn quantize(&mut self, input: &[f32], inputs: usize, given: Option<&[RowScale]>) -> &Self {
        let (rows, depth) = (input.len().checked_div(inputs).unwrap_or(0), inputs.div_ceil(DEPTH));
        assert_eq!(input.len(), rows * inputs, "the input's shape");
        // What was in it is overwritten to the last integer.
        self.data.resize(rows * depth, [0; DEPTH]);
        self.scales.resize(rows, 0.0);
        self.inputs = inputs;
        if rows == 0 {
            return self;
        }
        let tiles = self
            .data
            .par_chunks_mut(TALLEST * depth)
            .zip_eq(self.scales.par_chunks_mut(TALLEST).zip_eq(input.par_chunks(TALLEST * inputs)));
        let tiles_at_once = if is_shared(input.len(), PARALLEL_FROM) { 1 } else { rows };
        tiles.enumerate().with_min_len(tiles_at_once).for_each(|(tile, (data, (scales, input)))| {
            let given = given.map(|given| &given[tile * TALLEST..][..scales.len()]);
            Arch::new().dispatch(QuantizeTile { data, scales, input, inputs, given });
        });
        self
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Number of input features.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The tiles, top-down.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Tile<'_>> {
        let depth = self.inputs.div_ceil(DEPTH);
        let tiles = self.data.chunks(TALLEST * depth).zip(self.scales.chunks(TALLEST));
        tiles.enumerate().map(|(index, (data, scales))| Tile { data, scales, first: index * TALLEST })
    }
}

/// The largest magnitude of some numbers; NaN where one is infinite or none, 0 where there are none.
pub fn largest_magnitude(values: &[f32]) -> f32 {
    Arch::new().dispatch(Largest(values))
}

/// Rounds a row, whose largest magnitude is `largest`, to integers of at most [`LARGEST`]; what `integers` is longer
/// becomes 0.
pub(super) fn quantize_signed(values: &[f32], largest: f32, integers: &mut [i8]) {
    Arch::new().dispatch(QuantizeSigned { values, multiplier: multiplier(largest), integers });
}

/// What a row is multiplied by before it is rounded.
#[inline(always)]
fn multiplier(largest: f32) -> f32 {
    let multiplier = LARGEST / largest;
    // Numbers that are too small for their scale are taken for 0.
    if multiplier.is_finite() { multiplier } else { 0.0 }
}

struct Largest<'a>(&'a [f32]);

impl WithSimd for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        largest(self.0)
    }
}

/// The magnitude of the largest finite number has the largest bits, and what isn't finite has larger ones.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let bits = values.iter().fold(0, |largest: u32, x| largest.max(x.to_bits() & 0x7FFF_FFFF));
    let largest = f32::from_bits(bits);
    if largest.is_finite() { largest } else { f32::NAN }
}

struct QuantizeSigned<'a> {
    values: &'a [f32],
    multiplier: f32,
    integers: &'a mut [i8],
}

impl WithSimd for QuantizeSigned<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.integers.fill(0);
        for (integer, value) in self.integers.iter_mut().zip(self.values) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most ±127 by the choice of the multiplier"
            )]
            let rounded = round(value * self.multiplier) as i8;
            *integer = rounded;
        }
    }
}

struct QuantizeTile<'a> {
    data: &'a mut [[u8; DEPTH]],
    scales: &'a mut [f32],
    input: &'a [f32],
    inputs: usize,
    given: Option<&'a [RowScale]>,
}

impl WithSimd for QuantizeTile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let height = self.scales.len();
        let mut buffer = [0u8; 256];
        for (row, (values, row_scale)) in self.input.chunks_exact(self.inputs).zip(self.scales).enumerate() {
            let RowScale { multiplier, scale } = if let Some(given) = self.given {
                given[row]
            } else {
                let largest = largest(values);
                RowScale { multiplier: multiplier(largest), scale: largest / LARGEST }
            };
            *row_scale = scale;
            for (part, values) in values.chunks(buffer.len()).enumerate() {
                for (shifted, value) in buffer.iter_mut().zip(values) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "between 1 and 255"
                    )]
                    let integer = (round((value * multiplier).clamp(-LARGEST, LARGEST)) + SHIFT) as u8;
                    *shifted = integer;
                }
                // What is left over from the part before meets weights of 0.
                let groups =
                    self.data[row + part * buffer.len() / DEPTH * height..].iter_mut().step_by(height);
                for (group, four) in
                    groups.zip(buffer.as_chunks().0.iter().take(values.len().div_ceil(DEPTH)))
                {
                    *group = *four;
                }
            }
        }
    }
}

/// The nearest whole number of one between −2²² and 2²², half to even; 0, in its lowest 8 bits, for NaN.
#[inline(always)]
fn round(x: f32) -> i32 {
    /// Adding it leaves the nearest whole number in the mantissa's low bits.
    const ROUND: f32 = 12_582_912.0;
    #[expect(clippy::cast_possible_wrap)]
    let whole = (x + ROUND).to_bits() as i32;
    whole - 0x4B40_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_rows() {
        for rows in 0..40 {
            let mut quantized = QuantizedRows::default();
            quantized.by_largest(&vec![1.0; rows * 5], 5);
            let heights: Vec<usize> = quantized.tiles().map(|tile| tile.scales.len()).collect();
            assert_eq!(heights.iter().sum::<usize>(), rows);
            assert!(heights.iter().all(|height| (1..=TALLEST).contains(height)));
        }
    }
}
