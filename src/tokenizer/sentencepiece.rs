//! SentencePiece models, unigram (Kudo 2018) and BPE, after `unigram_model.cc` and `sentencepiece_processor.cc` of
//! SentencePiece 0.2.3.

mod bpe;

use std::collections::HashMap;
use std::ops::Range;

use prost::Message;

use super::normalizer::{Normalizer, SPACE};
use super::proto::{ModelProto, ModelType, PieceKind, PieceProto};
use super::trie::Trie;
use crate::article::Span;

/// How much worse than the worst piece an unknown character scores.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A sum of scores beyond this is counted from zero again, lest a long text lose precision.
const SCORE_RESET_THRESHOLD: f32 = 100_000.0;

/// The length in bytes from which on SentencePiece refuses a piece. It bounds the search, too.
const LONGEST_PIECE: usize = 8000;

/// A SentencePiece model: its normaliser and its pieces.
pub struct SentencePieceModel {
    is_bpe: bool,
    normalizer: Normalizer,
    /// Rules for decoded text.
    denormalizer: Option<Normalizer>,
    pieces: Vec<PieceProto>,
    /// The pieces that text spells, with their ids.
    spelled: Trie,
    /// The ids of all other pieces.
    reserved: HashMap<String, u32>,
    unknown: u32,
    unknown_score: f32,
    byte_fallback: bool,
    unknown_surface: String,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The piece, or a whole stretch of characters that no piece spells.
    pub text: String,
    /// Its id in the model's own numbering.
    pub id: u32,
}

