//! Translations that are far too long or too short for their source.

use super::text::is_letter_or_digit;

/// Whether the translation has more or fewer letters and digits than a translation of such a source can have.
///
/// The bounds were set on FLORES dev, where English has 1.1 times the letters of Persian in the middle, and 0.53 to
/// 1.80 times at the ends, over a reference and three systems. Short texts vary more, since an abbreviation may be
/// written out, hence the constants.
pub(super) fn is_out_of_proportion(source: &str, target: &str) -> bool {
    let count = |text: &str| text.chars().filter(|c| is_letter_or_digit(*c)).count();
    let (source, target) = (count(source), count(target));
    let too_long = target * 10 > source * 16 + 280;
    let too_short = target * 10 + 60 < source * 5;
    too_long || too_short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_proportion() {
        let sentence = "دولت در سال گذشته مالیات‌های بسیاری را در سراسر کشور افزایش داد و مردم ناراضی شدند.";
        let cases = [
            ("سلام", "Hello, this is a long text that nobody has written in any of the sources."),
            (
                "خبر کوتاه بود.",
                "The news was brief, and it was announced by the ministry on Monday that the talks would go on next week.",
            ),
            (
                "تیتر یک خبر",
                "The headline of a news item that was published on the site of the agency yesterday and then taken up by \
                 all newspapers of the country within hours",
            ),
            ("!", "The president of the country has said that the talks would go on."),
            (sentence, "Tax."),
            (sentence, "The government raised."),
        ];
        for (source, target) in cases {
            assert!(is_out_of_proportion(source, target), "{source} -> {target}");
        }
    }

    #[test]
    fn in_proportion() {
        let cases = [
            ("خبر کوتاه بود.", "The news was brief."),
            ("سلام", "Hello"),
            ("دست شما درد نکند", "Thanks"),
            ("ایسنا", "Iranian Students' News Agency"),
            ("سپاه", "Islamic Revolutionary Guard Corps"),
            ("برجام", "Joint Comprehensive Plan of Action"),
            ("بِسْمِ اللّٰهِ الرَّحْمٰنِ الرَّحِیمِ", "In the name of God"),
            ("😂", "😂"),
            ("", ""),
        ];
        for (source, target) in cases {
            assert!(!is_out_of_proportion(source, target), "{source} -> {target}");
        }
    }
}
