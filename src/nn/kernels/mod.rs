//! CPU kernels, each beside its plain reference.
//!
//! Every kernel computes a row on its own and in a fixed order, whatever rows lie beside it and however many
//! threads share the work: a sentence gets the same numbers alone and in any batch.

#![expect(
    clippy::inline_always,
    reason = "a kernel's parts must be compiled for the instruction set of its caller"
)]

mod activation;
mod attention;
mod gemm;
mod int8;
mod norm;
mod shared;
mod softmax;

pub use activation::Activation;
pub use attention::{BLOCK, KvBlock, attend, attend_reference};
pub use gemm::{PackedMatrix, matmul, matmul_reference};
pub use int8::{
    QuantizedMatrix, QuantizedRows, RowScale, largest_magnitude, matmul_int8, matmul_int8_reference,
};
pub use norm::{add, add_layer_norm, add_layer_norm_reference, layer_norm, layer_norm_reference};
pub use softmax::{log_sum_exp, log_sum_exp_reference, softmax, softmax_reference};

#[cfg(test)]
pub(crate) mod testing {
    /// The distance between two numbers relative to the larger scale of the two and of `scale`.
    pub(crate) fn relative_error(actual: f32, expected: f32, scale: f32) -> f32 {
        (actual - expected).abs() / expected.abs().max(scale)
    }

    /// Reproducible numbers in [-1, 1).
    pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            // xorshift64 (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            #[expect(clippy::cast_precision_loss)]
            let unit = (state >> 40) as f32 / (1u64 << 24) as f32;
            unit * 2.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }
}
