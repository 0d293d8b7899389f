//! The search of BPE models (Sennrich et al. 2016), after `bpe_model.cc` of SentencePiece 0.2.3.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use super::SentencePieceModel;
use crate::tokenizer::proto::PieceKind;

impl SentencePieceModel {
    /// Merges characters into pieces, each time the neighbours whose piece has the best score and of those the
    /// leftmost, until no two neighbours make a piece.
    pub(super) fn merge<'a>(&'a self, text: &'a str) -> Vec<(&'a str, u32)> {
        let mut merger = Merger {
            model: self,
            text,
            symbols: self.symbols(text),
            candidates: BinaryHeap::new(),
            unused: HashMap::new(),
        };
        for right in 1..merger.symbols.len() {
            merger.offer(Some(right - 1), Some(right));
        }
        while let Some(candidate) = merger.candidates.pop() {
            merger.take(&candidate);
        }
        let mut pieces = Vec::new();
        for symbol in merger.symbols.iter().filter(|symbol| !symbol.range.is_empty()) {
            merger.split_unused(&text[symbol.range.clone()], &mut pieces);
        }
        pieces
    }

    /// User-defined symbols and, between them, characters.
    fn symbols(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut start = 0;
        while let Some(c) = text[start..].chars().next() {
            let protected = self.normalizer.protected(&text[start..]);
            let end = start + protected.unwrap_or(c.len_utf8());
            let index = symbols.len();
            symbols.push(Symbol {
                range: start..end,
                left: index.checked_sub(1),
                right: (end < text.len()).then_some(index + 1),
                is_protected: protected.is_some(),
            });
            start = end;
        }
        symbols
    }
}

/// A stretch of the text, empty once it is merged into its left neighbour.
struct Symbol {
    range: Range<usize>,
    left: Option<usize>,
    right: Option<usize>,
    /// Merged with nothing.
    is_protected: bool,
}

/// Two neighbours that make a piece.
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    /// Of the piece, by which a candidate is recognised whose symbols have changed meanwhile.
    length: usize,
}

struct Merger<'a> {
    model: &'a SentencePieceModel,
    text: &'a str,
    symbols: Vec<Symbol>,
    candidates: BinaryHeap<Candidate>,
    /// The length of the left part of pieces that may be merged on the way to others, but not be used.
    unused: HashMap<&'a str, usize>,
}

impl<'a> Merger<'a> {
    fn offer(&mut self, left: Option<usize>, right: Option<usize>) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let (first, second) = (&self.symbols[left], &self.symbols[right]);
        if first.is_protected || second.is_protected {
            return;
        }
        let piece = &self.text[first.range.start..second.range.end];
        let Some(id) = self.model.spelled.get(piece) else { return };
        let proto = &self.model.pieces[id as usize];
        if proto.kind() == PieceKind::Unused {
            self.unused.insert(piece, first.range.len());
        }
        // The sum makes a negative zero a zero.
        self.candidates.push(Candidate { score: proto.score() + 0.0, left, right, length: piece.len() });
    }

    fn take(&mut self, candidate: &Candidate) {
        let &Candidate { left, right, length, .. } = candidate;
        let (first, second) = (self.symbols[left].range.clone(), self.symbols[right].range.clone());
        if first.is_empty() || second.is_empty() || first.len() + second.len() != length {
            return;
        }
        let next = self.symbols[right].right;
        self.symbols[left].range = first.start..second.end;
        self.symbols[left].right = next;
        if let Some(next) = next {
            self.symbols[next].left = Some(left);
        }
        self.symbols[right].range = 0..0;
        self.offer(self.symbols[left].left, Some(left));
        self.offer(Some(left), next);
    }

    /// Appends a piece or, if it isn't to be used, the parts that it was merged from.
    fn split_unused(&self, piece: &'a str, pieces: &mut Vec<(&'a str, u32)>) {
        let mut waiting = vec![piece];
        while let Some(piece) = waiting.pop() {
            let id = self.model.id(piece);
            let is_unused = self.model.pieces[id as usize].kind() == PieceKind::Unused;
            match self.unused.get(piece).filter(|_| is_unused) {
                Some(&length) => {
                    let (left, right) = piece.split_at(length);
                    waiting.extend([right, left]);
                }
                None => pieces.push((piece, id)),
            }
        }
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| Reverse(self.left).cmp(&Reverse(other.left)))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}
