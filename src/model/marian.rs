//! Marian: a post-norm transformer with sinusoidal positions (Junczys-Dowmunt et al. 2018), in the layout and with
//! the numerics of Hugging Face's `MarianMTModel`.

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;

use super::config::MarianConfig;
use super::{DecoderState, Logits, ModelSpec, Seq2Seq, Weights};
use crate::nn::{
    Embedding, KvCache, LayerNorm, Linear, Memory, OutputProjection, SinusoidalPositions, attention_weights,
    cached_attention, cross_attention, self_attention,
};
use crate::{Error, Result};

/// A Marian model on the CPU.
pub struct Marian {
    spec: ModelSpec,
    features: usize,
    encoder_heads: usize,
    decoder_heads: usize,
    source_embedding: Arc<Embedding>,
    target_embedding: Arc<Embedding>,
    positions: SinusoidalPositions,
    encoder: Vec<EncoderLayer>,
    decoder: Vec<DecoderLayer>,
    output: OutputProjection,
}

/// The hypotheses that are being decoded.
#[derive(Default)]
pub struct MarianState {
    rows: Vec<Row>,
}

impl Marian {
    /// Builds the model from its `config.json` (`config_path` is what errors name) and its weights. `unknown` is the
    /// vocabulary's `<unk>`.
    pub fn new(config: &[u8], config_path: &Path, weights: &Weights, unknown: Option<u32>) -> Result<Self> {
        let config = MarianConfig::parse(config, config_path)?;
        let spec = ModelSpec {
            vocabulary: config.target_vocabulary(),
            start: config.decoder_start_token_id,
            forced_first: None,
            end: config.eos_token_id,
            pad: config.pad_token_id,
            unknown,
            // Half of the positions, so that a translation has room to be longer than its source.
            max_source: config.max_position_embeddings / 2,
            max_target: config.max_position_embeddings,
        };
        #[expect(clippy::cast_precision_loss)]
        let scale = if config.scale_embedding { (config.d_model as f64).sqrt() } else { 1.0 };
        let (source_embedding, target_embedding) = embeddings(&config, weights, scale)?;
        let layer = |side: &str, index: usize| format!("model.{side}.layers.{index}");
        Ok(Self {
            spec,
            features: config.d_model,
            encoder_heads: config.encoder_attention_heads,
            decoder_heads: config.decoder_attention_heads,
            positions: SinusoidalPositions::new(
                config.max_position_embeddings,
                config.d_model,
                weights.device(),
            )?,
            encoder: (0..config.encoder_layers)
                .map(|index| EncoderLayer::load(weights, &layer("encoder", index), &config))
                .collect::<Result<_>>()?,
            decoder: (0..config.decoder_layers)
                .map(|index| DecoderLayer::load(weights, &layer("decoder", index), &config))
                .collect::<Result<_>>()?,
            output: output_projection(&config, weights, &target_embedding)?,
            source_embedding,
            target_embedding,
        })
    }

    /// Compares the sizes of the tokenizer's vocabularies with the embeddings.
    ///
    /// # Errors
    /// Which of them differ, in words.
    pub fn check_vocabulary(&self, source: usize, target: usize) -> Result<(), String> {
        for (side, tokenizer, model) in
            [("source", source, self.source_embedding.tokens()), ("target", target, self.spec.vocabulary)]
        {
            if tokenizer > model {
                return Err(format!(
                    "has {tokenizer} {side} tokens, but the model has embeddings for {model}"
                ));
            }
        }
        Ok(())
    }