impl SentencePieceModel {
    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// What is wrong with the file, in words that continue its name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model =
            ModelProto::decode(bytes).map_err(|error| format!("isn't a SentencePiece model: {error}"))?;
        let trainer = model.trainer.unwrap_or_default();
        let is_bpe = match trainer.model_type() {
            ModelType::Unigram => false,
            ModelType::Bpe => true,
            other => return Err(format!("is a {other:?} model where a unigram or a BPE model is needed")),
        };
        let numbered = || (0..).zip(&model.pieces);
        let reserved = reserved(numbered(), trainer.byte_fallback())?;
        let unknown = numbered().find(|(_, piece)| piece.kind() == PieceKind::Unknown);
        let unknown = unknown.ok_or("isn't a usable SentencePiece model: it has no piece for the unknown")?.0;
        let of_kind = |kind| numbered().filter(move |(_, piece)| piece.kind() == kind);
        let worst = of_kind(PieceKind::Normal).map(|(_, piece)| piece.score()).fold(f32::MAX, f32::min);
        let protected = of_kind(PieceKind::UserDefined).map(|(id, piece)| (piece.piece(), id));
        let spelled = numbered().filter(|(_, piece)| is_spelled(piece));
        let denormalizer = model.denormalizer.filter(|spec| !spec.precompiled_charsmap().is_empty());
        Ok(Self {
            is_bpe,
            normalizer: Normalizer::new(
                &model.normalizer.unwrap_or_default(),
                Trie::new(protected),
                trainer.treat_whitespace_as_suffix(),
            )?,
            denormalizer: denormalizer
                .map(|spec| Normalizer::new(&spec, Trie::new([]), false))
                .transpose()?,
            spelled: Trie::new(spelled.map(|(id, piece)| (piece.piece(), id))),
            reserved,
            unknown,
            unknown_score: worst - UNKNOWN_PENALTY,
            byte_fallback: trainer.byte_fallback(),
            unknown_surface: trainer.unk_surface().to_owned(),
            pieces: model.pieces,
        })
    }

    /// The pieces of a text, in time linear in its length, and in n log n for a BPE model.
    ///
    /// A stretch of characters that no piece spells is one piece with the id of `<unk>`, or one piece a byte
    /// where the model falls back to bytes.
    pub fn encode(&self, text: &str) -> Vec<Piece> {
        let normalized = self.normalizer.normalize(text);
        self.pieces_of(&normalized).into_iter().map(|(piece, _)| piece).collect()
    }

    /// Where the pieces that [`Self::encode`] finds come from in the text, spaces before a word included; the bytes of
    /// one character all come from it.
    pub fn encode_spans(&self, text: &str) -> Vec<Span> {
        let (normalized, origins) = self.normalizer.normalize_mapped(text);
        let pieces = self.pieces_of(&normalized).into_iter();
        pieces.map(|(_, at)| Span::new(origins[at.start].start, origins[at.end - 1].end)).collect()
    }

    /// The pieces of a normalised text, and where in it each stands.
    fn pieces_of(&self, normalized: &str) -> Vec<(Piece, Range<usize>)> {
        let mut pieces: Vec<(Piece, Range<usize>)> = Vec::new();
        let mut end = 0;
        let found = if self.is_bpe { self.merge(normalized) } else { self.best_path(normalized) };
        for (text, id) in found {
            let at = end..end + text.len();
            end = at.end;
            if id != self.unknown {
                pieces.push((Piece { text: text.to_owned(), id }, at));
            } else if self.byte_fallback {
                let bytes = text.bytes().map(|byte| format!("<0x{byte:02X}>"));
                pieces.extend(bytes.map(|text| (Piece { id: self.id(&text), text }, at.clone())));
            } else if let Some((last, last_at)) = pieces.last_mut().filter(|(last, _)| last.id == id) {
                last.text.push_str(text);
                last_at.end = at.end;
            } else {
                pieces.push((Piece { text: text.to_owned(), id }, at));
            }
        }
        pieces
    }

    /// The text of pieces. A piece that the model lacks stands for itself.
    pub fn decode<'a>(&self, pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = String::new();
        let mut bytes = Vec::new();
        // A leading space is the normaliser's own: one is dropped, or all of them where it drops extra ones.
        let mut at_start = self.normalizer.adds_leading_space();
        for piece in pieces {
            let id = self.id(piece);
            let kind = self.pieces[id as usize].kind();
            if kind == PieceKind::Byte {
                bytes.extend(byte_of(piece));
                continue;
            }
            push_bytes(&mut text, &mut bytes);
            at_start &= text.is_empty();
            match kind {
                PieceKind::Control => {}
                PieceKind::Unknown if piece == self.pieces[id as usize].piece() => {
                    text.push_str(&self.unknown_surface);
                }
                PieceKind::Unknown => text.push_str(piece),
                _ => {
                    let stripped = piece.strip_prefix(SPACE).filter(|_| at_start);
                    at_start &= stripped.is_none() || self.normalizer.removes_extra_whitespaces();
                    text.push_str(&stripped.unwrap_or(piece).replace(SPACE, " "));
                }
            }
        }
        push_bytes(&mut text, &mut bytes);
        match &self.denormalizer {
            Some(rules) => rules.normalize(&text),
            None => text,
        }
    }

    /// The piece of an id.
    pub fn piece(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize).map(PieceProto::piece)
    }

    /// The id of a piece; that of `<unk>` if the model lacks it.
    pub fn id(&self, piece: &str) -> u32 {
        self.known_id(piece).unwrap_or(self.unknown)
    }

    /// The id of a piece that the model has.
    pub fn known_id(&self, piece: &str) -> Option<u32> {
        self.reserved.get(piece).copied().or_else(|| self.spelled.get(piece))
    }

    /// The id of `<unk>`.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Keeps text from spelling pieces that it would otherwise spell, for those that are none of its business.
    pub fn withhold(&mut self, is_withheld: impl Fn(&str) -> bool) {
        for piece in &mut self.pieces {
            if is_spelled(piece) && is_withheld(piece.piece()) {
                piece.set_kind(PieceKind::Unused);
            }
        }
    }

    /// Number of pieces.
    pub fn size(&self) -> usize {
        self.pieces.len()
    }

    /// The pieces with the highest sum of scores (Viterbi), each with its id.
    ///
    /// Scores are added up in single precision from left to right, and of equal sums the first stays: both
    /// decide ties, so neither may change.
    fn best_path<'a>(&self, text: &'a str) -> Vec<(&'a str, u32)> {
        let mut best: Vec<Step> = (0..=text.len()).map(|start| Step { start, id: 0, score: 0.0 }).collect();
        let mut farthest = 0;
        for (start, c) in text.char_indices() {
            if best[start].score.abs() > SCORE_RESET_THRESHOLD {
                reset_scores(&mut best[start..=farthest]);
            }
            let so_far = best[start].score;
            let mut reach = |length: usize, id: u32, score: f32| {
                let end = start + length;
                farthest = farthest.max(end);
                let score = score + so_far;
                if best[end].start == end || score > best[end].score {
                    best[end] = Step { start, id, score };
                }
            };
            let mut character_is_spelled = false;
            for (length, id) in self.spelled.prefixes(&text.as_bytes()[start..]) {
                if let Some(score) = self.score(length, id) {
                    reach(length, id, score);
                    character_is_spelled |= length == c.len_utf8();
                }
            }
            if !character_is_spelled {
                reach(c.len_utf8(), self.unknown, self.unknown_score);
            }
        }
        let mut path = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let Step { start, id, .. } = best[end];
            path.push((&text[start..end], id));
            end = start;
        }
        path.reverse();
        path
    }

    /// The score of a piece of that length; none if it isn't to be used.
    fn score(&self, length: usize, id: u32) -> Option<f32> {
        let piece = &self.pieces[id as usize];
        match piece.kind() {
            PieceKind::Unused => None,
            // Log-probabilities are negative, so this wins over normal pieces, and a longer one wins more.
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "as the reference does"
            )]
            PieceKind::UserDefined => Some((0.1 * (length as f64 - 1.0)) as f32),
            _ => Some(piece.score()),
        }
    }
}

