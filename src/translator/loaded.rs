//! A model that is ready to translate: its tokenizer and the engine that decodes with it.

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;

use crate::engine::{Engine, EngineConfig};
use crate::hub::{BUILT_IN_FILES, Card, ModelChoice};
use crate::model::{Marian, ModelInfo, Weights, digest, digest_file};
use crate::tokenizer::{MarianFiles, MarianTokenizer};
use crate::{Error, Result};

/// A model that is ready to translate.
pub(super) struct LoadedModel {
    pub(super) info: Arc<ModelInfo>,
    pub(super) tokenizer: MarianTokenizer,
    pub(super) engine: Engine,
}

impl LoadedModel {
    pub(super) fn open(choice: &ModelChoice, engine: &EngineConfig) -> Result<Self> {
        match choice {
            ModelChoice::BuiltIn => Self::built_in(engine),
            ModelChoice::Folder(folder) => Self::folder(folder, engine),
        }
    }

    fn built_in(engine: &EngineConfig) -> Result<Self> {
        let files = BUILT_IN_FILES;
        let folder = Path::new("(built in)");
        let tokenizer = MarianTokenizer::from_bytes(MarianFiles {
            source: files.source,
            target: None,
            vocabulary: files.vocabulary,
            target_vocabulary: None,
            config: None,
            folder,
        })?;
        let weights = Weights::builtin(files.weights, &folder.join("model.safetensors"), &Device::Cpu)?;
        let card = Card::parse(files.card, &folder.join("card.json"))?;
        Self::assemble(card, digest(files.weights), files.config, folder, &weights, tokenizer, engine)
    }

    fn folder(folder: &Path, engine: &EngineConfig) -> Result<Self> {
        let tokenizer = MarianTokenizer::open(folder)?;
        let config = read(&folder.join("config.json"))?;
        let path = folder.join("model.safetensors");
        let weights = Weights::open(&path, &Device::Cpu)?;
        let card_path = folder.join("card.json");
        let mut card =
            if card_path.exists() { Card::parse(&read(&card_path)?, &card_path)? } else { Card::default() };
        if card.name.is_empty() {
            let name = folder
                .canonicalize()
                .ok()
                .and_then(|path| path.file_name().map(|n| n.to_string_lossy().into()));
            card.name = name.unwrap_or_else(|| folder.display().to_string());
        }
        Self::assemble(card, digest_file(&path)?, &config, folder, &weights, tokenizer, engine)
    }

    fn assemble(
        card: Card,
        digest: String,
        config: &[u8],
        folder: &Path,
        weights: &Weights,
        tokenizer: MarianTokenizer,
        engine: &EngineConfig,
    ) -> Result<Self> {
        let model = Marian::new(config, &folder.join("config.json"), weights, Some(tokenizer.unk_id()))?;
        model.check_vocabulary(tokenizer.source_vocabulary(), tokenizer.target_vocabulary()).map_err(
            |problem| {
                let remedy = "check that vocab.json and config.json belong to the same model";
                Error::model_file(folder.join("vocab.json"), problem, remedy)
            },
        )?;
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let info = ModelInfo {
            name: card.name,
            family: "marian".into(),
            digest,
            source_language: or(card.source_language, "fa"),
            target_language: or(card.target_language, "en"),
            licence: card.licence,
            precision: "f32".into(),
            note: card.note,
        };
        Ok(Self { info: Arc::new(info), tokenizer, engine: Engine::start(model, engine)? })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let remedy = "a Marian folder has config.json, model.safetensors, source.spm and vocab.json";
        Error::model_file(path, format!("can't be read: {error}"), remedy)
    })
}
