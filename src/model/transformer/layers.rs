//! The layers of a transformer, and how they are read.
//!
//! A layer is a row of blocks: self-attention, cross-attention in the decoder, feed-forward. Behind every block there is
//! a residual connection and a layer norm, post-norm and pre-norm alike: in a pre-norm model it is what the next block
//! is preceded by, which may stand in the next layer or at the end of the side.

use candle_core::Tensor;

use super::super::Weights;
use super::super::config::{Family, TransformerConfig};
use crate::Result;
use crate::nn::kernels::add;
use crate::nn::{LayerNorm, Linear, Precision};

/// What runs through the layers of our own kernels, `[rows, features]` each, and the memory that they work in. All of it
/// is used again by the next pass.
#[derive(Default)]
pub(super) struct Buffers {
    /// What the next block reads.
    pub(super) input: Vec<f32>,
    /// What its result is added to, where that is something else: in a pre-norm model.
    residual: Vec<f32>,
    /// Queries, keys and values side by side, or queries alone.
    pub(super) queries: Vec<f32>,
    pub(super) attended: Vec<f32>,
    /// What a block comes to.
    pub(super) block: Vec<f32>,
    wide: Vec<f32>,
}

/// What runs through the layers of candle's operations, both `[rows, features]`.
pub(super) struct Stream {
    /// What the next block reads.
    pub(super) input: Tensor,
    /// What its result is added to.
    residual: Tensor,
}

/// A residual connection with the layer norm behind it.
pub(super) struct AddNorm {
    norm: LayerNorm,
    order: Order,
}

/// Where a model's layer norms stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Post-norm: the sum is normalised, and goes on as that.
    Behind,
    /// Pre-norm: the sum goes on as it is, and is normalised for the next block.
    Before,
}

/// What becomes of the embeddings before the first block.
pub(super) struct Entry(Option<LayerNorm>);

pub(super) struct EncoderLayer {
    /// Queries, keys and values, side by side.
    pub(super) qkv: Linear,
    pub(super) attention_output: Linear,
    pub(super) attention_norm: AddNorm,
    pub(super) feed_forward: FeedForward,
}

pub(super) struct DecoderLayer {
    /// Queries, keys and values, side by side.
    pub(super) qkv: Linear,
    pub(super) attention_output: Linear,
    pub(super) attention_norm: AddNorm,
    pub(super) cross_query: Linear,
    /// Keys and values of the encoder's states, side by side.
    pub(super) memory: Linear,
    pub(super) cross_output: Linear,
    pub(super) cross_norm: AddNorm,
    pub(super) feed_forward: FeedForward,
}

/// The last block of a layer, with what is behind it.
pub(super) struct FeedForward {
    wide: Linear,
    narrow: Linear,
    norm: AddNorm,
}

/// Reads one side of a model.
pub(super) struct Loader<'a> {
    weights: &'a Weights,
    config: &'a TransformerConfig,
    order: Order,
    side: &'static str,
    layers: usize,
    feed_forward: usize,
    /// The layer norms of a layer, one for each block, in the blocks' order.
    norms: &'static [&'static str],
}

impl Buffers {
    /// Ends a block, whose result is in `block`.
    pub(super) fn add_block(&mut self, norm: &AddNorm) -> candle_core::Result<()> {
        match norm.order {
            Order::Behind => norm.norm.add_and_run(&self.block, &mut self.input),
            Order::Before => {
                add(&self.block, &mut self.residual);
                self.input.clone_from(&self.residual);
                norm.norm.run(&mut self.input)
            }
        }
    }

    /// The last block of a layer.
    pub(super) fn feed_forward(&mut self, layer: &FeedForward) -> candle_core::Result<()> {
        layer.wide.run(&self.input, &mut self.wide)?;
        layer.narrow.run(&self.wide, &mut self.block)?;
        self.add_block(&layer.norm)
    }

    /// Takes the embeddings that are in `input` to the first block.
    pub(super) fn enter(&mut self, entry: &Entry) -> candle_core::Result<()> {
        let Some(norm) = &entry.0 else { return Ok(()) };
        self.residual.clone_from(&self.input);
        norm.run(&mut self.input)
    }
}

impl AddNorm {
    pub(super) fn forward(&self, stream: &Stream, block: &Tensor) -> candle_core::Result<Stream> {
        match self.order {
            Order::Behind => {
                let x = self.norm.forward(&(block + &stream.residual)?)?;
                Ok(Stream { input: x.clone(), residual: x })
            }
            Order::Before => {
                let residual = (block + &stream.residual)?;
                Ok(Stream { input: self.norm.forward(&residual)?, residual })
            }
        }
    }
}

impl Entry {
    pub(super) fn forward(&self, embeddings: Tensor) -> candle_core::Result<Stream> {
        let input = match &self.0 {
            Some(norm) => norm.forward(&embeddings)?,
            None => embeddings.clone(),
        };
        Ok(Stream { input, residual: embeddings })
    }
}

impl FeedForward {
    pub(super) fn forward(&self, stream: &Stream) -> candle_core::Result<Stream> {
        self.norm.forward(stream, &self.narrow.forward(&self.wide.forward(&stream.input)?)?)
    }
}

