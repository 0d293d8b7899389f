//! Translations with candle's own operations, which are what GPUs run, equal those of Hugging Face transformers. In a
//! build with the feature `cuda` on a machine with a GPU they are computed there.

#[path = "common/golden.rs"]
mod golden;

use std::path::Path;

use candle_core::{DType, Device};
use futures::TryStreamExt;
use tarjoman::decode::{SearchOptions, generate, inspect};
use tarjoman::engine::EngineConfig;
use tarjoman::hub::ModelChoice;
use tarjoman::model::{PaddedTransformer, Transformer, Weights};
use tarjoman::nn::Precision;
use tarjoman::options::TranslateOptions;
use tarjoman::translator::{LoadOptions, PrecisionChoice, Translator};

use golden::{Golden, golden, ids, read, root};

/// A difference in log-probability below which rounding chooses.
const TIE: f32 = 1e-3;
/// Every so many lines are translated.
const EVERY: usize = 12;

#[derive(Clone, Copy)]
struct Reference {
    folder: &'static str,
    /// Where the source ids and the reference's answers are, without their endings.
    golden: &'static str,
    build: fn(&[u8], &Path, &Weights, Option<u32>) -> tarjoman::Result<Transformer>,
    forced_first: bool,
    max_tokens: usize,
}

const REFERENCES: [Reference; 4] = [
    Reference {
        folder: "models/fa-en-mini",
        golden: "tests/golden/fa-en-mini",
        build: Transformer::marian,
        forced_first: false,
        max_tokens: 255,
    },
    Reference {
        folder: "tests/golden/tiny-marian",
        golden: "tests/golden/tiny-marian",
        build: Transformer::marian,
        forced_first: false,
        max_tokens: 47,
    },
    Reference {
        folder: "tests/golden/tiny-m2m100",
        golden: "tests/golden/tiny-m2m100",
        build: Transformer::m2m100,
        forced_first: true,
        max_tokens: 23,
    },
    Reference {
        folder: "tests/golden/tiny-nllb",
        golden: "tests/golden/tiny-nllb",
        build: Transformer::m2m100,
        forced_first: true,
        max_tokens: 23,
    },
];

#[test]
fn translations_equal_those_of_the_reference() {
    for reference in REFERENCES {
        for beam_size in [1, 4] {
            compare(reference, beam_size);
        }
    }
}

#[test]
fn sixteen_bits_give_nearly_the_same_probabilities() {
    // The others' random weights magnify every rounding.
    for reference in REFERENCES.into_iter().filter(|reference| !reference.forced_first) {
        let exact = model(reference, DType::F32);
        for kind in [DType::F16, DType::BF16] {
            let rounded = model(reference, kind);
            for (source, Golden { ids: target, .. }) in
                lines(reference, "greedy").into_iter().step_by(20 * EVERY)
            {
                let exact = inspect(&exact, &source, &target).unwrap();
                let rounded = inspect(&rounded, &source, &target).unwrap();
                for (exact, rounded) in exact.log_probs.iter().zip(&rounded.log_probs) {
                    let error = (exact - rounded).abs() / exact.abs().max(1.0);
                    assert!(error < 0.08, "{kind:?} {}: {exact} {rounded}", reference.folder);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_translator_uses_them_where_it_is_asked_to() {
    let options = LoadOptions::new(EngineConfig::default(), "auto", PrecisionChoice::F16).unwrap();
    let translator = Translator::open(&ModelChoice::BuiltIn, &options).unwrap();
    assert_eq!(translator.models()[0].precision, "f16");
    let lines = vec!["ایران و بلاروس همکاری می‌کنند.".to_owned(), "سلام".to_owned()];
    let options = TranslateOptions { alignment: true, ..TranslateOptions::default() };
    let translated: Vec<_> =
        translator.translate_lines(lines, options, 2).unwrap().try_collect().await.unwrap();
    assert!(translated[0].text.contains("Belarus"), "{}", translated[0].text);
    assert!(!translated[0].alignment.is_empty());
}

/// Compares lines with what the reference says of them. One that differs must be tied with the reference's within
/// [`TIE`].
fn compare(reference: Reference, beam_size: usize) {
    let model = model(reference, DType::F32);
    let lines = lines(reference, if beam_size == 1 { "greedy" } else { "beam4" });
    let lines: Vec<_> = lines.into_iter().step_by(EVERY).collect();
    let sources: Vec<_> = lines.iter().map(|(source, _)| source.clone()).collect();
    let options = SearchOptions {
        beam_size,
        max_tokens: reference.max_tokens,
        allow_unknown: true,
        ..SearchOptions::default()
    };
    // Fewer at once than there are, so that sentences join others that are under way.
    let results = generate(&model, &sources, &options, 7).unwrap();
    let mut differ = Vec::new();
    for (hypotheses, (source, Golden { score, ids: expected })) in results.iter().zip(&lines) {
        let best = &hypotheses[0];
        if best.ids == *expected {
            continue;
        }
        differ.push(if beam_size == 1 {
            let at = best.ids.iter().zip(expected).position(|(ours, theirs)| ours != theirs).unwrap();
            let log_prob = |target: &[u32]| inspect(&model, source, target).unwrap().log_probs[at];
            log_prob(&best.ids) - log_prob(expected)
        } else {
            best.score - score
        });
    }
    println!("{}: beam {beam_size}: {} lines, {differ:?} differ", reference.golden, lines.len());
    assert!(differ.len() * 50 <= lines.len(), "more than one line in fifty differs: {differ:?}");
    assert!(differ.iter().all(|difference| difference.abs() < TIE), "not tied: {differ:?}");
}

fn model(reference: Reference, kind: DType) -> PaddedTransformer {
    let folder = root().join(reference.folder);
    let config = folder.join("config.json");
    let device = Device::cuda_if_available(0).unwrap();
    let precision = Precision::Tensors(kind);
    let weights = Weights::of_folder(&folder, &device).unwrap().with_precision(precision);
    let model = (reference.build)(&std::fs::read(&config).unwrap(), &config, &weights, None).unwrap();
    let forced = lines(reference, "greedy")[0].1.ids[0];
    let model = model.with_forced_first(reference.forced_first.then_some(forced));
    PaddedTransformer::new(model, precision, &device).unwrap()
}

/// The source ids of each line, and the reference's answer.
fn lines(reference: Reference, kind: &str) -> Vec<(Vec<u32>, Golden)> {
    let file = |kind: &str| format!("{}.{kind}.txt", reference.golden);
    read(&file("source")).lines().map(ids).zip(golden(&file(kind))).collect()
}
