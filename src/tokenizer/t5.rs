//! The tokenizer of MADLAD-400, a T5 in many languages: the pieces and their ids are those of `spiece.model`, and the
//! source starts with the language that it is to be translated into.

use std::path::Path;

use super::Tokenizer;
use super::sentencepiece::SentencePieceModel;
use super::vocabulary::FETCH_AGAIN;
use crate::article::Span;
use crate::{Error, Result};

const MODEL: &str = "spiece.model";
const END: &str = "</s>";

/// Turns source text into ids and target ids into text.
pub struct T5Tokenizer {
    /// Its language tokens are withheld from text.
    model: SentencePieceModel,
    /// What every source starts with: the target language.
    prefix: Vec<u32>,
    end: u32,
}

impl T5Tokenizer {
    /// Reads `spiece.model` from a model's folder. `target` is the language to translate into, as the model names it.
    pub fn open(folder: &Path, target: &str) -> Result<Self> {
        let path = folder.join(MODEL);
        let broken = |problem: String, remedy: &str| Error::model_file(&path, problem, remedy);
        let bytes = std::fs::read(&path)
            .map_err(|error| broken(format!("can't be read: {error}"), "fetch the model's spiece.model"))?;
        let mut model = SentencePieceModel::parse(&bytes).map_err(|problem| broken(problem, FETCH_AGAIN))?;
        let end = model.known_id(END).ok_or_else(|| broken(format!("lacks the token {END}"), FETCH_AGAIN))?;
        let language = format!("<2{target}>");
        let prefix: Vec<u32> = model.encode(&language).into_iter().map(|piece| piece.id).collect();
        if model.known_id(&language).is_none_or(|id| !prefix.contains(&id)) {
            let remedy = "name one of the model's languages as target_language in card.json";
            return Err(broken(format!("has no token {language} for the target language"), remedy));
        }
        model.withhold(is_language);
        Ok(Self { model, prefix, end })
    }

    /// Number of ids: one more than the highest.
    pub fn vocabulary(&self) -> usize {
        self.model.size()
    }

    /// The id of `<unk>`.
    pub fn unk_id(&self) -> u32 {
        self.model.unknown()
    }
}

impl Tokenizer for T5Tokenizer {
    fn encode_text(&self, text: &str) -> Vec<u32> {
        let pieces = self.model.encode(text).into_iter().map(|piece| piece.id);
        self.prefix.iter().copied().chain(pieces).chain([self.end]).collect()
    }

    fn source_spans(&self, text: &str) -> Vec<Span> {
        let prefix = self.prefix.iter().map(|_| Span::new(0, 0));
        prefix.chain(self.model.encode_spans(text)).chain([Span::new(text.len(), text.len())]).collect()
    }

    fn decode(&self, ids: &[u32]) -> String {
        let pieces = ids.iter().filter(|&&id| id != self.end && id != self.model.unknown());
        let pieces = pieces.filter_map(|&id| self.model.piece(id)).filter(|piece| !is_language(piece));
        self.model.decode(pieces).trim().to_owned()
    }
}

/// Whether a piece is a language, such as `<2en>` or `<2zh_Latn>`.
fn is_language(piece: &str) -> bool {
    let name = piece.strip_prefix("<2").and_then(|rest| rest.strip_suffix('>'));
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    })
}