    /// Takes a step; `looks` gets the weights of the last layer's cross-attention, where they are wanted.
    fn advance(
        &self,
        state: &mut MarianState,
        tokens: &[u32],
        logits: &mut Logits,
        mut looks: Option<&mut Vec<Vec<f32>>>,
    ) -> Result<()> {
        if tokens.len() != state.rows.len() {
            return Err(Error::Inference(format!("{} tokens for {} rows", tokens.len(), state.rows.len())));
        }
        let logits = logits.start_full(tokens.len(), self.spec.vocabulary);
        if tokens.is_empty() {
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "a target has at most 2²⁰ tokens")]
        let positions: Vec<u32> = state.rows.iter().map(|row| row.cache.len() as u32).collect();
        let mut x = self.embed(&self.target_embedding, tokens, &positions)?;
        let (memories, mut caches): (Vec<&Memory>, Vec<&mut KvCache>) =
            state.rows.iter_mut().map(|row| (&*row.memory, &mut row.cache)).unzip();
        for (index, layer) in self.decoder.iter().enumerate() {
            let attended = cached_attention(&layer.qkv.forward(&x)?, self.decoder_heads, index, &mut caches)?;
            x = layer.attention_norm.forward(&layer.attention_output.forward(&attended)?, &x)?;
            let query = layer.cross_query.forward(&x)?;
            if let Some(looks) = looks.as_deref_mut().filter(|_| index + 1 == self.decoder.len()) {
                *looks = attention_weights(&query, self.decoder_heads, index, &memories)?;
            }
            let attended = cross_attention(&query, self.decoder_heads, index, &memories)?;
            x = layer.cross_norm.forward(&layer.cross_output.forward(&attended)?, &x)?;
            x = layer.feed_forward.forward(&x)?;
        }
        for cache in caches {
            cache.advance();
        }
        Ok(self.output.forward(&x, logits)?)
    }

    fn embed(&self, table: &Embedding, ids: &[u32], positions: &[u32]) -> candle_core::Result<Tensor> {
        table.forward(ids)? + self.positions.forward(positions)?
    }
}

impl Seq2Seq for Marian {
    type State = MarianState;

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<MarianState> {
        if sources.is_empty() {
            return Ok(MarianState::default());
        }
        let lengths: Vec<usize> = sources.iter().map(|source| source.len()).collect();
        let ids = sources.concat();
        let positions: Vec<u32> = sources.iter().flat_map(|source| (0..).take(source.len())).collect();
        let mut x = self.embed(&self.source_embedding, &ids, &positions)?;
        for layer in &self.encoder {
            let attended = self_attention(&layer.qkv.forward(&x)?, self.encoder_heads, &lengths)?;
            x = layer.attention_norm.forward(&layer.attention_output.forward(&attended)?, &x)?;
            x = layer.feed_forward.forward(&x)?;
        }
        let projections: candle_core::Result<Vec<_>> =
            self.decoder.iter().map(|layer| layer.memory.forward(&x)).collect();
        let memories = Memory::split(&projections?, &lengths)?;
        let rows = memories.into_iter().map(|memory| Row {
            memory: Arc::new(memory),
            cache: KvCache::new(self.decoder.len(), self.features),
        });
        Ok(MarianState { rows: rows.collect() })
    }

    fn step(&self, state: &mut MarianState, tokens: &[u32], logits: &mut Logits) -> Result<()> {
        self.advance(state, tokens, logits, None)
    }

    const ALIGNS: bool = true;

    fn step_attending(
        &self,
        state: &mut MarianState,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Vec<Vec<f32>>> {
        let mut looks = Vec::new();
        self.advance(state, tokens, logits, Some(&mut looks))?;
        Ok(looks)
    }
}

impl DecoderState for MarianState {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn select(&mut self, rows: &[usize]) {
        let mut last_use = vec![None; self.rows.len()];
        for (at, &row) in rows.iter().enumerate() {
            last_use[row] = Some(at);
        }
        // A row's last use takes it; clones before it would make the next append copy a block that nobody shares.
        let mut old: Vec<Option<Row>> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        self.rows = rows
            .iter()
            .enumerate()
            .filter_map(
                |(at, &row)| if last_use[row] == Some(at) { old[row].take() } else { old[row].clone() },
            )
            .collect();
    }

