//! Multi-head attention over rows of sentences of different lengths.

use rayon::prelude::*;

use super::cache::{KvBlocks, KvCache, Memory};
use super::kernels::{KvBlock, attend};
use super::threads::is_shared;

/// Numbers touched below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 17;

/// Attention of every position of each sentence to all positions of the same sentence.
///
/// `qkv` `[tokens, 3 · features]` has query, key and value side by side, sentences of the given lengths one behind
/// the other; `output` becomes `[tokens, features]`.
///
/// # Panics
/// When the lengths don't add up to the tokens.
pub fn self_attention(qkv: &[f32], features: usize, heads: usize, lengths: &[usize], output: &mut Vec<f32>) {
    let width = 3 * features;
    assert_eq!(qkv.len(), lengths.iter().sum::<usize>() * width, "the sentences' lengths");
    let mut rest = qkv;
    let mut sentences = Vec::with_capacity(lengths.len());
    let mut sentence_of = Vec::with_capacity(qkv.len() / width);
    for (sentence, &length) in lengths.iter().enumerate() {
        let (own, others) = rest.split_at(length * width);
        rest = others;
        let positions = own.chunks_exact(width).map(|row| row[features..].split_at(features));
        sentences.push(KvBlocks::new(features, positions));
        sentence_of.resize(sentence_of.len() + length, sentence);
    }
    let blocks = |row: usize, blocks: &mut Vec<_>| sentences[sentence_of[row]].blocks(blocks);
    let work = lengths.iter().map(|length| length * length * features).sum();
    attend_rows(qkv, Queries { width, features, heads, work }, blocks, output);
}

/// Attention of each hypothesis' newest position to itself and all before it, which `caches` hold.
///
/// `qkv` `[hypotheses, 3 · features]`; the newest key and value are written into the caches' layer first. `output`
/// becomes `[hypotheses, features]`.
pub fn cached_attention(
    qkv: &[f32],
    heads: usize,
    layer: usize,
    caches: &mut [&mut KvCache],
    output: &mut Vec<f32>,
) {
    let width = qkv.len() / caches.len().max(1);
    let features = width / 3;
    for (row, cache) in qkv.chunks_exact(width.max(1)).zip(caches.iter_mut()) {
        cache.write(layer, &row[features..2 * features], &row[2 * features..]);
    }
    let blocks = |row: usize, blocks: &mut Vec<_>| {
        let cache: &KvCache = &*caches[row];
        cache.blocks(layer, cache.len() + 1, blocks);
    };
    let work = caches.iter().map(|cache| cache.len() + 1).sum::<usize>() * features;
    attend_rows(qkv, Queries { width, features, heads, work }, blocks, output);
}

/// Attention of each hypothesis to its source sentence.
///
/// `query` is `[hypotheses, features]`, which `output` becomes, too.
pub fn cross_attention(
    query: &[f32],
    heads: usize,
    layer: usize,
    memories: &[&Memory],
    output: &mut Vec<f32>,
) {
    let features = query.len() / memories.len().max(1);
    let work = memories.iter().map(|memory| memory.layer(layer).size()).sum();
    let blocks = |row: usize, blocks: &mut Vec<_>| memories[row].layer(layer).blocks(blocks);
    attend_rows(query, Queries { width: features, features, heads, work }, blocks, output);
}

/// How queries lie in their rows.
#[derive(Clone, Copy)]
struct Queries {
    /// Numbers of a row, of which the first `features` are the query.
    width: usize,
    features: usize,
    heads: usize,
    /// Numbers that attention to all of them touches.
    work: usize,
}

/// Attends with the query of every row over the blocks that `blocks` names.
fn attend_rows<'a>(
    rows: &[f32],
    queries: Queries,
    blocks: impl Fn(usize, &mut Vec<KvBlock<'a>>) + Sync,
    output: &mut Vec<f32>,
) {
    let Queries { width, features, heads, work } = queries;
    output.resize(rows.len() / width.max(1) * features, 0.0);
    let attend_row = |(index, output): (usize, &mut [f32]), (scores, memory): &mut (Vec<_>, Vec<_>)| {
        memory.clear();
        blocks(index, memory);
        attend(&rows[index * width..index * width + features], heads, memory, scores, output);
    };
    let features = features.max(1);
    if is_shared(work, PARALLEL_FROM) {
        let rows = output.par_chunks_exact_mut(features).enumerate().with_min_len(4);
        rows.for_each_init(Default::default, |buffers, row| attend_row(row, buffers));
    } else {
        let mut buffers = (Vec::new(), Vec::new());
        output.chunks_exact_mut(features).enumerate().for_each(|row| attend_row(row, &mut buffers));
    }
}
