//! What a decoder remembers of a sentence.

use std::sync::Arc;

use super::kernels::{BLOCK, KvBlock};

/// The keys and values of the target so far, for every layer of a decoder. It grows in blocks that the hypotheses
/// of a beam share: cloning one copies no numbers, and appending copies at most the block that is being filled.
#[derive(Clone)]
pub struct KvCache {
    blocks: Vec<Arc<Block>>,
    layers: usize,
    features: usize,
    length: usize,
}

impl KvCache {
    /// An empty cache of a decoder with so many layers and features.
    pub fn new(layers: usize, features: usize) -> Self {
        Self { blocks: Vec::new(), layers, features, length: 0 }
    }

    /// Number of positions that are complete in every layer.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was decoded yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Writes the next position's key and value, each `[features]`, in one layer. The position counts once
    /// [`Self::advance`] is called.
    pub fn write(&mut self, layer: usize, key: &[f32], value: &[f32]) {
        let offset = self.length % BLOCK;
        if self.length / BLOCK == self.blocks.len() {
            self.blocks.push(Arc::new(Block { data: vec![0.0; self.layers * 2 * BLOCK * self.features] }));
        }
        let features = self.features;
        if let Some(block) = self.blocks.last_mut() {
            let block = Arc::make_mut(block);
            let size = 2 * BLOCK * features;
            write(&mut block.data[layer * size..][..size], offset, key, value);
        }
    }

    /// Counts the position that was written in every layer.
    pub fn advance(&mut self) {
        self.length += 1;
    }

    /// The first `positions` keys and values of a layer, appended to `blocks`.
    pub fn blocks<'a>(&'a self, layer: usize, positions: usize, blocks: &mut Vec<KvBlock<'a>>) {
        let size = 2 * BLOCK * self.features;
        for (index, block) in self.blocks.iter().enumerate() {
            let positions = positions.saturating_sub(index * BLOCK).min(BLOCK);
            if positions > 0 {
                let (keys, values) = block.data[layer * size..][..size].split_at(size / 2);
                blocks.push(KvBlock { keys, values, positions });
            }
        }
    }
}

/// [`BLOCK`] positions: for each layer the keys `[features, BLOCK]`, then the values `[BLOCK, features]`.
#[derive(Clone)]
struct Block {
    data: Vec<f32>,
}

/// Writes one position into a layer's part of a block.
fn write(layer: &mut [f32], offset: usize, key: &[f32], value: &[f32]) {
    let features = key.len();
    let (keys, values) = layer.split_at_mut(BLOCK * features);
    for (to, &from) in keys[offset..].iter_mut().step_by(BLOCK).zip(key) {
        *to = from;
    }
    values[offset * features..][..features].copy_from_slice(value);
}

/// The keys and values of a sentence's positions, complete from the start.
pub(super) struct KvBlocks {
    /// Blocks one behind the other, each the keys `[features, BLOCK]`, then the values `[BLOCK, features]`.
    data: Vec<f32>,
    features: usize,
    positions: usize,
}

impl KvBlocks {
    /// Takes the positions' keys and values, each `[features]`.
    pub(super) fn new<'a>(
        features: usize,
        positions: impl ExactSizeIterator<Item = (&'a [f32], &'a [f32])>,
    ) -> Self {
        let count = positions.len();
        let size = 2 * BLOCK * features;
        let mut data = vec![0.0; count.div_ceil(BLOCK) * size];
        for (position, (key, value)) in positions.enumerate() {
            write(&mut data[position / BLOCK * size..][..size], position % BLOCK, key, value);
        }
        Self { data, features, positions: count }
    }

    /// Appends the blocks to `blocks`.
    pub(super) fn blocks<'a>(&'a self, blocks: &mut Vec<KvBlock<'a>>) {
        let size = 2 * BLOCK * self.features;
        for (index, block) in self.data.chunks_exact(size).enumerate() {
            let (keys, values) = block.split_at(size / 2);
            blocks.push(KvBlock { keys, values, positions: (self.positions - index * BLOCK).min(BLOCK) });
        }
    }

    /// Numbers that attention to all of it touches.
    pub(super) fn size(&self) -> usize {
        self.data.len()
    }
}

/// A source sentence as the decoder sees it: the keys and values of its encoder states, projected once for every
/// layer of the decoder and shared by all its hypotheses.
pub struct Memory {
    layers: Vec<KvBlocks>,
}

impl Memory {
    /// Memories of as many sentences, of nothing so far.
    pub fn of_sentences(sentences: usize) -> Vec<Self> {
        std::iter::repeat_with(|| Self { layers: Vec::new() }).take(sentences).collect()
    }

    /// Splits the next layer's projection `[tokens, 2 · features]`, keys beside values, among the memories of
    /// sentences with so many tokens each, which lie one behind the other.
    ///
    /// # Panics
    /// When the lengths don't add up to the tokens.
    pub fn push_layer(memories: &mut [Self], projection: &[f32], features: usize, lengths: &[usize]) {
        let mut rest = projection;
        for (memory, &length) in memories.iter_mut().zip(lengths) {
            let own;
            (own, rest) = rest.split_at(length * 2 * features);
            let positions = own.chunks_exact(2 * features).map(|row| row.split_at(features));
            memory.layers.push(KvBlocks::new(features, positions));
        }
        assert!(rest.is_empty(), "the sentences' lengths");
    }

    /// A layer's keys and values.
    pub(super) fn layer(&self, layer: usize) -> &KvBlocks {
        &self.layers[layer]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(cache: &KvCache, layer: usize) -> Vec<f32> {
        let mut blocks = Vec::new();
        cache.blocks(layer, cache.len(), &mut blocks);
        let key = |block: &KvBlock<'_>, at: usize| [block.keys[at], block.keys[BLOCK + at]];
        blocks.iter().flat_map(|block| (0..block.positions).flat_map(move |at| key(block, at))).collect()
    }

    #[test]
    fn a_fork_leaves_its_origin_alone() {
        #[expect(clippy::cast_precision_loss)]
        let row = |x: usize| [x as f32, 0.5];
        let mut origin = KvCache::new(2, 2);
        let mut forks = Vec::new();
        for position in 0..40 {
            forks.push(origin.clone());
            for layer in 0..2 {
                origin.write(layer, &row(position + layer), &row(position));
            }
            origin.advance();
        }
        for (length, mut fork) in forks.into_iter().enumerate() {
            fork.write(1, &[-1.0, -1.0], &[-1.0, -1.0]);
            fork.advance();
            let mut expected: Vec<f32> = (0..length).flat_map(|position| row(position + 1)).collect();
            expected.extend([-1.0, -1.0]);
            assert_eq!(keys(&fork, 1), expected);
        }
        assert_eq!(keys(&origin, 0), (0..40).flat_map(row).collect::<Vec<_>>());
    }
}
