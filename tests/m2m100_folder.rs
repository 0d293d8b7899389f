//! Folders of M2M100 and NLLB models: they translate, and what is wrong with one is said with the file and the remedy.

use std::path::{Path, PathBuf};

use tarjoman::Error;
use tarjoman::hub::ModelChoice;
use tarjoman::translator::{LoadOptions, Translator};
use tempfile::TempDir;

#[test]
fn a_folder_is_recognised_by_its_files() {
    for folder in ["tiny-m2m100", "tiny-nllb"] {
        let translator = open(&golden(folder)).unwrap();
        let info = translator.models().remove(0);
        assert_eq!((info.family.as_str(), info.name.as_str()), ("m2m100", folder));
        assert_eq!((info.source_language.as_str(), info.target_language.as_str()), ("fa", "en"));
        assert_eq!(info.digest.len(), 64);
    }
}

#[test]
fn a_language_that_the_model_lacks_is_named_with_where_to_name_another() {
    for (folder, file) in [("tiny-m2m100", "vocab.json"), ("tiny-nllb", "tokenizer.json")] {
        let folder = copy(folder);
        for field in ["source_language", "target_language"] {
            write(&folder, "card.json", format!(r#"{{"{field}": "tlh"}}"#));
            let error = refused(&folder, file);
            assert!(error.contains("no language \"tlh\"") && error.contains(field), "{error}");
        }
        // A piece that text spells is no language.
        write(&folder, "card.json", r#"{"target_language": "▁the"}"#);
        assert!(refused(&folder, file).contains("no language"));
    }
    let folder = copy("tiny-nllb");
    write(&folder, "card.json", r#"{"source_language": "prs_Arab"}"#);
    open(folder.path()).unwrap();
}

#[test]
fn a_model_of_another_family_is_refused() {
    let folder = copy("tiny-m2m100");
    for (family, reason) in
        [("bart", "\"bart\""), ("nllb-moe", "mixture of experts"), ("marian", "source.spm")]
    {
        set(&folder, "model_type", family.into());
        let error = open(folder.path()).err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_configuration_that_the_other_files_contradict_is_refused() {
    for (folder, vocabulary) in [("tiny-m2m100", 1500), ("tiny-nllb", 1500)] {
        let folder = copy(folder);
        for (field, value, reason) in [
            ("vocab_size", vocabulary, "model.shared.weight"),
            ("d_model", 64, "model.shared.weight"),
            ("encoder_layers", 3, "encoder.layers.2."),
            ("decoder_ffn_dim", 1 << 19, "decoder.layers.0.fc1"),
            ("encoder_layers", 1u64 << 40, "encoder_layers"),
            ("max_position_embeddings", 1u64 << 40, "max_position_embeddings"),
            ("decoder_attention_heads", 5, "attention heads"),
            ("eos_token_id", 9999, "eos_token_id"),
        ] {
            let intact = std::fs::read(folder.path().join("config.json")).unwrap();
            set(&folder, field, value.into());
            let error = open(folder.path()).err().expect(field).to_string();
            assert!(error.contains(reason), "{error}");
            write(&folder, "config.json", intact);
        }
    }
}

#[test]
fn a_vocabulary_with_more_tokens_than_embeddings_is_refused() {
    let folder = copy("tiny-m2m100");
    let path = folder.path().join("vocab.json");
    let mut vocabulary: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for id in vocabulary.len()..vocabulary.len() + 9 {
        vocabulary.insert(format!("new{id}"), id.into());
    }
    std::fs::write(&path, serde_json::to_vec(&vocabulary).unwrap()).unwrap();
    let error = open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("the model has embeddings for"), "{error}");
    vocabulary.remove("new1503");
    std::fs::write(&path, serde_json::to_vec(&vocabulary).unwrap()).unwrap();
    assert!(refused(&folder, "vocab.json").contains("leaves out ids"));
}

#[test]
fn what_is_missing_or_broken_is_named() {
    for (folder, files) in [
        ("tiny-m2m100", &["config.json", "vocab.json", "sentencepiece.bpe.model"][..]),
        ("tiny-nllb", &["config.json", "tokenizer.json"]),
    ] {
        for file in files {
            let folder = copy(folder);
            let intact = std::fs::read(folder.path().join(file)).unwrap();
            write(&folder, file, &intact[..intact.len() / 2]);
            refused(&folder, file);
        }
    }
    let folder = copy("tiny-m2m100");
    std::fs::remove_file(folder.path().join("sentencepiece.bpe.model")).unwrap();
    assert!(refused(&folder, "sentencepiece.bpe.model").contains("can't be read"));
    for (folder, file) in [("tiny-m2m100", "vocab.json"), ("tiny-nllb", "tokenizer.json")] {
        let folder = copy(folder);
        std::fs::remove_file(folder.path().join(file)).unwrap();
        let error = open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("neither tokenizer.json nor vocab.json"), "{error}");
    }
}

#[test]
fn weights_from_before_pytorch_1_6_are_refused_with_the_remedy() {
    let folder = copy("tiny-m2m100");
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    std::fs::copy(golden("pickle/old.bin"), folder.path().join("pytorch_model.bin")).unwrap();
    assert!(refused(&folder, "pytorch_model.bin").contains("model.safetensors"));
}

/// The message with which a folder is refused because of that file.
fn refused(folder: &TempDir, file: &str) -> String {
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(&error, Error::ModelFile { path, .. } if path.ends_with(file)), "{error}");
    error.to_string()
}

fn open(folder: &Path) -> tarjoman::Result<Translator> {
    Translator::open(&ModelChoice::Folder(folder.into()), &LoadOptions::default())
}

fn set(folder: &TempDir, field: &str, value: serde_json::Value) {
    let config = std::fs::read(folder.path().join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    config[field] = value;
    write(folder, "config.json", config.to_string());
}

fn write(folder: &TempDir, file: &str, contents: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(file), contents).unwrap();
}

/// A copy of a golden folder, to be changed.
fn copy(folder: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(golden(folder)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}
