//! Multi-head attention over rows of sentences of different lengths.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::cache::{KvBlocks, KvCache, Memory};
use super::kernels::{KvBlock, attend, contiguous};
use super::threads::is_shared;

/// Numbers touched below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 17;

/// Attention of every position of each sentence to all positions of the same sentence.
///
/// `qkv` `[tokens, 3 · features]` has query, key and value side by side, sentences of the given lengths one behind
/// the other; the result is `[tokens, features]`.
pub fn self_attention(qkv: &Tensor, heads: usize, lengths: &[usize]) -> Result<Tensor> {
    qkv.apply_op1_no_bwd(&SelfAttention { heads, lengths })
}

/// Attention of each hypothesis' newest position to itself and all before it, which `caches` hold.
///
/// `qkv` `[hypotheses, 3 · features]`; the newest key and value are written into the caches' layer first. The result
/// is `[hypotheses, features]`.
pub fn cached_attention(
    qkv: &Tensor,
    heads: usize,
    layer: usize,
    caches: &mut [&mut KvCache],
) -> Result<Tensor> {
    let (storage, layout) = qkv.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else { candle_core::bail!("caches lie on the CPU") };
    let rows = contiguous(storage, layout, "cached attention")?;
    let features = qkv.dim(1)? / 3;
    for (row, cache) in rows.chunks_exact(3 * features).zip(caches.iter_mut()) {
        cache.write(layer, &row[features..2 * features], &row[2 * features..]);
    }
    let blocks = |row: usize, blocks: &mut Vec<_>| {
        let cache: &KvCache = &*caches[row];
        cache.blocks(layer, cache.len() + 1, blocks);
    };
    let work = caches.iter().map(|cache| cache.len() + 1).sum::<usize>() * features;
    let output = attend_rows(rows, 3 * features, features, heads, work, blocks);
    Tensor::from_vec(output, (caches.len(), features), qkv.device())
}

/// Attention of each hypothesis to its source sentence.
///
/// `query` is `[hypotheses, features]`, as is the result.
pub fn cross_attention(query: &Tensor, heads: usize, layer: usize, memories: &[&Memory]) -> Result<Tensor> {
    query.apply_op1_no_bwd(&CrossAttention { heads, layer, memories })
}

struct SelfAttention<'a> {
    heads: usize,
    lengths: &'a [usize],
}

impl CustomOp1 for SelfAttention<'_> {
    fn name(&self) -> &'static str {
        "self-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, width) = layout.shape().dims2()?;
        let features = width / 3;
        let rows = contiguous(storage, layout, self.name())?;
        let mut rest = rows;
        let mut sentences = Vec::with_capacity(self.lengths.len());
        let mut sentence_of = Vec::with_capacity(tokens);
        for (sentence, &length) in self.lengths.iter().enumerate() {
            let Some((own, others)) = rest.split_at_checked(length * width) else {
                candle_core::bail!("sentences of more than {tokens} tokens");
            };
            rest = others;
            let positions = own.chunks_exact(width).map(|row| row[features..].split_at(features));
            sentences.push(KvBlocks::new(features, positions));
            sentence_of.resize(sentence_of.len() + length, sentence);
        }
        if !rest.is_empty() {
            candle_core::bail!("sentences of {} tokens in all for {tokens} rows", sentence_of.len());
        }
        let blocks = |row: usize, blocks: &mut Vec<_>| sentences[sentence_of[row]].blocks(blocks);
        let work = self.lengths.iter().map(|length| length * length * features).sum();
        let output = attend_rows(rows, width, features, self.heads, work, blocks);
        Ok((CpuStorage::F32(output), Shape::from((tokens, features))))
    }
}

struct CrossAttention<'a> {
    heads: usize,
    layer: usize,
    memories: &'a [&'a Memory],
}

impl CustomOp1 for CrossAttention<'_> {
    fn name(&self) -> &'static str {
        "cross-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, features) = layout.shape().dims2()?;
        let queries = contiguous(storage, layout, self.name())?;
        let work = self.memories.iter().map(|memory| memory.layer(self.layer).size()).sum();
        let blocks = |row: usize, blocks: &mut Vec<_>| self.memories[row].layer(self.layer).blocks(blocks);
        let output = attend_rows(queries, features, features, self.heads, work, blocks);
        Ok((CpuStorage::F32(output), Shape::from((rows, features))))
    }
}

/// Attends with the first `features` numbers of every row of `width` numbers, over the blocks that `blocks` names.
fn attend_rows<'a>(
    rows: &[f32],
    width: usize,
    features: usize,
    heads: usize,
    work: usize,
    blocks: impl Fn(usize, &mut Vec<KvBlock<'a>>) + Sync,
) -> Vec<f32> {
    let mut output = vec![0.0; rows.len() / width * features];
    let attend_row = |(index, output): (usize, &mut [f32]), (scores, memory): &mut (Vec<_>, Vec<_>)| {
        memory.clear();
        blocks(index, memory);
        attend(&rows[index * width..index * width + features], heads, memory, scores, output);
    };
    if is_shared(work, PARALLEL_FROM) {
        let rows = output.par_chunks_exact_mut(features).enumerate().with_min_len(4);
        rows.for_each_init(Default::default, |buffers, row| attend_row(row, buffers));
    } else {
        let mut buffers = (Vec::new(), Vec::new());
        output.chunks_exact_mut(features).enumerate().for_each(|row| attend_row(row, &mut buffers));
    }
    output
}
