//! MADLAD-400, and other models with the layout of T5 1.1.

use std::path::Path;

use candle_core::Device;

use super::{LoadOptions, Parts, read};
use crate::engine::Engine;
use crate::model::{Seq2Seq, T5, Weights, digest_file};
use crate::tokenizer::T5Tokenizer;
use crate::{Error, Result};

const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";

/// Loads a model from its folder, to translate into `target`.
pub(super) fn open(folder: &Path, target: &str, options: &LoadOptions) -> Result<Parts> {
    let remedy = "a T5 folder has config.json, model.safetensors and spiece.model";
    let config = read(&folder.join(CONFIG), remedy)?;
    let path = folder.join(WEIGHTS);
    let weights = Weights::open(&path, &Device::Cpu)?;
    let tokenizer = T5Tokenizer::open(folder, target)?;
    let model = T5::new(&config, &folder.join(CONFIG), &weights, Some(tokenizer.unk_id()))?;
    check_vocabulary(folder, tokenizer.vocabulary(), model.spec().vocabulary)?;
    let engine = Engine::start(model, &options.engine)?;
    Ok(Parts {
        family: "t5",
        digest: digest_file(&path)?,
        precision: "f32".into(),
        tokenizer: Box::new(tokenizer),
        engine,
    })
}

fn check_vocabulary(folder: &Path, tokenizer: usize, model: usize) -> Result<()> {
    if tokenizer <= model {
        return Ok(());
    }
    let problem = format!("has {tokenizer} tokens, but the model has embeddings for {model}");
    let remedy = "check that spiece.model and config.json belong to the same model";
    Err(Error::model_file(folder.join("spiece.model"), problem, remedy))
}
