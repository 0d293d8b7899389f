//! Token ids and translations of a T5 model in MADLAD-400's layout equal those of SentencePiece and of Hugging Face
//! transformers in float32, as `tests/golden/t5.py` wrote them down.

#[path = "common/golden.rs"]
mod golden;

use std::collections::HashMap;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use futures::StreamExt;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tarjoman::decode::{Hypothesis, SearchOptions, generate, inspect};
use tarjoman::hub::ModelChoice;
use tarjoman::model::{Logits, Seq2Seq, T5, Weights};
use tarjoman::options::TranslateOptions;
use tarjoman::tokenizer::{T5Tokenizer, Tokenizer};
use tarjoman::translator::{LoadOptions, Translator};

use golden::{golden, read, root};

/// A difference in score below which two translations count as tied.
const TIE: f32 = 1e-4;
const FOLDER: &str = "tests/golden/tiny-t5";
/// `<2en>` and `<2de>` in the tiny model.
const LANGUAGES: [u32; 2] = [6, 5];

#[test]
fn source_ids_equal_those_of_the_reference() {
    let (sources, golden) = (sources(), read(&file("source")));
    assert_eq!(sources.len(), golden.lines().count());
    for (ids, expected) in sources.iter().zip(golden.lines()) {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        assert_eq!(ids.join(" "), expected);
    }
}

#[test]
fn text_spells_neither_languages_nor_marks() {
    let tokenizer = tokenizer();
    for text in ["<2de> سلام", "سلام <2en>", "</s>", "<s><unk></s>", "a<2de>b"] {
        let ids = tokenizer.encode_text(text);
        let (end, rest) = ids.split_last().unwrap();
        assert_eq!((*end, rest.iter().filter(|id| LANGUAGES.contains(id)).count()), (2, 1), "{text:?}");
        assert!(!rest.contains(&1) && !rest.contains(&2), "{text:?}");
        assert!(tokenizer.decode(&ids).contains(text.trim()), "{text:?}: nothing is lost");
    }
}

#[test]
fn decoded_text_equals_that_of_the_reference() {
    let tokenizer = tokenizer();
    for (golden, expected) in golden(&file("beam4")).iter().zip(read(&file("text")).lines()) {
        let expected: String = serde_json::from_str(expected).unwrap();
        assert_eq!(tokenizer.decode(&golden.ids), expected.trim());
    }
}

#[test]
fn translations_equal_those_of_the_reference() {
    compare(&model(), "greedy", 1, 1);
    compare(&model(), "beam4", 4, 4);
}

#[test]
fn a_gguf_file_of_the_same_numbers_gives_the_same_translations() {
    let sources = sources().into_iter().step_by(4).collect::<Vec<_>>();
    let options = options(1);
    let plain = generate(&model(), &sources, &options, 8).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for llama_names in [false, true] {
        let path = folder.path().join("model.gguf");
        write_gguf(&path, GgmlDType::F32, llama_names);
        let model = quantized(&path).unwrap();
        assert_eq!(model.precision(), "f32");
        let same = generate(&model, &sources, &options, 8).unwrap();
        let ids =
            |results: &[Vec<Hypothesis>]| results.iter().map(|best| best[0].ids.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&same), ids(&plain), "llama.cpp's names: {llama_names}");
    }
}

#[test]
fn it_looks_where_the_reference_says_it_does() {
    #[derive(serde::Deserialize)]
    struct Golden {
        log_probs: Vec<f32>,
        attention: Vec<Vec<f32>>,
    }

    let close = |ours: &[f32], theirs: &[f32]| {
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(theirs).for_each(|(x, y)| assert!((x - y).abs() < 1e-3, "{x} is not {y}"));
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_gguf(&path, GgmlDType::F32, true);
    for model in [model(), quantized(&path).unwrap()] {
        let expected = read(&file("alignment").replace(".txt", ".jsonl"));
        assert_eq!(expected.lines().count(), 4);
        for ((expected, source), best) in expected.lines().zip(sources()).zip(golden(&file("beam4"))) {
            let expected: Golden = serde_json::from_str(expected).unwrap();
            let inspection = inspect(&model, &source, &best.ids).unwrap();
            close(&inspection.log_probs, &expected.log_probs);
            assert_eq!(inspection.attention.len(), expected.attention.len());
            for (ours, theirs) in inspection.attention.iter().zip(&expected.attention) {
                close(ours, theirs);
            }
        }
    }
}

/// The model's weights are random, which makes attention so sharp that rounding moves the logits far; how far is what the
/// reference says.
#[test]
fn quantised_weights_are_off_by_what_rounding_explains() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_gguf(&path, GgmlDType::Q8_0, false);
    let (plain, rounded) = (model(), quantized(&path).unwrap());
    assert_eq!(rounded.precision(), "q8_0");
    let mut errors = Vec::new();
    for (source, golden) in sources().iter().zip(golden(&file("greedy"))).step_by(8) {
        let (exact, rounded) = (forced(&plain, source, &golden.ids), forced(&rounded, source, &golden.ids));
        errors.extend(exact.iter().zip(&rounded).map(|(exact, rounded)| {
            let difference: Vec<f32> = exact.iter().zip(rounded).map(|(x, y)| x - y).collect();
            norm(&difference) / norm(exact)
        }));
    }
    errors.sort_by(f32::total_cmp);
    let (median, expected): (f32, f32) =
        (errors[errors.len() / 2], read(&file("q8_0")).trim().parse().unwrap());
    println!("q8_0: {median} where {expected} is expected");
    assert!((median / expected - 1.0).abs() < 0.25, "{median}");
}

