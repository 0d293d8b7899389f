//! Layers. Each runs in our own kernels over plain rows (`run`), where rows of all sentences lie one behind the other
//! (`[tokens, features]`), so that there is no padding anywhere and a row's result never depends on its neighbours; or,
//! loaded with [`Precision::Tensors`], in candle's operations on tensors (`forward`).

mod alignment;
mod attention;
mod cache;
mod embedding;
mod intgemm;
pub mod kernels;
mod linear;
mod norm;
mod threads;

pub use alignment::attention_weights;
pub use attention::{cached_attention, cross_attention, self_attention};
pub use cache::{KvCache, Memory};
pub use embedding::{Embedding, SinusoidalPositions};
pub use intgemm::{IntgemmLinear, IntgemmMatrix};
pub use linear::{Linear, OutputProjection, Precision, WeightRows};
pub use norm::LayerNorm;
pub use threads::on_this_thread;
