//! Encoder-decoder transformers with sinusoidal positions (Vaswani et al. 2017), in the layout and with the numerics of
//! Hugging Face's `MarianMTModel` and `M2M100ForConditionalGeneration`.

mod layers;
mod padded;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use self::layers::{Buffers, DecoderLayer, EncoderLayer, Entry, Loader};
pub use self::padded::{PaddedState, PaddedTransformer};
use super::config::{Family, TransformerConfig};
use super::shortlist::{Shortlist, Shortlisted, project_shortlisted};
use super::{DecoderState, Logits, ModelSpec, Rows, Seq2Seq, Weights};
use crate::Result;
use crate::nn::{
    Embedding, KvCache, Linear, Memory, OutputProjection, Precision, SinusoidalPositions, attention_weights,
    cached_attention, cross_attention, self_attention,
};

thread_local! {
    /// What the steps of this thread work in: after the first ones they find all the memory that they need.
    static BUFFERS: Cell<Buffers> = Cell::default();
}

/// A Marian or an M2M100 model on the CPU.
pub struct Transformer {
    spec: ModelSpec,
    features: usize,
    encoder_heads: usize,
    decoder_heads: usize,
    source_embedding: Arc<Embedding>,
    target_embedding: Arc<Embedding>,
    positions: SinusoidalPositions,
    encoder_entry: Entry,
    encoder: Vec<EncoderLayer>,
    decoder_entry: Entry,
    decoder: Vec<DecoderLayer>,
    output: OutputProjection,
    shortlist: Option<Shortlist>,
    /// Whether both sides have one vocabulary.
    shared: bool,
}

impl Transformer {
    /// Builds a Marian model (Junczys-Dowmunt et al. 2018) from its `config.json` (`config_path` is what errors name)
    /// and its weights. `unknown` is the vocabulary's `<unk>`.
    pub fn marian(
        config: &[u8],
        config_path: &Path,
        weights: &Weights,
        unknown: Option<u32>,
    ) -> Result<Self> {
        let config = TransformerConfig::parse(config, Family::Marian, config_path)?;
        Self::load(Family::Marian, &config, weights, unknown)
    }

    /// Builds an M2M100 (Fan et al. 2020), NLLB-200 (NLLB team 2022) or SMaLL-100 model (Mohammadshahi et al. 2022) from
    /// its `config.json` (`config_path` is what errors name) and its weights. `unknown` is the vocabulary's `<unk>`.
    pub fn m2m100(
        config: &[u8],
        config_path: &Path,
        weights: &Weights,
        unknown: Option<u32>,
    ) -> Result<Self> {
        let config = TransformerConfig::parse(config, Family::M2m100, config_path)?;
        Self::load(Family::M2m100, &config, weights, unknown)
    }

    /// The model with a token that every target starts with: its language.
    #[must_use]
    pub fn with_forced_first(mut self, token: Option<u32>) -> Self {
        self.spec.forced_first = token;
        self
    }

