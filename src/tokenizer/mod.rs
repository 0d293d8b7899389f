//! From text to token ids and back, exactly as SentencePiece and Hugging Face transformers do it.
//!
//! # Layout
//! - `proto`: the messages of a SentencePiece model file
//! - `trie`, `charsmap`, `normalizer`: prefix search, and the text as the pieces spell it
//! - `sentencepiece`: the best pieces of a text, unigram or BPE, and the text of pieces
//! - `student`: the ids of a student, which are the SentencePiece model's own
//! - `vocabulary`, `marian`, `m2m100`: pieces to the ids that a model in the Hugging Face layout knows
//! - `t5`: pieces as MADLAD-400 reads them
//! - `nllb`: `tokenizer.json`, which the crate `tokenizers` reads, for it is the reference there
//! - `decoded`: what transformers does to decoded text
//!
//! SentencePiece's search is written out here and not taken from the crate `tokenizers`: that one adds scores
//! up in double precision, SentencePiece in single, so that ties, as in a run of zeros, fall differently.

mod charsmap;
mod decoded;
mod m2m100;
mod marian;
mod nllb;
mod normalizer;
mod proto;
mod sentencepiece;
mod student;
mod t5;
mod trie;
mod vocabulary;

use std::path::Path;

pub use m2m100::M2m100Tokenizer;
pub use marian::{MarianFiles, MarianTokenizer};
pub use nllb::NllbTokenizer;
pub use sentencepiece::{Piece, SentencePieceModel};
pub use student::{StudentTokenizer, StudentVocabulary};
pub use t5::T5Tokenizer;

use crate::Error;
use crate::article::Span;

/// The languages to translate between, as codes of a model's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguagePair {
    /// What the text is in.
    pub source: String,
    /// What it is translated into.
    pub target: String,
}

impl LanguagePair {
    /// The error for a code that a vocabulary lacks.
    fn missing(&self, path: &Path, code: &str, example: &str) -> Error {
        let field = if code == self.source { "source_language" } else { "target_language" };
        let remedy = format!("name one that the model has, such as {example:?}, as {field} in its card.json");
        Error::model_file(path, format!("has no language {code:?}"), remedy)
    }
}

/// Turns source text into the ids that a model reads, and the ids that it writes into text.
pub trait Tokenizer: Send + Sync {
    /// Source ids of a text from outside, with the marks that the model wants around them, however many there are.
    /// Nothing in the text is taken for a special token or a language, so that no text can end its own sentence.
    fn encode_text(&self, text: &str) -> Vec<u32>;

    /// Where the ids that [`Self::encode_text`] gives come from in the text, spaces before a word included. Marks come
    /// from nothing, an empty span.
    fn source_spans(&self, text: &str) -> Vec<Span>;

    /// The text of target ids. Special tokens, languages and ids that no piece has are left out.
    fn decode(&self, ids: &[u32]) -> String;
}

/// The spans of a text's pieces, with those of the marks before and behind them.
fn between_marks(pieces: impl IntoIterator<Item = Span>, text: &str) -> Vec<Span> {
    let (start, end) = (Span::new(0, 0), Span::new(text.len(), text.len()));
    [start].into_iter().chain(pieces).chain([end]).collect()
}
