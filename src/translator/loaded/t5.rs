//! MADLAD-400, and other models with the layout of T5 1.1.

use std::path::{Path, PathBuf};

use super::{LoadOptions, Parts, read, with_digest};
use crate::engine::Engine;
use crate::model::{Seq2Seq, T5, Weights};
use crate::tokenizer::T5Tokenizer;
use crate::{Error, Result};

const CONFIG: &str = "config.json";

/// Loads a model from its folder, to translate into `target`.
pub(super) fn open(folder: &Path, target: &str, options: &LoadOptions) -> Result<Parts> {
    let remedy = "a T5 folder has config.json, spiece.model, and model.safetensors or a .gguf file";
    let config_path = folder.join(CONFIG);
    let config = read(&config_path, remedy)?;
    let tokenizer = T5Tokenizer::open(folder, target)?;
    let unknown = Some(tokenizer.unk_id());
    let quantized = gguf(folder)?;
    let (model, digest) = if let Some(path) = &quantized {
        with_digest(std::slice::from_ref(path), || {
            T5::quantized(&config, &config_path, path, unknown, &options.device)
        })?
    } else {
        let weights = Weights::of_folder(folder, &options.device)?.with_precision(options.precision);
        with_digest(weights.files(), || T5::new(&config, &config_path, &weights, unknown))?
    };
    check_vocabulary(folder, tokenizer.vocabulary(), model.spec().vocabulary)?;
    let precision = model.precision().to_owned();
    let engine = Engine::start(model, &options.engine_on_device())?;
    Ok(Parts { digest, precision, tokenizer: Box::new(tokenizer), engine })
}

/// The GGUF file in a folder; it is taken before any other weights.
pub(super) fn gguf(folder: &Path) -> Result<Option<PathBuf>> {
    let io = |error: std::io::Error| Error::Io { path: folder.to_owned(), message: error.to_string() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "gguf") {
            found.push(path);
        }
    }
    if found.len() > 1 {
        let problem = format!("has {} .gguf files, and it isn't clear which one is meant", found.len());
        return Err(Error::model_file(folder, problem, "leave one of them there"));
    }
    Ok(found.pop())
}

fn check_vocabulary(folder: &Path, tokenizer: usize, model: usize) -> Result<()> {
    if tokenizer <= model {
        return Ok(());
    }
    let problem = format!("has {tokenizer} tokens, but the model has embeddings for {model}");
    let remedy = "check that spiece.model and config.json belong to the same model";
    Err(Error::model_file(folder.join("spiece.model"), problem, remedy))
}
