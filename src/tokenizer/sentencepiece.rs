//! SentencePiece model files (Kudo and Richardson 2018), read from their protobuf into a `tokenizers` model.

use prost::Message;
use tokenizers::models::unigram::Unigram;

use super::charsmap::Charsmap;

/// What SentencePiece writes for a space.
pub(super) const SPACE: char = '\u{2581}';

/// A unigram SentencePiece model: its normaliser and its pieces.
pub struct SentencePieceModel {
    charsmap: Option<Charsmap>,
    add_dummy_prefix: bool,
    remove_extra_whitespaces: bool,
    unigram: Unigram,
}

impl SentencePieceModel {
    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model =
            ModelProto::decode(bytes).map_err(|error| format!("isn't a SentencePiece model: {error}"))?;
        if model.pieces.is_empty() {
            return Err("isn't a SentencePiece model: it has no pieces".into());
        }
        let trainer = model.trainer_spec.unwrap_or_default();
        if trainer.model_type() != ModelType::Unigram {
            return Err(format!("is a {:?} model where a unigram model is needed", trainer.model_type()));
        }
        let normalizer = model.normalizer_spec.unwrap_or_default();
        let charsmap = match normalizer.precompiled_charsmap() {
            [] => None,
            bytes => Some(Charsmap::parse(bytes)?),
        };
        let unknown = model.pieces.iter().position(|piece| piece.kind() == PieceKind::Unknown);
        let unknown = unknown.ok_or("isn't a SentencePiece model: it has no piece for the unknown")?;
        let vocabulary: Vec<(String, f64)> = (0..).zip(&model.pieces).map(entry).collect();
        let unigram = Unigram::from(vocabulary, Some(unknown), trainer.byte_fallback());
        Ok(Self {
            charsmap,
            add_dummy_prefix: normalizer.add_dummy_prefix(),
            remove_extra_whitespaces: normalizer.remove_extra_whitespaces(),
            unigram: unigram.map_err(|error| format!("isn't a usable SentencePiece model: {error}"))?,
        })
    }

    /// The pieces of a text. A stretch that the vocabulary lacks is one piece, as it stands.
    ///
    /// # Errors
    /// What went wrong in the search, in words.
    pub fn encode(&self, text: &str) -> Result<Vec<String>, String> {
        let normalized = self.normalize(text);
        if normalized.is_empty() {
            return Ok(Vec::new());
        }
        self.unigram.encode(&normalized).map_err(|error| error.to_string())
    }

    /// The text as the pieces spell it.
    fn normalize(&self, text: &str) -> String {
        let mapped = self.charsmap.as_ref().map_or_else(|| text.to_owned(), |charsmap| charsmap.apply(text));
        let mut normalized = String::with_capacity(mapped.len() * 2);
        let mut after_space = self.remove_extra_whitespaces;
        for c in mapped.chars() {
            if c == ' ' && after_space && self.remove_extra_whitespaces {
                continue;
            }
            if normalized.is_empty() && self.add_dummy_prefix {
                normalized.push(SPACE);
            }
            after_space = c == ' ';
            normalized.push(if c == ' ' { SPACE } else { c });
        }
        if self.remove_extra_whitespaces {
            normalized.truncate(normalized.trim_end_matches(SPACE).len());
        }
        normalized
    }
}

/// A piece as the search sees it. A control symbol gets a name that no text has, so that none can spell it.
fn entry((index, piece): (usize, &Piece)) -> (String, f64) {
    match piece.kind() {
        PieceKind::Control | PieceKind::Unknown | PieceKind::Unused => {
            (format!("\0{index}\0not spelled by any text"), f64::from(piece.score()))
        }
        PieceKind::Normal | PieceKind::UserDefined | PieceKind::Byte => {
            (piece.text().to_owned(), f64::from(piece.score()))
        }
    }
}

// The messages of sentencepiece_model.proto that inference needs.

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer_spec: Option<NormalizerSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(enumeration = "PieceKind", optional, tag = "3", default = "Normal")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct TrainerSpec {
    #[prost(enumeration = "ModelType", optional, tag = "3", default = "Unigram")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "35", default = "false")]
    byte_fallback: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3", default = "true")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4", default = "true")]
    remove_extra_whitespaces: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum PieceKind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum ModelType {
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Char = 4,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = SentencePieceModel::parse(&bytes);
        }
    }
}
