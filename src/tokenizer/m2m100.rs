//! The tokenizer of M2M100 and SMaLL-100 models, after transformers' `tokenization_m2m_100.py` and the
//! `tokenization_small100.py` of alirezamsh/small100: the pieces are SentencePiece's, a piece's id is its id in
//! `vocab.json`, and the languages' ids follow.

use std::path::Path;

use serde::Deserialize;

use super::decoded::{clean_up, strip};
use super::sentencepiece::SentencePieceModel;
use super::vocabulary::{FETCH_AGAIN, Vocabulary};
use super::{LanguagePair, Tokenizer, between_marks};
use crate::article::Span;
use crate::{Error, Result};

const MODEL: &str = "sentencepiece.bpe.model";
const VOCABULARY: &str = "vocab.json";
const CONFIG: &str = "tokenizer_config.json";
/// What only SMaLL-100 has.
const SMALL100_SCRIPT: &str = "tokenization_small100.py";

/// The languages in the order of their ids.
const LANGUAGES: [&str; 100] = [
    "af", "am", "ar", "ast", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "ceb", "cs", "cy", "da", "de",
    "el", "en", "es", "et", "fa", "ff", "fi", "fr", "fy", "ga", "gd", "gl", "gu", "ha", "he", "hi", "hr",
    "ht", "hu", "hy", "id", "ig", "ilo", "is", "it", "ja", "jv", "ka", "kk", "km", "kn", "ko", "lb", "lg",
    "ln", "lo", "lt", "lv", "mg", "mk", "ml", "mn", "mr", "ms", "my", "ne", "nl", "no", "ns", "oc", "or",
    "pa", "pl", "ps", "pt", "ro", "ru", "sd", "si", "sk", "sl", "so", "sq", "sr", "ss", "su", "sv", "sw",
    "ta", "th", "tl", "tn", "tr", "uk", "ur", "uz", "vi", "wo", "xh", "yi", "yo", "zh", "zu",
];

/// Turns source text into ids and target ids into text.
pub struct M2m100Tokenizer {
    model: SentencePieceModel,
    vocabulary: Vocabulary,
    /// `<s>`, `<pad>`, `</s>`, `<unk>`.
    special: [u32; 4],
    /// The language that stands before the source.
    language: u32,
    forced_first: Option<u32>,
    clean_up: bool,
}

/// Places in [`M2m100Tokenizer::special`].
const EOS: usize = 2;
const UNK: usize = 3;

impl M2m100Tokenizer {
    /// Reads a tokenizer from a model's folder: `sentencepiece.bpe.model`, `vocab.json` and, where it is there,
    /// `tokenizer_config.json`. The languages are codes such as `fa`.
    ///
    /// The folder is SMaLL-100's if it has `tokenization_small100.py`, if `tokenizer_config.json` names its class, or if
    /// the caller knows it (`is_small`).
    pub fn open(folder: &Path, languages: &LanguagePair, is_small: bool) -> Result<Self> {
        let config = Config::read(&folder.join(CONFIG))?;
        if config.language_codes != "m2m100" {
            let problem = format!("has the languages of {:?}, which can't be read", config.language_codes);
            return Err(Error::model_file(folder.join(CONFIG), problem, "use a model with those of m2m100"));
        }
        let path = folder.join(MODEL);
        let model = SentencePieceModel::parse(&read(&path)?)
            .map_err(|problem| Error::model_file(path, problem, FETCH_AGAIN))?;
        let path = folder.join(VOCABULARY);
        let vocabulary = Vocabulary::parse(&read(&path)?, &path)?;
        let broken = |problem: String| Error::model_file(&path, problem, FETCH_AGAIN);
        if vocabulary.has_gaps() {
            return Err(broken("leaves out ids, so that those of the languages aren't known".into()));
        }
        let special =
            |token| vocabulary.id(token).ok_or_else(|| broken(format!("lacks the token {token:?}")));
        let special = [special("<s>")?, special("<pad>")?, special("</s>")?, special("<unk>")?];
        let language = |code: &str| {
            let place = LANGUAGES.iter().zip(0..).find(|(language, _)| **language == code);
            let id = place.and_then(|(_, place)| u32::try_from(vocabulary.size()).ok()?.checked_add(place));
            id.ok_or_else(|| languages.missing(&path, code, "fa"))
        };
        let (source, target) = (language(&languages.source)?, language(&languages.target)?);
        let is_small = is_small || config.is_small100() || folder.join(SMALL100_SCRIPT).exists();
        Ok(Self {
            model,
            special,
            vocabulary,
            language: if is_small { target } else { source },
            forced_first: (!is_small).then_some(target),
            clean_up: config.clean_up_tokenization_spaces,
        })
    }

    /// Number of ids, those of the languages included.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary.size() + LANGUAGES.len()
    }

    /// The token that every target starts with, its language; SMaLL-100 has none.
    pub fn forced_first(&self) -> Option<u32> {
        self.forced_first
    }

    /// `<unk>`.
    pub fn unk_id(&self) -> u32 {
        self.special[UNK]
    }
}

impl Tokenizer for M2m100Tokenizer {
    fn encode_text(&self, text: &str) -> Vec<u32> {
        let pieces = self.model.encode(text);
        let ids = pieces.iter().map(|piece| {
            let id = self.vocabulary.id(&piece.text).filter(|id| !self.special.contains(id));
            id.unwrap_or(self.special[UNK])
        });
        [self.language].into_iter().chain(ids).chain([self.special[EOS]]).collect()
    }

    fn source_spans(&self, text: &str) -> Vec<Span> {
        between_marks(self.model.encode_spans(text), text)
    }

    fn decode(&self, ids: &[u32]) -> String {
        let pieces = ids.iter().filter(|id| !self.special.contains(id));
        let text = self.model.decode(pieces.filter_map(|&id| self.vocabulary.piece(id)));
        let text = strip(&text);
        if self.clean_up { clean_up(text) } else { text.to_owned() }
    }
}

/// What matters of `tokenizer_config.json`, with the defaults of transformers.
#[derive(Deserialize)]
#[serde(default)]
struct Config {
    tokenizer_class: String,
    language_codes: String,
    clean_up_tokenization_spaces: bool,
}

impl Config {
    fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let problem = |error| format!("isn't a tokenizer's configuration: {error}");
        serde_json::from_slice(&read(path)?)
            .map_err(|error| Error::model_file(path, problem(error), FETCH_AGAIN))
    }

    fn is_small100(&self) -> bool {
        self.tokenizer_class.eq_ignore_ascii_case("small100tokenizer")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tokenizer_class: String::new(),
            language_codes: "m2m100".into(),
            clean_up_tokenization_spaces: false,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let remedy = format!("an M2M100 folder has config.json, model.safetensors or pytorch_model.bin, {MODEL} and {VOCABULARY}");
        Error::model_file(path, format!("can't be read: {error}"), remedy)
    })
}
