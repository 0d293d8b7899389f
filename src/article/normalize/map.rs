//! From positions in a text that was made out of another one back to positions in that one.

use crate::article::Span;

/// Maps byte positions of a produced text to byte positions of the text it was produced from.
///
/// The pieces of the produced text tile the original: a piece stands for everything from its own origin up to the
/// next piece's, so that dropped characters belong to what came before them. Hence neighbouring spans have
/// neighbouring origins, and the whole maps to the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map {
    pieces: Vec<Piece>,
    produced_len: usize,
    original_len: usize,
}

/// A stretch of the produced text, in order; the first piece starts at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Byte offset in the produced text.
    start: usize,
    /// Byte offset in the original where what the piece stands for begins.
    origin: usize,
    /// Whether the piece is the original's own bytes, so that positions inside it can be told apart.
    verbatim: bool,
}

impl Map {
    /// What a span of the produced text came from. Positions outside the text are taken as its end, and a span that
    /// cuts a replacement covers all that was replaced.
    pub(super) fn origin(&self, span: Span) -> Span {
        if span.start == 0 && span.end >= self.produced_len {
            return Span::new(0, self.original_len);
        }
        let start = self.position(span.start, false);
        let end = self.position(span.end, true);
        Span::new(start, end.max(start))
    }

    /// The origin of one position; inside a replacement, its end if `round_up` and its start otherwise.
    fn position(&self, at: usize, round_up: bool) -> usize {
        if at == 0 {
            return 0;
        }
        if at >= self.produced_len {
            return self.original_len;
        }
        let index = self.pieces.partition_point(|piece| piece.start <= at) - 1;
        let piece = self.pieces[index];
        if at == piece.start {
            piece.origin
        } else if piece.verbatim {
            piece.origin + (at - piece.start)
        } else if round_up {
            self.pieces.get(index + 1).map_or(self.original_len, |next| next.origin)
        } else {
            piece.origin
        }
    }
}

/// Builds a text together with its [`Map`], from left to right.
#[derive(Debug, Default)]
pub(super) struct Builder {
    text: String,
    pieces: Vec<Piece>,
    /// Where the next original byte would have to start to prolong a verbatim last piece.
    verbatim_until: Option<usize>,
}

impl Builder {
    /// A builder for about `len` bytes.
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { text: String::with_capacity(len), ..Self::default() }
    }

    /// The last character so far.
    pub(super) fn last(&self) -> Option<char> {
        self.text.chars().next_back()
    }

    /// The text so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Appends what stands unchanged at `origin`.
    pub(super) fn keep(&mut self, text: &str, origin: usize) {
        if text.is_empty() {
            return;
        }
        if self.verbatim_until != Some(origin) {
            self.pieces.push(Piece { start: self.text.len(), origin, verbatim: true });
        }
        self.text.push_str(text);
        self.verbatim_until = Some(origin + text.len());
    }

    /// Appends what stands for something else at `origin`.
    pub(super) fn replace(&mut self, text: &str, origin: usize) {
        if text.is_empty() {
            return;
        }
        self.pieces.push(Piece { start: self.text.len(), origin, verbatim: false });
        self.text.push_str(text);
        self.verbatim_until = None;
    }

    /// Puts another character in the place of the last one, which took in more of the original.
    pub(super) fn amend_last(&mut self, with: char) {
        if self.text.pop().is_none() {
            return;
        }
        let start = self.text.len();
        // The character may be a piece of its own, the end of a replacement, or the end of a verbatim piece.
        match self.pieces.last() {
            Some(piece) if piece.start == start => {
                let origin = piece.origin;
                self.pieces.pop();
                self.pieces.push(Piece { start, origin, verbatim: false });
            }
            Some(piece) if piece.verbatim => {
                let origin = piece.origin + (start - piece.start);
                self.pieces.push(Piece { start, origin, verbatim: false });
            }
            _ => {}
        }
        self.text.push(with);
        self.verbatim_until = None;
    }

    /// The text and the map back to an original of `original_len` bytes.
    pub(super) fn finish(self, original_len: usize) -> (String, Map) {
        let map = Map { pieces: self.pieces, produced_len: self.text.len(), original_len };
        (self.text, map)
    }
}
