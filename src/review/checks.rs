//! The checks of one sentence's translation against its source.

use std::collections::HashMap;

use super::numbers::{in_digits, in_words};
use super::{Flag, Flags};

/// Checks an English translation against its source sentence. `truncated` says that the search ended it.
pub fn check(source: &str, target: &str, truncated: bool) -> Flags {
    let found = [
        (Flag::Empty, is_empty(source, target)),
        (Flag::SourceEcho, is_echo(source, target)),
        (Flag::ArabicScriptLeft, target.chars().any(is_arabic_letter)),
        (Flag::RepetitionLoop, is_loop(source, target)),
        (Flag::LengthRatio, is_out_of_proportion(source, target)),
        (Flag::NumbersDiffer, numbers_differ(source, target)),
        (Flag::Truncated, truncated),
    ];
    found.into_iter().filter_map(|(flag, is)| is.then_some(flag)).collect()
}

/// No word where the source has some.
fn is_empty(source: &str, target: &str) -> bool {
    source.chars().any(char::is_alphanumeric) && !target.chars().any(char::is_alphanumeric)
}

/// The letters of the source again. A source in Latin letters, a name or an address, is rightly kept.
fn is_echo(source: &str, target: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    let source = letters(source);
    source.chars().any(is_arabic_letter) && source == letters(target)
}

/// The same words over and over, more than the source itself does.
fn is_loop(source: &str, target: &str) -> bool {
    let (source, target) = (words(source), words(target));
    if run_of_repeats(&target) >= 4.max(run_of_repeats(&source) * 2 + 2) {
        return true;
    }
    // Repeats that aren't next to each other: most of a long text's three-word sequences are among those before.
    if target.len() < 16 {
        return false;
    }
    let mut counts = HashMap::new();
    for trigram in target.windows(3) {
        *counts.entry(trigram).or_insert(0usize) += 1;
    }
    counts.len() * 2 < target.len() - 2
}

/// How often a sequence of up to eight words comes in a row at the most.
fn run_of_repeats(words: &[String]) -> usize {
    let mut longest = 1;
    for length in 1..=8 {
        let mut equal = 0;
        for at in length..words.len() {
            equal = if words[at] == words[at - length] { equal + 1 } else { 0 };
            longest = longest.max(equal / length + 1);
        }
    }
    longest
}

/// Far more or fewer characters than translations of such a source have. The bounds are wide enough for every
/// reference and three systems' translations of FLORES dev; short texts vary more, hence the constants.
#[expect(clippy::cast_precision_loss, reason = "a sentence has fewer than 2⁵² characters")]
fn is_out_of_proportion(source: &str, target: &str) -> bool {
    let visible = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count() as f64;
    let (source, target) = (visible(source), visible(target));
    target > source * 2.4 + 25.0 || (target + 8.0) * 4.0 < source
}

/// A number in digits that the other side lacks in digits and in words.
fn numbers_differ(source: &str, target: &str) -> bool {
    let (mut missing, mut extra) = (in_digits(source), in_digits(target));
    extra.retain(|number| match missing.iter().position(|other| other == number) {
        Some(at) => {
            missing.swap_remove(at);
            false
        }
        None => true,
    });
    let words = in_words(target);
    missing.retain(|number| !number.parse().is_ok_and(|value: u64| words.contains(&value)));
    // The source may have the number in words, which aren't counted.
    extra.retain(|number| !number.parse().is_ok_and(|value: u64| persian_word_for(source, value)));
    !missing.is_empty() || !extra.is_empty()
}

