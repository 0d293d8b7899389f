//! Translations that give the source back.

use std::collections::HashSet;

use super::text::{folded, is_arabic_letter};

/// Whether the translation has most of the source's Persian again, whatever became of spaces and marks.
///
/// Counted in sequences of three letters, so that a name which was left in Persian isn't taken for an echo, and one
/// word which was translated doesn't hide it. A source in Latin letters, a name or an address, is rightly kept.
pub(super) fn is_echo(source: &str, target: &str) -> bool {
    let (source, target) = (letters(source), letters(target));
    if source.len() < 6 {
        return !source.is_empty() && source == target;
    }
    let kept: HashSet<&[char]> = target.windows(3).collect();
    let again = source.windows(3).filter(|sequence| kept.contains(sequence)).count();
    again * 5 >= (source.len() - 2) * 3
}

/// The letters of Arabic script, folded.
fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| is_arabic_letter(*c)).map(folded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes() {
        let cases = [
            ("خبر", "خبر"),
            ("تو", "تو"),
            ("پزشکیان وارد مینسک شد.", "پزشکیان وارد مینسک شد."),
            ("می‌شود رفت؟", "ميشود رفت"),
            ("كِتاب‌هاي ۱۲ نفر", "کتابهای 12 نفر!"),
            ("پزشکیان وارد شهر مینسک شد.", "پزشکیان arrived شهر مینسک شد."),
            ("نسخهٔ جدید Python منتشر شد.", "نسخه جدید Python منتشر شد."),
        ];
        for (source, target) in cases {
            assert!(is_echo(source, target), "{source} -> {target}");
        }
    }

    #[test]
    fn no_echoes() {
        let cases = [
            ("خبر", "News"),
            ("پزشکیان وارد مینسک شد.", "Pezeshkian arrived in مینسک."),
            ("BBC", "BBC"),
            ("https://example.com/a?b=۱", "https://example.com/a?b=1"),
            ("۱۴۰۴", "۱۴۰۴"),
            ("تو", "you"),
            ("", ""),
        ];
        for (source, target) in cases {
            assert!(!is_echo(source, target), "{source} -> {target}");
        }
    }
}
