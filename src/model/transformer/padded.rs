//! A transformer in candle's own operations, for any device and floating-point type: sentences are padded to one length,
//! and what is padding is masked.

use candle_core::{D, DType, Device, Result as CandleResult, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::Transformer;
use crate::model::{DecoderState, Logits, ModelSpec, Seq2Seq};
use crate::nn::{Embedding, Precision};
use crate::{Error, Result};

/// A Marian or an M2M100 model whose weights were loaded with [`Precision::Tensors`].
pub struct PaddedTransformer {
    model: Transformer,
    kind: DType,
    device: Device,
}

/// The hypotheses that are being decoded.
#[derive(Default)]
pub struct PaddedState {
    layers: Vec<LayerState>,
    /// `[rows, 1, 1, source positions]`: 0 where there is a source token, negative infinity elsewhere.
    source_mask: Option<Tensor>,
    sources: Vec<usize>,
    /// Target tokens of each row so far. Its keys and values are the last so many in [`LayerState::cache`].
    targets: Vec<usize>,
}

/// Keys and values of one decoder layer, each `[rows, heads, positions, width]`.
struct LayerState {
    memory: Pair,
    cache: Option<Pair>,
}

struct Pair {
    keys: Tensor,
    values: Tensor,
}

impl PaddedTransformer {
    /// The model on the device of its weights.
    ///
    /// # Errors
    /// [`Error::Inference`] when the weights were loaded for our own kernels.
    pub fn new(model: Transformer, precision: Precision, device: &Device) -> Result<Self> {
        let Precision::Tensors(kind) = precision else {
            return Err(Error::Inference(format!("{} is for our own kernels", precision.name())));
        };
        Ok(Self { model, kind, device: device.clone() })
    }

    /// See [`Transformer::check_vocabulary`].
    ///
    /// # Errors
    /// Which of the sizes differ, in words.
    pub fn check_vocabulary(&self, source: usize, target: usize) -> Result<(), String> {
        self.model.check_vocabulary(source, target)
    }

    /// Attention of `queries` `[rows, heads, positions, width]` to keys and values, with what `mask` adds to the
    /// scores; `[rows · positions, features]`.
    fn attend(&self, queries: &Tensor, to: &Pair, mask: &Tensor) -> CandleResult<(Tensor, Tensor)> {
        let (rows, heads, positions, width) = queries.dims4()?;
        #[expect(clippy::cast_precision_loss, reason = "a head's width is far below 2⁵²")]
        let scale = (width as f64).sqrt().recip();
        let scores = queries.matmul(&to.keys.t()?)?.to_dtype(DType::F32)?;
        let weights = softmax_last_dim(&scores.affine(scale, 0.0)?.broadcast_add(mask)?.contiguous()?)?;
        let attended = weights.to_dtype(self.kind)?.matmul(&to.values)?;
        let attended = attended.transpose(1, 2)?.contiguous()?.reshape((rows * positions, heads * width))?;
        Ok((attended, weights))
    }

    /// `[rows, 1, 1, length]`: 0 in the places that `counts` says of a row, negative infinity elsewhere.
    fn mask(
        &self,
        length: usize,
        rows: &[usize],
        counts: impl Fn(usize, usize) -> bool,
    ) -> CandleResult<Tensor> {
        let value = |row: &usize, at| if counts(*row, at) { 0f32 } else { f32::NEG_INFINITY };
        let values: Vec<f32> =
            rows.iter().flat_map(|row| (0..length).map(move |at| value(row, at))).collect();
        Tensor::from_vec(values, (rows.len(), 1, 1, length), &self.device)
    }

    /// `[tokens, features]`.
    fn embed(&self, table: &Embedding, ids: &[u32], positions: &[u32]) -> CandleResult<Tensor> {
        (table.forward(ids)? + self.model.positions.rows(positions, &self.device)?)?.to_dtype(self.kind)
    }

    /// Takes a step; the weights `[rows, heads, 1, source positions]` of the last layer's cross-attention.
    fn advance(
        &self,
        state: &mut PaddedState,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Option<Tensor>> {
        state.check(tokens)?;
        let rows = state.rows();
        let logits = logits.start_full(rows, self.model.spec.vocabulary);
        let Some(source_mask) = state.source_mask.clone().filter(|_| rows > 0) else { return Ok(None) };
        #[expect(clippy::cast_possible_truncation, reason = "a target has at most 2²⁰ tokens")]
        let positions: Vec<u32> = state.targets.iter().map(|&target| target as u32).collect();
        let model = &self.model;
        let embedded = self.embed(&model.target_embedding, tokens, &positions)?;
        let mut x = model.decoder_entry.forward(embedded)?;
        state.targets.iter_mut().for_each(|target| *target += 1);
        let length = state.targets.iter().copied().max().unwrap_or(0);
        let mask = self.mask(length, &state.targets, |target, at| at + target >= length)?;
        let mut looks = None;
        for (layer, kept) in model.decoder.iter().zip(&mut state.layers) {
            let [queries, keys, values] = split(&layer.qkv.forward(&x.input)?, rows, model.decoder_heads)?;
            let newest = Pair { keys, values };
            let cache = match kept.cache.take() {
                None => newest,
                Some(cache) => cache.followed_by(&newest)?,
            };
            let (attended, _) = self.attend(&queries, &cache, &mask)?;
            kept.cache = Some(cache);
            x = layer.attention_norm.forward(&x, &layer.attention_output.forward(&attended)?)?;
            let [queries] = split(&layer.cross_query.forward(&x.input)?, rows, model.decoder_heads)?;
            let (attended, weights) = self.attend(&queries, &kept.memory, &source_mask)?;
            looks = Some(weights);
            x = layer.cross_norm.forward(&x, &layer.cross_output.forward(&attended)?)?;
            x = layer.feed_forward.forward(&x)?;
        }
        model.output.forward(&x.input, logits)?;
        Ok(looks)
    }
}

impl Seq2Seq for PaddedTransformer {
    type State = PaddedState;

    fn spec(&self) -> &ModelSpec {
        &self.model.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<PaddedState> {
        if sources.is_empty() {
            return Ok(PaddedState::default());
        }
        let model = &self.model;
        let rows = sources.len();
        let lengths: Vec<usize> = sources.iter().map(|source| source.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let padded = |source: &&[u32]| {
            let mut source = source.to_vec();
            source.resize(longest, model.spec.pad);
            source
        };
        let ids: Vec<u32> = sources.iter().flat_map(padded).collect();
        let positions: Vec<u32> = sources.iter().flat_map(|_| (0..).take(longest)).collect();
        let mask = self.mask(longest, &lengths, |length, at| at < length)?;
        let embedded = self.embed(&model.source_embedding, &ids, &positions)?;
        let mut x = model.encoder_entry.forward(embedded)?;
        for layer in &model.encoder {
            let [queries, keys, values] = split(&layer.qkv.forward(&x.input)?, rows, model.encoder_heads)?;
            let (attended, _) = self.attend(&queries, &Pair { keys, values }, &mask)?;
            x = layer.attention_norm.forward(&x, &layer.attention_output.forward(&attended)?)?;
            x = layer.feed_forward.forward(&x)?;
        }
        let memory = |layer: &super::layers::DecoderLayer| -> CandleResult<LayerState> {
            let [keys, values] = split(&layer.memory.forward(&x.input)?, rows, model.decoder_heads)?;
            Ok(LayerState { memory: Pair { keys, values }, cache: None })
        };
        let layers: CandleResult<Vec<_>> = model.decoder.iter().map(memory).collect();
        Ok(PaddedState { layers: layers?, source_mask: Some(mask), sources: lengths, targets: vec![0; rows] })
    }

    fn step(&self, state: &mut PaddedState, tokens: &[u32], logits: &mut Logits) -> Result<()> {
        self.advance(state, tokens, logits).map(|_| ())
    }

    fn step_attending(
        &self,
        state: &mut PaddedState,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Vec<Vec<f32>>> {
        let Some(weights) = self.advance(state, tokens, logits)? else { return Ok(Vec::new()) };
        let mean: Vec<Vec<f32>> = weights.mean(1)?.squeeze(1)?.to_vec2()?;
        let own = mean.into_iter().zip(&state.sources).map(|(mut weights, &source)| {
            weights.truncate(source);
            weights
        });
        Ok(own.collect())
    }
}

impl DecoderState for PaddedState {
    fn rows(&self) -> usize {
        self.targets.len()
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.sources = rows.iter().map(|&row| self.sources[row]).collect();
        self.targets = rows.iter().map(|&row| self.targets[row]).collect();
        let Some(mask) = self.source_mask.take().filter(|_| !rows.is_empty()) else {
            *self = Self::default();
            return Ok(());
        };
        let index: CandleResult<Vec<u32>> = rows
            .iter()
            .map(|&row| u32::try_from(row).map_err(|_| candle_core::Error::Msg("too many rows".into())))
            .collect();
        let index = Tensor::new(index?, mask.device())?;
        let source = self.sources.iter().copied().max().unwrap_or(0);
        let target = self.targets.iter().copied().max().unwrap_or(0);
        self.source_mask = Some(mask.index_select(&index, 0)?.narrow(D::Minus1, 0, source)?.contiguous()?);
        for layer in &mut self.layers {
            layer.memory =
                layer.memory.map(|x| x.index_select(&index, 0)?.narrow(2, 0, source)?.contiguous())?;
            if let Some(cache) = layer.cache.take().filter(|_| target > 0) {
                let cut = |x: &Tensor| {
                    x.index_select(&index, 0)?.narrow(2, x.dim(2)? - target, target)?.contiguous()
                };
                layer.cache = Some(cache.map(cut)?);
            }
        }
        Ok(())
    }

    fn append(&mut self, other: Self) -> Result<()> {
        let (Some(mask), Some(other_mask)) = (&self.source_mask, &other.source_mask) else {
            if self.source_mask.is_none() {
                *self = other;
            }
            return Ok(());
        };
        let source = mask.dim(D::Minus1)?.max(other_mask.dim(D::Minus1)?);
        let masked = |mask: &Tensor| -> CandleResult<Tensor> {
            let (rows, missing) = (mask.dim(0)?, source - mask.dim(D::Minus1)?);
            let padding = Tensor::full(f32::NEG_INFINITY, (rows, 1, 1, missing), mask.device())?;
            Tensor::cat(&[mask, &padding], D::Minus1)
        };
        self.source_mask = Some(Tensor::cat(&[masked(mask)?, masked(other_mask)?], 0)?);
        let target = self.targets.iter().chain(&other.targets).copied().max().unwrap_or(0);
        for (layer, new) in self.layers.iter_mut().zip(other.layers) {
            // Sources are padded behind, targets in front.
            let behind = |x: &Tensor| x.pad_with_zeros(2, 0, source - x.dim(2)?);
            let before = |x: &Tensor| x.pad_with_zeros(2, target - x.dim(2)?, 0);
            let cache = |cache: Option<Pair>, memory: &Pair| match cache {
                Some(cache) => cache.map(before),
                None => memory.map(|x| {
                    let (rows, heads, _, width) = x.dims4()?;
                    Tensor::zeros((rows, heads, target, width), x.dtype(), x.device())
                }),
            };
            if target > 0 {
                let kept = cache(layer.cache.take(), &layer.memory)?;
                layer.cache = Some(kept.above(&cache(new.cache, &new.memory)?)?);
            }
            layer.memory = layer.memory.map(behind)?.above(&new.memory.map(behind)?)?;
        }
        self.sources.extend(other.sources);
        self.targets.extend(other.targets);
        Ok(())
    }
}

impl Pair {
    fn map(&self, change: impl Fn(&Tensor) -> CandleResult<Tensor>) -> CandleResult<Self> {
        Ok(Self { keys: change(&self.keys)?, values: change(&self.values)? })
    }

    /// The positions of both, those of `next` behind.
    fn followed_by(&self, next: &Self) -> CandleResult<Self> {
        self.with(next, 2)
    }

    /// The rows of both, those of `other` below.
    fn above(&self, other: &Self) -> CandleResult<Self> {
        self.with(other, 0)
    }

    fn with(&self, other: &Self, dimension: usize) -> CandleResult<Self> {
        Ok(Self {
            keys: Tensor::cat(&[&self.keys, &other.keys], dimension)?,
            values: Tensor::cat(&[&self.values, &other.values], dimension)?,
        })
    }
}

/// Splits `[rows · positions, count · features]` into so many tensors `[rows, heads, positions, width]`.
fn split<const N: usize>(x: &Tensor, rows: usize, heads: usize) -> CandleResult<[Tensor; N]> {
    let (all, width) = x.dims2()?;
    let shape = (rows, all / rows, N, heads, width / N / heads);
    let x = x.reshape(shape)?.permute((2, 0, 3, 1, 4))?;
    let mut parts = Vec::with_capacity(N);
    for index in 0..N {
        parts.push(x.get(index)?.contiguous()?);
    }
    parts.try_into().map_err(|_| candle_core::Error::Msg("as many parts as there are".into()))
}
