//! From text to token ids and back.

mod charsmap;
mod marian;
mod sentencepiece;

pub use marian::{MarianTokenizer, TokenizerFiles};
pub use sentencepiece::SentencePieceModel;
