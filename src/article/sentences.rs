//! Sentences of a paragraph.
//!
//! The rules are those of UAX #29 (sentence boundaries) with what Persian text needs on top: abbreviations
//! and initials, numbered items, a missing space after the stop, stops inside brackets and quotations, and an
//! ellipsis that may or may not end a sentence. Persian is verb-final, so a verb before an ellipsis, or after
//! a closing quotation mark, tells more about the boundary than the marks do.

mod cues;
mod enclosures;
mod stops;
#[cfg(test)]
mod tests;

use super::Span;
use super::abbreviations::{self, Item};
use super::paragraphs::{is_visible, lines, trimmed};
pub(super) use cues::ends_with_verb;
use enclosures::{Enclosures, Pair};
use stops::{Kind, Stop};

/// The sentences of `within` in order, as half-open byte spans into `text`.
///
/// A hard line end is always a boundary. No white space lies at either end of a sentence, and none but white
/// space between two of a line; marks that follow a stop (closing quotes, footnote numbers, bidi marks,
/// emoji) belong to the sentence that it ends. Takes time linear in the length of `within`.
///
/// # Panics
/// When `within` isn't a span of `text`.
pub fn sentences(text: &str, within: Span) -> Vec<Span> {
    let mut found = Vec::new();
    for line in lines(text, within) {
        let line_text = line.of(text);
        if line_text.contains(is_visible) {
            let ends = Splitter::new(line_text).ends();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let pieces = starts.zip(ends.iter().copied()).map(|(start, end)| Span::new(start, end));
            found.extend(
                pieces.map(|piece| trimmed(line_text, piece, char::is_whitespace).shifted(line.start)),
            );
        }
    }
    found
}

/// Longest bracketed remark, in bytes, that may hold a stop without ending the sentence around it. Beyond
/// that the bracket was probably never meant to be closed where it was.
const LONGEST_REMARK: usize = 400;

/// Longest quotation, in bytes, that is taken for a name or a slogan rather than for speech.
const LONGEST_TITLE: usize = 80;

