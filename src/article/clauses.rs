//! Pieces of a sentence that is too long for the model.

use unicode_segmentation::GraphemeCursor;

use super::Span;
use super::abbreviations::first_word;
use super::paragraphs::{is_invisible, trimmed};
use super::sentences::ends_with_verb;

/// Cuts `within` into pieces that aren't `too_long`, as half-open byte spans into `text`, in order.
///
/// A sentence that isn't too long comes back as it is. A longer one is cut in two, near its middle, at the
/// end of a clause if there is one, else between two words, else between two grapheme clusters (UAX #29), and
/// so on with both halves. Only white space is left out, where it lies between two pieces or around all of
/// them. A single grapheme cluster that is still too long stays whole.
///
/// A text that starts with something too long is taken to be too long: `too_long` is asked about prefixes
/// first, so that the text it looks at is at most a few times the limit, or twice the piece that is found to
/// fit.
///
/// # Panics
/// When `within` isn't a span of `text`.
pub fn clauses(text: &str, within: Span, too_long: impl Fn(&str) -> bool) -> Vec<Span> {
    let whole = trimmed(text, within, char::is_whitespace);
    if whole.is_empty() || !is_too_long(within.of(text), &too_long) {
        return vec![within];
    }
    let mut pieces = Vec::new();
    let mut pending = vec![(whole, true)];
    while let Some((span, may_have_words)) = pending.pop() {
        let piece = span.of(text);
        if !is_too_long(piece, &too_long) {
            pieces.push(span);
            continue;
        }
        let between_words = if may_have_words { best_cut(piece) } else { None };
        let Some(cut) = between_words.or_else(|| middle_grapheme(piece)) else {
            pieces.push(span);
            continue;
        };
        let at = span.start + cut;
        for half in [Span::new(at, span.end), Span::new(span.start, at)] {
            pending.push((trimmed(text, half, char::is_whitespace), between_words.is_some()));
        }
    }
    pieces
}

/// Bytes of the first prefix that is tried; about what a model takes at most.
const FIRST_PREFIX: usize = 2048;

fn is_too_long(piece: &str, too_long: impl Fn(&str) -> bool) -> bool {
    let mut length = FIRST_PREFIX;
    while length < piece.len() {
        if too_long(&piece[..piece.floor_char_boundary(length)]) {
            return true;
        }
        length = length.saturating_mul(2);
    }
    too_long(piece)
}

/// Bytes around the middle in which a place to cut is looked for first.
const WINDOW: usize = 4096;

/// The best place to cut `piece` in two between words, if there is one.
fn best_cut(piece: &str) -> Option<usize> {
    let middle = piece.len() / 2;
    let start = piece.floor_char_boundary(middle.saturating_sub(WINDOW / 2));
    let end = piece.ceil_char_boundary(middle + WINDOW / 2);
    let best_within = |window: Span| {
        boundaries(piece, window)
            .map(|(at, strength)| (score(piece.len(), at, strength), at))
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, at)| at)
    };
    best_within(Span::new(start, end)).or_else(|| best_within(Span::new(0, piece.len())))
}

/// How good a cut is: the stronger the better as long as the halves aren't too unequal, then the nearer to
/// the middle.
#[expect(clippy::cast_precision_loss, reason = "a text's length is far below 2^52")]
fn score(length: usize, at: usize, strength: Strength) -> f64 {
    let off_middle = (2.0 * at as f64 / length as f64 - 1.0).abs();
    let penalty = if off_middle <= MOST_OFF_MIDDLE { 0.0 } else { 2.5 };
    f64::from(strength as u8) - off_middle - penalty
}

/// How far a clause's end may be from the middle, where 0 is the middle and 1 either end.
const MOST_OFF_MIDDLE: f64 = 0.6;

/// How well a place suits a cut; the numbers enter the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Space = 1,
    Conjunction = 2,
    Closing = 3,
    Comma = 4,
    Colon = 5,
    Semicolon = 6,
}

/// The places within `window` where `piece` can be cut between words, none of them at an end of the piece.
fn boundaries(piece: &str, window: Span) -> impl Iterator<Item = (usize, Strength)> + '_ {
    let mut previous = piece[..window.start].chars().next_back();
    window.of(piece).char_indices().filter_map(move |(offset, c)| {
        let at = window.start + offset;
        let before = previous.replace(c)?;
        if at == 0 {
            return None;
        }
        let is_comma_in_number = before.is_numeric() || c.is_numeric();
        match before {
            '؛' => Some((at, Strength::Semicolon)),
            '،' if !is_comma_in_number => Some((at, Strength::Comma)),
            _ if c.is_whitespace() => Some((at, strength_at_space(&piece[..at], &piece[at..]))),
            _ => None,
        }
    })
}

