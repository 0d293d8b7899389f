//! Token ids, translations and scores of M2M100, NLLB and SMaLL-100 models equal those of Hugging Face transformers in
//! float32, as `tests/golden/m2m100.py` wrote them down.

#[path = "common/golden.rs"]
mod golden;

use candle_core::{DType, Device};
use tarjoman::decode::{SearchOptions, generate, inspect};
use tarjoman::model::{Transformer, Weights};
use tarjoman::tokenizer::{LanguagePair, M2m100Tokenizer, NllbTokenizer, Tokenizer};

use golden::{Golden, golden, read, root};

/// A difference in log-probability below which rounding chooses: in float32 the reference itself strays from what it
/// computes in float64 by up to 8e-4 where lines differ.
const TIE: f32 = 1e-3;

/// As the reference, start token included.
const MAX_LENGTH: usize = 24;

const MODELS: [Reference; 3] = [M2M100, SMALL100, NLLB];

#[test]
fn source_ids_equal_those_of_the_reference_on_every_line_and_on_odd_unicode() {
    let odd: Vec<String> = serde_json::from_str(&read("tests/data/odd.json")).unwrap();
    let lines = read("tests/data/flores-dev.fa");
    for (model, lines_of_golden) in [(M2M100, 997), (SMALL100, 100), (NLLB, 997)] {
        let (tokenizer, _) = tokenizer(model);
        let golden = read(&format!("{}.source.txt", model.golden));
        let texts = lines.lines().take(lines_of_golden).chain(odd.iter().map(String::as_str));
        assert_eq!(golden.lines().count(), texts.clone().count());
        for (text, expected) in texts.zip(golden.lines()) {
            assert_eq!(spell(&tokenizer.encode_text(text)), expected, "{text:?}");
        }
    }
}

#[test]
fn ids_and_decoded_text_equal_those_of_the_reference_on_odd_and_random_text() {
    let texts = read("tests/golden/tiny-marian.tokens.jsonl");
    for model in [M2M100, NLLB] {
        let (tokenizer, _) = tokenizer(model);
        let golden = read(&format!("{}.tokens.jsonl", model.golden));
        assert_eq!(golden.lines().count(), texts.lines().count());
        for (text, golden) in texts.lines().zip(golden.lines()) {
            let (text, ..): (String, Vec<u32>, Vec<u32>, String) = serde_json::from_str(text).unwrap();
            let (ids, decoded): (Vec<u32>, String) = serde_json::from_str(golden).unwrap();
            assert_eq!(tokenizer.encode_text(&text), ids, "{text:?}");
            assert_eq!(tokenizer.decode(&ids), decoded.trim(), "{text:?}");
        }
    }
}

#[test]
fn every_id_comes_from_a_place_in_the_text_and_in_its_order() {
    for model in [M2M100, NLLB] {
        let (tokenizer, _) = tokenizer(model);
        for text in read("tests/data/flores-dev.fa").lines() {
            let spans = tokenizer.source_spans(text);
            assert_eq!(spans.len(), tokenizer.encode_text(text).len(), "{text}");
            assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start), "{text}");
            let pieces: String = spans.iter().map(|span| span.of(text)).collect();
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            assert_eq!(letters(&pieces), letters(text));
        }
    }
}

#[test]
fn decoded_text_equals_that_of_the_reference() {
    for model in MODELS {
        let (tokenizer, _) = tokenizer(model);
        let expected = read(&format!("{}.text.txt", model.golden));
        for (golden, expected) in answers(model, "beam4").iter().zip(expected.lines()) {
            // The rows of the embedding that no piece has: only a random model writes them, and the reference shows
            // them as `<unk>`.
            if !expected.contains("<unk>") {
                assert_eq!(tokenizer.decode(&golden.ids), expected.trim());
            }
        }
    }
}

#[test]
fn greedy_translations_equal_those_of_the_reference() {
    for model in MODELS {
        compare(model, 1);
    }
}

#[test]
fn beam_translations_equal_those_of_the_reference() {
    for model in MODELS {
        compare(model, 4);
    }
}

#[test]
fn a_sentence_is_translated_the_same_to_the_bit_alone_and_in_any_batch() {
    let (model, sources) = load(NLLB);
    let sources: Vec<_> = sources.into_iter().take(60).collect();
    let alone = generate(&model, &sources, &options(3), 1).unwrap();
    for batch in [2, 7, 60] {
        assert_eq!(generate(&model, &sources, &options(3), batch).unwrap(), alone, "batches of {batch}");
    }
}

