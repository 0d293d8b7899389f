//! A student's layers.

use candle_core::{Device, Result, Tensor};

use super::config::StudentConfig;
use super::file::{Matrix, ModelFile};
use crate::nn::kernels::Activation;
use crate::nn::{IntgemmLinear, IntgemmMatrix, LayerNorm, Linear, Precision};

/// The ε of Marian's transformer layers.
const EPSILON: f32 = 1e-6;
/// Far above any student's, and low enough that no sum of products of 8-bit integers overflows.
const LARGEST_WIDTH: usize = 1 << 16;

/// What a layer's loading ends with: the problem is in words that continue the file's name.
pub(super) type Loaded<T> = std::result::Result<T, String>;

/// What runs through the layers, row-major, and the memory that they work in. All of it is used again by the next pass.
#[derive(Default)]
pub(super) struct Buffers {
    /// What the next block reads and adds its result to, `[rows, features]`.
    pub(super) input: Vec<f32>,
    /// Queries, keys and values side by side, or some of them.
    pub(super) queries: Vec<f32>,
    pub(super) attended: Vec<f32>,
    /// What a block comes to.
    block: Vec<f32>,
    wide: Vec<f32>,
}

pub(super) struct EncoderLayer {
    pub(super) attention: Attention,
    pub(super) feed_forward: FeedForward,
}

pub(super) struct DecoderLayer {
    pub(super) unit: RecurrentUnit,
    pub(super) attention: Attention,
    pub(super) feed_forward: FeedForward,
}

/// The projections around an attention.
pub(super) struct Attention {
    query: Affine,
    key: Affine,
    value: Affine,
    output: Affine,
    norm: LayerNorm,
    features: usize,
}

pub(super) struct FeedForward {
    wide: Affine,
    narrow: Affine,
    norm: LayerNorm,
}

/// A simpler simple recurrent unit: `c = σ(W_f x + b_f) · c + (1 − σ(W_f x + b_f)) · W x`, its output `relu(c)`.
pub(super) struct RecurrentUnit {
    candidate: Affine,
    gate: Affine,
    norm: LayerNorm,
}

enum Affine {
    Float(Linear),
    Int8(IntgemmLinear),
}

impl EncoderLayer {
    /// The layer of that number, from 1 on.
    pub(super) fn load(file: &ModelFile, config: &StudentConfig, number: usize) -> Loaded<Self> {
        let prefix = format!("encoder_l{number}");
        Ok(Self {
            attention: Attention::load(file, &format!("{prefix}_self"), config.features)?,
            feed_forward: FeedForward::load(file, &format!("{prefix}_ffn"), config)?,
        })
    }

    pub(super) fn is_int8(&self) -> bool {
        matches!(self.attention.query, Affine::Int8(_))
    }
}

impl DecoderLayer {
    /// The layer of that number, from 1 on.
    pub(super) fn load(file: &ModelFile, config: &StudentConfig, number: usize) -> Loaded<Self> {
        let prefix = format!("decoder_l{number}");
        Ok(Self {
            unit: RecurrentUnit::load(file, &format!("{prefix}_rnn"), config.features)?,
            attention: Attention::load(file, &format!("{prefix}_context"), config.features)?,
            feed_forward: FeedForward::load(file, &format!("{prefix}_ffn"), config)?,
        })
    }
}

impl Attention {
    fn load(file: &ModelFile, prefix: &str, features: usize) -> Loaded<Self> {
        let part = |part: &str| {
            let bias = format!("{prefix}_b{part}");
            affine(file, &format!("{prefix}_W{part}"), Some(&bias), [features; 2])
        };
        Ok(Self {
            query: part("q")?,
            key: part("k")?,
            value: part("v")?,
            output: part("o")?,
            norm: layer_norm(file, &format!("{prefix}_Wo"), features)?,
            features,
        })
    }

    /// Projects the input to `x.queries`: query, key and value `[rows, 3 · features]` side by side.
    pub(super) fn qkv(&self, x: &mut Buffers, lengths: &[usize]) -> Result<()> {
        self.side_by_side(&[&self.query, &self.key, &self.value], x, lengths)
    }

    /// Projects the input to `x.queries`: key and value `[rows, 2 · features]` side by side.
    pub(super) fn memory(&self, x: &mut Buffers, lengths: &[usize]) -> Result<()> {
        self.side_by_side(&[&self.key, &self.value], x, lengths)
    }

    /// Projects the input to `x.queries` `[rows, features]`.
    pub(super) fn query(&self, x: &mut Buffers, lengths: &[usize]) -> Result<()> {
        self.query.run(&x.input, lengths, &mut x.queries)
    }

    /// Takes `x.attended` `[rows, features]` to the next input.
    pub(super) fn finish(&self, x: &mut Buffers, lengths: &[usize]) -> Result<()> {
        self.output.run(&x.attended, lengths, &mut x.block)?;
        self.norm.add_and_run(&x.block, &mut x.input)
    }

