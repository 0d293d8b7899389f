//! The tokenizer of Marian models in the Hugging Face layout, after transformers' `tokenization_marian.py`:
//! the pieces are SentencePiece's, and a piece's id is its id in `vocab.json`.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::Tokenizer;
use super::decoded::{clean_up, strip};
use super::normalizer::SPACE;
use super::sentencepiece::SentencePieceModel;
use super::vocabulary::{FETCH_AGAIN, Vocabulary};
use crate::article::Span;
use crate::{Error, Result};

const SOURCE_MODEL: &str = "source.spm";
const TARGET_MODEL: &str = "target.spm";
const VOCABULARY: &str = "vocab.json";
const TARGET_VOCABULARY: &str = "target_vocab.json";
const CONFIG: &str = "tokenizer_config.json";

/// The contents of a tokenizer's files, for a model that isn't in a folder.
#[derive(Clone, Copy)]
pub struct MarianFiles<'a> {
    /// `source.spm`.
    pub source: &'a [u8],
    /// `target.spm`. Where both sides share a vocabulary the source side's decodes, and may stand in for it.
    pub target: Option<&'a [u8]>,
    /// `vocab.json`.
    pub vocabulary: &'a [u8],
    /// `target_vocab.json`, which only a model with a vocabulary for each side has.
    pub target_vocabulary: Option<&'a [u8]>,
    /// `tokenizer_config.json`; the defaults of transformers hold without it.
    pub config: Option<&'a [u8]>,
    /// The folder that errors name.
    pub folder: &'a Path,
}

/// Turns source text into ids and target ids into text.
pub struct MarianTokenizer {
    source: Side,
    target: Side,
    /// What turns target pieces into text: the source side's model where both sides share a vocabulary, as in
    /// transformers.
    decoder: Arc<SentencePieceModel>,
    clean_up: bool,
}

impl MarianTokenizer {
    /// Reads a tokenizer from a model's folder: `source.spm`, `vocab.json`, and where they are there
    /// `target.spm`, `tokenizer_config.json` and `target_vocab.json`.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = read_if_there(&folder.join(CONFIG))?;
        let target = read_if_there(&folder.join(TARGET_MODEL))?;
        let target_vocabulary = read_if_there(&folder.join(TARGET_VOCABULARY))?;
        Self::from_bytes(MarianFiles {
            source: &read(&folder.join(SOURCE_MODEL))?,
            target: target.as_deref(),
            vocabulary: &read(&folder.join(VOCABULARY))?,
            target_vocabulary: target_vocabulary.as_deref(),
            config: config.as_deref(),
            folder,
        })
    }

    /// Reads a tokenizer from the contents of its files.
    pub fn from_bytes(files: MarianFiles<'_>) -> Result<Self> {
        let path = |name| files.folder.join(name);
        let model = |bytes, name| {
            let model = SentencePieceModel::parse(bytes);
            model.map(Arc::new).map_err(|problem| Error::model_file(path(name), problem, FETCH_AGAIN))
        };
        let missing = |name| {
            let problem = format!("is missing, but {CONFIG} says that each side has a vocabulary of its own");
            Error::model_file(path(name), problem, FETCH_AGAIN)
        };
        let config =
            files.config.map_or_else(|| Ok(Config::default()), |json| Config::parse(json, &path(CONFIG)))?;
        let source_model = model(files.source, SOURCE_MODEL)?;
        let target_model = match files.target {
            // Models with a joint vocabulary often have the same file twice.
            Some(bytes) if bytes != files.source => model(bytes, TARGET_MODEL)?,
            None if config.separate_vocabs => return Err(missing(TARGET_MODEL)),
            _ => Arc::clone(&source_model),
        };
        let vocabulary = Arc::new(Vocabulary::parse(files.vocabulary, &path(VOCABULARY))?);
        let source = Side::new(source_model, vocabulary, &config, &path(VOCABULARY))?;
        let (target, decoder) = if config.separate_vocabs {
            let path = path(TARGET_VOCABULARY);
            let json = files.target_vocabulary.ok_or_else(|| missing(TARGET_VOCABULARY))?;
            let vocabulary = Arc::new(Vocabulary::parse(json, &path)?);
            (Side::new(Arc::clone(&target_model), vocabulary, &config, &path)?, target_model)
        } else {
            (Side { model: target_model, ..source.clone() }, Arc::clone(&source.model))
        };
        Ok(Self { source, target, decoder, clean_up: config.clean_up_tokenization_spaces })
    }

    /// Source ids, ended by `</s>`, however many there are.
    ///
    /// A leading `>>language<<` is one token, as multilingual models want it. `</s>`, `<unk>` and `<pad>` in
    /// the text are those tokens; text that only happens to have them has to be changed first. The rest is
    /// taken as it stands.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.source.encode(text)
    }

    /// Target ids of a text, ended by `</s>`: what a translation would have to be made of to read like it.
    pub fn encode_target(&self, text: &str) -> Vec<u32> {
        self.target.encode(text)
    }

    /// Number of source ids: one more than the highest.
    pub fn source_vocabulary(&self) -> usize {
        self.source.vocabulary.size()
    }

    /// Number of target ids: one more than the highest.
    pub fn target_vocabulary(&self) -> usize {
        self.target.vocabulary.size()
    }

    /// The target side's `</s>`.
    pub fn eos_id(&self) -> u32 {
        self.target.special[EOS].id
    }

    /// The target side's `<unk>`.
    pub fn unk_id(&self) -> u32 {
        self.target.special[UNK].id
    }

    /// The target side's `<pad>`.
    pub fn pad_id(&self) -> u32 {
        self.target.special[PAD].id
    }
}