    /// Confines translations to what a lexical shortlist allows each source sentence.
    ///
    /// # Errors
    /// Why it doesn't fit the model, in words that continue its file's name.
    pub fn with_shortlist(self, shortlist: Shortlist) -> std::result::Result<Self, String> {
        shortlist.check(self.spec.source_vocabulary, self.spec.vocabulary)?;
        Ok(Self { shortlist: Some(shortlist), ..self })
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

    fn load(
        family: Family,
        config: &TransformerConfig,
        weights: &Weights,
        unknown: Option<u32>,
    ) -> Result<Self> {
        let spec = ModelSpec {
            source_vocabulary: config.vocab_size,
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
        let (source_embedding, target_embedding) = embeddings(config, weights, scale)?;
        let positions = match family {
            Family::Marian => SinusoidalPositions::marian,
            Family::M2m100 => SinusoidalPositions::fairseq,
        };
        let encoder = Loader::encoder(weights, config, family);
        let decoder = Loader::decoder(weights, config, family);
        Ok(Self {
            spec,
            features: config.d_model,
            encoder_heads: config.encoder_attention_heads,
            decoder_heads: config.decoder_attention_heads,
            positions: positions(config.max_position_embeddings, config.d_model),
            encoder_entry: encoder.entry()?,
            encoder: encoder.encoder_layers()?,
            decoder_entry: decoder.entry()?,
            decoder: decoder.decoder_layers()?,
            output: output_projection(config, weights, &target_embedding)?,
            source_embedding,
            target_embedding,
            shortlist: None,
            shared: config.share_encoder_decoder_embeddings,
        })
    }

    /// The part of the output layer that a source sentence may use, if there is a shortlist.
    fn shortlist(&self, source: &[u32]) -> Result<Option<Arc<Shortlisted<OutputProjection>>>> {
        let Some(shortlist) = &self.shortlist else { return Ok(None) };
        let tokens = shortlist.candidates(source, self.spec.vocabulary, self.shared);
        let projection = self.output.select(&tokens)?;
        Ok(Some(Arc::new(Shortlisted { tokens: tokens.into(), projection })))
    }

    /// Takes a step; `looks` gets the weights of the last layer's cross-attention, where they are wanted.
    fn advance(
        &self,
        state: &mut Rows<Row>,
        tokens: &[u32],
        logits: &mut Logits,
        mut looks: Option<&mut Vec<Vec<f32>>>,
    ) -> Result<()> {
        state.check(tokens)?;
        if tokens.is_empty() {
            logits.start_full(0, self.spec.vocabulary);
            return Ok(());
        }
        let mut x = BUFFERS.take();
        #[expect(clippy::cast_possible_truncation, reason = "a target has at most 2²⁰ tokens")]
        let positions = state.rows.iter().map(|row| row.cache.len() as u32);
        self.target_embedding.run(tokens, &mut x.input)?;
        self.positions.add_to(&mut x.input, positions)?;
        x.enter(&self.decoder_entry)?;
        let (memories, mut caches): (Vec<&Memory>, Vec<&mut KvCache>) =
            state.rows.iter_mut().map(|row| (&*row.memory, &mut row.cache)).unzip();
        let heads = self.decoder_heads;
        for (index, layer) in self.decoder.iter().enumerate() {
            layer.qkv.run(&x.input, &mut x.queries)?;
            cached_attention(&x.queries, heads, index, &mut caches, &mut x.attended);
            layer.attention_output.run(&x.attended, &mut x.block)?;
            x.add_block(&layer.attention_norm)?;
            layer.cross_query.run(&x.input, &mut x.queries)?;
            if let Some(looks) = looks.as_deref_mut().filter(|_| index + 1 == self.decoder.len()) {
                *looks = attention_weights(&x.queries, heads, heads, index, &memories);
            }
            cross_attention(&x.queries, heads, index, &memories, &mut x.attended);
            layer.cross_output.run(&x.attended, &mut x.block)?;
            x.add_block(&layer.cross_norm)?;
            x.feed_forward(&layer.feed_forward)?;
        }
        for cache in caches {
            cache.advance();
        }
        let shortlists: Option<Vec<_>> = state.rows.iter().map(|row| row.shortlist.clone()).collect();
        match shortlists {
            Some(shortlists) => {
                let project =
                    |part: &OutputProjection, rows: &[f32], output: &mut [f32]| Ok(part.run(rows, output)?);
                project_shortlisted(&x.input, &shortlists, logits, project)?;
            }
            None => self.output.run(&x.input, logits.start_full(tokens.len(), self.spec.vocabulary))?,
        }
        BUFFERS.set(x);
        Ok(())
    }
}

impl Seq2Seq for Transformer {
    type State = Rows<Row>;

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<Rows<Row>> {
        if sources.is_empty() {
            return Ok(Rows::default());
        }
        let lengths: Vec<usize> = sources.iter().map(|source| source.len()).collect();
        let ids = sources.concat();
        let positions = sources.iter().flat_map(|source| (0..).take(source.len()));
        // Not those of a step, which would keep what a batch of long sentences takes.
        let mut x = Buffers::default();
        self.source_embedding.run(&ids, &mut x.input)?;
        self.positions.add_to(&mut x.input, positions)?;
        x.enter(&self.encoder_entry)?;
        for layer in &self.encoder {
            layer.qkv.run(&x.input, &mut x.queries)?;
            self_attention(&x.queries, self.features, self.encoder_heads, &lengths, &mut x.attended);
            layer.attention_output.run(&x.attended, &mut x.block)?;
            x.add_block(&layer.attention_norm)?;
            x.feed_forward(&layer.feed_forward)?;
        }
        let mut memories = Memory::of_sentences(sources.len());
        for layer in &self.decoder {
            layer.memory.run(&x.input, &mut x.block)?;
            Memory::push_layer(&mut memories, &x.block, self.features, &lengths);
        }
        let row = |(memory, &source): (Memory, &&[u32])| {
            Ok(Row {
                memory: Arc::new(memory),
                shortlist: self.shortlist(source)?,
                cache: KvCache::new(self.decoder.len(), self.features),
            })
        };
        memories.into_iter().zip(sources).map(row).collect()
    }

    fn step(&self, state: &mut Rows<Row>, tokens: &[u32], logits: &mut Logits) -> Result<()> {
        self.advance(state, tokens, logits, None)
    }

    fn step_attending(
        &self,
        state: &mut Rows<Row>,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Vec<Vec<f32>>> {
        let mut looks = Vec::new();
        self.advance(state, tokens, logits, Some(&mut looks))?;
        Ok(looks)
    }
}

/// One hypothesis: its source and its target so far.
#[derive(Clone)]
pub struct Row {
    memory: Arc<Memory>,
    shortlist: Option<Arc<Shortlisted<OutputProjection>>>,
    cache: KvCache,
}

/// The embeddings of both sides: one shared table, or one each.
fn embeddings(
    config: &TransformerConfig,
    weights: &Weights,
    scale: f64,
) -> Result<(Arc<Embedding>, Arc<Embedding>)> {
    let table = |names: &[&str], rows: usize| -> Result<_> {
        let name = names.iter().find(|name| weights.contains(name)).unwrap_or(&names[0]);
        let shape = [rows, config.d_model];
        Ok(Arc::new(match weights.precision() {
            Precision::Tensors(kind) => Embedding::of_tensor(&weights.get(name, &shape)?, scale, kind)?,
            precision => Embedding::of_rows(weights.matrix(name, shape)?, scale, precision)?,
        }))
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
    config: &TransformerConfig,
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
    let (name, shape) = ("lm_head.weight", [vocabulary, config.d_model]);
    let layer = match weights.precision() {
        precision @ Precision::Tensors(_) => {
            Linear::new(&weights.get(name, &shape)?, bias.as_ref(), precision)?
        }
        precision => Linear::of_rows(&[weights.matrix(name, shape)?], bias.as_ref(), precision)?,
    };
    Ok(OutputProjection::new(layer))
}
