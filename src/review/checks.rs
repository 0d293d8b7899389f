//! The checks of one sentence's translation against its source.

use super::echo::is_echo;
use super::length::is_out_of_proportion;
use super::numbers::numbers_differ;
use super::repetition::is_loop;
use super::text::{is_arabic_letter, is_letter_or_digit};
use super::{Flag, Flags};

/// Checks an English translation against its source sentence, as the client sent it or normalised. `truncated` says
/// that the search ended it before the model did.
///
/// Takes time linear in both lengths. An empty translation gets no other flag for what it lacks.
pub fn check(source: &str, target: &str, truncated: bool) -> Flags {
    let mut flags: Flags = truncated.then_some(Flag::Truncated).into_iter().collect();
    let mut add = |flag, found: bool| flags = flags.union(found.then_some(flag).into_iter().collect());
    if source.contains(is_letter_or_digit) && !target.contains(is_letter_or_digit) {
        add(Flag::Empty, true);
    } else {
        add(Flag::SourceEcho, is_echo(source, target));
        add(Flag::ArabicScriptLeft, target.contains(is_arabic_letter));
        add(Flag::LengthRatio, is_out_of_proportion(source, target));
        add(Flag::NumbersDiffer, numbers_differ(source, target));
    }
    add(Flag::RepetitionLoop, is_loop(source, target));
    flags
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_flag_is_given_for_what_it_names() {
        let cases: [(&str, &str, &[Flag]); 22] = [
            ("خبر کوتاه بود.", "The news was brief.", &[]),
            ("خبر کوتاه بود.", "", &[Flag::Empty]),
            ("خبر کوتاه بود.", "…", &[Flag::Empty]),
            ("۱۲ نفر", " ", &[Flag::Empty]),
            ("😂!", "", &[]),
            ("😂!", "😂!", &[]),
            ("۱۲", "12", &[]),
            ("«…»", "“...”", &[]),
            ("خبر", "خبر", &[Flag::SourceEcho, Flag::ArabicScriptLeft]),
            ("https://example.com", "https://example.com", &[]),
            ("پزشکیان وارد مینسک شد.", "Pezeshkian arrived in مینسک.", &[Flag::ArabicScriptLeft]),
            ("پزشکیان وارد مینسک شد.", "Pezeshkian arrived in Minskی.", &[Flag::ArabicScriptLeft]),
            ("آیا او رفت؟", "Did he go؟ ۱۲، ٪", &[Flag::NumbersDiffer]),
            ("آیا ۱۲ نفر رفتند؟", "Did ۱۲ people go؟", &[]),
            ("بسیار بسیار خوب است.", "It is very very good.", &[]),
            ("دولت بیانیه داد.", "The the the the the the government.", &[Flag::RepetitionLoop]),
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
            ("۱۲ نفر کشته شدند.", "Twelve people were killed.", &[]),
            ("۱۲ نفر کشته شدند.", "21 people were killed.", &[Flag::NumbersDiffer]),
            ("در سال ۱۴۰۴", "In the year 2025", &[Flag::NumbersDiffer]),
            ("هیچ‌کس در این انفجار کشته نشد.", "No one was killed in the explosion.", &[]),
        ];
        for (source, target, expected) in cases {
            assert_eq!(
                check(source, target, false).iter().collect::<Vec<_>>(),
                expected,
                "{source} -> {target}"
            );
        }
        assert_eq!(check("خبر", "News", true), Flags::from_iter([Flag::Truncated]));
        assert_eq!(check("خبر", "", true), Flags::from_iter([Flag::Empty, Flag::Truncated]));
    }

    /// The English of FLORES dev was there first; its Persian is a translation of it by professionals.
    #[test]
    fn human_translations_are_not_flagged() {
        let pairs = flores();
        let flagged: Vec<_> =
            pairs.iter().filter(|(source, target)| !check(source, target, false).is_empty()).collect();
        assert_eq!(pairs.len(), 997);
        assert!(flagged.is_empty(), "{flagged:#?}");
    }

    #[test]
    fn a_lost_or_changed_digit_is_seen() {
        let (mut caught, mut all) = (0, 0);
        for (source, target) in flores() {
            for (at, digit) in target.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
                let other = if digit == '9' { "0" } else { "9" };
                let (before, behind) = (&target[..at], &target[at + 1..]);
                for spoilt in [[before, other, behind].concat(), [before, behind].concat()] {
                    all += 1;
                    caught += usize::from(check(&source, &spoilt, false).contains(Flag::NumbersDiffer));
                }
            }
        }
        assert!(caught * 100 >= all * 97, "{caught} of {all}");
    }

    #[test]
    fn long_texts_take_linear_time() {
        let started = Instant::now();
        for (source, target) in
            [("الف", "a"), ("ب ", "b "), ("۱", "1"), ("۱،۲-", "1,2-"), ("هزار و ", "thousand ")]
        {
            check(&source.repeat(100_000), &target.repeat(100_000), false);
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(source: String, target: String, truncated: bool) {
            let flags = check(&source, &target, truncated);
            prop_assert_eq!(flags, check(&source, &target, truncated));
            prop_assert_eq!(flags.contains(Flag::Truncated), truncated);
        }

        #[test]
        fn no_likely_text_makes_it_panic(
            source in "[ا-یپچژگ۰-۹٠-٩ \u{200C}.,،؛:/٪٬٫«»A-z!-]{0,60}",
            target in "[a-zA-Z0-9 .,;:/%'’\"?!&$½²ا-ی…😂-]{0,60}",
        ) {
            prop_assert_eq!(check(&source, &target, false), check(&source, &target, false));
        }
    }

    fn flores() -> Vec<(String, String)> {
        let read = |name: &str| {
            std::fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        let (source, target) = (read("flores-dev.fa"), read("flores-dev.en"));
        source
            .lines()
            .zip(target.lines())
            .map(|(source, target)| (source.to_owned(), target.to_owned()))
            .collect()
    }
}
