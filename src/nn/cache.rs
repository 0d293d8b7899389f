//! What a decoder remembers of a sentence.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::kernels::KvRun;

/// Positions in one block of a [`KvCache`].
const BLOCK: usize = 16;

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
            block.keys_mut(layer, features)[offset * features..(offset + 1) * features].copy_from_slice(key);
            block.values_mut(layer, features)[offset * features..(offset + 1) * features]
                .copy_from_slice(value);
        }
    }

    /// Counts the position that was written in every layer.
    pub fn advance(&mut self) {
        self.length += 1;
    }

    /// The first `positions` keys and values of a layer, appended to `runs`.
    pub fn runs<'a>(&'a self, layer: usize, positions: usize, runs: &mut Vec<KvRun<'a>>) {
        for (index, block) in self.blocks.iter().enumerate() {
            let filled = positions.saturating_sub(index * BLOCK).min(BLOCK) * self.features;
            if filled > 0 {
                let (keys, values) = block.layer(layer, self.features);
                runs.push(KvRun { keys: &keys[..filled], values: &values[..filled] });
            }
        }
    }
}

/// A source sentence as the decoder sees it: the keys and values of its encoder states, projected once for every
/// layer of the decoder and shared by all its hypotheses.
pub struct Memory {
    /// For each layer, `[tokens, 2 · features]` in two parts: all keys, then all values.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Memory {
    /// Splits each layer's projection `[tokens, 2 · features]` (keys beside values) into the memories of sentences
    /// with so many tokens each, which lie one behind the other.
    pub fn split(projections: &[Tensor], lengths: &[usize]) -> Result<Vec<Self>> {
        let mut memories: Vec<Self> = lengths.iter().map(|_| Self { layers: Vec::new() }).collect();
        for projection in projections {
            let features = projection.dim(1)? / 2;
            let rows = super::linear::to_vec(projection)?;
            let mut rows = rows.chunks_exact(2 * features);
            for (memory, &length) in memories.iter_mut().zip(lengths) {
                let mut keys = Vec::with_capacity(length * features);
                let mut values = Vec::with_capacity(length * features);
                for row in rows.by_ref().take(length) {
                    keys.extend_from_slice(&row[..features]);
                    values.extend_from_slice(&row[features..]);
                }
                memory.layers.push((keys, values));
            }
        }
        Ok(memories)
    }

    /// A layer's keys and values.
    pub fn run(&self, layer: usize) -> KvRun<'_> {
        let (keys, values) = &self.layers[layer];
        KvRun { keys, values }
    }
}

/// [`BLOCK`] positions: for each layer the keys `[BLOCK, features]`, then the values.
#[derive(Clone)]
struct Block {
    data: Vec<f32>,
}

impl Block {
    fn layer(&self, layer: usize, features: usize) -> (&[f32], &[f32]) {
        let size = BLOCK * features;
        self.data[layer * 2 * size..(layer + 1) * 2 * size].split_at(size)
    }

    fn keys_mut(&mut self, layer: usize, features: usize) -> &mut [f32] {
        let size = BLOCK * features;
        &mut self.data[layer * 2 * size..][..size]
    }

    fn values_mut(&mut self, layer: usize, features: usize) -> &mut [f32] {
        let size = BLOCK * features;
        &mut self.data[(layer * 2 + 1) * size..][..size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(cache: &KvCache, layer: usize) -> Vec<f32> {
        let mut runs = Vec::new();
        cache.runs(layer, cache.len(), &mut runs);
        runs.iter().flat_map(|run| run.keys.to_vec()).collect()
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
