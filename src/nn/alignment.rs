//! Where a decoder looks.

use super::cache::Memory;
use super::kernels::{BLOCK, KvBlock, softmax};

/// The weights of the cross-attention of each hypothesis, the mean over the first `averaged` of the heads: for each row
/// of `queries` `[hypotheses, features]` one for every token of its source. Written plainly, as it runs for finished
/// translations only.
pub fn attention_weights(
    queries: &[f32],
    heads: usize,
    averaged: usize,
    layer: usize,
    memories: &[&Memory],
) -> Vec<Vec<f32>> {
    let features = queries.len() / memories.len().max(1);
    let weights = |(query, memory): (&[f32], &&Memory)| {
        let mut blocks = Vec::new();
        memory.layer(layer).blocks(&mut blocks);
        mean_weights(&query[..averaged * features / heads], averaged, &blocks)
    };
    queries.chunks_exact(features.max(1)).zip(memories).map(weights).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a head's width and the number of heads are far below 2²⁴")]
fn mean_weights(query: &[f32], heads: usize, blocks: &[KvBlock<'_>]) -> Vec<f32> {
    let width = query.len() / heads;
    let positions = || blocks.iter().flat_map(|block| (0..block.positions).map(move |at| (block, at)));
    let mut mean = vec![0.0; positions().count()];
    for head in (0..heads).map(|head| head * width..(head + 1) * width) {
        let score = |(block, at): (&KvBlock<'_>, usize)| {
            let products = head.clone().map(|feature| query[feature] * block.keys[feature * BLOCK + at]);
            products.sum::<f32>() / (width as f32).sqrt()
        };
        let mut weights: Vec<f32> = positions().map(score).collect();
        softmax(&mut weights);
        for (mean, weight) in mean.iter_mut().zip(weights) {
            *mean += weight / heads as f32;
        }
    }
    mean
}