/// Whether the source has a word that may stand for the number. Any number word counts: they are not added up.
fn persian_word_for(source: &str, value: u64) -> bool {
    const WORDS: [&str; 44] = [
        "یک",
        "دو",
        "سه",
        "چهار",
        "پنج",
        "شش",
        "هفت",
        "هشت",
        "نه",
        "ده",
        "یازده",
        "دوازده",
        "سیزده",
        "چهارده",
        "پانزده",
        "شانزده",
        "هفده",
        "هجده",
        "نوزده",
        "بیست",
        "سی",
        "چهل",
        "پنجاه",
        "شصت",
        "هفتاد",
        "هشتاد",
        "نود",
        "صد",
        "یکصد",
        "دویست",
        "سیصد",
        "چهارصد",
        "پانصد",
        "ششصد",
        "هفتصد",
        "هشتصد",
        "نهصد",
        "هزار",
        "میلیون",
        "میلیارد",
        "اول",
        "دوم",
        "سوم",
        "نیم",
    ];
    let stem = |word: &str| word.trim_end_matches("مین").trim_end_matches('م').to_owned();
    let mut words = source.split(|c: char| !c.is_alphabetic());
    value > 0 && words.any(|word| WORDS.contains(&word) || WORDS.contains(&stem(word).as_str()))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

fn is_arabic_letter(c: char) -> bool {
    matches!(c, '\u{0600}'..='\u{06FF}' | '\u{0750}'..='\u{077F}' | '\u{08A0}'..='\u{08FF}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
        && c.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flags(source: &str, target: &str) -> Vec<Flag> {
        check(source, target, false).iter().collect()
    }

    #[test]
    fn each_flag_is_given_for_what_it_names() {
        let cases: [(&str, &str, &[Flag]); 22] = [
            ("خبر کوتاه بود.", "The news was brief.", &[]),
            ("خبر کوتاه بود.", "", &[Flag::Empty]),
            ("خبر کوتاه بود.", "…", &[Flag::Empty]),
            ("😂!", "", &[]),
            ("خبر", "خبر", &[Flag::SourceEcho, Flag::ArabicScriptLeft]),
            ("https://example.com", "https://example.com", &[]),
            ("پزشکیان وارد مینسک شد.", "Pezeshkian arrived in مینسک.", &[Flag::ArabicScriptLeft]),
            ("بسیار بسیار خوب است.", "It is very very good.", &[]),
            ("دولت بیانیه داد.", "The the the the the the government.", &[Flag::RepetitionLoop]),
            (
                "او گفت که می‌آید.",
                "He said that he said that he said that he said that he comes.",
                &[Flag::RepetitionLoop],
            ),
            (
                "سلام",
                "Hello, this is a long text that nobody has written in any of the sources.",
                &[Flag::LengthRatio],
            ),
            (
                "دولت در سال گذشته مالیات‌های بسیاری را در سراسر کشور افزایش داد و مردم ناراضی شدند.",
                "Tax.",
                &[Flag::LengthRatio],
            ),
            ("۱۲ نفر کشته شدند.", "12 people were killed.", &[]),
            ("۱۲ نفر کشته شدند.", "Twelve people were killed.", &[]),
            ("۱۲ نفر کشته شدند.", "People were killed.", &[Flag::NumbersDiffer]),
            ("۱۲ نفر کشته شدند.", "21 people were killed.", &[Flag::NumbersDiffer]),
            ("سه نفر آمدند.", "3 people came.", &[]),
            ("مردم آمدند.", "5 people came.", &[Flag::NumbersDiffer]),
            ("قیمت به ۱۲۰ میلیون ریال رسید.", "The price reached 120 million rials.", &[]),
            ("قیمت به ۱۲۰ میلیون ریال رسید.", "The price reached 120 billion rials.", &[Flag::NumbersDiffer]),
            ("جلسه ساعت ۱۲:۳۰ آغاز می‌شود.", "The meeting starts at 12:30.", &[]),
            ("در سال ۱۴۰۴", "In the year 2025", &[Flag::NumbersDiffer]),
        ];
        for (source, target, expected) in cases {
            assert_eq!(flags(source, target), expected, "{source} -> {target}");
        }
    }

    #[test]
    fn human_translations_are_hardly_ever_flagged() {
        let read = |name: &str| {
            let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        };
        let (source, target) = (read("flores-dev.fa"), read("flores-dev.en"));
        let mut counts = HashMap::new();
        for (source, target) in source.lines().zip(target.lines()) {
            for flag in check(source, target, false).iter() {
                *counts.entry(flag).or_insert(0) += 1;
            }
        }
        let numbers = counts.remove(&Flag::NumbersDiffer).unwrap_or(0);
        assert!(counts.is_empty(), "{counts:?}");
        assert!(numbers <= 50, "{numbers} of 997");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(source in any::<String>(), target in any::<String>()) {
            check(&source, &target, false);
        }
    }
}
