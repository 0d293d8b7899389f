//! Second step: spaces beside punctuation, and the ezafe after a final ه.

use super::letters::{HAMZA_ABOVE, is_arabic_letter};
use super::map::{Builder, Map};

/// `text` without the spaces that don't belong inside brackets and before stops, and with the ezafe of a final ه
/// written as a hamza above it: «خانه ی ما» and «خانهء ما» for «خانهٔ ما».
pub(super) fn tidy(text: &str) -> (String, Map) {
    let mut out = Builder::with_capacity(text.len());
    let mut before = Window::default();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let after = &text[at + c.len_utf8()..];
        if c == ' ' && ends_in_he(before) && is_lone_ye(after) {
            out.replace("\u{654}", at);
            at += " ی".len();
            before = Window::default();
            continue;
        }
        match c {
            ' ' if before.last.is_some_and(opens) || space_is_idle(before.last, after) => {}
            'ء' if before.last == Some('ه') && !after.chars().next().is_some_and(continues_word) => {
                out.replace("\u{654}", at);
            }
            _ => out.keep(&text[at..at + c.len_utf8()], at),
        }
        before.push(c);
        at += c.len_utf8();
    }
    out.finish(text.len())
}

/// The two characters read last.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    last: Option<char>,
    last_but_one: Option<char>,
}

impl Window {
    fn push(&mut self, c: char) {
        self.last_but_one = self.last.replace(c);
    }
}

/// Whether a word of at least two letters ends in ه here.
fn ends_in_he(before: Window) -> bool {
    before.last == Some('ه') && before.last_but_one.is_some_and(is_arabic_letter)
}

/// Whether ی stands by itself at the start of `text` and more text follows.
fn is_lone_ye(text: &str) -> bool {
    text.starts_with("ی ")
}

/// Whether the space before `after` only keeps a closing bracket or a stop from the word it belongs to. Runs of full
/// stops, emoticons and names such as `.NET` keep theirs.
fn space_is_idle(last: Option<char>, after: &str) -> bool {
    let Some(first) = after.chars().next() else { return false };
    match first {
        c if closes(c) => true,
        '!' | '؟' | '?' => ends_here(after.trim_start_matches(['!', '؟', '?']), true),
        '،' | '؛' => true,
        ',' | '.' => {
            last.is_some_and(|c| c.is_alphanumeric() || closes(c))
                && ends_here(&after[first.len_utf8()..], true)
        }
        ':' | ';' => last.is_some_and(|c| c.is_alphanumeric() || closes(c)) && ends_here(&after[1..], false),
        _ => false,
    }
}

/// Whether a word can't go on at the start of `text`.
fn ends_here(text: &str, or_closes: bool) -> bool {
    text.chars().next().is_none_or(|c| c == ' ' || or_closes && closes(c))
}

fn opens(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | '«' | '“')
}

fn closes(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '»' | '”')
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == HAMZA_ABOVE || c == '\u{200C}'
}
