//! Brings Persian text into the spelling that translation models were trained on, and remembers where each piece of
//! it came from.
//!
//! Three steps, each with a map back: letters and invisible characters (`fold`), spaces and the ezafe (`tidy`), and,
//! if asked for, lost half-spaces ([`half_space`]). What the models' own `SentencePiece` normalisers do is left to them:
//! `…`, full-width Latin, half-space to space.

mod fold;
mod letters;
mod map;
mod tidy;

use super::{Span, half_space};
use map::{Builder, Map};

/// What to do beyond folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether to put back half-spaces that the text has lost: `میشود` and `می شود` for `می‌شود`.
    pub restore_half_spaces: bool,
}

/// A text made ready for a model, with the way back to its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalized {
    text: String,
    source_len: usize,
    /// One map for each step that was taken, the first step's first.
    maps: Vec<Map>,
}

/// Normalises `source`, in time linear in its length. Idempotent.
pub fn normalize(source: &str, options: Options) -> Normalized {
    let (folded, folding) = fold::fold(source);
    let (mut text, tidying) = tidy::tidy(&folded);
    let mut maps = vec![folding, tidying];
    if options.restore_half_spaces {
        let lost = half_space::restore(&text);
        if !lost.is_empty() {
            let (restored, restoring) = put_back(&text, &lost);
            text = restored;
            maps.push(restoring);
        }
    }
    Normalized { text, source_len: source.len(), maps }
}

impl Normalized {
    /// The normalised text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the source that a span of the normalised text came from.
    ///
    /// Dropped characters belong to what stands before them, so that neighbouring spans come from neighbouring ones,
    /// and the whole text from the whole source. A span that cuts what one source character became covers that
    /// character; an inserted half-space came from nothing, an empty span. Positions outside the text count as its
    /// end, and one inside a character as the start of it, or as its end where the span ends.
    pub fn source_span(&self, span: Span) -> Span {
        if self.text.is_empty() {
            return Span::new(0, self.source_len);
        }
        let start = floor_char_boundary(&self.text, span.start);
        let end = ceil_char_boundary(&self.text, span.end).max(start);
        self.maps.iter().rev().fold(Span::new(start, end), |span, map| map.origin(span))
    }
}

/// `text` with the half-spaces that it has `lost`.
fn put_back(text: &str, lost: &[half_space::HalfSpace]) -> (String, Map) {
    let mut out = Builder::with_capacity(text.len() + lost.len() * 3);
    let mut done = 0;
    for half_space in lost {
        out.keep(&text[done..half_space.at], done);
        out.replace("\u{200C}", half_space.at);
        done = half_space.at + usize::from(half_space.replaces_space);
    }
    out.keep(&text[done..], done);
    out.finish(text.len())
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

fn ceil_char_boundary(text: &str, at: usize) -> usize {
    text.ceil_char_boundary(at.min(text.len()))
}

#[cfg(test)]
mod tests;
