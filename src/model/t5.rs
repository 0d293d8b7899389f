//! T5 (Raffel et al. 2020) in the layout of version 1.1 and of MADLAD-400, on the implementation of
//! `candle_transformers`.
//!
//! This is the compatible way to run a model, not the fast one: that implementation keeps the target so far inside the
//! model, knows no padding and projects the encoder's states anew at every step. So each hypothesis has a copy of the
//! model that shares the weights, and the hypotheses are decoded one after the other. What it gets wrong, the distances
//! between tokens, is put right in the tensors that it is given: see `distances`. Where the model looks, which it doesn't
//! tell, is found out in `looking`.

mod config;
mod distances;
mod gguf;
mod looking;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{quantized_t5, t5};

use self::config::T5Config;
use self::looking::{Looked, Looker, Tensors};
use super::{DecoderState, Logits, ModelSpec, Rows, Seq2Seq, Weights};
use crate::Result;
use crate::nn::Precision;

/// A T5 model.
pub struct T5 {
    spec: ModelSpec,
    network: Network,
    looker: Looker,
    device: Device,
    precision: String,
}

impl T5 {
    /// Builds the model from its `config.json` (`config_path` is what errors name) and its weights. `unknown` is the
    /// vocabulary's `<unk>`.
    pub fn new(config: &[u8], config_path: &Path, weights: &Weights, unknown: Option<u32>) -> Result<Self> {
        let config = T5Config::parse(config, config_path)?;
        // Its activations outgrow the range of `f16`.
        let kind = match weights.precision() {
            Precision::Tensors(DType::BF16) => DType::BF16,
            _ => DType::F32,
        };
        let mut tensors = HashMap::new();
        for (name, shape) in config.tensors() {
            let tensor = weights.get(config::stored_name(&name, |name| weights.contains(name)), &shape)?;
            let tensor = tensor.to_dtype(kind)?;
            let tensor = match config.buckets_of(&name) {
                Some(buckets) => buckets.spread(&tensor)?,
                None => tensor,
            };
            tensors.insert(name, tensor);
        }
        let tensors = VarBuilder::from_tensors(tensors, kind, weights.device());
        let looker = Looker::new(&Tensors::Plain(&tensors), &config)?;
        let network = t5::T5ForConditionalGeneration::load(tensors, &config.for_candle()?)?;
        Ok(Self {
            spec: config.spec(unknown),
            network: Network::Plain(Box::new(network)),
            looker,
            device: weights.device().clone(),
            precision: kind.as_str().into(),
        })
    }

    /// Builds the model from its `config.json` and the quantised weights in a GGUF file.
    pub fn quantized(
        config: &[u8],
        config_path: &Path,
        weights: &Path,
        unknown: Option<u32>,
        device: &Device,
    ) -> Result<Self> {
        let config = T5Config::parse(config, config_path)?;
        let (tensors, precision) = gguf::open(weights, &config, device)?;
        let looker = Looker::new(&Tensors::Quantized(&tensors), &config)?;
        let network = quantized_t5::T5ForConditionalGeneration::load(tensors, &config.for_candle()?)?;
        Ok(Self {
            spec: config.spec(unknown),
            network: Network::Quantized(Box::new(network)),
            looker,
            device: device.clone(),
            precision: format!("{precision:?}").to_lowercase(),
        })
    }

    /// What most of the weights are: `f32`, or a type of GGUF's such as `q4k`.
    pub fn precision(&self) -> &str {
        &self.precision
    }
}

impl Seq2Seq for T5 {
    type State = Rows<Row>;

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<Rows<Row>> {
        let encode = |source: &&[u32]| {
            let mut network = self.network.clone();
            let memory = network.encode(&Tensor::new(*source, &self.device)?.unsqueeze(0)?)?;
            Ok(Row { memory: Arc::new(memory), network, looked: None })
        };
        sources.iter().map(encode).collect()
    }

    fn step(&self, state: &mut Rows<Row>, tokens: &[u32], logits: &mut Logits) -> Result<()> {
        state.check(tokens)?;
        let logits = logits.start_full(tokens.len(), self.spec.vocabulary);
        let rows = state.rows.iter_mut().zip(tokens).zip(logits.chunks_exact_mut(self.spec.vocabulary));
        for ((row, &token), logits) in rows {
            let token = Tensor::new(&[[token]], &self.device)?;
            let output = row.network.decode(&token, &row.memory)?;
            logits.copy_from_slice(&output.squeeze(0)?.to_dtype(DType::F32)?.to_vec1::<f32>()?);
        }
        Ok(())
    }

    fn step_attending(
        &self,
        state: &mut Rows<Row>,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Vec<Vec<f32>>> {
        self.step(state, tokens, logits)?;
        let look = |(row, &token): (&mut Row, &u32)| {
            let looked = match &mut row.looked {
                Some(looked) => looked,
                none => none.insert(self.looker.start(&row.memory)?),
            };
            Ok(self.looker.step(looked, token)?)
        };
        state.rows.iter_mut().zip(tokens).map(look).collect()
    }
}

/// One hypothesis: its source, and the model with its target so far.
#[derive(Clone)]
pub struct Row {
    /// The encoder's states, `[1, tokens, d_model]`.
    memory: Arc<Tensor>,
    network: Network,
    /// What of the target so far is needed to tell where the model looks, once that was asked for.
    looked: Option<Looked>,
}

/// One of candle's two models, with the keys and values of the target so far. A clone shares the weights.
#[derive(Clone)]
enum Network {
    Plain(Box<t5::T5ForConditionalGeneration>),
    Quantized(Box<quantized_t5::T5ForConditionalGeneration>),
}

impl Network {
    /// The encoder's states, `[1, tokens, d_model]`, of token ids `[1, tokens]`.
    fn encode(&mut self, source: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Plain(network) => network.encode(source),
            Self::Quantized(network) => network.encode(source),
        }
    }

    /// The logits, `[1, vocabulary]`, behind one more token `[1, 1]`.
    fn decode(&mut self, token: &Tensor, memory: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Plain(network) => network.decode(token, memory),
            Self::Quantized(network) => network.decode(token, memory),
        }
    }
}