/// The last piece of the best path to a place. It is empty where no path has been found yet.
#[derive(Clone, Copy)]
struct Step {
    start: usize,
    id: u32,
    score: f32,
}

/// Counts the scores of the paths that are still growing from the first one's.
fn reset_scores(growing: &mut [Step]) {
    let offset = growing[0].score;
    for step in growing {
        step.score -= offset;
    }
}

/// The ids of the pieces that no text spells; refuses what SentencePiece refuses.
fn reserved<'a>(
    pieces: impl Iterator<Item = (u32, &'a PieceProto)> + Clone,
    byte_fallback: bool,
) -> Result<HashMap<String, u32>, String> {
    let broken = |problem: String| format!("isn't a usable SentencePiece model: {problem}");
    let mut reserved = HashMap::new();
    let mut spelled = std::collections::HashSet::new();
    let mut bytes = std::collections::HashSet::new();
    let mut unknown = 0;
    for (id, piece) in pieces {
        let text = piece.piece();
        if text.is_empty() {
            return Err(broken(format!("piece {id} is empty")));
        }
        if text.len() >= LONGEST_PIECE || text.contains('\0') {
            return Err(broken(format!("piece {id} is too long, or has a NUL")));
        }
        if !piece.score().is_finite() {
            return Err(broken(format!("the score of piece {id} is no number")));
        }
        let is_new = if is_spelled(piece) {
            spelled.insert(text)
        } else {
            reserved.insert(text.to_owned(), id).is_none()
        };
        if !is_new {
            return Err(broken(format!("it has the piece {text:?} twice")));
        }
        match piece.kind() {
            PieceKind::Unknown => unknown += 1,
            PieceKind::Byte => {
                bytes.insert(byte_of(text).ok_or_else(|| broken(format!("its byte {text:?} is none")))?);
            }
            _ => {}
        }
    }
    if spelled.is_empty() {
        return Err(broken("it has no pieces that text spells".into()));
    }
    if unknown > 1 {
        return Err(broken("it has several pieces for the unknown".into()));
    }
    if bytes.len() != if byte_fallback { 256 } else { 0 } {
        return Err(broken(format!("it has {} pieces for bytes", bytes.len())));
    }
    Ok(reserved)
}

/// Whether text spells the piece.
fn is_spelled(piece: &PieceProto) -> bool {
    matches!(piece.kind(), PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused)
}

/// The byte that a piece such as `<0x0A>` stands for.
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_upper_hex = |c: char| matches!(c, '0'..='9' | 'A'..='F');
    if digits.len() == 2 && digits.chars().all(is_upper_hex) {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// Appends bytes, one replacement character for each that isn't part of a character, and empties them.
fn push_bytes(text: &mut String, bytes: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}

#[cfg(test)]
mod tests;
