//! Folders with a student's files: what is loaded from them, and how a bad one is refused.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use proptest::prelude::*;
use tarjoman::decode::{SearchOptions, generate};
use tarjoman::hub::ModelChoice;
use tarjoman::model::student::{ModelFile, Student};
use tarjoman::options::TranslateOptions;
use tarjoman::translator::{LoadOptions, Translator};
use tempfile::TempDir;

const ALPHAS: &str = "model.faen.intgemm.alphas.bin.zst";
const VOCABULARY: &str = "vocab.faen.spm.gz";
const SHORTLIST: &str = "lex.50.50.faen.s2t.bin.zst";

#[tokio::test]
async fn a_folder_as_firefox_gets_it_translates() {
    for (name, precision) in [("student-alphas", "int8"), ("student-split", "int8"), ("student-float", "f32")]
    {
        let translator = open(&golden(name)).unwrap();
        let info = &translator.models()[0];
        assert_eq!((&*info.family, &*info.precision, &*info.name), ("student", precision, name));
        assert_eq!((&*info.source_language, &*info.target_language, info.digest.len()), ("fa", "en", 64));
        // A random model ends some translations before they begin.
        let lines = ["سلام دنیا.", "هوا خوب است.", "کتاب روی میز است.", ""].map(str::to_owned).to_vec();
        let options = TranslateOptions::default();
        let translated: Vec<_> =
            translator.translate_lines(lines, options, 4).unwrap().try_collect().await.unwrap();
        assert!(translated[..3].iter().any(|line| !line.text.is_empty()), "{name}");
        assert!(translated[3].text.is_empty(), "{name}");
    }
}

#[test]
fn a_file_that_is_there_twice_is_taken_as_it_is() {
    let folder = copy("student-float", &[]);
    std::fs::write(folder.path().join("model.faen.bin.gz"), "never read").unwrap();
    open(folder.path()).unwrap();
}

#[test]
fn a_bad_folder_is_refused_by_the_file_at_fault() {
    let half = |file: &str| {
        let bytes = std::fs::read(golden("student-alphas").join(file)).unwrap();
        bytes[..bytes.len() / 2].to_vec()
    };
    let other = |name: &str, file: &str| Some(std::fs::read(golden(name).join(file)).unwrap());
    let plain = tarjoman::model::unpack(other("student-alphas", ALPHAS).unwrap()).unwrap();
    let cases: [(&str, Option<Vec<u8>>, &str); 13] = [
        (ALPHAS, Some(half(ALPHAS)), "is cut off, or damaged"),
        (ALPHAS, Some(plain[..plain.len() - 1].to_vec()), "is cut off, or damaged"),
        (ALPHAS, Some(b"<html>404</html>".to_vec()), "isn't a model in Marian's binary format"),
        (ALPHAS, Some(Vec::new()), "it is empty"),
        (ALPHAS, other("student-split", "model.faen.intgemm8.bin.gz"), VOCABULARY),
        ("model.fade.bin", Some(plain.clone()), "are in one folder; keep one model in a folder"),
        (VOCABULARY, None, "srcvocab.*.spm: is missing; a student's folder has"),
        (VOCABULARY, Some(half(VOCABULARY)), "vocab.faen.spm.gz: is cut off, or damaged"),
        (VOCABULARY, other("student-float", "vocab.faen.spm"), "has 600 pieces, but the model has"),
        (VOCABULARY, Some(plain), "isn't a SentencePiece model"),
        (SHORTLIST, Some(half(SHORTLIST)), "lex.50.50.faen.s2t.bin.zst: is cut off, or damaged"),
        (SHORTLIST, other("student-float", "lex.50.50.faen.s2t.bin.gz"), "600 source tokens"),
        (SHORTLIST, other("student-float", "vocab.faen.spm"), "isn't a lexical shortlist"),
    ];
    for (file, contents, reason) in cases {
        let folder = copy("student-alphas", &[file]);
        if let Some(contents) = contents {
            std::fs::write(folder.path().join(file), contents).unwrap();
        }
        let error = open(folder.path()).err().expect(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

proptest! {
    /// A thousandth of what the fuzz target of the same file tries.
    #[test]
    fn no_change_of_a_file_makes_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        /// The table of tensors is at the start, the configuration at the end.
        const EDGE: usize = 3000;
        let mut bytes = std::fs::read(golden("student-float").join("model.faen.bin")).unwrap();
        let length = bytes.len();
        for (at, byte, from_end) in changes {
            let at = at.index(EDGE);
            bytes[if from_end { length - 1 - at } else { at }] = byte;
        }
        if let Ok(model) = ModelFile::parse(bytes).and_then(|file| Student::new(&file, 0, 1)) {
            let options = SearchOptions { max_tokens: 3, ..SearchOptions::default() };
            generate(&model, &[vec![2, 3, 0]], &options, 1).unwrap();
        }
    }
}

fn open(folder: &Path) -> tarjoman::Result<Translator> {
    Translator::open(&ModelChoice::Folder(folder.to_owned()), &LoadOptions::default())
}

/// A student's folder, but for some files.
fn copy(name: &str, left_out: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in std::fs::read_dir(golden(name)).unwrap() {
        let file = entry.unwrap().file_name();
        if !left_out.iter().any(|left_out| file == *left_out) {
            std::fs::copy(golden(name).join(&file), folder.path().join(&file)).unwrap();
        }
    }
    folder
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}
