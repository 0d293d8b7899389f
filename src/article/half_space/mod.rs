//! Restores half-spaces (zero-width non-joiners) that a text has lost.
//!
//! A careless publisher prints `می‌شود` as `میشود` or `می شود`. The rules are those of Persian spelling: می before a
//! verb, the plural, the perfect, comparatives, adjectives in ای, and compounds, each only after a letter that joins
//! the next one, as no reader misses a half-space elsewhere. A wrong half-space breaks a word and a missing one
//! leaves it rare, so every rule prefers to do nothing.

mod verbs;
mod words;

use verbs::{follows_mi, is_participle};
use words::WORDS;

/// The half-space.
const ZWNJ: char = '\u{200C}';

/// A place where a half-space was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfSpace {
    /// Byte offset into the text where the half-space belongs.
    pub at: usize,
    /// Whether it takes the place of the one-byte space that stands at `at`, instead of being put between two letters.
    pub replaces_space: bool,
}

/// Where `text`, folded by [`normalize`](super::normalize), has lost half-spaces; in order of their offsets.
pub fn restore(text: &str) -> Vec<HalfSpace> {
    let mut lost = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    for (start, word) in words_of(text) {
        let before_half_space = text[start + word.len()..].starts_with(ZWNJ);
        if let Some((before, last)) = previous
            && before + last.len() + 1 == start
            && text.as_bytes()[start - 1] == b' '
            && !before_half_space
            && belong_together(last, word)
        {
            lost.push(HalfSpace { at: start - 1, replaces_space: true });
        }
        // A word with a half-space in it was spelled with care.
        let careful = before_half_space || text[..start].ends_with(ZWNJ);
        if !careful && let Some(at) = within(word) {
            lost.push(HalfSpace { at: start + at, replaces_space: false });
        }
        previous = Some((start, word));
    }
    lost
}

/// Runs of letters, with their offsets.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !c.is_alphabetic())
        .map(move |word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
        .filter(|(_, word)| !word.is_empty())
}

/// Whether a space between two words should be a half-space.
fn belong_together(first: &str, second: &str) -> bool {
    match second {
        "ها" | "های" | "هایی" | "هایش" | "هایشان" => first.chars().count() > 1,
        "ام" | "ایم" | "اید" | "اند" => is_participle(first),
        "تر" | "ترین" => WORDS.adjectives.contains(first),
        _ => matches!(first, "می" | "نمی") && follows_mi(second),
    }
}

/// Where a word has lost a half-space, in bytes from its start.
fn within(word: &str) -> Option<usize> {
    let rules = [lexical, mi, perfect, adjective, plural, comparative, bi, compound];
    rules.iter().find_map(|rule| rule(word))
}

fn lexical(word: &str) -> Option<usize> {
    let find = |word: &str| WORDS.lexical.get(word).copied();
    find(word).or_else(|| find(word.strip_suffix('ی')?))
}

/// می, نمی and برمی before a verb.
fn mi(word: &str) -> Option<usize> {
    // A word of its own: the field, and its adjective.
    if word == "میدانی" {
        return None;
    }
    let prefixes = ["", "بر", "در", "باز", "فرا", "وا", "فرو"];
    prefixes.iter().flat_map(|prefix| [(prefix, "می"), (prefix, "نمی")]).find_map(|(prefix, mi)| {
        let verb = word.strip_prefix(prefix)?.strip_prefix(mi)?;
        // Two letters are too few to tell a verb by, but for a few that are all too common.
        (follows_mi(verb) && (verb.chars().count() > 2 || matches!(verb, "شد" | "زد" | "دم")))
            .then(|| word.len() - verb.len())
    })
}

/// A past participle before a form of "to be".
fn perfect(word: &str) -> Option<usize> {
    // The second person, شده‌ای, can't be told from the plural, نهادهای, and is far rarer in print.
    ["ام", "است", "ایم", "اید", "اند"].iter().find_map(|ending| {
        let participle = word.strip_suffix(ending)?;
        is_participle(participle).then_some(participle.len())
    })
}

