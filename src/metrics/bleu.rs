//! BLEU, as sacreBLEU computes it with its default settings (`sacrebleu/metrics/bleu.py`).

use super::Segment;
use super::ngrams::{overlap, ratio};
use super::tokens::{tokenize, words};

/// The longest n-grams.
const ORDER: usize = 4;

/// Tokens of the reference; then, for each order, n-grams of the hypothesis and those of them in the reference.
pub(super) fn count(segment: Segment<'_>) -> Vec<usize> {
    let (hypothesis, reference) = (tokenize(segment.hypothesis), tokenize(segment.reference));
    let hypothesis: Vec<&str> = words(&hypothesis).collect();
    let reference: Vec<&str> = words(&reference).collect();
    let orders = (1..=ORDER).map(|order| overlap(&hypothesis, &reference, order));
    let counts = orders.flat_map(|overlap| [overlap.hypothesis, overlap.shared]);
    [reference.len()].into_iter().chain(counts).collect()
}

/// The geometric mean of the orders' precisions times the brevity penalty. A precision of zero is smoothed to half,
/// quarter, … of what one match would give, as in NIST's `mteval-v13a.pl`; a corpus without n-grams of every order, or
/// without any match, scores 0.
pub(super) fn score(counts: &[usize]) -> f64 {
    let [reference_tokens, hypothesis_tokens, ..] = *counts else { return 0.0 };
    let orders = counts[1..].chunks_exact(2);
    if orders.clone().any(|order| order[0] == 0) || orders.clone().all(|order| order[1] == 0) {
        return 0.0;
    }
    let mut smoothing = 1.0;
    let log_precisions = orders.map(|order| {
        if order[1] > 0 {
            return (100.0 * ratio(order[1], order[0])).ln();
        }
        smoothing /= 2.0;
        (100.0 * smoothing * ratio(1, order[0])).ln()
    });
    let mean = log_precisions.sum::<f64>() / ratio(ORDER, 1);
    let shortness = (ratio(reference_tokens, hypothesis_tokens) - 1.0).max(0.0);
    (mean - shortness).exp()
}
