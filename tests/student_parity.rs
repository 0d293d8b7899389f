//! Students translate as the engines do that read the same files: Marian itself (pymarian) and fxtranslate, as
//! `tests/golden/student.py` wrote it down.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tarjoman::decode::{SearchOptions, generate};
use tarjoman::model::student::{ModelFile, Shortlist, Student};
use tarjoman::model::unpack;
use tarjoman::tokenizer::{StudentTokenizer, StudentVocabulary, Tokenizer};

#[test]
fn a_student_with_multipliers_translates_as_fxtranslate_does() {
    compare(&ALPHAS, false);
    compare(&ALPHAS, true);
}

#[test]
fn a_student_without_multipliers_translates_as_marian_does() {
    compare(&SPLIT, false);
    compare(&SPLIT, true);
}

#[test]
fn a_student_in_float_translates_as_both_do() {
    compare(&FLOAT, false);
    compare(&FLOAT, true);
}

#[test]
fn a_sentence_is_translated_the_same_to_the_bit_alone_and_in_any_batch() {
    for reference in [&ALPHAS, &SPLIT, &FLOAT] {
        for with_shortlist in [false, true] {
            let (model, tokenizer) = load(reference, with_shortlist);
            let sources: Vec<_> =
                lines().iter().step_by(17).map(|line| tokenizer.encode_text(line)).collect();
            let options = SearchOptions { beam_size: 3, max_tokens: 40, ..SearchOptions::default() };
            let alone = generate(&model, &sources, &options, 1).unwrap();
            for batch in [2, 7, 60] {
                let together = generate(&model, &sources, &options, batch).unwrap();
                assert_eq!(together, alone, "{}: batches of {batch}", reference.name);
            }
        }
    }
}

struct Reference {
    name: &'static str,
    model: &'static str,
    vocabularies: [&'static str; 2],
    shortlist: &'static str,
    /// How many tokens beyond twice the source's the reference goes before it gives up.
    excess: usize,
}

const ALPHAS: Reference = Reference {
    name: "student-alphas",
    model: "model.faen.intgemm.alphas.bin.zst",
    vocabularies: ["vocab.faen.spm.gz"; 2],
    shortlist: "lex.50.50.faen.s2t.bin.zst",
    excess: 4,
};
const SPLIT: Reference = Reference {
    name: "student-split",
    model: "model.faen.intgemm8.bin.gz",
    vocabularies: ["srcvocab.faen.spm", "trgvocab.faen.spm"],
    shortlist: "lex.50.50.faen.s2t.bin",
    excess: 0,
};
const FLOAT: Reference = Reference {
    name: "student-float",
    model: "model.faen.bin",
    vocabularies: ["vocab.faen.spm"; 2],
    shortlist: "lex.50.50.faen.s2t.bin.gz",
    excess: 4,
};

fn compare(reference: &Reference, with_shortlist: bool) {
    let (model, tokenizer) = load(reference, with_shortlist);
    let kind = if with_shortlist { "shortlist" } else { "text" };
    let golden = std::fs::read_to_string(golden().join(format!("{}.{kind}.tsv", reference.name))).unwrap();
    let golden: Vec<(usize, &str)> = golden
        .lines()
        .map(|row| row.split_once('\t').map(|(number, text)| (number.parse().unwrap(), text)).unwrap())
        .collect();
    assert!(golden.len() > 300, "{} lines", golden.len());
    let lines = lines();
    let sources: Vec<_> =
        golden.iter().map(|&(number, _)| tokenizer.encode_text(&lines[number - 1])).collect();
    let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
    let options =
        SearchOptions { max_tokens: 2 * longest + reference.excess + 1, ..SearchOptions::default() };
    let results = generate(&model, &sources, &options, 16).unwrap();
    let mut differ = Vec::new();
    for ((source, hypotheses), &(number, expected)) in sources.iter().zip(&results).zip(&golden) {
        let ids = &hypotheses[0].ids;
        let longest = (2 * source.len() + reference.excess).min(256);
        let actual = tokenizer.decode(&ids[..ids.len().min(longest)]);
        if actual != expected {
            differ.push(format!("{number}: {actual:?}, not {expected:?}"));
        }
    }
    println!("{} {kind}: {} lines", reference.name, golden.len());
    assert!(differ.is_empty(), "{} {kind}: {}", reference.name, differ.join("\n"));
}

fn load(reference: &Reference, with_shortlist: bool) -> (Student, StudentTokenizer) {
    let read = |file: &str| unpack(std::fs::read(golden().join(reference.name).join(file)).unwrap()).unwrap();
    let [source, target] =
        reference.vocabularies.map(|file| Arc::new(StudentVocabulary::parse(&read(file)).unwrap()));
    let file = ModelFile::parse(read(reference.model)).unwrap();
    let mut model = Student::new(&file, target.end(), target.unknown()).unwrap();
    if with_shortlist {
        model = model.with_shortlist(Shortlist::parse(&read(reference.shortlist)).unwrap()).unwrap();
    }
    (model, StudentTokenizer::new(source, target))
}

/// The first words of every line of the test set, as the script takes them.
fn lines() -> Vec<String> {
    let lines = std::fs::read_to_string(root().join("tests/data/flores-dev.fa")).unwrap();
    let words = |(number, line): (usize, &str)| {
        line.split_whitespace().take(1 + number % 6).collect::<Vec<_>>().join(" ")
    };
    lines.lines().enumerate().map(words).collect()
}

fn golden() -> PathBuf {
    root().join("tests/golden")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
