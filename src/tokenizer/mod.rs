//! From text to token ids and back, exactly as SentencePiece and Hugging Face transformers do it.
//!
//! # Layout
//! - `proto`: the messages of a SentencePiece model file
//! - `trie`, `charsmap`, `normalizer`: prefix search, and the text as the pieces spell it
//! - `sentencepiece`: the best pieces of a text, and the text of pieces
//! - `vocabulary`, `marian`: pieces to the ids that a Marian model in the Hugging Face layout knows
//! - `t5`: pieces as MADLAD-400 reads them
//!
//! The search is written out here and not taken from the crate `tokenizers`: that one adds scores up in
//! double precision, SentencePiece in single, so that ties, as in a run of zeros, fall differently.

mod charsmap;
mod marian;
mod normalizer;
mod proto;
mod sentencepiece;
mod t5;
mod trie;
mod vocabulary;

pub use marian::{MarianFiles, MarianTokenizer};
pub use sentencepiece::{Piece, SentencePieceModel};
pub use t5::T5Tokenizer;

use crate::article::Span;

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