#[test]
fn a_gguf_file_that_is_cut_or_another_models_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_gguf(&path, GgmlDType::Q8_0, false);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 3, 100, 5000, whole.len() - 5000] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = quantized(&path).err().unwrap().to_string();
        assert!(error.contains("model.gguf"), "{error}");
    }
    for value in [Value::U8(0), Value::I16(0), Value::U32(0)] {
        let mut file = std::fs::File::create(&path).unwrap();
        gguf_file::write(&mut file, &[("general.alignment", &value)], &[]).unwrap();
        let error = quantized(&path).err().unwrap().to_string();
        assert!(error.contains("alignment"), "{error}");
    }
    let tensor =
        QTensor::quantize(&Tensor::zeros((4, 32), DType::F32, &Device::Cpu).unwrap(), GgmlDType::F32);
    let mut file = std::fs::File::create(&path).unwrap();
    gguf_file::write(&mut file, &[], &[("shared.weight", &tensor.unwrap())]).unwrap();
    let error = quantized(&path).err().unwrap().to_string();
    assert!(error.contains("model.gguf") && error.contains("shared.weight"), "{error}");
}

#[test]
fn no_damage_to_a_gguf_file_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_gguf(&path, GgmlDType::Q8_0, false);
    let whole = std::fs::read(&path).unwrap();
    let place = (0..6000usize, prop_oneof![any::<u8>(), Just(0), Just(0xFF)], 1..9usize);
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    runner
        .run(&prop::collection::vec(place, 1..4), |places| {
            let mut damaged = whole.clone();
            for (at, byte, count) in places {
                damaged[at..at + count].fill(byte);
            }
            std::fs::write(&path, damaged).unwrap();
            let _ = quantized(&path);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_sentence_is_translated_the_same_to_the_bit_alone_and_in_any_batch() {
    let (model, sources) = (model(), sources());
    let sources = &sources[..24];
    let alone = generate(&model, sources, &options(3), 1).unwrap();
    for batch in [5, 24] {
        assert_eq!(generate(&model, sources, &options(3), batch).unwrap(), alone, "batches of {batch}");
    }
}

#[tokio::test]
async fn a_folder_is_loaded_by_its_configuration() {
    let translator = open(&root().join(FOLDER)).unwrap();
    assert_eq!((&*translator.models()[0].family, &*translator.models()[0].precision), ("t5", "f32"));
    let options = TranslateOptions { max_tokens: 8, max_attempts: 1, ..TranslateOptions::default() };
    let lines = translator.translate_lines(vec!["سلام دنیا".into()], options, 1).unwrap();
    assert_eq!(lines.collect::<Vec<_>>().await.len(), 1);
}

#[test]
fn a_gguf_file_in_a_folder_is_taken_and_must_be_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "spiece.model"] {
        std::fs::copy(root().join(FOLDER).join(file), folder.path().join(file)).unwrap();
    }
    write_gguf(&folder.path().join("model-q8.gguf"), GgmlDType::Q8_0, false);
    assert_eq!(open(folder.path()).unwrap().models()[0].precision, "q8_0");
    std::fs::write(folder.path().join("model-q4.gguf"), "").unwrap();
    let error = open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("2 .gguf files"), "{error}");
}