#[test]
fn weights_give_the_same_answers_in_every_type_and_format() {
    let golden = answers(M2M100, "greedy");
    let (_, sources) = load(M2M100);
    let folder = root().join(M2M100.folder);
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let converted = tempfile::tempdir().unwrap();
    let of_type = |dtype: DType| {
        let path = converted.path().join(format!("{dtype:?}.safetensors"));
        let tensors = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_dtype(dtype).unwrap()));
        candle_core::safetensors::save(&tensors.collect(), &path).unwrap();
        path
    };
    let files = [DType::F32, DType::F16, DType::BF16].map(of_type);
    for path in files.into_iter().chain([folder.join("pytorch_model.bin")]) {
        let model = model(M2M100, &Weights::open(&path, &Device::Cpu).unwrap());
        let results = generate(&model, &sources[..50], &options(1), 32).unwrap();
        for (hypotheses, expected) in results.iter().zip(&golden) {
            assert_eq!(hypotheses[0].ids, expected.ids, "{}", path.display());
        }
    }
}

#[derive(Clone, Copy)]
struct Reference {
    folder: &'static str,
    golden: &'static str,
    languages: [&'static str; 2],
    is_small100: bool,
}

/// Weights in half precision.
const M2M100: Reference = Reference {
    folder: "tests/golden/tiny-m2m100",
    golden: "tests/golden/tiny-m2m100",
    languages: ["fa", "en"],
    is_small100: false,
};
const SMALL100: Reference = Reference { golden: "tests/golden/tiny-small100", is_small100: true, ..M2M100 };
/// Weights in bfloat16, in several files.
const NLLB: Reference = Reference {
    folder: "tests/golden/tiny-nllb",
    golden: "tests/golden/tiny-nllb",
    languages: ["pes_Arab", "eng_Latn"],
    is_small100: false,
};

/// Compares every line that the reference has. One that differs must be tied with the reference's within [`TIE`]: by
/// its score, or where it is greedy, and all that follows depends on one choice, by the tokens of that choice.
fn compare(reference: Reference, beam_size: usize) {
    let (model, sources) = load(reference);
    let golden = answers(reference, if beam_size == 1 { "greedy" } else { "beam4" });
    let sources = &sources[..golden.len()];
    let results = generate(&model, sources, &options(beam_size), 32).unwrap();
    let mut differ = Vec::new();
    for (line, (hypotheses, expected)) in results.iter().zip(&golden).enumerate() {
        let best = &hypotheses[0];
        if best.ids != expected.ids {
            let (ours, theirs) = if beam_size == 1 {
                first_choice_that_differs(&model, &sources[line], &best.ids, &expected.ids)
            } else {
                (best.score, expected.score)
            };
            differ.push((line, ours, theirs));
        }
    }
    println!("{}: beam {beam_size}: {} lines, {differ:?} differ", reference.golden, golden.len());
    assert!(differ.len() * 100 <= golden.len(), "more than one line in a hundred differs: {differ:?}");
    assert!(differ.iter().all(|(_, ours, theirs)| (ours - theirs).abs() < TIE), "not tied: {differ:?}");
}

/// The log-probabilities of the first tokens that differ.
fn first_choice_that_differs(
    model: &Transformer,
    source: &[u32],
    ours: &[u32],
    theirs: &[u32],
) -> (f32, f32) {
    let at = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs).unwrap();
    let log_prob = |target: &[u32]| inspect(model, source, target).unwrap().log_probs[at];
    (log_prob(ours), log_prob(theirs))
}

fn options(beam_size: usize) -> SearchOptions {
    // The reference counts the start token, and doesn't forbid `<unk>`.
    SearchOptions { beam_size, max_tokens: MAX_LENGTH - 1, allow_unknown: true, ..SearchOptions::default() }
}

fn load(reference: Reference) -> (Transformer, Vec<Vec<u32>>) {
    let weights = Weights::of_folder(&root().join(reference.folder), &Device::Cpu).unwrap();
    let (tokenizer, _) = tokenizer(reference);
    let lines = read("tests/data/flores-dev.fa");
    let sources = lines.lines().map(|line| tokenizer.encode_text(line)).collect();
    (model(reference, &weights), sources)
}

fn model(reference: Reference, weights: &Weights) -> Transformer {
    let config = root().join(reference.folder).join("config.json");
    let model = Transformer::m2m100(&std::fs::read(&config).unwrap(), &config, weights, None).unwrap();
    model.with_forced_first(tokenizer(reference).1)
}

/// A model's tokenizer, and the token that its targets start with.
fn tokenizer(reference: Reference) -> (Box<dyn Tokenizer>, Option<u32>) {
    let folder = root().join(reference.folder);
    let [source, target] = reference.languages.map(str::to_owned);
    let languages = LanguagePair { source, target };
    if reference.folder == NLLB.folder {
        let tokenizer = NllbTokenizer::open(&folder, &languages).unwrap();
        let forced = tokenizer.forced_first();
        return (Box::new(tokenizer), Some(forced));
    }
    let tokenizer = M2m100Tokenizer::open(&folder, &languages, reference.is_small100).unwrap();
    let forced = tokenizer.forced_first();
    (Box::new(tokenizer), forced)
}

fn answers(reference: Reference, kind: &str) -> Vec<Golden> {
    golden(&format!("{}.{kind}.txt", reference.golden))
}

fn spell(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}
