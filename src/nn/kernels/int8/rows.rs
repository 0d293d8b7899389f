//! Rows of numbers as 8-bit integers.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::tiles::TALLEST;
use super::{DEPTH, LARGEST, SHIFT};
use crate::nn::threads::is_shared;

/// Numbers below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 16;

/// A matrix's rows in integers, in tiles of [`TALLEST`] rows and a last one of what is left.
pub(super) struct QuantizedRows {
    /// Each tile is `[inputs / DEPTH][height]` of `DEPTH` integers, shifted so that none is negative.
    data: Vec<[u8; DEPTH]>,
    /// What the integers of a row are multiplied by.
    scales: Vec<f32>,
    depth: usize,
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

impl QuantizedRows {
    /// Quantises `[rows, inputs]` row by row. A row with an infinity or NaN has the scale NaN.
    pub(super) fn new(input: &[f32], rows: usize, inputs: usize) -> Self {
        let depth = inputs.div_ceil(DEPTH);
        let mut quantized = Self { data: vec![[0; DEPTH]; rows * depth], scales: vec![0.0; rows], depth };
        let tiles = quantized
            .data
            .par_chunks_mut(TALLEST * depth)
            .zip_eq(quantized.scales.par_chunks_mut(TALLEST).zip_eq(input.par_chunks(TALLEST * inputs)));
        let tiles_at_once = if is_shared(input.len(), PARALLEL_FROM) { 1 } else { rows };
        tiles.with_min_len(tiles_at_once).for_each(|(data, (scales, input))| {
            Arch::new().dispatch(QuantizeTile { data, scales, input, inputs });
        });
        quantized
    }

    /// The tiles, top-down.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Tile<'_>> {
        let tiles = self.data.chunks(TALLEST * self.depth).zip(self.scales.chunks(TALLEST));
        tiles.enumerate().map(|(index, (data, scales))| Tile { data, scales, first: index * TALLEST })
    }
}

/// The largest magnitude of a row; NaN where a number is infinite or none.
pub(super) fn largest(values: &[f32]) -> f32 {
    Arch::new().dispatch(Largest(values))
}

/// Rounds a row, whose largest magnitude is `largest`, to integers of at most [`LARGEST`]; what `integers` is longer
/// becomes 0.
pub(super) fn quantize_signed(values: &[f32], largest: f32, integers: &mut [i8]) {
    Arch::new().dispatch(QuantizeSigned { values, scale: scale(largest), integers });
}

/// What a row is multiplied by before it is rounded.
#[inline(always)]
fn scale(largest: f32) -> f32 {
    let scale = LARGEST / largest;
    // Numbers that are too small for their scale are taken for 0.
    if scale.is_finite() { scale } else { 0.0 }
}

struct Largest<'a>(&'a [f32]);

impl WithSimd for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        largest_magnitude(self.0)
    }
}

/// The magnitude of the largest finite number has the largest bits, and what isn't finite has larger ones.
#[inline(always)]
fn largest_magnitude(values: &[f32]) -> f32 {
    let bits = values.iter().fold(0, |largest: u32, x| largest.max(x.to_bits() & 0x7FFF_FFFF));
    let largest = f32::from_bits(bits);
    if largest.is_finite() { largest } else { f32::NAN }
}

struct QuantizeSigned<'a> {
    values: &'a [f32],
    scale: f32,
    integers: &'a mut [i8],
}

impl WithSimd for QuantizeSigned<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.integers.fill(0);
        for (integer, value) in self.integers.iter_mut().zip(self.values) {
            #[expect(clippy::cast_possible_truncation, reason = "at most ±127 by the choice of the scale")]
            let rounded = round(value * self.scale) as i8;
            *integer = rounded;
        }
    }
}

struct QuantizeTile<'a> {
    data: &'a mut [[u8; DEPTH]],
    scales: &'a mut [f32],
    input: &'a [f32],
    inputs: usize,
}

impl WithSimd for QuantizeTile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let height = self.scales.len();
        let mut buffer = [0u8; 256];
        for (row, (values, row_scale)) in self.input.chunks_exact(self.inputs).zip(self.scales).enumerate() {
            let largest = largest_magnitude(values);
            *row_scale = largest / LARGEST;
            let scale = scale(largest);
            for (part, values) in values.chunks(buffer.len()).enumerate() {
                for (shifted, value) in buffer.iter_mut().zip(values) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "between 1 and 255 by the choice of the scale"
                    )]
                    let integer = (round(value * scale) + SHIFT) as u8;
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

/// The nearest whole number of one between −2²² and 2²², half to even; 0 for NaN with a scale of 0.
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
            let quantized = QuantizedRows::new(&vec![1.0; rows * 5], rows, 5);
            let heights: Vec<usize> = quantized.tiles().map(|tile| tile.scales.len()).collect();
            assert_eq!(heights.iter().sum::<usize>(), rows);
            assert!(heights.iter().all(|height| (1..=TALLEST).contains(height)));
        }
    }
}
