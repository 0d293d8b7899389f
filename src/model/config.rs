//! `config.json` of a Marian model in the Hugging Face layout.

use std::path::Path;

use candle_nn::Activation;
use serde::Deserialize;

use crate::{Error, Result};

/// The part of the configuration that inference depends on, with Hugging Face's own defaults.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct MarianConfig {
    #[serde(default = "marian")]
    pub model_type: String,
    pub vocab_size: usize,
    pub decoder_vocab_size: Option<usize>,
    pub d_model: usize,
    pub encoder_layers: usize,
    pub decoder_layers: usize,
    pub encoder_ffn_dim: usize,
    pub decoder_ffn_dim: usize,
    pub encoder_attention_heads: usize,
    pub decoder_attention_heads: usize,
    #[serde(default = "gelu")]
    pub activation_function: Activation,
    #[serde(default = "positions")]
    pub max_position_embeddings: usize,
    #[serde(default)]
    pub scale_embedding: bool,
    #[serde(default = "yes")]
    pub share_encoder_decoder_embeddings: bool,
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    pub pad_token_id: u32,
    pub eos_token_id: u32,
    pub decoder_start_token_id: u32,
}

impl MarianConfig {
    /// Reads and checks a configuration; `path` is what errors name.
    pub(super) fn parse(json: &[u8], path: &Path) -> Result<Self> {
        let config: Self = serde_json::from_slice(json).map_err(|error| {
            Error::model_file(path, format!("isn't a Marian configuration: {error}"), "fetch the model again")
        })?;
        config.check().map_err(|problem| Error::model_file(path, problem, "fetch the model again"))?;
        Ok(config)
    }

    /// Number of target tokens.
    pub(super) fn target_vocabulary(&self) -> usize {
        self.decoder_vocab_size.unwrap_or(self.vocab_size)
    }

    fn check(&self) -> Result<(), String> {
        /// Far above any model of this family, and low enough that no product of two overflows or exhausts memory.
        const LARGEST: usize = 1 << 20;
        if self.model_type != "marian" {
            return Err(format!("describes a model of the family {:?}, not \"marian\"", self.model_type));
        }
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("decoder_vocab_size", self.target_vocabulary()),
            ("d_model", self.d_model),
            ("encoder_layers", self.encoder_layers),
            ("decoder_layers", self.decoder_layers),
            ("encoder_ffn_dim", self.encoder_ffn_dim),
            ("decoder_ffn_dim", self.decoder_ffn_dim),
            ("encoder_attention_heads", self.encoder_attention_heads),
            ("decoder_attention_heads", self.decoder_attention_heads),
        ];
        if let Some((name, value)) = sizes.into_iter().find(|(_, value)| !(1..=LARGEST).contains(value)) {
            return Err(format!("{name} is {value}, which no model has"));
        }
        if !(8..=LARGEST).contains(&self.max_position_embeddings) {
            return Err(format!(
                "max_position_embeddings is {}, which no model has",
                self.max_position_embeddings
            ));
        }
        for heads in [self.encoder_attention_heads, self.decoder_attention_heads] {
            if !self.d_model.is_multiple_of(heads) {
                return Err(format!("{heads} attention heads don't divide d_model, {}", self.d_model));
            }
        }
        if self.share_encoder_decoder_embeddings && self.target_vocabulary() != self.vocab_size {
            return Err(
                "shared embeddings need one vocabulary, but vocab_size and decoder_vocab_size differ".into(),
            );
        }
        let ids = [
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
            ("decoder_start_token_id", self.decoder_start_token_id),
        ];
        match ids.into_iter().find(|(_, id)| *id as usize >= self.target_vocabulary()) {
            Some((name, id)) => Err(format!("{name} is {id}, outside the vocabulary")),
            None => Ok(()),
        }
    }
}

fn marian() -> String {
    "marian".into()
}

fn gelu() -> Activation {
    Activation::Gelu
}

fn positions() -> usize {
    1024
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: impl FnOnce(&mut serde_json::Value)) -> Result<MarianConfig> {
        let mut json = serde_json::json!({
            "model_type": "marian", "vocab_size": 100, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "activation_function": "swish", "pad_token_id": 99, "eos_token_id": 0, "decoder_start_token_id": 99,
        });
        change(&mut json);
        MarianConfig::parse(json.to_string().as_bytes(), Path::new("config.json"))
    }

    #[test]
    fn what_a_file_leaves_out_has_the_defaults_of_its_format() {
        let config = parse(|_| {}).unwrap();
        assert_eq!(config.max_position_embeddings, 1024);
        assert!(config.share_encoder_decoder_embeddings && !config.scale_embedding);
        assert_eq!(config.target_vocabulary(), 100);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_name() {
        for (field, value) in [
            ("d_model", 0),
            ("d_model", 15),
            ("encoder_layers", 1 << 30),
            ("pad_token_id", 100),
            ("decoder_vocab_size", 101),
            ("max_position_embeddings", 0),
        ] {
            let error = parse(|json| json[field] = value.into()).unwrap_err().to_string();
            assert!(error.contains("config.json") && error.contains(field), "{error}");
        }
        let error = parse(|json| json["model_type"] = "m2m_100".into()).unwrap_err().to_string();
        assert!(error.contains("m2m_100"), "{error}");
    }
}
