//! Half-spaces that were lost inside a word.

use super::lexicon::{List, compound};
use super::{endings, parts, verbs};

/// Where half-spaces belong in `word`, in bytes and in order.
pub(super) fn cuts(word: &str) -> Vec<usize> {
    // No word with one lost half-space is shorter; none in use is longer, and trying one would take time quadratic
    // in its length.
    if word.len() < MIN_BYTES || word.len() > MAX_BYTES { Vec::new() } else { cut(word).unwrap_or_default() }
}

/// Four two-byte letters.
const MIN_BYTES: usize = 8;
/// Thirty-two of them.
const MAX_BYTES: usize = 64;

/// As [`cuts`]; none if no rule speaks. The surest rule comes first. The rules take a known ending or part off and ask
/// again for what is left, which is shorter.
pub(super) fn cut(word: &str) -> Option<Vec<usize>> {
    if List::Whole.has(word) || word.strip_suffix('ی').is_some_and(|word| List::Whole.has(word)) {
        return None;
    }
    verb(word)
        .or_else(|| known(word))
        .or_else(|| endings::perfect(word))
        .or_else(|| endings::plural(word))
        .or_else(|| endings::after_silent_he(word))
        .or_else(|| endings::comparative(word))
        .or_else(|| endings::after_ye(word))
        .or_else(|| parts::compound(word))
        .or_else(|| parts::prefixed(word))
        .or_else(|| parts::arabic(word))
        .or_else(|| parts::before_long_a(word))
}

/// می‌شود, and with a perfect: می‌کرده‌اند.
fn verb(word: &str) -> Option<Vec<usize>> {
    if let Some(at) = verbs::after_mi(word) {
        return Some(vec![at]);
    }
    let participle = endings::PERFECT.iter().find_map(|ending| word.strip_suffix(ending))?;
    if !participle.ends_with('ه') {
        return None;
    }
    Some(vec![verbs::after_mi(participle)?, participle.len()])
}

/// A compound of the list, perhaps with an ending that joins: پیش‌نویسی.
pub(super) fn known(word: &str) -> Option<Vec<usize>> {
    let stem = |ending: &str| word.strip_suffix(ending).filter(|stem| !stem.ends_with('ه'));
    compound(word)
        .or_else(|| {
            ["ی", "ان", "یی", "یان", "ش", "شان"].into_iter().find_map(|ending| compound(stem(ending)?))
        })
        .map(<[usize]>::to_vec)
}
