//! Half-spaces that became spaces.

use super::lexicon::List;
use super::verbs::{follows_mi, is_mi, is_participle};
use super::{Gap, Word};

/// Whether a half-space stood between the last word of `before`, which holds up to two, and `word`.
pub(super) fn is_one_word(before: &[Word<'_>], word: &Word<'_>) -> bool {
    let Some(last) = before.last().filter(|_| word.gap == Gap::Space) else { return false };
    match word.text {
        "ها" | "های" | "هایی" | "هایم" | "هایت" | "هایش" | "هایمان" | "هایتان" | "هایشان" | "هاست" => {
            is_content_word(last)
        }
        "ترین" => is_content_word(last) && last.text.chars().count() >= 3,
        "تر" | "تری" => List::Adjective.has(last.text) || List::SilentHe.has(last.text),
        "ام" | "ایم" | "اید" | "اند" => is_participle(last.text),
        "ای" => List::SilentHe.has(last.text) || is_participle(last.text),
        "مان" | "تان" | "شان" => last.text == "های" && last.gap == Gap::HalfSpace,
        "الملل" | "المللی" => last.text == "بین",
        "العاده" => matches!(last.text, "فوق" | "خارق"),
        "الاسلام" => matches!(last.text, "حجت" | "ثقت"),
        "الله" => {
            matches!(last.text, "آیت" | "حزب" | "بسم" | "روح" | "فضل" | "سیف" | "نعمت" | "رحمت" | "عزت")
        }
        verb if is_mi(last.text) && last.gap != Gap::HalfSpace => {
            // ماه می is the month of May.
            follows_mi(verb) && !(last.gap == Gap::Space && before.len() == 2 && before[0].text == "ماه")
        }
        noun => last.text == "بی" && last.gap != Gap::HalfSpace && List::AfterBi.has(noun),
    }
}

/// Whether `word` can be a noun or an adjective.
fn is_content_word(word: &Word<'_>) -> bool {
    const OTHERS: [&str; 24] = [
        "و", "از", "به", "با", "در", "بر", "تا", "که", "را", "برای", "یا", "اگر", "هر", "چه", "چون", "هم",
        "نیز", "می", "نمی", "ها", "های", "هایی", "است", "بود",
    ];
    word.text.chars().count() >= 2 && !OTHERS.contains(&word.text)
}
