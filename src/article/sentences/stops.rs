//! Marks that may end a sentence, and what clings to them.

use super::super::Span;
use super::super::paragraphs::is_invisible;
use super::enclosures::{self, Enclosures};

/// How likely a run of stops ends a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One full stop, which may also belong to an abbreviation or a number.
    Full,
    /// Two or three dots or `…`: the sentence may go on.
    Ellipsis,
    /// Question and exclamation marks, or an ellipsis with a full stop.
    Strong,
}

/// A run of stops with the marks that belong to the same sentence.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) kind: Kind,
    /// Offset of the first stop.
    pub(super) start: usize,
    /// Offset behind the closing quotes and brackets, footnote marks, emoji and further stops.
    pub(super) end: usize,
    /// Whether one of them closes a quotation.
    pub(super) closes_quotation: bool,
}

impl Stop {
    /// The stop at byte `start` of `text`.
    pub(super) fn at(text: &str, start: usize, enclosures: &mut Enclosures) -> Self {
        let run = run_end(text, start);
        let mut stop = Self { kind: kind(&text[start..run]), start, end: run, closes_quotation: false };
        while let Some(end) = stop.next_clinging(text, enclosures) {
            stop.end = end;
        }
        stop
    }

    /// The end of the next thing behind the stop that belongs to it, if there is any.
    fn next_clinging(&mut self, text: &str, enclosures: &mut Enclosures) -> Option<usize> {
        let rest = &text[self.end..];
        let next = rest.chars().next()?;
        if is_invisible(next) {
            return Some(self.end + next.len_utf8());
        }
        let after = rest.trim_start();
        let at = text.len() - after.len();
        let spaced = at > self.end;
        let mark = after.chars().next()?;
        let mark_end = at + mark.len_utf8();
        let is_ambiguous = matches!(mark, '"' | '\'');
        if is_ambiguous || enclosures::is_closing(mark) {
            // A mark that could open the next sentence is taken only as the partner of an earlier one.
            let behind = text[mark_end..].chars().next();
            let stands_free = behind.is_none_or(|c| !c.is_alphanumeric() && !is_opening(c));
            let clings = match (is_ambiguous, spaced) {
                (true, true) => false,
                (false, false) => true,
                _ => stands_free,
            };
            if !clings && !enclosures.closes(self.start, at) {
                return None;
            }
            self.closes_quotation |= enclosures::is_closing_quote(mark);
            return Some(mark_end);
        }
        if is_stop(mark) {
            let end = run_end(text, at);
            let is_free = text[end..].chars().next().is_none_or(|c| !c.is_alphanumeric());
            // `رفت. .NET` and `رفت. ... ولی` start something new.
            return (is_free && kind(&text[at..end]) != Kind::Ellipsis).then(|| {
                self.kind = if self.kind == Kind::Full { Kind::Strong } else { self.kind };
                end
            });
        }
        if mark == '[' {
            let is_number = |c: char| c.is_numeric() || matches!(c, ',' | '،' | '-' | '–' | ' ');
            let near = &after[1..after.floor_char_boundary(LONGEST_NOTE)];
            let inside = near.split_once(']').map(|(inside, _)| inside);
            return inside
                .filter(|inside| !inside.is_empty() && (inside.chars().all(is_number) || !spaced))
                .map(|inside| at + inside.len() + 2);
        }
        if !spaced && matches!(mark, '¹' | '²' | '³' | '⁰' | '⁴'..='⁹') {
            return Some(mark_end);
        }
        if is_emoji(mark) && !(spaced && is_bullet(mark)) {
            let emoji = after.trim_start_matches(|c| is_emoji(c) || is_invisible(c));
            let is_free = emoji.chars().next().is_none_or(char::is_whitespace);
            return (is_free || !spaced).then(|| text.len() - emoji.len());
        }
        None
    }
}

/// Most bytes of a footnote mark in brackets: `[۱۲]`, `[نیازمند منبع]`.
const LONGEST_NOTE: usize = 48;

/// Whether `c` can end a sentence (UAX #29: `ATerm` and `STerm`, as far as they meet Persian text).
pub(super) fn is_stop(c: char) -> bool {
    matches!(c, '.' | '…' | '‥' | '!' | '?' | '؟' | '۔' | '‼' | '⁇' | '⁈' | '⁉' | '。' | '！' | '？' | '।')
}

/// The end of the run of stops at `start`, with invisible marks inside it.
fn run_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let behind = rest.trim_start_matches(|c| is_stop(c) || is_invisible(c));
    let run = &rest[..rest.len() - behind.len()];
    start + run.trim_end_matches(|c| !is_stop(c)).len()
}

fn kind(run: &str) -> Kind {
    let dots = run.chars().filter(|&c| c == '.').count();
    let ellipses = run.chars().filter(|&c| matches!(c, '…' | '‥')).count();
    let others = run.chars().filter(|&c| is_stop(c)).count() - dots - ellipses;
    match (dots, ellipses, others) {
        (1, 0, 0) => Kind::Full,
        // `....` and `….` are an ellipsis and a full stop; longer runs are leaders, as in a table of
        // contents.
        (4, 0, 0) | (1, 1, 0) => Kind::Strong,
        (_, _, 0) => Kind::Ellipsis,
        (0, 0, _) if run.chars().all(|c| c == '۔' || is_invisible(c)) => {
            if others == 1 {
                Kind::Full
            } else {
                Kind::Ellipsis
            }
        }
        _ => Kind::Strong,
    }
}

/// The first link in a token, without stops and closing marks at its end; empty where there is none.
pub(super) fn link_in(token: &str) -> Span {
    let scheme = token.find("://").map(|at| {
        let lead = &token[..at];
        lead.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len()
    });
    let Some(start) = scheme.or_else(|| token.find("www.")) else { return Span::default() };
    let link = &token[start..];
    let link = &link[..link.find(['«', '»', '"', '<', '>', '(', ')', '؟', '،', '؛']).unwrap_or(link.len())];
    let end =
        link.trim_end_matches(|c: char| is_stop(c) || is_invisible(c) || matches!(c, ',' | ';' | ':' | '\''));
    Span::new(start, start + end.len())
}

/// Whether `c` is a letter of the Arabic script.
pub(super) fn is_arabic_letter(c: char) -> bool {
    c.is_alphabetic()
        && matches!(c,
            '\u{600}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{8A0}'..='\u{8FF}'
            | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

fn is_opening(c: char) -> bool {
    matches!(c, '«' | '“' | '‘' | '‹' | '(' | '[' | '{')
}

fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{1F000}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}'
        | '\u{2190}'..='\u{21FF}' | '\u{25A0}'..='\u{25FF}' | '\u{20E3}')
}

/// Emoji and shapes that news channels set before an item, not behind it: arrows, squares, flags, coloured
/// balls.
fn is_bullet(c: char) -> bool {
    matches!(c,
        '\u{2190}'..='\u{21FF}' | '\u{25A0}'..='\u{25FF}' | '\u{2B00}'..='\u{2BFF}'
        | '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F534}'..='\u{1F53D}' | '\u{1F7E0}'..='\u{1F7EB}'
        | '✅' | '✔' | '✖' | '❌' | '➡' | '➖' | '📌' | '📍' | '🚨' | '🔔' | '👉' | '👈' | '❗')
}
