//! Tokens equal those of Hugging Face transformers, as `tests/golden/tokens.py` wrote them down; damaged
//! files are refused. The source ids of the FLORES lines are compared in `marian_parity.rs`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tarjoman::Error;
use tarjoman::tokenizer::{MarianFiles, MarianTokenizer, SentencePieceModel, Tokenizer};

/// The models' folders with the prefixes of their golden files.
const MODELS: [(&str, &str); 2] = [
    ("models/fa-en-mini", "tests/golden/fa-en-mini"),
    ("tests/golden/tiny-marian", "tests/golden/tiny-marian"),
];

#[test]
fn target_ids_equal_those_of_the_reference_on_every_line() {
    let lines = read("tests/data/flores-dev.en");
    for (folder, golden) in MODELS {
        let tokenizer = open(folder);
        let golden = read(&format!("{golden}.target.txt"));
        assert_eq!(golden.lines().count(), lines.lines().count());
        for (line, expected) in lines.lines().zip(golden.lines()) {
            let ids: Vec<String> = tokenizer.encode_target(line).iter().map(u32::to_string).collect();
            assert_eq!(ids.join(" "), expected, "{line:?}");
        }
    }
}

#[test]
fn ids_and_decoded_text_equal_those_of_the_reference_on_odd_and_random_text() {
    for (folder, golden) in MODELS {
        let tokenizer = open(folder);
        for row in read(&format!("{golden}.tokens.jsonl")).lines() {
            let (text, source, target, decoded): (String, Vec<u32>, Vec<u32>, String) =
                serde_json::from_str(row).unwrap();
            assert_eq!(tokenizer.encode(&text), source, "{text:?}");
            assert_eq!(tokenizer.encode_target(&text), target, "{text:?}");
            assert_eq!(tokenizer.decode(&target), decoded, "{text:?}");
        }
    }
}

#[test]
fn the_time_for_a_long_word_grows_with_its_length_only() {
    let tokenizer = open(MODELS[0].0);
    for text in ["ا".repeat(200_000), "x\u{301}".repeat(100_000), "</s>".repeat(50_000), ">>".repeat(100_000)]
    {
        let start = Instant::now();
        assert!(tokenizer.encode(&text).len() > 50_000);
        // An unoptimised build takes well under a second; quadratic time would be minutes.
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["source.spm", "vocab.json"] {
        let error = MarianTokenizer::open(folder.path()).err().unwrap();
        assert!(matches!(&error, Error::ModelFile { path, .. } if path.ends_with(name)), "{error}");
        std::fs::copy(root().join(MODELS[1].0).join(name), folder.path().join(name)).unwrap();
    }
    MarianTokenizer::open(folder.path()).unwrap();
}

#[test]
fn a_truncated_model_is_refused() {
    let bytes = std::fs::read(root().join(MODELS[1].0).join("source.spm")).unwrap();
    SentencePieceModel::parse(&bytes).unwrap();
    // Where a cut falls between two fields, what is left may still be a model of fewer pieces.
    let refused =
        (0..bytes.len()).step_by(997).filter(|end| SentencePieceModel::parse(&bytes[..*end]).is_err());
    assert!(refused.count() > bytes.len() / 997 * 8 / 10);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_the_files_makes_it_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let folder = root().join(MODELS[1].0);
        let mut source = std::fs::read(folder.join("source.spm")).unwrap();
        let mut vocabulary = std::fs::read(folder.join("vocab.json")).unwrap();
        for (index, byte) in damage {
            *index.get_mut(&mut source) = byte;
            *index.get_mut(&mut vocabulary[..]) = byte;
        }
        let intact = std::fs::read(folder.join("vocab.json")).unwrap();
        for vocabulary in [&vocabulary, &intact] {
            let files = MarianFiles {
                source: &source,
                target: None,
                vocabulary,
                target_vocabulary: None,
                config: None,
                folder: Path::new("damaged"),
            };
            if let Ok(tokenizer) = MarianTokenizer::from_bytes(files) {
                let ids = tokenizer.encode("سلام، دنیا! ﷺ e\u{301} 12345 👩‍👩‍👧‍👦");
                tokenizer.decode(&ids);
            }
        }
    }
}

fn open(folder: &str) -> MarianTokenizer {
    MarianTokenizer::open(&root().join(folder)).unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
