//! Where a T5 model looks. candle's implementation keeps the weights of its attention to itself, so the decoder is
//! walked a second time, by the same tensors, as far as the last layer's cross-attention.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QStorage, QTensor};
use candle_core::{DType, Module, Result, Tensor};
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_transformers::quantized_var_builder;

use super::config::T5Config;

/// The decoder up to where it looks last.
pub(super) struct Looker {
    embedding: Table,
    /// What is added to a score for each distance backward, `[distances, heads]`.
    bias: Tensor,
    layers: Vec<Layer>,
    heads: usize,
    epsilon: f32,
}

/// What was seen of one target so far.
#[derive(Clone)]
pub(super) struct Looked {
    layers: Vec<Seen>,
}

/// One layer's keys and values, each `[heads, positions, features]`.
#[derive(Clone)]
struct Seen {
    target: Option<(Tensor, Tensor)>,
    source: (Tensor, Tensor),
}

struct Layer {
    attention_norm: Tensor,
    attention: Attention,
    cross_norm: Tensor,
    cross: Attention,
    feed_forward_norm: Tensor,
    gate: Matrix,
    wide: Matrix,
    narrow: Matrix,
}

struct Attention {
    query: Matrix,
    key: Matrix,
    value: Matrix,
    output: Matrix,
}

/// A weight matrix `[outputs, inputs]`.
enum Matrix {
    Plain(Tensor),
    Quantized(QMatMul),
}

/// The embeddings `[vocabulary, features]`.
enum Table {
    Plain(Tensor),
    Quantized(Arc<QTensor>),
}

/// Where the tensors are.
pub(super) enum Tensors<'a> {
    Plain(&'a candle_nn::VarBuilder<'a>),
    Quantized(&'a quantized_var_builder::VarBuilder),
}

impl Looker {
    /// The decoder of a model with that configuration; `tensors` has all of its tensors.
    pub(super) fn new(tensors: &Tensors<'_>, config: &T5Config) -> Result<Self> {
        let layers = (0..config.decoder_layers()).map(|index| Layer::load(tensors, index));
        Ok(Self {
            embedding: tensors.table(super::config::SHARED)?,
            bias: tensors.vector("decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")?,
            layers: layers.collect::<Result<_>>()?,
            heads: config.heads(),
            epsilon: config.epsilon(),
        })
    }

    /// Starts with a source, whose encoder states are `memory` `[1, tokens, features]`.
    pub(super) fn start(&self, memory: &Tensor) -> Result<Looked> {
        let memory = memory.squeeze(0)?.to_dtype(DType::F32)?;
        let seen = |layer: &Layer| {
            let (key, value) = (layer.cross.key.forward(&memory)?, layer.cross.value.forward(&memory)?);
            Ok(Seen { target: None, source: (self.split(&key)?, self.split(&value)?) })
        };
        Ok(Looked { layers: self.layers.iter().map(seen).collect::<Result<_>>()? })
    }

    /// Takes the newest target token, and returns the weights of all source tokens, the mean over the heads.
    pub(super) fn step(&self, looked: &mut Looked, token: u32) -> Result<Vec<f32>> {
        let mut x = self.embedding.row(token)?;
        let mut weights = Vec::new();
        let last = self.layers.len() - 1;
        for (index, (layer, seen)) in self.layers.iter().zip(&mut looked.layers).enumerate() {
            let input = rms_norm(&x, &layer.attention_norm, self.epsilon)?;
            let mut key = self.split(&layer.attention.key.forward(&input)?)?;
            let mut value = self.split(&layer.attention.value.forward(&input)?)?;
            if let Some((keys, values)) = &seen.target {
                (key, value) = (Tensor::cat(&[keys, &key], 1)?, Tensor::cat(&[values, &value], 1)?);
            }
            let query = self.split(&layer.attention.query.forward(&input)?)?;
            let biased = (scores(&query, &key)? + self.distances(key.dim(1)?)?)?;
            let attended = self.merge(&softmax_last_dim(&biased)?.matmul(&value)?)?;
            seen.target = Some((key, value));
            x = (x + layer.attention.output.forward(&attended)?)?;

            let input = rms_norm(&x, &layer.cross_norm, self.epsilon)?;
            let query = self.split(&layer.cross.query.forward(&input)?)?;
            let (key, value) = &seen.source;
            let looks = softmax_last_dim(&scores(&query, key)?)?;
            if index == last {
                weights = looks.mean(0)?.flatten_all()?.to_vec1()?;
                break;
            }
            x = (x + layer.cross.output.forward(&self.merge(&looks.matmul(value)?)?)?)?;

            let input = rms_norm(&x, &layer.feed_forward_norm, self.epsilon)?;
            let gated = (layer.gate.forward(&input)?.gelu()? * layer.wide.forward(&input)?)?;
            x = (x + layer.narrow.forward(&gated)?)?;
        }
        Ok(weights)
    }