/// One pass over one line.
struct Splitter<'a> {
    text: &'a str,
    enclosures: Enclosures,
    /// Where the current sentence starts, and where its first letter or digit is.
    start: usize,
    first_word: usize,
    /// Number of the last item head of an enumeration (`۱. … ۲. …`).
    last_item: Option<u32>,
    /// The last token looked at for a link, and the link in it.
    token_end: usize,
    link: Span,
    ends: Vec<usize>,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str) -> Self {
        let mut splitter = Self {
            text,
            enclosures: Enclosures::of(text),
            start: 0,
            first_word: 0,
            last_item: None,
            token_end: 0,
            link: Span::default(),
            ends: Vec::new(),
        };
        splitter.begin(0);
        splitter
    }

    /// Where the sentences end; the last one ends with the text.
    fn ends(mut self) -> Vec<usize> {
        let mut at = 0;
        while let Some(found) = self.text[at..].find(|c| c == ':' || stops::is_stop(c)) {
            let position = at + found;
            if self.text[position..].starts_with(':') {
                at = position + 1;
                if cues::is_dateline(&self.text[self.start..at], &self.text[at..]) {
                    self.finish(at);
                }
            } else if let Some(link_end) = self.link_around(position) {
                at = link_end;
            } else {
                let stop = Stop::at(self.text, position, &mut self.enclosures);
                at = stop.end;
                if self.ends_sentence(&stop) {
                    self.finish(at);
                }
            }
        }
        // What follows the last stop without a word in it belongs to the sentence before.
        if self.first_word == self.text.len() {
            self.ends.pop();
        }
        self.ends.push(self.text.len());
        self.ends
    }

    fn finish(&mut self, end: usize) {
        self.ends.push(end);
        self.begin(end);
    }

    fn begin(&mut self, start: usize) {
        self.start = start;
        let word = self.text[start..].find(char::is_alphanumeric);
        self.first_word = word.map_or(self.text.len(), |at| start + at);
    }

    fn ends_sentence(&mut self, stop: &Stop) -> bool {
        let rest = &self.text[stop.end..];
        let after = rest.trim_start_matches(|c: char| !is_visible(c));
        let Some(next) = after.chars().next() else { return false };
        // UAX #29, SB8a: the sentence goes on after a comma and the like.
        if self.first_word >= stop.start || matches!(next, ',' | '،' | ';' | '؛' | ':') {
            return false;
        }
        if self.inside_remark(stop) {
            return false;
        }
        let spaced = rest[..rest.len() - after.len()].contains(char::is_whitespace);
        let ends = match stop.kind {
            Kind::Full => self.full_stop_ends(stop, after, spaced),
            Kind::Strong => {
                let starts = next.is_alphanumeric() || is_unspaced_start(next);
                spaced || (starts && !joins_latin(self.before(stop), next))
            }
            Kind::Ellipsis => {
                (stop.closes_quotation || cues::ends_with_verb(self.before(stop)))
                    && (spaced || is_unspaced_start(next))
                    && !cues::goes_on(after)
            }
        };
        ends && !(spaced && stop.kind != Kind::Ellipsis && goes_on_in_latin(self.before(stop), after))
            && !(stop.closes_quotation && self.goes_on_after_quotation(stop, after))
    }

    /// The text before the stop, as far back as any rule looks.
    fn before(&self, stop: &Stop) -> &'a str {
        cues::tail(&self.text[self.start..stop.start]).trim_end()
    }

    fn full_stop_ends(&mut self, stop: &Stop, after: &str, spaced: bool) -> bool {
        let before = self.before(stop);
        if self.link.end == stop.start && !self.link.is_empty() {
            return spaced;
        }
        (spaced || is_missing_space(before, after))
            && !self.is_item_head(stop, before)
            && !abbreviations::never_ends_sentence(abbreviations::last_word(before), after)
    }

    /// Whether the stop belongs to the number or letter of an item in a list: `۱. `, `الف. `, `2.1. `.
    fn is_item_head(&mut self, stop: &Stop, before: &str) -> bool {
        let word = abbreviations::last_word(before);
        let lead = before[..before.len() - word.len()].trim_end();
        let head = self.text[self.first_word..stop.start].trim_end();
        if abbreviations::is_section_head(head) {
            return true;
        }
        let at_start = head.len() == word.len();
        match abbreviations::item_head(word) {
            Some(Item::Number(number)) => {
                let follows = self.last_item.is_some_and(|last| number == last + 1);
                let is_head = at_start || follows || (number == 1 && lead.ends_with([':', '؛', '،', '(']));
                if is_head {
                    self.last_item = Some(number);
                }
                is_head
            }
            Some(Item::Other) => at_start,
            None => false,
        }
    }

    /// Whether the stop is inside a bracketed remark in the middle of a sentence.
    fn inside_remark(&mut self, stop: &Stop) -> bool {
        let first_word = self.first_word;
        self.enclosures.around(stop.start).iter().any(|pair| {
            pair.is_bracket() && first_word < pair.open && pair.close - pair.open <= LONGEST_REMARK
        })
    }

    /// Whether the sentence goes on although a quotation has just ended with a stop.
    fn goes_on_after_quotation(&mut self, stop: &Stop, after: &str) -> bool {
        if cues::goes_on(after) {
            return true;
        }
        let (start, first_word) = (self.start, self.first_word);
        let closed = |pair: &&Pair| !pair.is_bracket() && pair.close < stop.end;
        let Some(quotation) = self.enclosures.around(stop.start).iter().find(closed).copied() else {
            return false;
        };
        let lead = self.text.get(start..quotation.open).unwrap_or_default();
        // Behind `گفت: «…»` nothing is left to say; otherwise the main verb may still follow.
        if !cues::ends_with_colon(lead) && cues::starts_with_verb(after) {
            return true;
        }
        let is_short = quotation.close - quotation.open <= LONGEST_TITLE;
        is_short && first_word < quotation.open && !cues::introduces_speech(lead)
    }

    /// The end of the link that the character at `position` is part of, if it is.
    fn link_around(&mut self, position: usize) -> Option<usize> {
        if position >= self.token_end {
            let rest = &self.text[position..];
            let start = self.text[self.token_end..position].rfind(char::is_whitespace);
            let start = start.map_or(self.token_end, |at| self.token_end + at);
            self.token_end = position + rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.link = stops::link_in(&self.text[start..self.token_end]).shifted(start);
        }
        (self.link.start <= position && position < self.link.end).then_some(self.link.end)
    }
}

/// Whether a stop with no space behind it stands inside Latin text, such as a link or an expression.
fn joins_latin(before: &str, next: char) -> bool {
    next.is_ascii_alphanumeric() && before.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether Latin text goes on in lower case behind the stop (UAX #29, SB8): `etc. and`, `Yahoo! mail`.
fn goes_on_in_latin(before: &str, after: &str) -> bool {
    let mut next = after.chars();
    before.ends_with(|c: char| c.is_alphabetic() && !stops::is_arabic_letter(c))
        && next.next().is_some_and(char::is_lowercase)
        && !next.next().is_some_and(char::is_uppercase)
}

/// Whether a sentence may start with this character right behind a stop.
fn is_unspaced_start(c: char) -> bool {
    stops::is_arabic_letter(c) || matches!(c, '«' | '“' | '(' | '"' | '[')
}

/// Whether the space behind a full stop between Persian words was forgotten.
fn is_missing_space(before: &str, after: &str) -> bool {
    let ends_word = before.trim_end_matches(|c| !is_visible(c)).ends_with(|c: char| {
        stops::is_arabic_letter(c)
            || c.is_numeric() && !c.is_ascii()
            || matches!(c, '»' | '”' | ')' | '"' | '٪')
    });
    let next = abbreviations::first_word(after);
    let starts_word = match after.chars().next() {
        Some(c) if stops::is_arabic_letter(c) => next.chars().filter(|c| c.is_alphabetic()).count() > 1,
        Some(c) => is_unspaced_start(c),
        None => false,
    };
    ends_word && starts_word && !abbreviations::is_spelled_pair(abbreviations::last_word(before), next)
}
