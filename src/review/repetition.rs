//! Repetition loops: the same words or letters over and over, more than the source has it.
//!
//! Everything is measured on both sides, so that a chant, a stammer or "very very" stays what it is.

use std::collections::HashSet;

use super::text::{is_letter_or_digit, words};

/// Words of a sequence that may repeat.
const LONGEST_SEQUENCE: usize = 8;
/// Letters of a syllable that may repeat.
const LONGEST_SYLLABLE: usize = 6;
/// Words from which repeats that aren't next to each other are looked for.
const LONG_TEXT: usize = 16;

/// Whether the target repeats itself in a way that the source doesn't.
pub(super) fn is_loop(source: &str, target: &str) -> bool {
    let (source_words, target_words) = (words(source), words(target));
    repeats_words(&source_words, &target_words)
        || repeats_letters(&source_words, &target_words)
        || repeats_sequences(&source_words, &target_words)
        || longest_run_of_marks(target) >= 8.max(longest_run_of_marks(source) * 2)
}

/// The same sequence of words several times in a row. "Very very" and "step by step by step" are English; three times
/// one word, or a long sequence twice, is so only where the source repeats something too.
fn repeats_words(source: &[String], target: &[String]) -> bool {
    let in_source = (1..=LONGEST_SEQUENCE).map(|length| copies_in_a_row(source, length)).max().unwrap_or(1);
    (1..=LONGEST_SEQUENCE).any(|length| {
        let usual = if length < 5 { 2 } else { 1 };
        copies_in_a_row(target, length) > usual + (in_source - 1)
    })
}

/// The same letters several times in a row within a word: "Russssshavy", "veryveryvery".
fn repeats_letters(source: &[String], target: &[String]) -> bool {
    let most = |words: &[String], length| {
        words.iter().map(|word| copies_in_a_row(&letters(word), length)).max().unwrap_or(1)
    };
    let in_source = (1..=LONGEST_SYLLABLE).map(|length| most(source, length)).max().unwrap_or(1);
    (1..=LONGEST_SYLLABLE).any(|length| {
        let usual = if length < 3 { 3 } else { 2 };
        // Sounds are drawn out more freely than words are repeated: نهههه is "Nooooooo".
        let allowed = if in_source > 2 { in_source * 3 } else { usual };
        most(target, length) > allowed.max(usual)
    })
}

/// The same sequences of words at different places, so often that little of a text is new.
fn repeats_sequences(source: &[String], target: &[String]) -> bool {
    if target.len() < LONG_TEXT {
        return false;
    }
    let repeated = |words: &[String], length: usize| {
        let all = words.len().saturating_sub(length - 1);
        let distinct: HashSet<&[String]> = words.windows(length).collect();
        (all - distinct.len(), all)
    };
    // A source repeats fewer words than its translation, which has articles and pronouns besides; its pairs are as
    // good a measure as the target's triples.
    let (again, all) = repeated(target, 3);
    let (source_again, source_all) = repeated(source, 2);
    again * 3 > all && again * source_all.max(1) > 2 * source_again * all
}

/// How many copies of a sequence of `length` items stand in a row at the most.
fn copies_in_a_row<T: PartialEq>(items: &[T], length: usize) -> usize {
    let (mut equal, mut longest) = (0, 0);
    for (item, earlier) in items.iter().skip(length).zip(items) {
        equal = if item == earlier { equal + 1 } else { 0 };
        longest = longest.max(equal);
    }
    longest / length + 1
}

/// A word's letters. Digits are left to the comparison of numbers.
fn letters(word: &str) -> Vec<char> {
    word.chars().filter(|c| !c.is_numeric()).collect()
}

/// How often the same mark stands in a row at the most, white space aside.
fn longest_run_of_marks(text: &str) -> usize {
    let (mut run, mut longest, mut previous) = (0, 0, ' ');
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        run = if c == previous { run + 1 } else { 1 };
        previous = c;
        if !is_letter_or_digit(c) {
            // An ellipsis is three full stops in one.
            longest = longest.max(if c == '…' { run * 3 } else { run });
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops() {
        let cases = [
            ("دولت بیانیه داد.", "The the the government."),
            ("دولت بیانیه داد.", "The government, government, government issued a statement."),
            ("او گفت که می‌آید.", "He said that he said that he said that he comes."),
            ("او به خانه رفت.", "He went to his old house, he went to his old house."),
            ("در پاریس", "in Paris in Paris in Paris"),
            ("هتل روسیه", "the Russssshavy hotel"),
            ("هتل روسیه", "the veryveryvery good hotel"),
            ("مردم موریری", "Maurriririri people"),
            ("بسیار بسیار خوب است.", "It is very very very very good."),
            ("خبر کوتاه بود.", "The news was brief.................."),
            ("خبر کوتاه بود.", "- - - - - - - - - - - -"),
            (
                "پادشاه کتاب را به وزیر داد و رفت.",
                "The king of the book and the minister of the book and the king of the minister and the king of the book \
                 and the minister of the book.",
            ),
        ];
        for (source, target) in cases {
            assert!(is_loop(source, target), "{source} -> {target}");
        }
    }

    #[test]
    fn repetitions_that_are_no_loops() {
        let cases = [
            ("بسیار بسیار خوب است.", "It is very very good."),
            ("بسیار بسیار بسیار خوب است.", "It is very, very, very good."),
            ("کم‌کم", "little by little by little"),
            ("او گفته بود که آن را دارد.", "He had had that that he said."),
            ("نه، نه، نه!", "No, no, no!"),
            ("نههههه!", "Nooooooooo!"),
            ("هاهاهاها", "Hahahahaha"),
            ("زنده باد آزادی، زنده باد آزادی!", "Long live freedom, long live freedom!"),
            ("موز و می‌سی‌سی‌پی", "Bananas and the Mississippi"),
            ("۱۰۰۰۰۰۰۰", "10000000"),
            ("www.example.com", "www.example.com"),
            ("بله…", "Yes..."),
            ("ــــــــــــــ !!!!!!", "!!!!!!"),
            (
                "وزیر آموزش، وزیر بهداشت، وزیر راه، وزیر کشور و وزیر دفاع آمدند.",
                "The minister of education, the minister of health, the minister of roads, the minister of the interior \
                 and the minister of defence came.",
            ),
            ("", ""),
        ];
        for (source, target) in cases {
            assert!(!is_loop(source, target), "{source} -> {target}");
        }
    }
}