/// How well a cut at the white space that `after` starts with would be.
fn strength_at_space(before: &str, after: &str) -> Strength {
    let mark = before.trim_end_matches(is_invisible).chars().next_back();
    match mark.unwrap_or(' ') {
        '؛' | ';' => Strength::Semicolon,
        ':' => Strength::Colon,
        // A full stop that ended no sentence belongs to an abbreviation, and is no better than its space.
        '،' | ',' | '؟' | '?' | '!' | '…' => Strength::Comma,
        '»' | '”' | ')' | ']' | '}' | '-' | '–' | '—' => Strength::Closing,
        _ => match first_word(after.trim_start()) {
            "و" | "یا" if ends_with_verb(before) => Strength::Closing,
            "اما" | "ولی" | "که" | "كه" | "زیرا" | "چون" | "بلکه" | "چراکه" | "هرچند" | "لیکن" | "تا"
            | "اگر" | "و" | "یا" => Strength::Conjunction,
            _ => Strength::Space,
        },
    }
}

/// The boundary between two grapheme clusters nearest to the middle of `piece`, if it has more than one.
fn middle_grapheme(piece: &str) -> Option<usize> {
    let middle = piece.floor_char_boundary(piece.len() / 2);
    let mut cursor = GraphemeCursor::new(middle, piece.len(), true);
    if middle > 0 && cursor.is_boundary(piece, 0) == Ok(true) {
        return Some(middle);
    }
    let before = cursor.prev_boundary(piece, 0).ok().flatten();
    before.filter(|&at| at > 0).or_else(|| {
        let mut cursor = GraphemeCursor::new(middle, piece.len(), true);
        let after = cursor.next_boundary(piece, 0).ok().flatten();
        after.filter(|&at| at < piece.len())
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, longest: usize) -> Vec<&str> {
        let pieces = clauses(text, Span::new(0, text.len()), |piece| piece.chars().count() > longest);
        pieces.into_iter().map(|piece| piece.of(text)).collect()
    }

    #[test]
    fn a_sentence_that_fits_is_left_alone() {
        assert_eq!(cut(" او رفت، بعد آمد. ", 100), [" او رفت، بعد آمد. "]);
        assert_eq!(cut("", 0), [""]);
        assert_eq!(cut("   ", 1), ["   "]);
    }

    #[test]
    fn cuts_at_the_strongest_boundary_near_the_middle() {
        let cases: &[(&str, usize, &[&str])] = &[
            (
                "او به خانه رفت؛ مادرش آنجا بود، ولی خواب بود.",
                35,
                &["او به خانه رفت؛", "مادرش آنجا بود، ولی خواب بود."],
            ),
            (
                "او به خانه رفت، مادرش و پدرش آنجا بودند.",
                30,
                &["او به خانه رفت،", "مادرش و پدرش آنجا بودند."],
            ),
            ("او گفت خسته است که باور نکردم.", 20, &["او گفت خسته است", "که باور نکردم."]),
            (
                "مردان و زنان شهر رفتند و بچه‌ها و پیران ماندند.",
                30,
                &["مردان و زنان شهر رفتند", "و بچه‌ها و پیران ماندند."],
            ),
            ("قیمت آن ۱۲,۵۰۰ تومان", 15, &["قیمت آن", "۱۲,۵۰۰ تومان"]),
            ("استاد ع. کریمی به خانه رفت", 20, &["استاد ع. کریمی", "به خانه رفت"]),
            ("کلمه", 3, &["کل", "مه"]),
        ];
        for (text, longest, expected) in cases {
            assert_eq!(cut(text, *longest), *expected, "{text}");
        }
    }

    #[test]
    fn a_grapheme_cluster_is_never_cut() {
        let family = "👨\u{200D}👩\u{200D}👧";
        assert_eq!(cut(&family.repeat(3), 1), [family; 3]);
        let accents = format!("a{}", "\u{301}".repeat(1000));
        assert_eq!(cut(&accents, 10), [accents.as_str()]);
    }

    #[test]
    fn asks_about_little_text() {
        let megabyte = 1 << 20;
        for text in ["ا".repeat(megabyte), "واژه ".repeat(megabyte / 5), "واژه، و که؛ ".repeat(megabyte / 12)]
        {
            let asked = Cell::new(0);
            let started = Instant::now();
            let pieces = clauses(&text, Span::new(0, text.len()), |piece| {
                asked.set(asked.get() + piece.len());
                piece.len() > 1500
            });
            assert!(started.elapsed() < Duration::from_secs(5));
            assert!(asked.get() < 16 * text.len(), "{} of {}", asked.get(), text.len());
            assert!(pieces.iter().all(|piece| piece.len() <= 1500));
            assert!(pieces.len() < 4 * text.len() / 1500);
        }
    }

    proptest! {
        #[test]
        fn only_white_space_is_left_out(
            text in "[ابو ،؛:.»()🌍e\u{301}\u{200C}\n-]{0,80}",
            longest in 0_usize..20,
        ) {
            let pieces = clauses(&text, Span::new(0, text.len()), |piece| piece.chars().count() > longest);
            let mut at = 0;
            for piece in &pieces {
                prop_assert!(text[at..piece.start].chars().all(char::is_whitespace));
                prop_assert!(!piece.is_empty() || text.is_empty());
                at = piece.end;
            }
            prop_assert!(text[at..].chars().all(char::is_whitespace));
        }
    }
}
