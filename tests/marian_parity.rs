//! Token ids, translations and scores equal those of Hugging Face transformers in float32, as
//! `tests/golden/marian.py` wrote them down.

#[path = "common/golden.rs"]
mod golden;

use candle_core::Device;
use tarjoman::decode::{Hypothesis, SearchOptions, generate};
use tarjoman::model::{Transformer, Weights};
use tarjoman::tokenizer::{MarianTokenizer, Tokenizer};

use golden::{Golden, golden, read, root};

/// A difference in score below which two translations count as tied.
const TIE: f32 = 1e-4;

#[test]
fn source_ids_equal_those_of_the_reference_on_every_line_and_on_odd_unicode() {
    for model in [MINI, TINY, SPLIT] {
        let tokenizer = MarianTokenizer::open(&root().join(model.folder)).unwrap();
        let odd: Vec<String> = serde_json::from_str(&read("tests/data/odd.json")).unwrap();
        let golden = read(&format!("{}.source.txt", model.golden));
        let lines = read("tests/data/flores-dev.fa");
        let texts: Vec<&str> = lines.lines().chain(odd.iter().map(String::as_str)).collect();
        assert_eq!(golden.lines().count(), texts.len());
        for (text, expected) in texts.into_iter().zip(golden.lines()) {
            assert_eq!(spell(&tokenizer.encode(text)), expected, "{text:?}");
        }
    }
}

#[test]
fn decoded_text_equals_that_of_the_reference() {
    for model in [MINI, TINY, SPLIT] {
        let tokenizer = MarianTokenizer::open(&root().join(model.folder)).unwrap();
        let expected = read(&format!("{}.text.txt", model.golden));
        for (golden, expected) in answers(model, "beam4").iter().zip(expected.lines()) {
            assert_eq!(tokenizer.decode(&golden.ids), expected.trim());
        }
    }
}

#[test]
fn greedy_translations_equal_those_of_the_reference() {
    compare(MINI, 1, 16, 1);
    compare(MINI, 1, 1, 8);
    compare(TINY, 1, 16, 1);
    compare(TINY, 1, 1, 8);
    compare(SPLIT, 1, 16, 1);
}

#[test]
fn beam_translations_equal_those_of_the_reference() {
    compare(MINI, 4, 16, 1);
    compare(MINI, 4, 1, 16);
    compare(TINY, 4, 16, 1);
    compare(TINY, 4, 1, 16);
    compare(SPLIT, 4, 16, 1);
}

#[test]
fn a_sentence_is_translated_the_same_to_the_bit_alone_and_in_any_batch() {
    let (model, sources) = load(MINI);
    let sources: Vec<_> = sources.into_iter().take(60).collect();
    let options = options(MINI, 3);
    let alone = generate(&model, &sources, &options, 1).unwrap();
    for batch in [2, 7, 60] {
        assert_eq!(generate(&model, &sources, &options, batch).unwrap(), alone, "batches of {batch}");
    }
}

#[derive(Clone, Copy)]
struct Reference {
    folder: &'static str,
    golden: &'static str,
    max_length: usize,
}

const MINI: Reference =
    Reference { folder: "models/fa-en-mini", golden: "tests/golden/fa-en-mini", max_length: 256 };
const TINY: Reference =
    Reference { folder: "tests/golden/tiny-marian", golden: "tests/golden/tiny-marian", max_length: 48 };
/// Nothing shared between the sides, an output layer of its own with a bias, gelu.
const SPLIT: Reference =
    Reference { folder: "tests/golden/split-marian", golden: "tests/golden/split-marian", max_length: 32 };

/// Compares every `every`th line. A line that differs must be tied with the reference's within [`TIE`].
fn compare(reference: Reference, beam_size: usize, batch: usize, every: usize) {
    let (model, sources) = load(reference);
    let golden = answers(reference, if beam_size == 1 { "greedy" } else { "beam4" });
    assert_eq!(sources.len(), golden.len());
    let chosen: Vec<usize> = (0..sources.len()).step_by(every).collect();
    let chosen_sources: Vec<_> = chosen.iter().map(|&line| sources[line].clone()).collect();
    let results = generate(&model, &chosen_sources, &options(reference, beam_size), batch).unwrap();
    let mut differ = Vec::new();
    for (&line, hypotheses) in chosen.iter().zip(&results) {
        let (best, expected) = (&hypotheses[0], &golden[line]);
        if best.ids != expected.ids {
            differ.push((line, score(best, beam_size), expected.score));
        }
    }
    println!(
        "{}: beam {beam_size}, batch {batch}: {} lines, {differ:?} differ",
        reference.folder,
        chosen.len()
    );
    assert!(differ.len() * 100 <= chosen.len(), "more than one line in a hundred differs: {differ:?}");
    assert!(differ.iter().all(|(_, ours, theirs)| (ours - theirs).abs() < TIE), "not tied: {differ:?}");
}

/// The score as the reference writes it: a greedy one isn't divided by its length.
fn score(hypothesis: &Hypothesis, beam_size: usize) -> f32 {
    if beam_size == 1 { hypothesis.log_prob } else { hypothesis.score }
}

fn options(reference: Reference, beam_size: usize) -> SearchOptions {
    // The reference counts the start token, and doesn't forbid `<unk>`.
    SearchOptions {
        beam_size,
        max_tokens: reference.max_length - 1,
        allow_unknown: true,
        ..SearchOptions::default()
    }
}

fn load(reference: Reference) -> (Transformer, Vec<Vec<u32>>) {
    let folder = root().join(reference.folder);
    let config = folder.join("config.json");
    let weights = Weights::open(&folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let model = Transformer::marian(&std::fs::read(&config).unwrap(), &config, &weights, None).unwrap();
    let tokenizer = MarianTokenizer::open(&folder).unwrap();
    let sources = read("tests/data/flores-dev.fa").lines().map(|line| tokenizer.encode(line)).collect();
    (model, sources)
}

fn answers(reference: Reference, kind: &str) -> Vec<Golden> {
    golden(&format!("{}.{kind}.txt", reference.golden))
}

fn spell(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}