    fn side_by_side(&self, parts: &[&Affine], x: &mut Buffers, lengths: &[usize]) -> Result<()> {
        let features = self.features;
        x.queries.resize(x.input.len() * parts.len(), 0.0);
        for (index, part) in parts.iter().enumerate() {
            part.run(&x.input, lengths, &mut x.block)?;
            let rows = x.queries.chunks_exact_mut(parts.len() * features);
            for (row, part) in rows.zip(x.block.chunks_exact(features)) {
                row[index * features..][..features].copy_from_slice(part);
            }
        }
        Ok(())
    }
}

impl FeedForward {
    fn load(file: &ModelFile, prefix: &str, config: &StudentConfig) -> Loaded<Self> {
        let wide = format!("{prefix}_W1");
        let width = match file.shape(&wide) {
            Some(&[_, width]) if (1..=LARGEST_WIDTH).contains(&width) => width,
            Some(shape) => return Err(format!("has the tensor {wide:?} in the shape {shape:?}")),
            None => return Err(format!("lacks the tensor {wide:?}")),
        };
        let (narrow, features) = (format!("{prefix}_W2"), config.features);
        Ok(Self {
            wide: affine(file, &wide, Some(&format!("{prefix}_b1")), [width, features])?
                .with_activation(config.activation),
            narrow: affine(file, &narrow, Some(&format!("{prefix}_b2")), [features, width])?,
            norm: layer_norm(file, &format!("{prefix}_ffn"), features)?,
        })
    }

    pub(super) fn run(&self, x: &mut Buffers, lengths: &[usize]) -> Result<()> {
        self.wide.run(&x.input, lengths, &mut x.wide)?;
        self.narrow.run(&x.wide, lengths, &mut x.block)?;
        self.norm.add_and_run(&x.block, &mut x.input)
    }
}

impl RecurrentUnit {
    fn load(file: &ModelFile, prefix: &str, features: usize) -> Loaded<Self> {
        let bias = format!("{prefix}_bf");
        Ok(Self {
            candidate: affine(file, &format!("{prefix}_W"), None, [features; 2])?,
            gate: affine(file, &format!("{prefix}_Wf"), Some(&bias), [features; 2])?,
            norm: layer_norm(file, &format!("{prefix}_ffn"), features)?,
        })
    }

    /// Takes the input in and brings each row's cell, `[features]`, up to date; every row is a sentence to itself.
    pub(super) fn run<'a>(
        &self,
        x: &mut Buffers,
        lengths: &[usize],
        cells: impl Iterator<Item = &'a mut [f32]>,
    ) -> Result<()> {
        self.candidate.run(&x.input, lengths, &mut x.block)?;
        self.gate.run(&x.input, lengths, &mut x.wide)?;
        let features = x.input.len() / lengths.len().max(1);
        let rows = x.block.chunks_exact_mut(features.max(1)).zip(x.wide.chunks_exact(features.max(1)));
        for (cell, (row, gates)) in cells.zip(rows) {
            for ((cell, x), gate) in cell.iter_mut().zip(row).zip(gates) {
                let keep = 1.0 / (1.0 + (-gate).exp());
                *cell = keep * *cell + (1.0 - keep) * *x;
                *x = cell.max(0.0);
            }
        }
        self.norm.add_and_run(&x.block, &mut x.input)
    }
}

impl Affine {
    fn with_activation(self, activation: Activation) -> Self {
        match self {
            Self::Float(layer) => Self::Float(layer.with_fused(activation)),
            Self::Int8(layer) => Self::Int8(layer.with_activation(activation)),
        }
    }

    /// Rows `[rows, inputs]` of sentences of these lengths to `y` `[rows, outputs]`.
    fn run(&self, x: &[f32], lengths: &[usize], y: &mut Vec<f32>) -> Result<()> {
        match self {
            Self::Float(layer) => layer.run(x, y)?,
            Self::Int8(layer) => layer.run(x, lengths, y),
        }
        Ok(())
    }
}

/// A layer of the `shape` `[outputs, inputs]`.
fn affine(file: &ModelFile, name: &str, bias: Option<&str>, shape: [usize; 2]) -> Loaded<Affine> {
    let [outputs, inputs] = shape;
    let bias = bias.map(|bias| file.vector(bias, outputs)).transpose()?.unwrap_or_else(|| vec![0.0; outputs]);
    Ok(match file.weight(name, outputs, inputs)? {
        Matrix::Float(values) => {
            let (weight, bias) = (tensor(values, &shape)?, tensor(bias, &[outputs])?);
            let layer = Linear::new(&weight, Some(&bias), Precision::F32);
            Affine::Float(layer.map_err(|error| error.to_string())?)
        }
        Matrix::Int8 { values, multiplier } => {
            let activations = file.multiplier(&format!("{name}_QuantMultA"))?;
            let matrix = IntgemmMatrix::new(values, outputs, inputs, multiplier);
            Affine::Int8(IntgemmLinear::new(&matrix, &bias, activations))
        }
    })
}

fn layer_norm(file: &ModelFile, prefix: &str, features: usize) -> Loaded<LayerNorm> {
    let [scale, bias] = ["scale", "bias"].map(|part| file.vector(&format!("{prefix}_ln_{part}"), features));
    Ok(LayerNorm::with_epsilon(scale?, bias?, EPSILON))
}

pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> Loaded<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu).map_err(|error| error.to_string())
}