impl Tokenizer for MarianTokenizer {
    fn encode_text(&self, text: &str) -> Vec<u32> {
        let side = &self.source;
        let unknown = side.special[UNK].id;
        let is_special = |id: &u32| side.special.iter().any(|special| special.id == *id);
        let pieces = side.model.encode(text);
        let ids = pieces.iter().map(|piece| side.vocabulary.id(&piece.text).filter(|id| !is_special(id)));
        ids.map(|id| id.unwrap_or(unknown)).chain([side.special[EOS].id]).collect()
    }

    fn source_spans(&self, text: &str) -> Vec<Span> {
        let end = Span::new(text.len(), text.len());
        self.source.model.encode_spans(text).into_iter().chain([end]).collect()
    }

    fn decode(&self, ids: &[u32]) -> String {
        let ids =
            ids.iter().copied().filter(|id| !self.target.special.iter().any(|special| special.id == *id));
        // Where the vocabulary has a gap, transformers falls back to the model's own numbering.
        let pieces = ids.filter_map(|id| self.target.vocabulary.piece(id).or_else(|| self.decoder.piece(id)));
        let text = self.decoder.decode(pieces).replace(SPACE, " ");
        let text = strip(&text);
        if self.clean_up { clean_up(text) } else { text.to_owned() }
    }
}

/// Places in [`Side::special`].
const EOS: usize = 0;
const UNK: usize = 1;
const PAD: usize = 2;

/// One language's model and vocabulary.
#[derive(Clone)]
struct Side {
    model: Arc<SentencePieceModel>,
    vocabulary: Arc<Vocabulary>,
    special: [Special; 3],
}

/// A token that text spells whole or not at all.
#[derive(Clone)]
struct Special {
    text: String,
    id: u32,
}

impl Side {
    fn new(
        model: Arc<SentencePieceModel>,
        vocabulary: Arc<Vocabulary>,
        config: &Config,
        path: &Path,
    ) -> Result<Self> {
        let special = |token: &Token| -> Result<Special> {
            let text = token.text().to_owned();
            let lacks = || Error::model_file(path, format!("lacks the token {text:?}"), FETCH_AGAIN);
            let id = vocabulary.id(&text).filter(|_| !text.is_empty()).ok_or_else(lacks)?;
            Ok(Special { text, id })
        };
        let special = [special(&config.eos_token)?, special(&config.unk_token)?, special(&config.pad_token)?];
        Ok(Self { model, vocabulary, special })
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        let mut rest = text;
        while let Some((start, special)) = self.next_special(rest) {
            self.encode_plain(&rest[..start], &mut ids);
            ids.push(special.id);
            rest = &rest[start + special.text.len()..];
        }
        self.encode_plain(rest, &mut ids);
        ids.push(self.special[EOS].id);
        ids
    }

    /// The first special token in a text, and where it is; the longest if several start there.
    fn next_special(&self, text: &str) -> Option<(usize, &Special)> {
        // One pass for all of them: a pass for each takes quadratic time where one is frequent and one
        // absent.
        text.char_indices().find_map(|(start, _)| {
            let here = self.special.iter().filter(|special| text[start..].starts_with(&special.text));
            Some((start, here.max_by_key(|special| special.text.len())?))
        })
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        let id = |piece: &str| self.vocabulary.id(piece).unwrap_or(self.special[UNK].id);
        let language = text.find("<<").filter(|_| text.starts_with(">>")).map_or(0, |end| end + 2);
        let (language, text) = text.split_at(language);
        if !language.is_empty() {
            ids.push(id(language));
        }
        ids.extend(self.model.encode(text).iter().map(|piece| id(&piece.text)));
    }
}

/// What matters of `tokenizer_config.json`, with the defaults of transformers.
#[derive(Deserialize)]
#[serde(default)]
struct Config {
    separate_vocabs: bool,
    clean_up_tokenization_spaces: bool,
    eos_token: Token,
    unk_token: Token,
    pad_token: Token,
}

impl Config {
    fn parse(json: &[u8], path: &Path) -> Result<Self> {
        let problem = |error| format!("isn't a tokenizer's configuration: {error}");
        serde_json::from_slice(json).map_err(|error| Error::model_file(path, problem(error), FETCH_AGAIN))
    }
}

impl Default for Config {
    fn default() -> Self {
        let token = |text: &str| Token::Plain(text.to_owned());
        Self {
            separate_vocabs: false,
            clean_up_tokenization_spaces: false,
            eos_token: token("</s>"),
            unk_token: token("<unk>"),
            pad_token: token("<pad>"),
        }
    }
}

/// A special token, as transformers writes it in one version or another.
#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Full { content: String },
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Full { content: text } => text,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let remedy = "a Marian folder has config.json, model.safetensors or pytorch_model.bin, source.spm and vocab.json";
        Error::model_file(path, format!("can't be read: {error}"), remedy)
    })
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests;
