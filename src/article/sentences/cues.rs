//! Words around a stop that tell whether the sentence ends there.

use super::super::abbreviations::{first_word, last_word};
use super::super::paragraphs::is_invisible;

/// How many bytes before a stop any rule looks at.
const LOOK_BACK: usize = 96;

/// Whether `text` starts with a word that joins on to what was said before.
pub(super) fn goes_on(text: &str) -> bool {
    matches!(first_word(text), "و" | "که" | "را" | "یا" | "كه")
}

/// Whether `text` starts with a finite verb, which in Persian belongs to what stands before it.
pub(super) fn starts_with_verb(text: &str) -> bool {
    is_verb(first_word(text))
}

/// Whether the last word of `text` is a finite verb.
pub(in crate::article) fn ends_with_verb(text: &str) -> bool {
    let text = tail(text).trim_end_matches(|c: char| !c.is_alphanumeric());
    let word = last_word(text);
    is_verb(word) || matches!(last_word(text[..text.len() - word.len()].trim_end()), "می" | "نمی")
}

/// Whether the last visible character of `text` is a colon.
pub(super) fn ends_with_colon(text: &str) -> bool {
    text.trim_end_matches(|c: char| c.is_whitespace() || is_invisible(c)).ends_with(':')
}

/// Whether a quotation behind `text` is what somebody said, and not a name.
pub(super) fn introduces_speech(text: &str) -> bool {
    let text = tail(text).trim_end_matches(|c: char| c.is_whitespace() || is_invisible(c));
    text.ends_with([':', '،', ',', '؛', '-', '–', '—'])
        || last_word(text).ends_with("که")
        || ends_with_verb(text)
}

/// The end of `text`, as far back as any rule looks.
pub(super) fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(LOOK_BACK))..]
}

/// Whether `sentence`, which ends with a colon, is a news item's dateline such as `تهران - ایرنا:`, with
/// `after` behind it. A dateline is a sentence of its own, as in the UD Persian treebanks.
pub(super) fn is_dateline(sentence: &str, after: &str) -> bool {
    if sentence.len() > LOOK_BACK || !after.starts_with(char::is_whitespace) {
        return false;
    }
    let line = sentence.trim_start().trim_end_matches(':');
    let dashes = [" - ", " – ", " — "];
    let Some((place, source)) = dashes.iter().find_map(|dash| line.split_once(dash)) else { return false };
    let is_place = place.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || is_invisible(c));
    is_place && place.split_whitespace().count() <= 3 && is_agency(source.trim())
}

fn is_agency(name: &str) -> bool {
    let name: String = name.chars().filter(|&c| !is_invisible(c) && c != ' ').collect();
    name.starts_with("خبرگزاری") || AGENCIES.contains(&name.as_str())
}

/// Whether `word` is a finite verb, as far as that shows without its context.
fn is_verb(word: &str) -> bool {
    let word = word.trim_matches(is_invisible);
    if word.len() > LOOK_BACK {
        return false;
    }
    let word = word.replace('ي', "ی").replace('ك', "ک");
    let positive = word.strip_prefix('ن').unwrap_or(&word);
    if let Some(stem) = positive.strip_prefix("می") {
        return stem.is_empty()
            || stem.starts_with('\u{200C}')
            || with_ending(stem, &PRESENT)
            || with_ending(stem, &PAST);
    }
    let is_past = |word| PAST.contains(&word) || with_ending(word, &PAST);
    COPULAS.contains(&word.as_str())
        || is_past(&word)
        || is_past(positive)
        || with_ending(positive, &FREE_PRESENT)
        || PERFECT.iter().any(|ending| word.ends_with(ending))
}

fn with_ending(word: &str, stems: &[&str]) -> bool {
    ["م", "ی", "د", "یم", "ید", "ند", "ه"]
        .iter()
        .filter_map(|ending| word.strip_suffix(ending))
        .any(|stem| stems.contains(&stem))
}

/// News agencies as datelines name them, without spaces.
#[rustfmt::skip]
const AGENCIES: [&str; 28] = [
    "ایرنا", "ایسنا", "ایلنا", "ایکنا", "فارس", "مهر", "تسنیم", "برنا", "آنا", "میزان", "شانا", "موج",
    "شبستان", "صداوسیما", "واحدمرکزیخبر", "خبرآنلاین", "رویترز", "فرانسه", "آسوشیتدپرس", "یونایتدپرس",
    "تاس", "ایتارتاس", "شینهوا", "آناتولی", "بیبیسی", "سیانان", "الجزیره", "یورونیوز",
];

/// What is left of the copula behind a participle: `رفته‌ام`. Not ای, which behind a noun is the indefinite
/// article.
const PERFECT: [&str; 5] = ["ه\u{200C}ام", "ه\u{200C}ایم", "ه\u{200C}اید", "ه\u{200C}اند", "ه\u{200C}است"];

#[rustfmt::skip]
const COPULAS: [&str; 16] = [
    "است", "هست", "نیست", "هستم", "هستی", "هستیم", "هستید", "هستند", "نیستم", "نیستی", "نیستیم", "نیستید",
    "نیستند", "خواهد", "نخواهد", "خواهند",
];

/// Past stems, which are the third person singular too. Those that are common nouns as well (مرد, خرید, شکست)
/// are left out.
#[rustfmt::skip]
const PAST: [&str; 57] = [
    "بود", "شد", "کرد", "رفت", "گفت", "داد", "گرفت", "آمد", "دید", "زد", "ماند", "کشید", "رسید", "خورد",
    "خواند", "نوشت", "خواست", "دانست", "توانست", "افزود", "پرسید", "داشت", "گذاشت", "ساخت", "یافت", "شنید",
    "فهمید", "نشست", "برد", "آورد", "فروخت", "انداخت", "ریخت", "بست", "گشت", "برگشت", "گذشت", "باخت",
    "دوخت", "پخت", "ایستاد", "افتاد", "خندید", "گریست", "ترسید", "پرید", "خوابید", "دوید", "جنگید", "بخشید",
    "پوشید", "کوشید", "نمود", "فرمود", "گردید", "نامید", "پذیرفت",
];

/// Present stems as they stand after می.
const PRESENT: [&str; 32] = [
    "رو", "دان", "دون", "کن", "شو", "ش", "گو", "گوی", "خواه", "خوا", "توان", "تون", "ده", "دار", "گیر", "رس",
    "بین", "زن", "خور", "آی", "آ", "مان", "باش", "بر", "ر", "گذر", "نویس", "خوان", "ساز", "یاب", "کش", "پرس",
];

/// Present stems that are common without می too, and then can't be mistaken for another word.
const FREE_PRESENT: [&str; 5] = ["کن", "شو", "باش", "دار", "گرد"];