    fn append(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }
}

/// One hypothesis: its source and its target so far.
#[derive(Clone)]
struct Row {
    memory: Arc<Memory>,
    cache: KvCache,
}

struct EncoderLayer {
    qkv: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
}

impl EncoderLayer {
    fn load(weights: &Weights, prefix: &str, config: &MarianConfig) -> Result<Self> {
        let d = config.d_model;
        let attention = format!("{prefix}.self_attn");
        Ok(Self {
            qkv: fused(weights, &attention, &["q_proj", "k_proj", "v_proj"], d)?,
            attention_output: linear(weights, &format!("{attention}.out_proj"), d, d)?,
            attention_norm: layer_norm(weights, &format!("{prefix}.self_attn_layer_norm"), d)?,
            feed_forward: FeedForward::load(weights, prefix, config.encoder_ffn_dim, config)?,
        })
    }
}

struct DecoderLayer {
    qkv: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    cross_query: Linear,
    /// Keys and values of the encoder's states, side by side.
    memory: Linear,
    cross_output: Linear,
    cross_norm: LayerNorm,
    feed_forward: FeedForward,
}

impl DecoderLayer {
    fn load(weights: &Weights, prefix: &str, config: &MarianConfig) -> Result<Self> {
        let d = config.d_model;
        let (attention, cross) = (format!("{prefix}.self_attn"), format!("{prefix}.encoder_attn"));
        Ok(Self {
            qkv: fused(weights, &attention, &["q_proj", "k_proj", "v_proj"], d)?,
            attention_output: linear(weights, &format!("{attention}.out_proj"), d, d)?,
            attention_norm: layer_norm(weights, &format!("{prefix}.self_attn_layer_norm"), d)?,
            cross_query: linear(weights, &format!("{cross}.q_proj"), d, d)?,
            memory: fused(weights, &cross, &["k_proj", "v_proj"], d)?,
            cross_output: linear(weights, &format!("{cross}.out_proj"), d, d)?,
            cross_norm: layer_norm(weights, &format!("{prefix}.encoder_attn_layer_norm"), d)?,
            feed_forward: FeedForward::load(weights, prefix, config.decoder_ffn_dim, config)?,
        })
    }
}

struct FeedForward {
    wide: Linear,
    narrow: Linear,
    norm: LayerNorm,
}

impl FeedForward {
    fn load(weights: &Weights, prefix: &str, width: usize, config: &MarianConfig) -> Result<Self> {
        Ok(Self {
            wide: linear(weights, &format!("{prefix}.fc1"), width, config.d_model)?
                .with_activation(config.activation_function),
            narrow: linear(weights, &format!("{prefix}.fc2"), config.d_model, width)?,
            norm: layer_norm(weights, &format!("{prefix}.final_layer_norm"), config.d_model)?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.norm.forward(&self.narrow.forward(&self.wide.forward(x)?)?, x)
    }
}

/// The embeddings of both sides: one shared table, or one each.
fn embeddings(
    config: &MarianConfig,
    weights: &Weights,
    scale: f64,
) -> Result<(Arc<Embedding>, Arc<Embedding>)> {
    let table = |names: &[&str], rows: usize| -> Result<_> {
        let name = names.iter().find(|name| weights.contains(name)).unwrap_or(&names[0]);
        let table = weights.get(name, &[rows, config.d_model])?;
        Ok(Arc::new(Embedding::new(&table, scale, weights.precision())?))
    };
    if config.share_encoder_decoder_embeddings {
        let shared = table(&["model.shared.weight", "model.encoder.embed_tokens.weight"], config.vocab_size)?;
        return Ok((shared.clone(), shared));
    }
    let source = table(&["model.encoder.embed_tokens.weight"], config.vocab_size)?;
    let target = table(&["model.decoder.embed_tokens.weight"], config.target_vocabulary())?;
    Ok((source, target))
}

/// The output layer: the target embedding where the two are tied, a matrix of its own otherwise.
fn output_projection(
    config: &MarianConfig,
    weights: &Weights,
    target_embedding: &Embedding,
) -> Result<OutputProjection> {
    let vocabulary = config.target_vocabulary();
    let bias = match "final_logits_bias" {
        name if weights.contains(name) => Some(weights.get(name, &[1, vocabulary])?),
        _ => None,
    };
    if config.tie_word_embeddings {
        return Ok(OutputProjection::tied(target_embedding, bias.as_ref())?);
    }
    let weight = weights.get("lm_head.weight", &[vocabulary, config.d_model])?;
    Ok(OutputProjection::new(&weight, bias.as_ref(), weights.precision())?)
}

fn linear(weights: &Weights, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
    let (weight, bias) = tensors(weights, name, outputs, inputs)?;
    Ok(Linear::new(&weight, Some(&bias), weights.precision())?)
}

fn fused(weights: &Weights, prefix: &str, names: &[&str], features: usize) -> Result<Linear> {
    let layers: Result<Vec<_>> =
        names.iter().map(|name| tensors(weights, &format!("{prefix}.{name}"), features, features)).collect();
    Ok(Linear::fused(&layers?, weights.precision())?)
}

fn tensors(weights: &Weights, name: &str, outputs: usize, inputs: usize) -> Result<(Tensor, Tensor)> {
    let weight = weights.get(&format!("{name}.weight"), &[outputs, inputs])?;
    Ok((weight, weights.get(&format!("{name}.bias"), &[outputs])?))
}

fn layer_norm(weights: &Weights, name: &str, features: usize) -> Result<LayerNorm> {
    let weight = weights.get(&format!("{name}.weight"), &[features])?;
    Ok(LayerNorm::new(&weight, &weights.get(&format!("{name}.bias"), &[features])?)?)
}