/// A noun in ه before the ای of its adjective, or a possessive.
fn adjective(word: &str) -> Option<usize> {
    ["ای", "اش", "ام"].iter().find_map(|ending| {
        let noun = word.strip_suffix(ending)?;
        WORDS.adjective_nouns.contains(noun).then_some(noun.len())
    })
}

fn plural(word: &str) -> Option<usize> {
    const ENDINGS: [&str; 9] = ["هایمان", "هایتان", "هایشان", "هایی", "هایش", "هایم", "هایت", "های", "ها"];
    // Whatever stands before them: نه‌تنها, گران‌بها, نیمه‌نهایی.
    let only_alike = ["تنها", "بهای", "بها", "نهایی", "انتها"].iter().any(|ending| word.ends_with(ending));
    if only_alike || WORDS.not_plural.contains(word) {
        return None;
    }
    let noun = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending))?;
    (joins_next(noun) && noun.chars().count() >= 2).then_some(noun.len())
}

fn comparative(word: &str) -> Option<usize> {
    let superlative = ["ترین", "ترینش", "ترین‌ها"].iter().find_map(|ending| word.strip_suffix(ending));
    if let Some(adjective) = superlative {
        let long = adjective.chars().count() >= 3 && !matches!(adjective, "بیش" | "پیش");
        return (long && joins_next(adjective)).then_some(adjective.len());
    }
    let adjective = ["تری", "تر"].iter().find_map(|ending| word.strip_suffix(ending))?;
    (joins_next(adjective) && WORDS.adjectives.contains(adjective)).then_some(adjective.len())
}

fn bi(word: &str) -> Option<usize> {
    let noun = word.strip_prefix("بی")?;
    let known = |noun: &str| WORDS.after_bi.contains(noun);
    (known(noun) || noun.strip_suffix('ی').is_some_and(known)).then_some("بی".len())
}

/// A noun with the stem of a verb, where custom wants a half-space.
fn compound(word: &str) -> Option<usize> {
    /// After any letter that joins.
    const ALWAYS: [&str; 34] = [
        "سازی",
        "گذاری",
        "گیری",
        "پذیری",
        "پذیر",
        "دهی",
        "دهنده",
        "دهندگان",
        "کننده",
        "کنندگان",
        "شناسی",
        "بندی",
        "آمیز",
        "انگیز",
        "گرایی",
        "گرایان",
        "گرا",
        "محور",
        "طلبی",
        "طلبان",
        "طلب",
        "سنجی",
        "یابی",
        "رسانی",
        "اندازی",
        "جویی",
        "پرستی",
        "نشینی",
        "ناپذیر",
        "پردازی",
        "افزایی",
        "زدایی",
        "نگاری",
        "آوری",
    ];
    /// Only after ه, which no reader joins to what follows.
    const AFTER_H: [&str; 14] = [
        "گر",
        "گری",
        "گران",
        "دار",
        "داری",
        "داران",
        "ساز",
        "نویس",
        "نویسی",
        "مند",
        "مندی",
        "مندان",
        "شده",
        "ریزی",
    ];
    /// Joined by custom.
    const JOINED: [&str; 14] = [
        "دستگیری",
        "پیگیری",
        "دلپذیر",
        "جهانگیری",
        "کشتیگیری",
        "زمینگیری",
        "غافلگیری",
        "گوشهگیری",
        "کفگیری",
        "فالگیری",
        "سختگیری",
        "دستبندی",
        "پایبندی",
        "یخبندی",
    ];
    if JOINED.contains(&word) {
        return None;
    }
    let split = |endings: &[&str]| {
        let noun = endings.iter().find_map(|ending| word.strip_suffix(ending))?;
        (noun.chars().count() >= 3 && joins_next(noun)).then_some(noun)
    };
    let noun = split(&ALWAYS).or_else(|| split(&AFTER_H).filter(|noun| noun.ends_with('ه')))?;
    Some(noun.len())
}

/// Whether the last letter joins the next one.
fn joins_next(word: &str) -> bool {
    !word.ends_with(['ا', 'آ', 'أ', 'إ', 'د', 'ذ', 'ر', 'ز', 'ژ', 'و', 'ؤ', 'ء', 'ة'])
        && word.chars().all(|c| matches!(c, '\u{0620}'..='\u{06FF}'))
}

#[cfg(test)]
mod tests;
