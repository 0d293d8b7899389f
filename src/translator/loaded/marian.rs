//! Marian models in the Hugging Face layout.

use std::path::Path;

use super::{LoadOptions, Parts, read, start, with_digest};
use crate::hub::{BUILT_IN_FILES, Card};
use crate::model::{Transformer, Weights, digest};
use crate::tokenizer::{MarianFiles, MarianTokenizer};
use crate::{Error, Result};

const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";

/// Loads the model inside the binary.
pub(super) fn built_in(options: &LoadOptions) -> Result<(Parts, Card)> {
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
    let weights = Weights::builtin(files.weights, &folder.join(WEIGHTS), &options.device)?
        .with_precision(options.precision);
    let model = model(files.config, folder, &weights, &tokenizer)?;
    let parts = parts(model, digest(files.weights), tokenizer, options)?;
    Ok((parts, Card::parse(files.card, &folder.join("card.json"))?))
}

/// Loads a model from its folder.
pub(super) fn open(folder: &Path, options: &LoadOptions) -> Result<Parts> {
    let tokenizer = MarianTokenizer::open(folder)?;
    let remedy =
        "a Marian folder has config.json, model.safetensors or pytorch_model.bin, source.spm and vocab.json";
    let config = read(&folder.join(CONFIG), remedy)?;
    let weights = Weights::of_folder(folder, &options.device)?;
    let weights = weights.with_precision(options.precision);
    let (model, digest) = with_digest(weights.files(), || model(&config, folder, &weights, &tokenizer))?;
    parts(model, digest, tokenizer, options)
}

fn model(
    config: &[u8],
    folder: &Path,
    weights: &Weights,
    tokenizer: &MarianTokenizer,
) -> Result<Transformer> {
    let model = Transformer::marian(config, &folder.join(CONFIG), weights, Some(tokenizer.unk_id()))?;
    model.check_vocabulary(tokenizer.source_vocabulary(), tokenizer.target_vocabulary()).map_err(
        |problem| {
            let remedy = "check that vocab.json and config.json belong to the same model";
            Error::model_file(folder.join("vocab.json"), problem, remedy)
        },
    )?;
    Ok(model)
}

fn parts(
    model: Transformer,
    digest: String,
    tokenizer: MarianTokenizer,
    options: &LoadOptions,
) -> Result<Parts> {
    let engine = start(model, options)?;
    let precision = options.precision.name().to_owned();
    Ok(Parts { digest, precision, tokenizer: Box::new(tokenizer), engine })
}
