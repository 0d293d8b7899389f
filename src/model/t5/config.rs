//! `config.json` of a T5 model, and the tensors that it promises.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::distances::{Buckets, POSITIONS, TABLE};
use crate::model::ModelSpec;
use crate::{Error, Result};

/// The part of the configuration that inference depends on, with Hugging Face's own defaults.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct T5Config {
    vocab_size: usize,
    d_model: usize,
    d_kv: usize,
    d_ff: usize,
    num_layers: usize,
    num_decoder_layers: Option<usize>,
    num_heads: usize,
    #[serde(default = "buckets")]
    relative_attention_num_buckets: usize,
    #[serde(default = "distance")]
    relative_attention_max_distance: usize,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "relu")]
    feed_forward_proj: String,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    pad_token_id: u32,
    eos_token_id: u32,
    decoder_start_token_id: Option<u32>,
}

impl T5Config {
    /// Reads and checks a configuration; `path` is what errors name.
    pub(super) fn parse(json: &[u8], path: &Path) -> Result<Self> {
        let broken = |problem: String| Error::model_file(path, problem, "fetch the model again");
        let config: Self = serde_json::from_slice(json)
            .map_err(|error| broken(format!("isn't a T5 configuration: {error}")))?;
        config.check_sizes().map_err(broken)?;
        config.check_version().map_err(|problem| {
            Error::model_file(path, problem, "use a model with the layout of T5 1.1, such as MADLAD-400")
        })?;
        Ok(config)
    }

    pub(super) fn spec(&self, unknown: Option<u32>) -> ModelSpec {
        ModelSpec {
            source_vocabulary: self.vocab_size,
            vocabulary: self.vocab_size,
            start: self.start(),
            forced_first: None,
            end: self.eos_token_id,
            pad: self.pad_token_id,
            unknown,
            // Half of the positions, so that a translation has room to be longer than its source.
            max_source: POSITIONS / 2,
            max_target: POSITIONS,
        }
    }

    /// The tensors, under the names that candle reads, with the shapes that the model's file has them in.
    pub(super) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (d, inner) = (self.d_model, self.num_heads * self.d_kv);
        let mut tensors = vec![
            (SHARED.to_owned(), vec![self.vocab_size, d]),
            ("lm_head.weight".to_owned(), vec![self.vocab_size, d]),
        ];
        for (side, layers) in [("encoder", self.num_layers), ("decoder", self.decoder_layers())] {
            let mut add = |name: String, shape: &[usize]| {
                tensors.push((format!("{side}.{name}.weight"), shape.to_vec()));
            };
            let attentions: &[_] =
                if side == "encoder" { &["SelfAttention"] } else { &["SelfAttention", "EncDecAttention"] };
            add("final_layer_norm".into(), &[d]);
            let bias = "block.0.layer.0.SelfAttention.relative_attention_bias";
            add(bias.into(), &[self.relative_attention_num_buckets, self.num_heads]);
            for block in 0..layers {
                for (layer, attention) in attentions.iter().enumerate() {
                    let prefix = format!("block.{block}.layer.{layer}");
                    add(format!("{prefix}.layer_norm"), &[d]);
                    for name in ["q", "k", "v"] {
                        add(format!("{prefix}.{attention}.{name}"), &[inner, d]);
                    }
                    add(format!("{prefix}.{attention}.o"), &[d, inner]);
                }
                let prefix = format!("block.{block}.layer.{}", attentions.len());
                add(format!("{prefix}.layer_norm"), &[d]);
                for name in ["wi_0", "wi_1"] {
                    add(format!("{prefix}.DenseReluDense.{name}"), &[self.d_ff, d]);
                }
                add(format!("{prefix}.DenseReluDense.wo"), &[d, self.d_ff]);
            }
        }
        tensors
    }

    /// How distances go into buckets, if a tensor has numbers for buckets.
    pub(super) fn buckets_of(&self, tensor: &str) -> Option<Buckets> {
        tensor.contains("relative_attention_bias").then(|| Buckets {
            count: self.relative_attention_num_buckets,
            max_distance: self.relative_attention_max_distance,
            both_ways: tensor.starts_with("encoder."),
        })
    }

    /// The configuration as one of candle's two T5 models takes it.
    pub(super) fn for_candle<C: DeserializeOwned>(&self) -> Result<C> {
        let config = json!({
            "vocab_size": self.vocab_size,
            "d_model": self.d_model,
            "d_kv": self.d_kv,
            "d_ff": self.d_ff,
            "num_layers": self.num_layers,
            "num_decoder_layers": self.decoder_layers(),
            "num_heads": self.num_heads,
            "relative_attention_num_buckets": TABLE,
            "dropout_rate": 0.0,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_factor": 1.0,
            "feed_forward_proj": self.feed_forward_proj,
            "tie_word_embeddings": false,
            "is_encoder_decoder": true,
            "pad_token_id": self.pad_token_id,
            "eos_token_id": self.eos_token_id,
            "decoder_start_token_id": self.start(),
        });
        serde_json::from_value(config).map_err(|error| Error::Inference(error.to_string()))
    }

    /// Number of attention heads.
    pub(super) fn heads(&self) -> usize {
        self.num_heads
    }

    /// The ε of its layer norms.
    #[expect(clippy::cast_possible_truncation, reason = "as the norm computes")]
    pub(super) fn epsilon(&self) -> f32 {
        self.layer_norm_epsilon as f32
    }

    fn start(&self) -> u32 {
        self.decoder_start_token_id.unwrap_or(self.pad_token_id)
    }

    /// Number of decoder layers.
    pub(super) fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    fn check_sizes(&self) -> Result<(), String> {
        /// Far above any model of this family, and low enough that no product of two overflows.
        const LARGEST: usize = 1 << 20;
        let sizes = [
            ("vocab_size", self.vocab_size, 1),
            ("d_model", self.d_model, 1),
            ("d_kv", self.d_kv, 1),
            ("d_ff", self.d_ff, 1),
            ("num_layers", self.num_layers, 1),
            ("num_decoder_layers", self.decoder_layers(), 1),
            ("num_heads", self.num_heads, 1),
            // Half of them are for one direction, and half of those for one distance each.
            ("relative_attention_num_buckets", self.relative_attention_num_buckets, 4),
            ("relative_attention_max_distance", self.relative_attention_max_distance, 1),
        ];
        if let Some((name, value, _)) =
            sizes.into_iter().find(|(_, value, least)| !(*least..=LARGEST).contains(value))
        {
            return Err(format!("{name} is {value}, which no model has"));
        }
        if self.relative_attention_max_distance <= self.relative_attention_num_buckets / 2 {
            return Err(format!(
                "relative_attention_max_distance, {}, leaves nothing to share for {} buckets",
                self.relative_attention_max_distance, self.relative_attention_num_buckets
            ));
        }
        let ids = [
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
            ("decoder_start_token_id", self.start()),
        ];
        match ids.into_iter().find(|(_, id)| *id as usize >= self.vocab_size) {
            Some((name, id)) => Err(format!("{name} is {id}, outside the vocabulary")),
            None => Ok(()),
        }
    }

    /// Refuses the first version of T5, which candle computes otherwise than Hugging Face: it multiplies a tied output
    /// layer's input by √`d_model` instead of dividing by it, and takes every plain feed-forward layer for a relu.
    fn check_version(&self) -> Result<(), String> {
        if self.tie_word_embeddings {
            return Err("has tie_word_embeddings, as the first version of T5 had".into());
        }
        if self.feed_forward_proj != "gated-gelu" {
            return Err(format!(
                "has the feed_forward_proj {:?}, not \"gated-gelu\"",
                self.feed_forward_proj
            ));
        }
        Ok(())
    }
}

