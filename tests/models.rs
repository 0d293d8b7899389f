//! Several models in one translator.

use std::path::Path;

use tarjoman::Error;
use tarjoman::hub::ModelChoice;
use tarjoman::options::TranslateOptions;
use tarjoman::translator::{LoadOptions, Translator};

fn folder(name: &str) -> ModelChoice {
    ModelChoice::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name))
}

fn names(translator: &Translator) -> Vec<String> {
    translator.models().iter().map(|model| model.name.clone()).collect()
}

#[test]
fn models_are_loaded_and_unloaded_by_name_and_the_default_stays() {
    let options = LoadOptions::default();
    let translator = Translator::built_in(&options).unwrap();
    translator.load(&folder("tiny-m2m100"), &options).unwrap();
    translator.load(&folder("tiny-nllb"), &options).unwrap();
    assert_eq!(names(&translator), ["fa-en-mini", "tiny-m2m100", "tiny-nllb"]);
    let again = translator.load(&folder("tiny-nllb"), &options).unwrap_err();
    assert!(again.to_string().contains("loaded already"), "{again}");
    translator.unload("tiny-m2m100").unwrap();
    assert_eq!(names(&translator), ["fa-en-mini", "tiny-nllb"]);
    assert!(matches!(translator.unload("tiny-m2m100"), Err(Error::UnknownModel { .. })));
    let default = translator.unload("fa-en-mini").unwrap_err();
    assert!(default.to_string().contains("default"), "{default}");
    let gone = TranslateOptions { model: Some("tiny-m2m100".into()), ..TranslateOptions::default() };
    let error = translator.translate("سلام", gone).err().unwrap();
    assert!(
        matches!(&error, Error::UnknownModel { known, .. } if known == "fa-en-mini, tiny-nllb"),
        "{error}"
    );
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_no_trace() {
    let options = LoadOptions::default();
    let translator = Translator::built_in(&options).unwrap();
    for _ in 0..2 {
        let error = translator.load(&folder("pickle"), &options).unwrap_err();
        assert!(matches!(error, Error::ModelFile { .. }), "{error}");
        assert_eq!(names(&translator), ["fa-en-mini"]);
    }
}

#[test]
fn a_model_that_does_not_fit_into_memory_is_refused_with_the_figures() {
    let options = LoadOptions::default();
    // As the weights of a model of a million million parameters would be, were they there: the file has a hole.
    let big = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fa-en-mini");
    for file in ["config.json", "source.spm", "vocab.json"] {
        std::fs::copy(source.join(file), big.path().join(file)).unwrap();
    }
    let size = 1u64 << 42;
    let header = format!(
        r#"{{"model.shared.weight":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{size}]}}}}"#,
        size / 4
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    let path = big.path().join("model.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(bytes.len() as u64 + size).unwrap();
    let error = Translator::open(&ModelChoice::Folder(big.path().into()), &options).err().unwrap();
    let Error::TooLarge { needed, free, .. } = &error else { panic!("{error}") };
    assert!(*needed > size / 4 && free < needed, "{error}");
    assert!(error.to_string().contains("MB are free"), "{error}");
}
