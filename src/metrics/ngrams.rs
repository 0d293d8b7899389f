//! N-grams and what two sequences share of them.

use std::collections::HashMap;
use std::hash::Hash;

/// Numbers of n-grams of one order.
#[derive(Clone, Copy)]
pub(super) struct Overlap {
    pub(super) hypothesis: usize,
    pub(super) reference: usize,
    /// Those of the hypothesis that are in the reference, each at most as often as there.
    pub(super) shared: usize,
}

/// Compares the n-grams of length `order`, at least 1, of two sequences. Takes time linear in both lengths.
pub(super) fn overlap<T: Eq + Hash>(hypothesis: &[T], reference: &[T], order: usize) -> Overlap {
    let mut unmatched: HashMap<&[T], usize> = HashMap::new();
    for ngram in reference.windows(order) {
        *unmatched.entry(ngram).or_default() += 1;
    }
    let is_matched = |ngram: &&[T]| match unmatched.get_mut(*ngram) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    Overlap {
        hypothesis: hypothesis.windows(order).len(),
        reference: reference.windows(order).len(),
        shared: hypothesis.windows(order).filter(is_matched).count(),
    }
}

/// One count over another.
#[expect(clippy::cast_precision_loss, reason = "counts of n-grams stay far below 2⁵²")]
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
