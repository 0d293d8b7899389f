//! Words before a full stop that don't end a sentence.

use super::paragraphs::is_invisible;

/// What stands at the head of an item in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A plain number.
    Number(u32),
    /// A letter, a Roman numeral or a number in several parts.
    Other,
}

/// Whether `word`, which a full stop follows, is an abbreviation or a name's initial. `after` is the text
/// behind it.
pub(super) fn never_ends_sentence(word: &str, after: &str) -> bool {
    let bare = bare(word);
    let parts = || bare.split('.');
    let last = parts().next_back().unwrap_or_default();
    let needs_number = |list: &[&str]| list.contains(&bare.as_str()) && after.starts_with(char::is_numeric);
    // `main.c` is a file, `ق.م` and `Ph.D` are not.
    (is_initial(last) && parts().all(|part| part.chars().count() <= 2))
        || PERSIAN.contains(&last)
        || LATIN.iter().any(|known| known.eq_ignore_ascii_case(&bare))
        || needs_number(&LATIN_BEFORE_NUMBERS)
        || (parts().count() > 1 && parts().all(|part| is_initial(part) || LETTER_NAMES.contains(&part)))
}

/// Whether `word` is a single letter.
pub(super) fn is_initial(word: &str) -> bool {
    let bare = bare(word);
    let mut letters = bare.chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
}

/// Whether both words spell out Latin letters, as in `بی.بی.سی`, where no space is missing.
pub(super) fn is_spelled_pair(word: &str, next: &str) -> bool {
    let (word, next) = (bare(word), bare(next));
    let last = word.rsplit('.').next().unwrap_or_default();
    (LETTER_NAMES.contains(&last) || is_initial(last))
        && (LETTER_NAMES.contains(&next.as_str()) || is_initial(&next))
}

/// What kind of list item `word` is the head of, if it can be one.
pub(super) fn item_head(word: &str) -> Option<Item> {
    let bare = bare(word);
    let digits: Option<Vec<u32>> = bare.chars().map(digit).collect();
    match digits {
        Some(digits) if (1..=3).contains(&digits.len()) => {
            Some(Item::Number(digits.iter().fold(0, |number, digit| number * 10 + digit)))
        }
        Some(_) => None,
        None => {
            let is_part = |part: &str| {
                (1..=3).contains(&part.chars().count()) && part.chars().all(|c| digit(c).is_some())
            };
            let is_roman = bare.len() <= 4 && bare.chars().all(|c| matches!(c, 'I' | 'V' | 'X'));
            let is_other =
                bare == "الف" || is_initial(&bare) || is_roman || bare.split(['.', '-', '–']).all(is_part);
            is_other.then_some(Item::Other)
        }
    }
}

/// Whether `head` is the label and number of a section, as in `فصل ۱. مقدمه` and `جدول دوم. نتایج`.
pub(super) fn is_section_head(head: &str) -> bool {
    let labelled = head.split_once(char::is_whitespace).filter(|_| head.len() <= LONGEST_SECTION_HEAD);
    labelled.is_some_and(|(label, number)| {
        SECTIONS.contains(&label) && (ORDINALS.contains(&number) || item_head(number).is_some())
    })
}

/// The word, with its inner dots and hyphens, that `text` ends with.
pub(super) fn last_word(text: &str) -> &str {
    let lead = text.trim_end_matches(|c: char| is_word_char(c) || matches!(c, '.' | '-' | '–'));
    let word = &text[lead.len()..];
    word.trim_start_matches(|c: char| !c.is_alphanumeric())
}

/// The word that `text` starts with.
pub(super) fn first_word(text: &str) -> &str {
    &text[..text.find(|c| !is_word_char(c)).unwrap_or(text.len())]
}

/// The letters and digits of a word, with its inner punctuation.
fn bare(word: &str) -> String {
    let is_ornament = |c: char| is_invisible(c) || c == 'ـ' || matches!(c, '\u{64B}'..='\u{65F}' | '\u{670}');
    word.chars().filter(|&c| !is_ornament(c)).collect()
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || is_invisible(c) || c == 'ـ' || matches!(c, '\u{64B}'..='\u{65F}' | '\u{670}')
}

fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => Some(c as u32 - '0' as u32),
        '۰'..='۹' => Some(c as u32 - '۰' as u32),
        '٠'..='٩' => Some(c as u32 - '٠' as u32),
        _ => None,
    }
}

/// Most bytes of a section's label and number.
const LONGEST_SECTION_HEAD: usize = 48;

#[rustfmt::skip]
const SECTIONS: [&str; 18] = [
    "فصل", "بخش", "جدول", "شکل", "نمودار", "تصویر", "ماده", "اصل", "بند", "تبصره", "پیوست", "درس", "گفتار",
    "مثال", "مرحله", "گام", "قسمت", "نکته",
];
const ORDINALS: [&str; 10] = ["اول", "دوم", "سوم", "چهارم", "پنجم", "ششم", "هفتم", "هشتم", "نهم", "دهم"];

/// Persian abbreviations of more than one letter: pages, see, compare.
const PERSIAN: [&str; 4] = ["صص", "رک", "نک", "قس"];

/// Latin abbreviations that something follows, in any case.
const LATIN: [&str; 44] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "inc", "ltd", "co", "corp", "al", "gen",
    "col", "lt", "sgt", "capt", "cmdr", "adm", "rev", "hon", "gov", "sen", "rep", "pres", "dept", "univ",
    "assn", "bros", "ph.d", "e.g", "i.e", "a.m", "p.m", "cf", "viz", "approx", "est", "ca", "ave", "blvd",
];

/// Latin abbreviations only where a number follows; else they are words.
const LATIN_BEFORE_NUMBERS: [&str; 24] = [
    "No", "no", "Nos", "Vol", "vol", "p", "pp", "Fig", "fig", "Ch", "ch", "Sec", "sec", "Art", "Jan", "Feb",
    "Mar", "Apr", "Aug", "Sept", "Sep", "Oct", "Nov", "Dec",
];

/// The Persian names of the Latin letters, which spell out foreign initials: `بی.بی.سی`, `اف.بی.آی`.
#[rustfmt::skip]
const LETTER_NAMES: [&str; 27] = [
    "ای", "بی", "سی", "دی", "اف", "جی", "اچ", "ایچ", "آی", "کی", "کا", "ال", "ام", "ان", "او", "پی", "کیو",
    "آر", "اس", "تی", "یو", "وی", "دبلیو", "ایکس", "وای", "زد", "زی",
];
