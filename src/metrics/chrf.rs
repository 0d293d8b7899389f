//! chrF2 and chrF2++, as sacreBLEU computes them with its default settings (`sacrebleu/metrics/chrf.py`).

use super::Segment;
use super::ngrams::{Overlap, overlap, ratio};
use super::tokens::{is_space, words};

/// The longest n-grams of characters.
pub(super) const CHAR_ORDER: usize = 6;
/// How much more recall weighs than precision, squared.
const BETA_SQUARED: f64 = 4.0;

/// For each order of characters and then of words, n-grams of the hypothesis, of the reference, and shared.
pub(super) fn count(segment: Segment<'_>, word_order: usize) -> Vec<usize> {
    let characters = |text: &str| text.chars().filter(|&c| !is_space(c)).collect::<Vec<_>>();
    let (hypothesis, reference) = (characters(segment.hypothesis), characters(segment.reference));
    let by_characters = (1..=CHAR_ORDER).map(|order| overlap(&hypothesis, &reference, order));
    let (hypothesis, reference) = (split_words(segment.hypothesis), split_words(segment.reference));
    let by_words = (1..=word_order).map(|order| overlap(&hypothesis, &reference, order));
    by_characters.chain(by_words).flat_map(counts).collect()
}

/// The F-score of the mean precision and the mean recall over those orders that both sides have n-grams of.
pub(super) fn score(counts: &[usize]) -> f64 {
    let orders = counts.chunks_exact(3).filter(|order| order[0] > 0 && order[1] > 0);
    let (mut precision, mut recall, mut effective) = (0.0, 0.0, 0);
    for order in orders {
        precision += ratio(order[2], order[0]);
        recall += ratio(order[2], order[1]);
        effective += 1;
    }
    if precision == 0.0 {
        return 0.0;
    }
    precision /= ratio(effective, 1);
    recall /= ratio(effective, 1);
    100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
}

/// An order that a segment's reference has no n-gram of counts for nothing, even where the hypothesis has some.
fn counts(overlap: Overlap) -> [usize; 3] {
    let hypothesis = if overlap.reference == 0 { 0 } else { overlap.hypothesis };
    [hypothesis, overlap.reference, overlap.shared]
}

/// The words, with one punctuation mark taken off the end of each, or off its start where its end has none.
fn split_words(text: &str) -> Vec<&str> {
    let is_mark = |c: char| c.is_ascii_punctuation();
    let split = |word| {
        let word: &str = word;
        let at =
            if word.ends_with(is_mark) { word.len() - 1 } else { usize::from(word.starts_with(is_mark)) };
        <[&str; 2]>::from(word.split_at(at))
    };
    words(text).flat_map(split).filter(|part| !part.is_empty()).collect()
}
