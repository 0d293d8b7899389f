//! What a decoding step of the built-in model takes, in time and in memory allocations, by the rows of its batch and the
//! length of their source.
//!
//!     cargo bench --bench decode
//!
//! An item is a token.

use std::path::Path;

use candle_core::Device;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use tarjoman::model::{Logits, Seq2Seq, Transformer, Weights};
use tarjoman::nn::{Precision, on_this_thread};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    on_this_thread(divan::main);
}

fn model(precision: Precision) -> Transformer {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fa-en-mini");
    let weights = Weights::of_folder(&folder, &Device::Cpu).expect("the model's weights");
    let config = std::fs::read(folder.join("config.json")).expect("the model's configuration");
    let weights = weights.with_precision(precision);
    Transformer::marian(&config, &folder.join("config.json"), &weights, None).expect("a Marian model")
}

/// Source token ids that stand for a sentence.
fn source(tokens: usize) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut ids: Vec<u32> = std::iter::repeat_with(|| random.u32(10..4000)).take(tokens).collect();
    ids.push(0);
    ids
}

/// The steps of one batch after another: position 1, 2, 3 and so on, each a sample.
#[divan::bench(args = [[1, 30], [16, 30], [64, 30], [16, 100]], sample_count = 100, sample_size = 1)]
fn step(bencher: Bencher<'_, '_>, [rows, length]: [usize; 2]) {
    let model = model(Precision::Int8);
    let source = source(length);
    let mut state = model.encode(&vec![&source[..]; rows]).expect("states of the encoder");
    let mut logits = Logits::default();
    let tokens = vec![model.spec().start; rows];
    bencher
        .counter(ItemsCount::new(rows))
        .bench_local(|| model.step(&mut state, &tokens, &mut logits).expect("a step"));
}

/// The encoder over a batch of sentences of so many tokens.
#[divan::bench(args = [[1, 30], [16, 30], [16, 100]])]
fn encode(bencher: Bencher<'_, '_>, [sentences, length]: [usize; 2]) {
    let model = model(Precision::Int8);
    let source = source(length);
    let sources = vec![&source[..]; sentences];
    bencher
        .counter(ItemsCount::new(sentences * source.len()))
        .bench_local(|| model.encode(&sources).expect("states of the encoder"));
}
