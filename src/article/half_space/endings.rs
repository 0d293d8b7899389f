//! Endings that a half-space sets off: of plurals, of the perfect, of comparatives, and anything after a silent ه.

use super::joined::{cut, known};
use super::joins_next;
use super::lexicon::List;
use super::parts::{compound, prefixed};
use super::verbs::is_participle;

/// Endings of the perfect.
pub(super) const PERFECT: [&str; 6] = ["اند", "ایم", "اید", "است", "ام", "ای"];
/// The plural with what may follow it, the longest first.
const PLURAL: [&str; 15] = [
    "هایشان",
    "هایمان",
    "هایتان",
    "هایی",
    "هایم",
    "هایت",
    "هایش",
    "هاشان",
    "هاشون",
    "هامون",
    "هاتون",
    "هاست",
    "هایند",
    "های",
    "ها",
];
/// گام‌ها, حوزه‌های, and what may be one of these or an adjective: هسته‌ای.
pub(super) fn plural(word: &str) -> Option<Vec<usize>> {
    let (noun, ending) = PLURAL.iter().find_map(|ending| Some((word.strip_suffix(ending)?, *ending)))?;
    if noun.chars().count() < 2 || List::NotPlural.has(noun) {
        return None;
    }
    if matches!(ending, "های" | "هایی") && !noun.ends_with('ه') {
        let longer = &word[..noun.len() + 'ه'.len_utf8()];
        if List::Either.has(longer) {
            return None;
        }
        // نامزدهای is no نام‌زده‌ای.
        let is_compound = || (joins_next(noun) || longer.ends_with("نده")) && is_compound_in_he(longer);
        if (is_silent_he(longer) || is_compound()) && !List::PluralFirst.has(longer) {
            return Some(with_cut(longer));
        }
    }
    if joins_next(noun) { Some(with_cut(noun)) } else { cut(noun) }
}

/// کرده‌اند, داشته‌ایم, شده‌است. With ای it is doubtful: کردهای are Kurds.
pub(super) fn perfect(word: &str) -> Option<Vec<usize>> {
    let participle =
        PERFECT.iter().find_map(|ending| word.strip_suffix(ending)).filter(|stem| is_participle(stem))?;
    (!word.ends_with("ای")).then(|| with_cut(participle))
}

/// نماینده‌ام, خانه‌شان, همه‌ی.
pub(super) fn after_silent_he(word: &str) -> Option<Vec<usize>> {
    const ENDINGS: [&str; 10] = ["اند", "ایم", "اید", "ام", "شان", "مان", "تان", "اش", "ات", "ی"];
    let noun =
        ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.ends_with('ه')))?;
    is_noun_in_he(noun).then(|| with_cut(noun))
}

/// بزرگ‌ترین, سخت‌تر, ساده‌تری.
pub(super) fn comparative(word: &str) -> Option<Vec<usize>> {
    let (adjective, ending) = ["ترینشان", "ترین", "تری", "تر"]
        .iter()
        .find_map(|ending| Some((word.strip_suffix(ending)?, *ending)))?;
    if !joins_next(adjective) {
        return cut(adjective);
    }
    let known = List::Adjective.has(adjective)
        || adjective.ends_with('ه') && (is_noun_in_he(adjective) || is_participle(adjective));
    // Superlatives are many and other words in ترین few.
    let superlative = ending.starts_with("ترین") && adjective.chars().count() >= 3;
    if known || superlative {
        return Some(with_cut(adjective));
    }
    // A compound's comparative: امکان‌پذیرتر.
    let mut cuts = cut(adjective)?;
    cuts.push(adjective.len());
    Some(cuts)
}

/// زندگی‌اش: no word ends in یاش but short ones.
pub(super) fn after_ye(word: &str) -> Option<Vec<usize>> {
    let noun = word.strip_suffix("اش").filter(|noun| noun.ends_with('ی') && noun.chars().count() >= 4)?;
    Some(with_cut(noun))
}

/// Whether `word` is known to end in a silent ه.
pub(super) fn is_silent_he(word: &str) -> bool {
    List::SilentHe.has(word)
        || word.ends_with('ه')
            && word.char_indices().skip(2).any(|(at, _)| List::SilentHeEnd.has(&word[at..]))
}

/// Whether `word` ends in a silent ه: known, an agent (نماینده), an adverb (محترمانه) or a compound.
fn is_noun_in_he(word: &str) -> bool {
    let long = word.chars().count() >= 5;
    is_silent_he(word) || long && (word.ends_with("نده") || word.ends_with("انه")) || is_compound_in_he(word)
}

/// Whether `word` is a compound whose second part ends in a silent ه: تعیین‌کننده, دومرحله.
fn is_compound_in_he(word: &str) -> bool {
    let counted = || {
        ["دو", "چهار", "چند", "یک", "تک", "نیم"]
            .iter()
            .any(|number| word.strip_prefix(number).is_some_and(|noun| List::SilentHe.has(noun)))
    };
    // بی‌گناه and بی‌توجه end in a spoken ه.
    let spoken = word.ends_with("اه") || word.ends_with("توجه");
    word.ends_with('ه')
        && !spoken
        && !is_participle(word)
        && (counted() || known(word).or_else(|| compound(word)).or_else(|| prefixed(word)).is_some())
}

/// The cuts inside `stem` and one behind it.
fn with_cut(stem: &str) -> Vec<usize> {
    let mut cuts = cut(stem).unwrap_or_default();
    cuts.push(stem.len());
    cuts
}
