//! `config.json` of an encoder-decoder transformer in the Hugging Face layout.

use std::path::Path;

use candle_nn::Activation;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The families that share this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Post-norm, with a bias on the logits.
    Marian,
    /// Pre-norm, with a layer norm at the end of each side: M2M100 and NLLB.
    M2m100,
}

/// The part of the configuration that inference depends on.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TransformerConfig {
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
    pub activation_function: Activation,
    pub max_position_embeddings: usize,
    pub scale_embedding: bool,
    pub share_encoder_decoder_embeddings: bool,
    pub tie_word_embeddings: bool,
    pub pad_token_id: u32,
    pub eos_token_id: u32,
    pub decoder_start_token_id: u32,
}

impl Family {
    /// What `model_type` calls it.
    fn model_type(self) -> &'static str {
        match self {
            Self::Marian => "marian",
            Self::M2m100 => "m2m_100",
        }
    }

    /// What holds where a configuration says nothing, as in transformers.
    fn defaults(self) -> [(&'static str, Value); 6] {
        let (activation, scale) = match self {
            Self::Marian => ("gelu", false),
            Self::M2m100 => ("relu", true),
        };
        [
            ("model_type", self.model_type().into()),
            ("activation_function", activation.into()),
            ("scale_embedding", scale.into()),
            ("max_position_embeddings", 1024.into()),
            ("share_encoder_decoder_embeddings", true.into()),
            ("tie_word_embeddings", true.into()),
        ]
    }
}

impl TransformerConfig {
    /// Reads and checks a configuration; `path` is what errors name.
    pub(super) fn parse(json: &[u8], family: Family, path: &Path) -> Result<Self> {
        let broken = |problem| Error::model_file(path, problem, "fetch the model again");
        let unreadable =
            |error| broken(format!("isn't a configuration of the family {:?}: {error}", family.model_type()));
        let mut fields: Map<String, Value> = serde_json::from_slice(json).map_err(unreadable)?;
        for (name, default) in family.defaults() {
            fields.entry(name).or_insert(default);
        }
        let config: Self = serde_json::from_value(fields.into()).map_err(unreadable)?;
        config.check(family).map_err(broken)?;
        Ok(config)
    }

    /// Number of target tokens.
    pub(super) fn target_vocabulary(&self) -> usize {
        self.decoder_vocab_size.unwrap_or(self.vocab_size)
    }

    fn check(&self, family: Family) -> Result<(), String> {
        /// Far above any model of this family, and low enough that no product of two overflows or exhausts memory.
        const LARGEST: usize = 1 << 20;
        if self.model_type != family.model_type() {
            return Err(format!(
                "describes a model of the family {:?}, not {:?}",
                self.model_type,
                family.model_type()
            ));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: impl FnOnce(&mut serde_json::Value)) -> Result<TransformerConfig> {
        let mut json = serde_json::json!({
            "model_type": "marian", "vocab_size": 100, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "activation_function": "swish", "pad_token_id": 99, "eos_token_id": 0, "decoder_start_token_id": 99,
        });
        change(&mut json);
        TransformerConfig::parse(json.to_string().as_bytes(), Family::Marian, Path::new("config.json"))
    }

    #[test]
    fn what_a_file_leaves_out_has_the_defaults_of_its_format() {
        let config = parse(|_| {}).unwrap();
        assert_eq!(config.max_position_embeddings, 1024);
        assert!(config.share_encoder_decoder_embeddings && !config.scale_embedding);
        assert_eq!(config.target_vocabulary(), 100);
    }

    #[test]
    fn a_family_has_defaults_of_its_own() {
        let json = serde_json::json!({
            "vocab_size": 100, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
        });
        let parse = |family| {
            TransformerConfig::parse(json.to_string().as_bytes(), family, Path::new("config.json")).unwrap()
        };
        let (marian, m2m100) = (parse(Family::Marian), parse(Family::M2m100));
        assert!(!marian.scale_embedding && m2m100.scale_embedding);
        assert_eq!(
            (marian.activation_function, m2m100.activation_function),
            (Activation::Gelu, Activation::Relu)
        );
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
