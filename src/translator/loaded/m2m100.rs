//! M2M100, NLLB-200 and SMaLL-100 models in the Hugging Face layout.

use std::path::Path;

use super::{LoadOptions, Parts, read, start, with_digest};
use crate::hub::Card;
use crate::model::{Transformer, Weights};
use crate::tokenizer::{LanguagePair, M2m100Tokenizer, NllbTokenizer, Tokenizer};
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const REMEDY: &str = "an NLLB folder has config.json, model.safetensors or pytorch_model.bin, and tokenizer.json; an \
                      M2M100 folder has sentencepiece.bpe.model and vocab.json in its place";

/// Loads a model from its folder, to translate between the languages of its card.
pub(super) fn open(folder: &Path, card: &Card, options: &LoadOptions) -> Result<Parts> {
    let path = folder.join(CONFIG);
    let config = read(&path, REMEDY)?;
    let Vocabulary { tokenizer, size, unknown, forced_first } = vocabulary(folder, &config, card)?;
    let weights = Weights::of_folder(folder, &options.device)?.with_precision(options.precision);
    let (model, digest) =
        with_digest(weights.files(), || Transformer::m2m100(&config, &path, &weights, Some(unknown)))?;
    let model = model.with_forced_first(forced_first);
    model.check_vocabulary(size, size).map_err(|problem| {
        let remedy = "check that the tokenizer's files and config.json belong to the same model";
        Error::model_file(folder, problem, remedy)
    })?;
    let engine = start(model, options)?;
    Ok(Parts { digest, precision: options.precision.name().into(), tokenizer, engine })
}

/// A tokenizer, and what of it the model must know.
struct Vocabulary {
    tokenizer: Box<dyn Tokenizer>,
    size: usize,
    unknown: u32,
    forced_first: Option<u32>,
}

/// The tokenizer of M2M100 and SMaLL-100 where there is a `vocab.json`, which NLLB never has, and NLLB's otherwise.
fn vocabulary(folder: &Path, config: &[u8], card: &Card) -> Result<Vocabulary> {
    let languages = |code: fn(&str) -> &str| LanguagePair {
        source: code(card.source_code()).to_owned(),
        target: code(card.target_code()).to_owned(),
    };
    if folder.join("vocab.json").exists() {
        let is_small = has_depth_of_small100(config);
        let tokenizer = M2m100Tokenizer::open(folder, &languages(|code| code), is_small)?;
        Ok(Vocabulary {
            size: tokenizer.vocabulary(),
            unknown: tokenizer.unk_id(),
            forced_first: tokenizer.forced_first(),
            tokenizer: Box::new(tokenizer),
        })
    } else if folder.join("tokenizer.json").exists() {
        let tokenizer = NllbTokenizer::open(folder, &languages(nllb_code))?;
        Ok(Vocabulary {
            size: tokenizer.vocabulary(),
            unknown: tokenizer.unk_id(),
            forced_first: Some(tokenizer.forced_first()),
            tokenizer: Box::new(tokenizer),
        })
    } else {
        Err(Error::model_file(folder, "has neither tokenizer.json nor vocab.json", REMEDY))
    }
}

/// NLLB's code of a language: its own for the languages of this service, otherwise what the card says.
fn nllb_code(language: &str) -> &str {
    match language {
        "fa" => "pes_Arab",
        "en" => "eng_Latn",
        code => code,
    }
}

/// Whether the decoder is as shallow as SMaLL-100's. No M2M100 model's is, and nothing else in SMaLL-100's files is
/// sure to tell the two apart.
fn has_depth_of_small100(config: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Depth {
        encoder_layers: usize,
        decoder_layers: usize,
    }

    // A configuration that can't be read is refused when the model is built.
    let depth = serde_json::from_slice::<Depth>(config);
    depth.is_ok_and(|depth| (depth.encoder_layers, depth.decoder_layers) == (12, 3))
}