/// The embedding of both sides, under the name that candle reads.
pub(super) const SHARED: &str = "shared.weight";

/// The name that a model's file has for one of [`T5Config::tensors`]: the embedding is known by three.
pub(super) fn stored_name(name: &str, contains: impl Fn(&str) -> bool) -> &str {
    let embeddings = [SHARED, "decoder.embed_tokens.weight", "encoder.embed_tokens.weight"];
    if name == SHARED { embeddings.into_iter().find(|name| contains(name)).unwrap_or(name) } else { name }
}

fn buckets() -> usize {
    32
}

fn distance() -> usize {
    128
}

fn epsilon() -> f64 {
    1e-6
}

fn relu() -> String {
    "relu".into()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: impl FnOnce(&mut serde_json::Value)) -> Result<T5Config> {
        let mut json = json!({
            "model_type": "t5", "vocab_size": 100, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 2,
            "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false, "pad_token_id": 1, "eos_token_id": 2,
        });
        change(&mut json);
        T5Config::parse(json.to_string().as_bytes(), Path::new("config.json"))
    }

    #[test]
    fn what_a_file_leaves_out_has_the_defaults_of_its_format() {
        let config = parse(|_| {}).unwrap();
        assert_eq!(
            (config.relative_attention_num_buckets, config.relative_attention_max_distance),
            (32, 128)
        );
        assert_eq!((config.decoder_layers(), config.start()), (2, 1));
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_name() {
        for (field, value) in [
            ("d_model", 0),
            ("num_decoder_layers", 1 << 30),
            ("relative_attention_num_buckets", 3),
            ("relative_attention_max_distance", 16),
            ("decoder_start_token_id", 100),
        ] {
            let error = parse(|json| json[field] = value.into()).unwrap_err().to_string();
            assert!(error.contains("config.json") && error.contains(field), "{error}");
        }
    }

    #[test]
    fn the_first_version_is_refused() {
        let error = parse(|json| json["tie_word_embeddings"] = true.into()).unwrap_err().to_string();
        assert!(error.contains("tie_word_embeddings") && error.contains("MADLAD-400"), "{error}");
        let error = parse(|json| json["feed_forward_proj"] = "relu".into()).unwrap_err().to_string();
        assert!(error.contains("feed_forward_proj") && error.contains("MADLAD-400"), "{error}");
    }
}
