//! What the kernels reach on one core, beside what the core can do at most.
//!
//!     cargo bench --bench kernels
//!
//! An item is an addition or a multiplication. `peak` keeps the core's multipliers of 32-bit floating point busy from
//! registers alone; with VNNI there are four times as many for 8-bit integers.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use pulp::{Arch, Simd, WithSimd};
use tarjoman::nn::kernels::{
    Activation, BLOCK, KvBlock, PackedMatrix, QuantizedMatrix, QuantizedRows, add_layer_norm, attend, matmul,
    matmul_int8, softmax,
};
use tarjoman::nn::on_this_thread;

fn main() {
    on_this_thread(divan::main);
}

/// Rows, inputs and outputs of products in the built-in model and in Marian's base: in a step of one hypothesis and of a
/// batch, up to the output layer.
const SHAPES: [[usize; 3]; 10] = [
    [1, 256, 768],
    [1, 512, 2048],
    [16, 256, 768],
    [64, 256, 1024],
    [64, 512, 512],
    [64, 512, 2048],
    [64, 2048, 512],
    [64, 512, 8_000],
    [64, 512, 32_000],
    [64, 512, 64_000],
];

#[divan::bench]
fn peak(bencher: Bencher<'_, '_>) {
    const ROUNDS: usize = 100_000;
    let items = Arch::new().dispatch(Peak { rounds: 1 }) * ROUNDS;
    bencher
        .counter(ItemsCount::new(items))
        .bench(|| Arch::new().dispatch(Peak { rounds: black_box(ROUNDS) }));
}

#[divan::bench(args = SHAPES)]
fn product_f32(bencher: Bencher<'_, '_>, [rows, inputs, outputs]: [usize; 3]) {
    let (input, weight) =
        (numbers(rows * inputs), PackedMatrix::pack(&numbers(outputs * inputs), outputs, inputs));
    let mut output = vec![0.0; rows * outputs];
    bencher
        .counter(ItemsCount::new(2 * rows * inputs * outputs))
        .bench_local(|| matmul(&input, &weight, None, Activation::None, &mut output));
}

#[divan::bench(args = SHAPES)]
fn product_int8(bencher: Bencher<'_, '_>, [rows, inputs, outputs]: [usize; 3]) {
    let (input, weight) = (numbers(rows * inputs), numbers(outputs * inputs));
    let weight = QuantizedMatrix::quantize(outputs, inputs, |row, buffer| {
        buffer.copy_from_slice(&weight[row * inputs..(row + 1) * inputs]);
    });
    let (mut quantized, mut output) = (QuantizedRows::default(), vec![0.0; rows * outputs]);
    bencher.counter(ItemsCount::new(2 * rows * inputs * outputs)).bench_local(|| {
        let input = quantized.by_largest(&input, inputs);
        matmul_int8(input, &weight, None, Activation::None, &mut output);
    });
}

/// One query of 8 heads over so many positions of 256 or 512 features.
#[divan::bench(args = [[16, 256], [64, 256], [64, 512], [256, 512]])]
fn attention(bencher: Bencher<'_, '_>, [positions, features]: [usize; 2]) {
    let (query, data) = (numbers(features), numbers(2 * BLOCK * features));
    let (keys, values) = data.split_at(BLOCK * features);
    let blocks = vec![KvBlock { keys, values, positions: BLOCK }; positions / BLOCK];
    let (mut scores, mut output) = (Vec::new(), vec![0.0; features]);
    bencher
        .counter(ItemsCount::new(4 * positions * features))
        .bench_local(|| attend(&query, 8, &blocks, &mut scores, &mut output));
}

/// Here an item is a number.
#[divan::bench(args = [16, 64, 32_000])]
fn softmax_of(bencher: Bencher<'_, '_>, count: usize) {
    let scores = numbers(count);
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(|| scores.clone())
        .bench_local_refs(|scores| softmax(scores));
}

/// Here an item is a number.
#[divan::bench(args = [256, 512])]
fn residual_and_layer_norm(bencher: Bencher<'_, '_>, features: usize) {
    let (x, mut rows) = (numbers(64 * features), numbers(64 * features));
    let (weight, bias) = (numbers(features), numbers(features));
    bencher
        .counter(ItemsCount::new(64 * features))
        .bench_local(|| add_layer_norm(&x, &mut rows, &weight, &bias, 1e-5));
}

/// Sums that don't wait for each other: more than any core has multipliers in flight.
const CHAINS: usize = 16;

/// Multiplies and adds in registers, and returns the number of operations.
struct Peak {
    rounds: usize,
}

impl WithSimd for Peak {
    type Output = usize;

    #[inline]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let (x, y) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(0.25)));
        let mut sums = [y; CHAINS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, x, y);
            }
        }
        black_box(sums);
        2 * CHAINS * S::F32_LANES * self.rounds
    }
}

fn numbers(count: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| random.f32() * 2.0 - 1.0).take(count).collect()
}
