//! Scaled dot-product attention of one query row over keys and values that lie in several runs of memory.

use pulp::{Arch, Simd, WithSimd};

use super::softmax;

/// Consecutive positions of a sentence: their keys and values, each `[positions, features]` row-major.
#[derive(Clone, Copy)]
pub struct KvRun<'a> {
    /// The keys.
    pub keys: &'a [f32],
    /// The values.
    pub values: &'a [f32],
}

/// Multi-head attention (Vaswani et al. 2017) of one query: for each head,
/// `output = softmax(query · keysᵀ / √(features / heads)) · values`. `query` and `output` are `[features]`;
/// `scores` is working memory.
///
/// # Panics
/// When `heads` doesn't divide the features.
pub fn attend(query: &[f32], heads: usize, runs: &[KvRun<'_>], scores: &mut Vec<f32>, output: &mut [f32]) {
    assert!(
        heads > 0 && query.len().is_multiple_of(heads) && output.len() == query.len(),
        "the heads' shape"
    );
    Arch::new().dispatch(Attend { query, heads, runs, scores, output });
}

/// What [`attend`] computes, written plainly and in double precision.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
pub fn attend_reference(query: &[f32], heads: usize, runs: &[KvRun<'_>], output: &mut [f32]) {
    let features = query.len();
    let width = features / heads;
    let keys: Vec<&[f32]> = runs.iter().flat_map(|run| run.keys.chunks_exact(features)).collect();
    let values: Vec<&[f32]> = runs.iter().flat_map(|run| run.values.chunks_exact(features)).collect();
    for head in (0..heads).map(|head| head * width..(head + 1) * width) {
        let score = |key: &&[f32]| {
            let dot: f64 = key[head.clone()]
                .iter()
                .zip(&query[head.clone()])
                .map(|(k, q)| f64::from(*k) * f64::from(*q))
                .sum();
            dot / (width as f64).sqrt()
        };
        let scores: Vec<f64> = keys.iter().map(score).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
        for feature in head {
            let weighted =
                scores.iter().zip(&values).map(|(s, v)| (s - largest).exp() / total * f64::from(v[feature]));
            output[feature] = weighted.sum::<f64>() as f32;
        }
    }
}

struct Attend<'a> {
    query: &'a [f32],
    heads: usize,
    runs: &'a [KvRun<'a>],
    scores: &'a mut Vec<f32>,
    output: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[expect(clippy::cast_precision_loss, reason = "a head's width is far below 2²⁴")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let features = self.query.len();
        let width = features / self.heads;
        let scale = (width as f32).sqrt().recip();
        for head in (0..self.heads).map(|head| head * width..(head + 1) * width) {
            let query = &self.query[head.clone()];
            self.scores.clear();
            for run in self.runs {
                let keys = run.keys.chunks_exact(features);
                self.scores.extend(keys.map(|key| dot(simd, query, &key[head.clone()]) * scale));
            }
            softmax(self.scores);
            let output = &mut self.output[head.clone()];
            output.fill(0.0);
            let mut weights = self.scores.iter();
            for run in self.runs {
                for (value, &weight) in run.values.chunks_exact(features).zip(&mut weights) {
                    for (sum, &x) in output.iter_mut().zip(&value[head.clone()]) {
                        *sum = x.mul_add(weight, *sum);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> f32 {
    let (left, left_rest) = S::as_simd_f32s(left);
    let (right, right_rest) = S::as_simd_f32s(right);
    let mut sum = simd.splat_f32s(0.0);
    for (&x, &y) in left.iter().zip(right) {
        sum = simd.mul_add_f32s(x, y, sum);
    }
    left_rest.iter().zip(right_rest).fold(simd.reduce_sum_f32s(sum), |sum, (x, y)| x.mul_add(*y, sum))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{numbers, relative_error};
    use super::*;

    proptest! {
        #[test]
        fn is_close_to_its_reference(
            heads in 1usize..5, width in 1usize..40, lengths in prop::collection::vec(0usize..20, 1..4), seed in 0u64..99,
        ) {
            prop_assume!(lengths.iter().sum::<usize>() > 0);
            let features = heads * width;
            let query = numbers(seed, features);
            let memory: Vec<_> = lengths.iter().zip(0..).map(|(length, run)| {
                (numbers(seed + 10 + run, length * features), numbers(seed + 20 + run, length * features))
            }).collect();
            let runs: Vec<_> = memory.iter().map(|(keys, values)| KvRun { keys, values }).collect();
            let (mut actual, mut expected) = (vec![f32::NAN; features], vec![0.0; features]);
            attend(&query, heads, &runs, &mut Vec::new(), &mut actual);
            attend_reference(&query, heads, &runs, &mut expected);
            for (actual, expected) in actual.into_iter().zip(expected) {
                prop_assert!(relative_error(actual, expected, 1.0) < 1e-5, "{} {}", actual, expected);
            }
        }

        #[test]
        fn how_the_memory_is_divided_into_runs_changes_nothing(length in 2usize..30, cut in 1usize..29, seed in 0u64..99) {
            prop_assume!(cut < length);
            let (query, keys, values) = (numbers(seed, 32), numbers(seed + 1, length * 32), numbers(seed + 2, length * 32));
            let whole = [KvRun { keys: &keys, values: &values }];
            let parts = [
                KvRun { keys: &keys[..cut * 32], values: &values[..cut * 32] },
                KvRun { keys: &keys[cut * 32..], values: &values[cut * 32..] },
            ];
            let (mut one, mut two) = (vec![0.0; 32], vec![0.0; 32]);
            attend(&query, 2, &whole, &mut Vec::new(), &mut one);
            attend(&query, 2, &parts, &mut Vec::new(), &mut two);
            prop_assert_eq!(one, two);
        }
    }
}