#[test]
fn a_folder_that_lacks_something_is_refused_with_its_name() {
    for (name, content, expected) in [
        ("spiece.model", None, "spiece.model"),
        ("model.safetensors", None, "model.safetensors"),
        ("model.safetensors", Some("none"), "model.safetensors"),
        ("card.json", Some(r#"{"target_language": "xx"}"#), "<2xx>"),
        ("config.json", Some(r#"{"model_type": "t5"}"#), "vocab_size"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in ["config.json", "model.safetensors", "spiece.model"] {
            std::fs::copy(root().join(FOLDER).join(file), folder.path().join(file)).unwrap();
        }
        let path = folder.path().join(name);
        match content {
            Some(content) => std::fs::write(path, content).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let error = open(folder.path()).err().expect(name).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Compares every `every`th line. One that differs must be tied with the reference's within [`TIE`]. Scores are compared where they
/// mean the same: in greedy search the reference leaves the forbidden `<pad>` out of the sum of probabilities.
fn compare(model: &T5, kind: &str, beam_size: usize, every: usize) {
    let golden: Vec<_> = golden(&file(kind)).into_iter().step_by(every).collect();
    let sources: Vec<_> = sources().into_iter().step_by(every).collect();
    let results = generate(model, &sources, &options(beam_size), 16).unwrap();
    assert_eq!(results.len(), golden.len());
    let differ: Vec<_> = results
        .iter()
        .zip(&golden)
        .filter(|(ours, expected)| ours[0].ids != expected.ids)
        .map(|(ours, expected)| (score(&ours[0], beam_size), expected.score))
        .collect();
    println!("{kind}: {} lines, {differ:?} differ", golden.len());
    assert!(differ.len() * 100 <= golden.len(), "more than one line in a hundred differs: {differ:?}");
    assert!(differ.iter().all(|(ours, theirs)| (ours - theirs).abs() < TIE), "not tied: {differ:?}");
    if beam_size > 1 {
        let scores = results.iter().zip(&golden).map(|(ours, golden)| ours[0].score - golden.score);
        assert!(scores.map(f32::abs).fold(0.0, f32::max) < 1e-3);
    }
}

/// The logits of every step, with the target's tokens given.
fn forced(model: &T5, source: &[u32], target: &[u32]) -> Vec<Vec<f32>> {
    let (mut state, mut logits) = (model.encode(&[source]).unwrap(), Logits::default());
    let step = |&token: &u32| {
        model.step(&mut state, &[token], &mut logits).unwrap();
        logits.row(0).values.to_vec()
    };
    [model.spec().start].iter().chain(target).map(step).collect()
}

fn norm(values: &[f32]) -> f32 {
    values.iter().map(|x| x * x).sum::<f32>().sqrt()
}

/// The score as the reference writes it: a greedy one isn't divided by its length.
fn score(hypothesis: &Hypothesis, beam_size: usize) -> f32 {
    if beam_size == 1 { hypothesis.log_prob } else { hypothesis.score }
}

fn options(beam_size: usize) -> SearchOptions {
    SearchOptions { beam_size, max_tokens: 47, allow_unknown: true, ..SearchOptions::default() }
}

fn model() -> T5 {
    let folder = root().join(FOLDER);
    let config = folder.join("config.json");
    let weights = Weights::open(&folder.join("model.safetensors"), &Device::Cpu).unwrap();
    T5::new(&std::fs::read(&config).unwrap(), &config, &weights, Some(0)).unwrap()
}

fn quantized(weights: &Path) -> tarjoman::Result<T5> {
    let path = root().join(FOLDER).join("config.json");
    T5::quantized(&std::fs::read(&path).unwrap(), &path, weights, Some(0), &Device::Cpu)
}

/// Writes the tiny model's weights as a GGUF file, matrices in the given type.
fn write_gguf(path: &Path, kind: GgmlDType, llama_names: bool) {
    let weights = candle_core::safetensors::load(root().join(FOLDER).join("model.safetensors"), &Device::Cpu);
    let names = read(&file("names"));
    let names: HashMap<&str, &str> = names.lines().filter_map(|line| line.split_once(' ')).collect();
    let rename = |name: String| {
        let name = if name.contains("embed_tokens") { "shared.weight" } else { &name };
        if llama_names { names[name] } else { name }.to_owned()
    };
    let quantize = |(name, tensor): (String, Tensor)| {
        let is_matrix = !name.contains("norm") && !name.contains("relative");
        (rename(name), QTensor::quantize(&tensor, if is_matrix { kind } else { GgmlDType::F32 }).unwrap())
    };
    let tensors: Vec<_> = weights.unwrap().into_iter().map(quantize).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &[], &tensors).unwrap();
}

fn tokenizer() -> T5Tokenizer {
    T5Tokenizer::open(&root().join(FOLDER), "en").unwrap()
}

fn open(folder: &Path) -> tarjoman::Result<Translator> {
    Translator::open(&ModelChoice::Folder(folder.to_owned()), &LoadOptions::default())
}

fn sources() -> Vec<Vec<u32>> {
    let tokenizer = tokenizer();
    let lines = read("tests/data/flores-dev.fa");
    let count = read(&file("source")).lines().count();
    lines.lines().take(count).map(|line| tokenizer.encode_text(line)).collect()
}

/// Where the script put what it wrote down.
fn file(kind: &str) -> String {
    format!("tests/golden/tiny-t5.{kind}.txt")
}