    /// What is added to the scores `[heads, 1, positions]` of the newest position for all up to it.
    fn distances(&self, positions: usize) -> Result<Tensor> {
        let mut distances: Vec<u32> = (0..).take(positions).collect();
        distances.reverse();
        let rows = Tensor::new(distances, self.bias.device())?;
        self.bias.index_select(&rows, 0)?.t()?.contiguous()?.unsqueeze(1)
    }

    /// `[positions, heads · features]` to `[heads, positions, features]`.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (positions, features) = x.dims2()?;
        x.reshape((positions, self.heads, features / self.heads))?.transpose(0, 1)?.contiguous()
    }

    /// The way back.
    fn merge(&self, x: &Tensor) -> Result<Tensor> {
        let (_, positions, features) = x.dims3()?;
        x.transpose(0, 1)?.reshape((positions, self.heads * features))
    }
}

/// The scores `[heads, queries, keys]`. T5 doesn't divide them by anything.
fn scores(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    query.matmul(&key.t()?)
}

impl Layer {
    fn load(tensors: &Tensors<'_>, index: usize) -> Result<Self> {
        let prefix = format!("decoder.block.{index}.layer");
        let norm = |number: usize| tensors.vector(&format!("{prefix}.{number}.layer_norm.weight"));
        let matrix = |name: &str| tensors.matrix(&format!("{prefix}.{name}.weight"));
        let attention = |name: &str| {
            let [query, key, value, output] =
                ["q", "k", "v", "o"].map(|part| matrix(&format!("{name}.{part}")));
            Ok::<_, candle_core::Error>(Attention {
                query: query?,
                key: key?,
                value: value?,
                output: output?,
            })
        };
        Ok(Self {
            attention_norm: norm(0)?,
            attention: attention("0.SelfAttention")?,
            cross_norm: norm(1)?,
            cross: attention("1.EncDecAttention")?,
            feed_forward_norm: norm(2)?,
            gate: matrix("2.DenseReluDense.wi_0")?,
            wide: matrix("2.DenseReluDense.wi_1")?,
            narrow: matrix("2.DenseReluDense.wo")?,
        })
    }
}

impl Matrix {
    /// `[positions, inputs]` to `[positions, outputs]`, in `f32`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Plain(weight) => x.to_dtype(weight.dtype())?.matmul(&weight.t()?)?.to_dtype(DType::F32),
            Self::Quantized(weight) => weight.forward(x),
        }
    }
}

impl Table {
    /// A token's embedding `[1, features]`, in `f32`.
    fn row(&self, token: u32) -> Result<Tensor> {
        let token = token as usize;
        match self {
            Self::Plain(table) => table.narrow(0, token, 1)?.to_dtype(DType::F32),
            Self::Quantized(table) => {
                let (_, features) = table.shape().dims2()?;
                let kind = table.dtype();
                let size = features / kind.block_size() * kind.type_size();
                let data = table.data()?;
                let Some(row) = data.get(token * size..(token + 1) * size) else {
                    candle_core::bail!("no embedding for the token {token}")
                };
                let device = table.device();
                let row = QStorage::from_data(row.into(), &device, kind)?;
                QTensor::new(row, (1, features))?.dequantize(&device)
            }
        }
    }
}

impl Tensors<'_> {
    fn matrix(&self, name: &str) -> Result<Matrix> {
        Ok(match self {
            Self::Plain(tensors) => Matrix::Plain(tensors.get_unchecked(name)?),
            Self::Quantized(tensors) => Matrix::Quantized(QMatMul::from_arc(tensors.get_no_shape(name)?)?),
        })
    }

    /// A small tensor, in `f32`.
    fn vector(&self, name: &str) -> Result<Tensor> {
        match self {
            Self::Plain(tensors) => tensors.get_unchecked(name)?.to_dtype(DType::F32),
            Self::Quantized(tensors) => tensors.get_no_shape(name)?.dequantize(tensors.device()),
        }
    }

    fn table(&self, name: &str) -> Result<Table> {
        Ok(match self {
            Self::Plain(tensors) => Table::Plain(tensors.get_unchecked(name)?),
            Self::Quantized(tensors) => Table::Quantized(tensors.get_no_shape(name)?),
        })
    }
}
