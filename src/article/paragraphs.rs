//! Paragraphs: the lines of a text that have something visible on them.

use super::Span;

/// The paragraphs of `text` in order, as half-open byte spans.
///
/// Every line with a visible character is one, without the white space around it. A line made only of white
/// space and invisible characters is none, and belongs to the gap.
pub fn paragraphs(text: &str) -> Vec<Span> {
    lines(text, Span::new(0, text.len()))
        .filter(|line| line.of(text).contains(is_visible))
        .map(|line| trimmed(text, line, |c| c.is_whitespace() || c.is_control() || c == BYTE_ORDER_MARK))
        .collect()
}

/// Some editors put it at the start of a file; it is no part of the first word.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// The lines of `within`, without the characters that end them (UAX #14: BK, CR, LF and NL).
pub(super) fn lines(text: &str, within: Span) -> impl Iterator<Item = Span> + '_ {
    within.of(text).split(is_line_end).scan(within.start, |start, line| {
        let span = Span::new(*start, *start + line.len());
        let end = text[span.end..].chars().next().map_or(0, char::len_utf8);
        *start = span.end + end;
        Some(span)
    })
}

/// Whether `c` ends a line, wherever it stands. `\r\n` counts as two ends with an empty line between them.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a reader sees anything of `c`: neither white space, nor a control, nor a default-ignorable
/// character (`DerivedCoreProperties.txt`: bidi marks, ZWNJ, ZWSP, variation selectors, fillers and the
/// like).
pub(super) fn is_visible(c: char) -> bool {
    !(c.is_whitespace() || is_invisible(c))
}

/// Whether `c` is a control or a default-ignorable character, and not white space.
pub(super) fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// `span` without the characters at both ends that satisfy `blank`.
pub(super) fn trimmed(text: &str, span: Span, blank: impl Fn(char) -> bool + Copy) -> Span {
    let head = span.of(text).trim_start_matches(blank);
    let body = head.trim_end_matches(blank);
    let start = span.end - head.len();
    Span::new(start, start + body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        paragraphs(text).into_iter().map(|span| span.of(text)).collect()
    }

    #[test]
    fn every_kind_of_line_end_ends_a_paragraph() {
        for end in ["\n", "\r\n", "\r", "\u{B}", "\u{C}", "\u{85}", "\u{2028}", "\u{2029}", "\n\n\n"] {
            assert_eq!(cut(&format!("سلام دنیا{end}خداحافظ{end}")), ["سلام دنیا", "خداحافظ"], "{end:?}");
        }
    }

    #[test]
    fn lines_with_nothing_to_see_are_no_paragraphs() {
        for line in [
            "",
            " ",
            "\t\u{3000}\u{A0}",
            "\u{200C}",
            "\u{200F}\u{202B}",
            "\u{FEFF}",
            "\u{200B}",
            "\0",
            "\u{7}",
        ] {
            assert_eq!(cut(&format!("{line}\nیک\n{line}\nدو\n{line}")), ["یک", "دو"], "{line:?}");
        }
    }

    #[test]
    fn white_space_around_a_paragraph_belongs_to_the_gap() {
        assert_eq!(cut("\u{FEFF}  یک دو\u{A0}\t\r\n\u{3000}سه "), ["یک دو", "سه"]);
        assert_eq!(cut(" \u{200F}یک\u{200C} "), ["\u{200F}یک\u{200C}"]);
    }
}
