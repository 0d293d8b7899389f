//! Students translate as the engines do that read the same files: Marian itself (pymarian) and fxtranslate, as
//! `tests/golden/student.py` wrote it down.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tarjoman::decode::{SearchOptions, generate, inspect};
use tarjoman::model::student::{ModelFile, Student};
use tarjoman::model::{Logits, Seq2Seq, Shortlist, unpack};
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
fn a_trained_student_translates_whole_lines_as_fxtranslate_and_marian_do() {
    let lines = whole_lines();
    for (reference, kind) in [(&TRAINED_ALPHAS, "alphas"), (&TRAINED_INTGEMM8, "intgemm8")] {
        compare_with(reference, false, &golden(reference, kind), &lines);
        compare_with(reference, true, &golden(reference, &format!("{kind}-shortlist")), &lines);
    }
}

/// No two engines agree on all of them in int8 if the model is random, as the script says. So every step of a whole line is compared by itself,
/// with what the reference wrote before it given: no more steps may differ than do with numpy.
#[test]
fn whole_lines_differ_from_the_references_no_more_than_rounding_makes_them() {
    let whole = whole_lines();
    for (reference, allowed) in [(&ALPHAS, 0.08), (&SPLIT, 0.02), (&FLOAT, 0.0)] {
        let (model, tokenizer) = load(reference, false);
        let (mut steps, mut differ) = (0, 0);
        for (number, expected) in golden(reference, "whole") {
            let source = tokenizer.encode_text(&whole[number - 1]);
            let (walked, other) = walk(&model, &tokenizer, &source, &expected);
            (steps, differ) = (steps + walked, differ + other);
        }
        println!("{}: {differ} of {steps} steps differ", reference.name);
        assert!(steps > 2000, "{}: {steps} steps", reference.name);
        let share = f64::from(differ) / f64::from(steps);
        assert!(share <= allowed, "{}: {share} of the steps differ", reference.name);
    }
}

#[test]
fn a_student_looks_where_marian_says_it_does() {
    let (model, tokenizer) = load(&FLOAT, false);
    let mut compared = 0;
    for (number, row) in golden(&FLOAT, "alignment") {
        let source = tokenizer.encode_text(&lines()[number - 1]);
        let options = SearchOptions { max_tokens: 2 * source.len() + 1, ..SearchOptions::default() };
        let ids =
            generate(&model, std::slice::from_ref(&source), &options, 1).unwrap().remove(0).remove(0).ids;
        let attention = inspect(&model, &source, &ids).unwrap().attention;
        let (text, weights) = row.split_once('\t').unwrap();
        assert!(tokenizer.decode(&ids).starts_with(text), "{number}");
        for (ours, theirs) in attention.iter().zip(weights.split(' ')) {
            let theirs: Vec<f32> = theirs.split(',').map(|weight| weight.parse().unwrap()).collect();
            assert_eq!(ours.len(), theirs.len(), "{number}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-3, "{number}: {ours} {theirs}");
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} rows");
}

/// Walks along a reference's translation. Returns the number of steps, and of those at which another token is the best.
fn walk(model: &Student, tokenizer: &StudentTokenizer, source: &[u32], expected: &str) -> (u32, u32) {
    let mut state = model.encode(&[source]).unwrap();
    let mut logits = Logits::default();
    let (mut ids, mut steps, mut differ) = (Vec::new(), 0, 0);
    while tokenizer.decode(&ids) != expected {
        let newest = ids.last().copied().unwrap_or(model.spec().start);
        model.step(&mut state, &[newest], &mut logits).unwrap();
        let values = logits.row(0).values;
        let mut ranked: Vec<u32> = (0..).take(values.len()).collect();
        ranked.sort_by(|&one, &other| values[other as usize].total_cmp(&values[one as usize]));
        let is_next = |&&token: &&u32| {
            let text = tokenizer.decode(&[&ids[..], &[token]].concat());
            token != model.spec().end && expected.starts_with(&text)
        };
        let next = *ranked.iter().find(is_next).expect("a token spells the next letter");
        differ += u32::from(next != ranked[0]);
        ids.push(next);
        steps += 1;
    }
    (steps, differ)
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
const TRAINED_ALPHAS: Reference = Reference {
    name: "student-trained",
    model: "model.faen.intgemm.alphas.bin.zst",
    vocabularies: ["vocab.faen.spm.zst"; 2],
    shortlist: "lex.50.50.faen.s2t.bin.zst",
    excess: 4,
};
const TRAINED_INTGEMM8: Reference =
    Reference { model: "model.faen.intgemm8.bin.zst", excess: 0, ..TRAINED_ALPHAS };
const FLOAT: Reference = Reference {
    name: "student-float",
    model: "model.faen.bin",
    vocabularies: ["vocab.faen.spm"; 2],
    shortlist: "lex.50.50.faen.s2t.bin.gz",
    excess: 4,
};

fn compare(reference: &Reference, with_shortlist: bool) {
    let golden = golden(reference, if with_shortlist { "shortlist" } else { "text" });
    assert!(golden.len() > 300, "{} lines", golden.len());
    compare_with(reference, with_shortlist, &golden, &lines());
}

/// Compares the translations of some of the `lines`, whose numbers are with the reference's.
fn compare_with(reference: &Reference, with_shortlist: bool, golden: &[(usize, String)], lines: &[String]) {
    let (model, tokenizer) = load(reference, with_shortlist);
    let sources: Vec<_> =
        golden.iter().map(|(number, _)| tokenizer.encode_text(&lines[number - 1])).collect();
    let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
    let options =
        SearchOptions { max_tokens: 2 * longest + reference.excess + 1, ..SearchOptions::default() };
    let results = generate(&model, &sources, &options, 16).unwrap();
    let mut differ = Vec::new();
    for ((source, hypotheses), (number, expected)) in sources.iter().zip(&results).zip(golden) {
        let ids = &hypotheses[0].ids;
        let longest = (2 * source.len() + reference.excess).min(256);
        let actual = tokenizer.decode(&ids[..ids.len().min(longest)]);
        if actual != *expected {
            differ.push(format!("{number}: {actual:?}, not {expected:?}"));
        }
    }
    let name = format!("{}/{}, shortlist: {with_shortlist}", reference.name, reference.model);
    println!("{name}: {} lines", golden.len());
    assert!(differ.is_empty(), "{name}: {}", differ.join("\n"));
}

/// Numbers of lines and what the reference makes of them.
fn golden(reference: &Reference, kind: &str) -> Vec<(usize, String)> {
    let rows = std::fs::read_to_string(folder().join(format!("{}.{kind}.tsv", reference.name))).unwrap();
    let row =
        |row: &str| row.split_once('\t').map(|(number, text)| (number.parse().unwrap(), text.to_owned()));
    rows.lines().map(row).collect::<Option<_>>().unwrap()
}

fn load(reference: &Reference, with_shortlist: bool) -> (Student, StudentTokenizer) {
    let read = |file: &str| unpack(std::fs::read(folder().join(reference.name).join(file)).unwrap()).unwrap();
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
    let words = |(number, line): (usize, &String)| {
        line.split_whitespace().take(1 + number % 6).collect::<Vec<_>>().join(" ")
    };
    whole_lines().iter().enumerate().map(words).collect()
}

fn whole_lines() -> Vec<String> {
    let lines = std::fs::read_to_string(root().join("tests/data/flores-dev.fa")).unwrap();
    lines.lines().map(str::to_owned).collect()
}

fn folder() -> PathBuf {
    root().join("tests/golden")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
