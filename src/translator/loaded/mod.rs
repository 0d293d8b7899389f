//! Models that are ready to translate. One file for each family says how its files become a tokenizer and an engine;
//! the rest is the same for all.

mod identity;
mod m2m100;
mod marian;
mod memory;
mod options;
mod student;
mod t5;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::engine::Engine;
use crate::hub::{BUILT_IN, Card, Family, ModelChoice};
use crate::model::{ModelInfo, ModelState, PaddedTransformer, Shortlist, Transformer, digest_files};
use crate::nn::Precision;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
pub use options::{LoadOptions, PrecisionChoice};

/// A model that is ready to translate.
pub(super) struct LoadedModel {
    pub(super) info: Arc<ModelInfo>,
    /// The SHA-256 of all that its translations depend on.
    pub(super) identity: [u8; 32],
    pub(super) tokenizer: Box<dyn Tokenizer>,
    pub(super) engine: Engine,
}

impl LoadedModel {
    /// The name that a model will have.
    pub(super) fn name(choice: &ModelChoice) -> Result<String> {
        match choice {
            ModelChoice::BuiltIn => Ok(BUILT_IN.into()),
            ModelChoice::Folder(folder) => Ok(card(folder)?.name),
        }
    }

    /// Loads a model, if it fits into memory.
    pub(super) fn open(choice: &ModelChoice, options: &LoadOptions) -> Result<Self> {
        match choice {
            ModelChoice::BuiltIn => {
                let (parts, card) = marian::built_in(options)?;
                let identity = identity::identity(&parts, None, options)?;
                Ok(Self::new(Family::Marian, parts, card, identity))
            }
            ModelChoice::Folder(folder) => {
                let family = family_of(folder)?;
                let card = card(folder)?;
                memory::check(folder, family, options)?;
                if options.shortlist.is_some() && !matches!(family, Family::Marian | Family::M2m100) {
                    let problem = format!("isn't for the family {}", family.name());
                    return Err(no_shortlist(&problem, "leave it out; a student has its own"));
                }
                let parts = match family {
                    Family::Marian => marian::open(folder, options)?,
                    Family::M2m100 => m2m100::open(folder, &card, options)?,
                    Family::T5 => t5::open(folder, card.target_code(), options)?,
                    Family::Student => student::open(folder, options)?,
                };
                let identity = identity::identity(&parts, Some(folder), options)?;
                Ok(Self::new(family, parts, card, identity))
            }
        }
    }

    fn new(family: Family, parts: Parts, card: Card, identity: [u8; 32]) -> Self {
        let info = ModelInfo {
            name: card.name,
            family: family.name().into(),
            digest: parts.digest,
            source_language: card.source_language,
            target_language: card.target_language,
            licence: card.licence,
            precision: parts.precision,
            note: card.note,
            state: ModelState::Ready,
        };
        Self { info: Arc::new(info), identity, tokenizer: parts.tokenizer, engine: parts.engine }
    }
}

/// What a family makes of a model's files.
struct Parts {
    /// SHA-256 of the weights file, in hexadecimal.
    digest: String,
    /// What it computes in.
    precision: String,
    tokenizer: Box<dyn Tokenizer>,
    engine: Engine,
}

/// The model that `build` makes, and the digest of its weights files, which another thread computes meanwhile.
fn with_digest<T>(files: &[PathBuf], build: impl FnOnce() -> Result<T>) -> Result<(T, String)> {
    std::thread::scope(|scope| {
        let digest = scope.spawn(|| digest_files(files));
        let model = build()?;
        let digest = digest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((model, digest))
    })
}

/// Starts the engine of a transformer: with our own kernels, or with candle's operations on the device.
fn start(model: Transformer, options: &LoadOptions) -> Result<Engine> {
    match options.precision {
        Precision::Tensors(_) => {
            if options.shortlist.is_some() {
                return Err(no_shortlist(
                    "is for products in our own kernels",
                    "use --precision int8 or f32",
                ));
            }
            let model = PaddedTransformer::new(model, options.precision, &options.device)?;
            Engine::start(model, &options.engine_on_device())
        }
        Precision::F32 | Precision::Int8 => Engine::start(shortlisted(model, options)?, &options.engine),
    }
}

/// A transformer with the shortlist that the options name, if they do.
fn shortlisted(model: Transformer, options: &LoadOptions) -> Result<Transformer> {
    let Some(path) = &options.shortlist else { return Ok(model) };
    let remedy = "make it with `tarjoman shortlist` and this model";
    let shortlist = Shortlist::parse(&read(path, remedy)?).and_then(|list| model.with_shortlist(list));
    shortlist.map_err(|problem| Error::model_file(path, problem, remedy))
}

fn no_shortlist(problem: &str, remedy: &str) -> Error {
    Error::invalid("shortlist", problem, remedy)
}

/// What a folder can be that isn't one of a known family.
const FAMILIES: &str =
    "name the folder of a Marian, M2M100, NLLB or T5 model in the Hugging Face layout, or of a student";

/// The family of the model in a folder, by its `config.json`; a student has none.
fn family_of(folder: &Path) -> Result<Family> {
    #[derive(Deserialize)]
    struct Config {
        model_type: Option<String>,
    }

    if student::is_in(folder) {
        return Ok(Family::Student);
    }
    let path = folder.join("config.json");
    let config: Config = serde_json::from_slice(&read(&path, FAMILIES)?).map_err(|error| {
        Error::model_file(&path, format!("isn't a model's configuration: {error}"), FAMILIES)
    })?;
    match config.model_type.as_deref() {
        // Configurations older than transformers 3 don't say.
        None | Some("marian") => Ok(Family::Marian),
        Some("m2m_100") => Ok(Family::M2m100),
        Some("t5") => Ok(Family::T5),
        Some("nllb-moe") => Err(Error::model_file(
            &path,
            "describes a mixture of experts, which can't be run",
            "use a dense NLLB model, such as nllb-200-distilled-1.3B",
        )),
        Some(other) => {
            Err(Error::model_file(&path, format!("describes a model of the family {other:?}"), FAMILIES))
        }
    }
}

/// `card.json`, or without one a card with the folder's name, for translating Persian into English.
fn card(folder: &Path) -> Result<Card> {
    let path = folder.join("card.json");
    let mut card = if path.exists() {
        Card::parse(&read(&path, "make it readable, or remove it")?, &path)?
    } else {
        Card::default()
    };
    if card.name.is_empty() {
        let name =
            folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into()));
        card.name = name.unwrap_or_else(|| folder.display().to_string());
    }
    for (language, default) in [(&mut card.source_language, "fa"), (&mut card.target_language, "en")] {
        if language.is_empty() {
            *language = default.into();
        }
    }
    Ok(card)
}

fn read(path: &Path, remedy: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::model_file(path, format!("can't be read: {error}"), remedy))
}
