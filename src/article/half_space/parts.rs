//! Compounds of two words, and prefixes.

use super::endings::is_silent_he;
use super::joined::cut;
use super::joins_next;
use super::lexicon::{List, letters_before_tail};
use super::verbs::is_participle;

/// خنثی‌سازی, شکل‌دهی; after a silent ه many more: علاقه‌مند.
pub(super) fn compound(word: &str) -> Option<Vec<usize>> {
    // پسندیده is no پسن‌دیده.
    if is_participle(word) {
        return None;
    }
    // From the left, so that the longest second part is found first: ناپذیر before پذیر.
    let at = inner_boundaries(word).find(|&at| {
        let (first, tail) = word.split_at(at);
        let enough = || letters_before_tail(tail).is_some_and(|letters| first.chars().count() >= letters);
        let silent_he = || List::TailHe.has(tail) && is_silent_he(first);
        let ye = || List::TailYe.has(tail) && first.ends_with('ی') && first.chars().count() >= 4;
        joins_next(first) && (enough() || silent_he() || ye())
    })?;
    Some(with_first(&word[..at], at))
}

/// بی‌اساس, به‌عنوان, هیچ‌گونه, این‌گونه, سه‌جانبه.
pub(super) fn prefixed(word: &str) -> Option<Vec<usize>> {
    let after = |prefix: &'static str| word.strip_prefix(prefix);
    if let Some(noun) = after("بی") {
        let bare = |ending: &str| noun.strip_suffix(ending).is_some_and(|noun| List::AfterBi.has(noun));
        if List::AfterBi.has(noun) || bare("ی") || bare("ان") || bare("انه") {
            return Some(vec!["بی".len()]);
        }
    }
    if after("به").is_some_and(|noun| List::AfterBe.has(noun)) {
        return Some(vec!["به".len()]);
    }
    if after("هیچ").is_some_and(|noun| List::AfterHich.has(noun)) {
        return Some(vec!["هیچ".len()]);
    }
    let demonstrative = ["این", "آن", "همین", "همان"]
        .into_iter()
        .find(|prefix| word.strip_prefix(prefix).is_some_and(|noun| List::AfterDemonstrative.has(noun)));
    demonstrative.map(|prefix| vec![prefix.len()]).or_else(|| {
        let at = inner_boundaries(word).find(|&at| {
            let (number, noun) = word.split_at(at);
            List::Number.has(number) && List::AfterNumber.has(noun)
        })?;
        Some(vec![at])
    })
}

/// بین‌المللی, شمس‌الدین.
pub(super) fn arabic(word: &str) -> Option<Vec<usize>> {
    let at = inner_boundaries(word).find(|&at| {
        let (first, second) = word.split_at(at);
        let known = |second: &str| List::Al.has(second);
        joins_next(first)
            && first.chars().count() >= 2
            && !List::NotBeforeAl.has(first)
            && (known(second)
                || ["ی", "ش"].iter().any(|ending| second.strip_suffix(ending).is_some_and(known)))
    })?;
    Some(with_first(&word[..at], at))
}

/// آ stands at the beginning of a word, and so of a compound's part: پیش‌آمد.
pub(super) fn before_long_a(word: &str) -> Option<Vec<usize>> {
    const SHORT: [&str; 9] = ["هم", "کم", "دل", "تن", "فن", "پس", "شب", "یخ", "تک"];
    let at = word.match_indices('آ').map(|(at, _)| at).find(|&at| at > 0)?;
    let (first, second) = word.split_at(at);
    let long = first.chars().count() >= 3 || SHORT.contains(&first);
    (joins_next(first) && long && !first.ends_with("ال") && second.chars().count() >= 3)
        .then(|| with_first(first, at))
}

/// The character boundaries inside `word`, from the left.
fn inner_boundaries(word: &str) -> impl Iterator<Item = usize> + '_ {
    word.char_indices().map(|(at, _)| at).skip(1)
}

/// The cuts inside a compound's first part, and the one at its end.
fn with_first(first: &str, at: usize) -> Vec<usize> {
    let mut cuts = cut(first).unwrap_or_default();
    cuts.push(at);
    cuts
}
