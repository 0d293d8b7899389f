//! Scaled dot-product attention of one query row over keys and values that lie in blocks of positions.

use pulp::{Arch, Simd, WithSimd};

use super::softmax;

/// Positions of a block.
pub const BLOCK: usize = 16;
/// Sums that are kept apart, so that one addition needn't wait for another.
const CHAINS: usize = 4;
/// Features of the output that stay in registers while the values are walked.
const STRIPE: usize = 32;

/// Consecutive positions of a sentence, at most [`BLOCK`].
#[derive(Clone, Copy)]
pub struct KvBlock<'a> {
    /// The keys `[features, BLOCK]`: one feature of all positions side by side, so that the scores of a block are
    /// computed together.
    pub keys: &'a [f32],
    /// The values `[BLOCK, features]`.
    pub values: &'a [f32],
    /// How many positions count; what lies behind them is never looked at.
    pub positions: usize,
}

/// Multi-head attention (Vaswani et al. 2017) of one query: for each head,
/// `output = softmax(query · keysᵀ / √(features / heads)) · values`. `query` and `output` are `[features]`;
/// `scores` is working memory.
///
/// # Panics
/// When `heads` doesn't divide the features, or a block has another shape.
pub fn attend(
    query: &[f32],
    heads: usize,
    blocks: &[KvBlock<'_>],
    scores: &mut Vec<f32>,
    output: &mut [f32],
) {
    let features = query.len();
    assert!(heads > 0 && features.is_multiple_of(heads) && output.len() == features, "the heads' shape");
    for block in blocks {
        let size = BLOCK * features;
        assert!(
            block.keys.len() == size && block.values.len() == size && block.positions <= BLOCK,
            "a block's shape"
        );
    }
    Arch::new().dispatch(Attend { query, heads, blocks, scores, output });
}

/// What [`attend`] computes, written plainly and in double precision.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
pub fn attend_reference(query: &[f32], heads: usize, blocks: &[KvBlock<'_>], output: &mut [f32]) {
    let features = query.len();
    let width = features / heads;
    let positions = || blocks.iter().flat_map(|block| (0..block.positions).map(move |at| (block, at)));
    for head in (0..heads).map(|head| head * width..(head + 1) * width) {
        let score = |(block, at): (&KvBlock<'_>, usize)| {
            let products = head.clone().map(|f| f64::from(block.keys[f * BLOCK + at]) * f64::from(query[f]));
            products.sum::<f64>() / (width as f64).sqrt()
        };
        let scores: Vec<f64> = positions().map(score).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
        for feature in head {
            let weighted = scores.iter().zip(positions()).map(|(score, (block, at))| {
                (score - largest).exp() / total * f64::from(block.values[at * features + feature])
            });
            output[feature] = weighted.sum::<f64>() as f32;
        }
    }
}

struct Attend<'a> {
    query: &'a [f32],
    heads: usize,
    blocks: &'a [KvBlock<'a>],
    scores: &'a mut Vec<f32>,
    output: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[expect(clippy::cast_precision_loss, reason = "a head's width is far below 2²⁴")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let features = self.query.len();
        let width = features / self.heads;
        let scale = (width as f32).sqrt().recip();
        for start in (0..features).step_by(width) {
            let query = &self.query[start..start + width];
            self.scores.clear();
            for block in self.blocks {
                let scores = scores(query, &block.keys[start * BLOCK..(start + width) * BLOCK], scale);
                self.scores.extend_from_slice(&scores[..block.positions]);
            }
            softmax(self.scores);
            let (stripes, rest) = self.output[start..start + width].as_chunks_mut::<STRIPE>();
            let mut at = start;
            for stripe in stripes {
                *stripe = weighted::<STRIPE>(self.scores, self.blocks, features, at);
                at += STRIPE;
            }
            for output in rest {
                [*output] = weighted::<1>(self.scores, self.blocks, features, at);
                at += 1;
            }
        }
    }
}

/// The scores of a block's positions, for one head's `query` `[width]` and `keys` `[width, BLOCK]`.
#[inline(always)]
fn scores(query: &[f32], keys: &[f32], scale: f32) -> [f32; BLOCK] {
    let mut sums = [[0.0; BLOCK]; CHAINS];
    let (keys, _) = keys.as_chunks::<BLOCK>();
    let (keys, rest_keys) = keys.as_chunks::<CHAINS>();
    let (query, rest) = query.as_chunks::<CHAINS>();
    for (query, keys) in query.iter().zip(keys) {
        for chain in 0..CHAINS {
            for position in 0..BLOCK {
                sums[chain][position] = query[chain].mul_add(keys[chain][position], sums[chain][position]);
            }
        }
    }
    for (query, keys) in rest.iter().zip(rest_keys) {
        for position in 0..BLOCK {
            sums[0][position] = query.mul_add(keys[position], sums[0][position]);
        }
    }
    let mut scores = [0.0; BLOCK];
    for position in 0..BLOCK {
        scores[position] =
            ((sums[0][position] + sums[1][position]) + (sums[2][position] + sums[3][position])) * scale;
    }
    scores
}

/// Features `first..first + N` of the values' sum, each weighted by its position's probability.
#[inline(always)]
fn weighted<const N: usize>(
    weights: &[f32],
    blocks: &[KvBlock<'_>],
    features: usize,
    first: usize,
) -> [f32; N] {
    let mut sums = [0.0; N];
    let mut weights = weights;
    for block in blocks {
        let (own, rest) = weights.split_at(block.positions);
        weights = rest;
        for (position, &weight) in own.iter().enumerate() {
            let values = &block.values[position * features + first..][..N];
            for lane in 0..N {
                sums[lane] = values[lane].mul_add(weight, sums[lane]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{numbers, relative_error};
    use super::*;

    proptest! {
        #[test]
        fn is_close_to_its_reference(
            heads in 1usize..5, width in 1usize..80, positions in prop::collection::vec(0usize..=BLOCK, 1..5), seed in 0u64..99,
        ) {
            prop_assume!(positions.iter().sum::<usize>() > 0);
            let features = heads * width;
            let query = numbers(seed, features);
            let memory: Vec<_> = positions.iter().zip(0..).map(|(&positions, block)| {
                (numbers(seed + 10 + block, BLOCK * features), numbers(seed + 20 + block, BLOCK * features), positions)
            }).collect();
            let blocks: Vec<_> =
                memory.iter().map(|(keys, values, positions)| KvBlock { keys, values, positions: *positions }).collect();
            let (mut actual, mut expected) = (vec![f32::NAN; features], vec![0.0; features]);
            attend(&query, heads, &blocks, &mut Vec::new(), &mut actual);
            attend_reference(&query, heads, &blocks, &mut expected);
            for (actual, expected) in actual.into_iter().zip(expected) {
                prop_assert!(relative_error(actual, expected, 1.0) < 1e-5, "{} {}", actual, expected);
            }
        }
    }
}
