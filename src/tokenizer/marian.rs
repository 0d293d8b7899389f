//! The tokenizer of Marian models in the Hugging Face layout: a piece's id is its id in `vocab.json`.

use std::collections::HashMap;
use std::path::Path;

use super::sentencepiece::{SPACE, SentencePieceModel};
use crate::{Error, Result};

const END: &str = "</s>";
const UNKNOWN: &str = "<unk>";
const PAD: &str = "<pad>";

/// The contents of a tokenizer's files.
#[derive(Clone, Copy)]
pub struct TokenizerFiles<'a> {
    /// `source.spm`.
    pub source: &'a [u8],
    /// `vocab.json`.
    pub vocabulary: &'a [u8],
    /// `target_vocab.json`, where each side has a vocabulary of its own.
    pub target_vocabulary: Option<&'a [u8]>,
    /// The folder that errors name.
    pub folder: &'a Path,
}

/// Turns source text into ids and target ids into text.
pub struct MarianTokenizer {
    source: SentencePieceModel,
    ids: HashMap<String, u32>,
    /// Target pieces by id; empty where there is none.
    target: Vec<String>,
    end: u32,
    unknown: u32,
    target_unknown: Option<u32>,
    special: Vec<u32>,
}

impl MarianTokenizer {
    /// Reads `source.spm`, `vocab.json` and, if it is there, `target_vocab.json` from a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let target = match folder.join("target_vocab.json") {
            path if path.exists() => Some(read(&path)?),
            _ => None,
        };
        Self::from_files(TokenizerFiles {
            source: &read(&folder.join("source.spm"))?,
            vocabulary: &read(&folder.join("vocab.json"))?,
            target_vocabulary: target.as_deref(),
            folder,
        })
    }

    /// Reads a tokenizer from the contents of its files.
    pub fn from_files(files: TokenizerFiles<'_>) -> Result<Self> {
        let source = SentencePieceModel::parse(files.source).map_err(|problem| {
            Error::model_file(files.folder.join("source.spm"), problem, "fetch the model again")
        })?;
        let path = files.folder.join("vocab.json");
        let ids = parse_vocabulary(files.vocabulary, &path)?;
        let id = |piece: &str| {
            let problem = format!("lacks {piece:?}");
            ids.get(piece).copied().ok_or_else(|| Error::model_file(&path, problem, "fetch the model again"))
        };
        let (end, unknown) = (id(END)?, id(UNKNOWN)?);
        let target_path = files.folder.join("target_vocab.json");
        let target_ids = match files.target_vocabulary {
            Some(bytes) => parse_vocabulary(bytes, &target_path)?,
            None => ids.clone(),
        };
        let special =
            [END, UNKNOWN, PAD].iter().filter_map(|piece| target_ids.get(*piece).copied()).collect();
        let target_unknown = target_ids.get(UNKNOWN).copied();
        let mut target = vec![String::new(); target_ids.len()];
        for (piece, id) in target_ids {
            target[id as usize] = piece;
        }
        Ok(Self { source, ids, target, end, unknown, target_unknown, special })
    }

    /// Source ids, ended by `</s>`. A leading `>>language<<` is one token, as multilingual models want it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let (language, text) = match text.strip_prefix(">>").and_then(|rest| rest.split_once("<<")) {
            Some((code, rest)) if !code.is_empty() => (Some(format!(">>{code}<<")), rest),
            _ => (None, text),
        };
        let pieces = self.source.encode(text).map_err(Error::Inference)?;
        let pieces = language.into_iter().chain(pieces);
        let ids = pieces.map(|piece| self.ids.get(&piece).copied().unwrap_or(self.unknown));
        Ok(ids.chain(std::iter::once(self.end)).collect())
    }

    /// The text of target ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        let pieces = ids.iter().filter(|id| !self.special.contains(id));
        let text: String =
            pieces.filter_map(|&id| self.target.get(id as usize)).map(String::as_str).collect();
        text.replace(SPACE, " ").trim().to_owned()
    }

    /// Number of source tokens.
    pub fn source_vocabulary(&self) -> usize {
        self.ids.len()
    }

    /// Number of target tokens.
    pub fn target_vocabulary(&self) -> usize {
        self.target.len()
    }

    /// The target vocabulary's `<unk>`.
    pub fn unknown(&self) -> Option<u32> {
        self.target_unknown
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let remedy = "a Marian folder has config.json, model.safetensors, source.spm and vocab.json";
        Error::model_file(path, format!("can't be read: {error}"), remedy)
    })
}

/// An object of piece to id, the ids being 0 to n − 1.
fn parse_vocabulary(json: &[u8], path: &Path) -> Result<HashMap<String, u32>> {
    let broken = |problem: String| Error::model_file(path, problem, "fetch the model again");
    let ids: HashMap<String, u32> =
        serde_json::from_slice(json).map_err(|error| broken(format!("isn't a vocabulary: {error}")))?;
    let mut seen = vec![false; ids.len()];
    for (piece, &id) in &ids {
        match seen.get_mut(id as usize) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return Err(broken(format!("gives the id {id} twice, the second time to {piece:?}"))),
            None => {
                return Err(broken(format!(
                    "gives {piece:?} the id {id}, but has only {} pieces",
                    ids.len()
                )));
            }
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_vocabulary_is_refused_with_its_reason() {
        for (json, reason) in [
            ("[]", "isn't a vocabulary"),
            (r#"{"a": -1}"#, "isn't a vocabulary"),
            (r#"{"a": 0, "b": 0}"#, "twice"),
            (r#"{"a": 7}"#, "only 1 pieces"),
        ] {
            let error = parse_vocabulary(json.as_bytes(), Path::new("vocab.json")).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("vocab.json"), "{error}");
        }
    }
}