impl<'a> Loader<'a> {
    pub(super) fn encoder(weights: &'a Weights, config: &'a TransformerConfig, family: Family) -> Self {
        Self {
            weights,
            config,
            order: Order::of(family),
            side: "encoder",
            layers: config.encoder_layers,
            feed_forward: config.encoder_ffn_dim,
            norms: &["self_attn_layer_norm", "final_layer_norm"],
        }
    }

    pub(super) fn decoder(weights: &'a Weights, config: &'a TransformerConfig, family: Family) -> Self {
        Self {
            side: "decoder",
            layers: config.decoder_layers,
            feed_forward: config.decoder_ffn_dim,
            norms: &["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
            ..Self::encoder(weights, config, family)
        }
    }

    pub(super) fn entry(&self) -> Result<Entry> {
        let norm = (self.order == Order::Before).then(|| self.layer_norm(0)).transpose()?;
        Ok(Entry(norm))
    }

    pub(super) fn encoder_layers(&self) -> Result<Vec<EncoderLayer>> {
        let load = |layer| {
            Ok(EncoderLayer {
                qkv: self.fused(layer, "self_attn", &["q_proj", "k_proj", "v_proj"])?,
                attention_output: self.square(layer, "self_attn.out_proj")?,
                attention_norm: self.add_norm(layer, 0)?,
                feed_forward: self.feed_forward(layer, 1)?,
            })
        };
        (0..self.layers).map(load).collect()
    }

    pub(super) fn decoder_layers(&self) -> Result<Vec<DecoderLayer>> {
        let load = |layer| {
            Ok(DecoderLayer {
                qkv: self.fused(layer, "self_attn", &["q_proj", "k_proj", "v_proj"])?,
                attention_output: self.square(layer, "self_attn.out_proj")?,
                attention_norm: self.add_norm(layer, 0)?,
                cross_query: self.square(layer, "encoder_attn.q_proj")?,
                memory: self.fused(layer, "encoder_attn", &["k_proj", "v_proj"])?,
                cross_output: self.square(layer, "encoder_attn.out_proj")?,
                cross_norm: self.add_norm(layer, 1)?,
                feed_forward: self.feed_forward(layer, 2)?,
            })
        };
        (0..self.layers).map(load).collect()
    }

    fn feed_forward(&self, layer: usize, block: usize) -> Result<FeedForward> {
        let features = self.config.d_model;
        Ok(FeedForward {
            wide: self
                .linear(layer, "fc1", self.feed_forward, features)?
                .with_activation(self.config.activation_function),
            narrow: self.linear(layer, "fc2", features, self.feed_forward)?,
            norm: self.add_norm(layer, block)?,
        })
    }

    /// The residual connection and the layer norm behind a block.
    fn add_norm(&self, layer: usize, block: usize) -> Result<AddNorm> {
        let own = layer * self.norms.len() + block;
        let behind = if self.order == Order::Before { own + 1 } else { own };
        Ok(AddNorm { norm: self.layer_norm(behind)?, order: self.order })
    }

    /// The side's layer norm at an index: those of all layers, then the one at the end.
    fn layer_norm(&self, index: usize) -> Result<LayerNorm> {
        let (layer, block) = (index / self.norms.len(), index % self.norms.len());
        let name = if layer == self.layers {
            format!("model.{}.layer_norm", self.side)
        } else {
            self.name(layer, self.norms[block])
        };
        let features = self.config.d_model;
        let weight = self.weights.get(&format!("{name}.weight"), &[features])?;
        let bias = self.weights.get(&format!("{name}.bias"), &[features])?;
        Ok(LayerNorm::new(&weight, &bias, self.weights.precision())?)
    }

    fn square(&self, layer: usize, name: &str) -> Result<Linear> {
        self.linear(layer, name, self.config.d_model, self.config.d_model)
    }

    fn linear(&self, layer: usize, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        self.side_by_side(&[self.name(layer, name)], [outputs, inputs])
    }

    fn fused(&self, layer: usize, prefix: &str, names: &[&str]) -> Result<Linear> {
        let features = self.config.d_model;
        let names: Vec<_> = names.iter().map(|name| self.name(layer, &format!("{prefix}.{name}"))).collect();
        self.side_by_side(&names, [features; 2])
    }

    /// Layers over the same input, each of the shape `[outputs, inputs]`, as one: their outputs side by side.
    fn side_by_side(&self, names: &[String], shape: [usize; 2]) -> Result<Linear> {
        let biases = names.iter().map(|name| self.weights.get(&format!("{name}.bias"), &shape[..1]));
        let bias = Tensor::cat(&biases.collect::<Result<Vec<_>>>()?, 0)?;
        let names = names.iter().map(|name| format!("{name}.weight"));
        Ok(match self.weights.precision() {
            precision @ Precision::Tensors(_) => {
                let weights: Result<Vec<_>> = names.map(|name| self.weights.get(&name, &shape)).collect();
                Linear::new(&Tensor::cat(&weights?, 0)?, Some(&bias), precision)?
            }
            precision => {
                let weights: Result<Vec<_>> = names.map(|name| self.weights.matrix(&name, shape)).collect();
                Linear::of_rows(&weights?, Some(&bias), precision)?
            }
        })
    }

    fn name(&self, layer: usize, name: &str) -> String {
        format!("model.{}.layers.{layer}.{name}", self.side)
    }
}

impl Order {
    fn of(family: Family) -> Self {
        match family {
            Family::Marian => Self::Behind,
            Family::M2m100 => Self::Before,
        }
    }
}
