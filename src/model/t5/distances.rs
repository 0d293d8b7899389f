//! What T5 adds to an attention score for the distance between two tokens.
//!
//! T5 learns one number a head for each of a few buckets: near distances have one each, far ones share. candle puts the
//! distances into the encoder's buckets in the decoder too, where Hugging Face, and the training, have twice as many for
//! the one direction that there is; and its quantised model runs out of the table where distances are far. A table with
//! a row for every distance has no buckets to be wrong about, so that is what candle gets.

use candle_core::{Result, Tensor};

/// Distances that are told apart: more than any text has that is translated in one piece.
pub(super) const POSITIONS: usize = 1024;

/// Rows of the table that candle gets. It takes a quarter for the distances backward, up to [`POSITIONS`] one a row, and
/// the third quarter for those forward; the others are for what is farther.
pub(super) const TABLE: usize = 4 * POSITIONS;

/// How one side of a model puts distances into buckets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    /// Number of buckets.
    pub(super) count: usize,
    /// The distance from which on all share the last one.
    pub(super) max_distance: usize,
    /// Whether tokens look forward too, as they do in the encoder.
    pub(super) both_ways: bool,
}

impl Buckets {
    /// Turns numbers for buckets, `[count, heads]`, into numbers for distances, `[TABLE, heads]`, as candle looks them
    /// up.
    pub(super) fn spread(self, table: &Tensor) -> Result<Tensor> {
        let backward = (0..TABLE / 2).map(|distance| self.of(distance, false));
        let forward = (0..TABLE / 2).map(|distance| self.of(distance, true));
        let rows: Vec<u32> = backward.chain(forward).collect();
        table.index_select(&Tensor::new(rows, table.device())?, 0)
    }

    /// The bucket of a distance, after `_relative_position_bucket` in transformers' `modeling_t5.py`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "as the reference rounds"
    )]
    fn of(self, distance: usize, is_forward: bool) -> u32 {
        let (count, first, distance) = match (self.both_ways, is_forward) {
            (true, false) => (self.count / 2, 0, distance),
            (true, true) => (self.count / 2, self.count / 2, distance),
            (false, false) => (self.count, 0, distance),
            (false, true) => (self.count, 0, 0),
        };
        let exact = count / 2;
        let index = if distance < exact {
            distance
        } else {
            let farthest = (self.max_distance as f64 / exact as f64).ln() as f32;
            let shared = (distance as f32 / exact as f32).ln() / farthest * (count - exact) as f32;
            (exact + shared as usize).min(count - 1)
        };
        (first + index) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/golden/t5.py` wrote down the bucket of every distance from -1023 to 1023, for both directions.
    #[test]
    fn every_distance_has_the_bucket_of_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-t5.buckets.txt");
        let golden = std::fs::read_to_string(path).unwrap();
        for (both_ways, line) in [true, false].into_iter().zip(golden.lines()) {
            let buckets = Buckets { count: 32, max_distance: 128, both_ways };
            let expected: Vec<u32> = line.split(' ').map(|bucket| bucket.parse().unwrap()).collect();
            assert_eq!(expected.len(), 2 * POSITIONS - 1);
            let backward = (1..POSITIONS).rev().map(|distance| buckets.of(distance, false));
            let forward = (0..POSITIONS).map(|distance| buckets.of(distance, distance > 0));
            assert_eq!(backward.chain(forward).collect::<Vec<_>>(), expected, "{buckets:?}");
        }
    }
}
