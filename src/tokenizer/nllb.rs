//! The tokenizer of NLLB models: `tokenizer.json`, read by the crate `tokenizers`, as transformers does. Its template
//! isn't used, as it is for one source language: the marks are put around the text here.

use std::collections::HashSet;
use std::path::Path;

use super::decoded::strip;
use super::vocabulary::FETCH_AGAIN;
use super::{LanguagePair, Tokenizer, between_marks};
use crate::article::Span;
use crate::{Error, Result};

const FILE: &str = "tokenizer.json";

/// Turns source text into ids and target ids into text.
pub struct NllbTokenizer {
    tokenizer: tokenizers::Tokenizer,
    source: u32,
    target: u32,
    eos: u32,
    unk: u32,
    /// Special tokens and languages, which no text spells.
    reserved: HashSet<u32>,
    vocabulary: usize,
}

impl NllbTokenizer {
    /// Reads a tokenizer from a model's folder: `tokenizer.json`. The languages are codes such as `pes_Arab`.
    pub fn open(folder: &Path, languages: &LanguagePair) -> Result<Self> {
        let path = folder.join(FILE);
        let json = std::fs::read(&path).map_err(|error| {
            let remedy =
                "an NLLB folder has config.json, model.safetensors or pytorch_model.bin, and tokenizer.json";
            Error::model_file(&path, format!("can't be read: {error}"), remedy)
        })?;
        let broken = |problem: String| Error::model_file(&path, problem, FETCH_AGAIN);
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(json)
            .map_err(|error| broken(format!("isn't a readable tokenizer: {error}")))?;
        // The file may ask for both.
        tokenizer.with_truncation(None).map_err(|error| broken(error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.set_encode_special_tokens(true);
        let special =
            |token| tokenizer.token_to_id(token).ok_or_else(|| broken(format!("lacks the token {token:?}")));
        let (eos, unk) = (special("</s>")?, special("<unk>")?);
        let added = tokenizer.get_added_vocabulary();
        let language = |code: &str| {
            let id = tokenizer.token_to_id(code).filter(|_| added.is_special_token(code));
            id.ok_or_else(|| languages.missing(&path, code, "pes_Arab"))
        };
        let (source, target) = (language(&languages.source)?, language(&languages.target)?);
        let ids = tokenizer.get_vocab(true);
        let highest = ids.values().max().map_or(0, |&id| id as usize);
        let reserved = ids.iter().filter(|(token, _)| added.is_special_token(token)).map(|(_, &id)| id);
        let reserved: HashSet<u32> = reserved.chain([eos, unk]).collect();
        let tokenizer = Self { source, target, eos, unk, reserved, vocabulary: highest + 1, tokenizer };
        // A character that no piece spells is where a tokenizer without `<unk>` fails.
        tokenizer.ids("\u{10FFFD}").map_err(|error| broken(format!("can't be used: {error}")))?;
        Ok(tokenizer)
    }

    /// Number of ids: one more than the highest.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The token that every target starts with: its language.
    pub fn forced_first(&self) -> u32 {
        self.target
    }

    /// `<unk>`.
    pub fn unk_id(&self) -> u32 {
        self.unk
    }

    fn ids(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        Ok(self.tokenizer.encode_fast(text, false)?.get_ids().to_vec())
    }
}

impl Tokenizer for NllbTokenizer {
    fn encode_text(&self, text: &str) -> Vec<u32> {
        // It fails only without an `<unk>`, which `open` has ruled out.
        let ids = self.ids(text).unwrap_or_else(|_| vec![self.unk]);
        let ids = ids.into_iter().map(|id| if self.reserved.contains(&id) { self.unk } else { id });
        [self.source].into_iter().chain(ids).chain([self.eos]).collect()
    }

    fn source_spans(&self, text: &str) -> Vec<Span> {
        let encoding = self.tokenizer.encode(text, false);
        let offsets = encoding.as_ref().map(tokenizers::Encoding::get_offsets).unwrap_or_default();
        let mut spans: Vec<Span> = offsets.iter().map(|&(start, end)| Span::new(start, end)).collect();
        // The space that the tokenizer puts before the text claims the first character.
        for at in 1..spans.len() {
            spans[at - 1].end = spans[at - 1].end.min(spans[at].start);
        }
        between_marks(spans, text)
    }

    fn decode(&self, ids: &[u32]) -> String {
        let ids: Vec<u32> = ids.iter().copied().filter(|id| !self.reserved.contains(id)).collect();
        strip(&self.tokenizer.decode(&ids, true).unwrap_or_default()).to_owned()
    }
}
