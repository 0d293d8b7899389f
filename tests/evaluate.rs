//! `tarjoman evaluate` with the real binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

#[test]
fn three_systems_have_the_scores_that_sacrebleu_gives_them() {
    let report = json(&evaluate(&[
        "--source",
        "flores-dev.fa",
        "--reference",
        "flores-dev.en",
        "--json",
        "--hypothesis",
        "flores-dev.google.en",
        "--hypothesis",
        "flores-dev.microsoft.en",
        "--hypothesis",
        "flores-dev.bergamot-tiny.en",
    ]));
    assert_eq!((&report["sentences"], &report["source"]), (&997.into(), &"flores-dev.fa".into()));
    let golden = std::fs::read_to_string(root("tests/golden/scores.jsonl")).unwrap();
    let golden: Value = serde_json::from_str(golden.lines().next().unwrap()).unwrap();
    let systems = report["systems"].as_array().unwrap();
    let expected = [("google", "42.0"), ("microsoft", "36.5"), ("bergamot-tiny", "32.8")];
    assert_eq!(systems.len(), expected.len());
    for (system, (name, bleu)) in systems.iter().zip(expected) {
        assert_eq!(system["name"], format!("flores-dev.{name}.en"));
        assert_eq!(format!("{:.1}", system["scores"][0]["score"].as_f64().unwrap()), bleu);
        for (at, metric) in ["BLEU", "chrF2", "chrF2++"].into_iter().enumerate() {
            let (score, golden) = (&system["scores"][at], &golden[name][at]);
            assert_eq!(score["metric"], metric);
            assert!((number(&score["score"]) - number(&golden["score"])).abs() < 1e-9, "{score} {golden}");
            let noise = 0.15 * number(&golden["half_width"]);
            let difference = number(&score["confidence"]["half_width"]) - number(&golden["half_width"]);
            assert!(difference.abs() < noise, "{score} {golden}");
            assert!((number(&score["confidence"]["mean"]) - number(&golden["mean"])).abs() < 0.15, "{score}");
            assert_eq!(score["p_value"].is_null(), name == "google");
            assert!(
                score["signature"].as_str().unwrap().starts_with("nrefs:1|bs:1000|seed:12345|case:mixed|")
            );
        }
        assert!(system["model"].is_null() && system["speed"].is_null());
        assert!(system["flagged_sentences"].is_u64() && system["flag_counts"].is_array(), "{system}");
    }
}

#[test]
fn the_table_has_every_system_and_signature() {
    let output = evaluate(&[
        "--source",
        "flores-dev.fa",
        "--reference",
        "flores-dev.en",
        "--hypothesis",
        "flores-dev.google.en",
        "--hypothesis",
        "flores-dev.bergamot-tiny.en",
    ]);
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "997 sentences of flores-dev.fa against flores-dev.en");
    let fields = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
    assert_eq!(fields(2), ["SYSTEM", "BLEU", "chrF2", "chrF2++", "FLAGGED"]);
    assert_eq!(fields(3)[..3], ["flores-dev.google.en", "41.96", "±"]);
    assert_eq!(fields(4)[..3], ["flores-dev.bergamot-tiny.en", "32.77", "±"]);
    assert_eq!(fields(4)[4..6], ["(p", "0.001)"]);
    for signature in ["tok:13a|smooth:exp", "nc:6|nw:0", "nc:6|nw:2"] {
        assert_eq!(table.matches(signature).count(), 1, "{table}");
    }
}

#[test]
fn flags_of_a_hypothesis_are_counted_by_kind() {
    let folder = files(&[
        ("fa", "دولت بیانیه داد.\nدر سال ۱۴۰۴\n\nخبر کوتاه بود.\n"),
        ("ref", "The government gave a statement.\nIn the year 1404\n\nThe news was brief.\n"),
        ("out", "\r\nIn the year 2025\r\n\r\nThe news was brief.\r\n"),
    ]);
    let report = json(&evaluate_in(
        folder.path(),
        &["--source", "fa", "--reference", "ref", "--hypothesis", "out", "--json"],
    ));
    let system = &report["systems"][0];
    assert_eq!(system["flagged_sentences"], 2);
    let counts =
        serde_json::json!([{"flag": "empty", "sentences": 1}, {"flag": "numbers_differ", "sentences": 1}]);
    assert_eq!(system["flag_counts"], counts);
}

#[test]
fn the_built_in_model_is_translated_with_scored_and_timed() {
    let folder = files(&[("fa", &head("flores-dev.fa", 12)), ("en", &head("flores-dev.en", 12))]);
    let arguments = ["--source", "fa", "--reference", "en", "--beam", "1", "--max-attempts", "1"];
    let model = json(&evaluate_in(folder.path(), &[&arguments[..], &["--output", "out", "--json"]].concat()));
    let written = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert_eq!(written.lines().count(), 12);
    let translated = Command::new(env!("CARGO_BIN_EXE_tarjoman"))
        .args(["translate", "--lines", "--beam", "1", "--max-attempts", "1", "fa"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(written.as_bytes(), translated.stdout);

    let system = &model["systems"][0];
    assert_eq!(system["name"], "fa-en-mini");
    assert_eq!(system["model"]["digest"].as_str().unwrap().len(), 64);
    for rate in ["seconds", "sentences_per_second", "target_tokens_per_second"] {
        assert!(number(&system["speed"][rate]) > 0.0, "{system}");
    }
    let arguments = ["--source", "fa", "--reference", "en", "--hypothesis", "out", "--json"];
    let read = json(&evaluate_in(folder.path(), &arguments));
    assert_eq!(read["systems"][0]["scores"], system["scores"]);

    let table = evaluate_in(folder.path(), &["--source", "fa", "--reference", "en", "--beam", "1"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("fa-en-mini, marian, int8, SHA-256 ") && table.contains(" sentences/s, "),
        "{table}"
    );
}

#[test]
fn files_that_do_not_match_are_refused() {
    let folder = files(&[("two", "a\nb\n"), ("three", "a\nb\n\n"), ("none", ""), ("open", "a\nb")]);
    let cases: [(&[&str], i32, &[&str]); 7] = [
        (&["--source", "two", "--reference", "three"], 1, &["three has 3 lines and two has 2"]),
        (
            &["--source", "two", "--reference", "open", "--hypothesis", "two", "--hypothesis", "three"],
            1,
            &["three has 3 lines and two has 2"],
        ),
        (&["--source", "none", "--reference", "none"], 1, &["none: there is no line in it"]),
        (&["--source", "two", "--reference", "missing"], 1, &["missing: "]),
        (
            &["--source", "two", "--reference", "two", "--hypothesis", "two", "--beam", "2"],
            2,
            &["--hypothesis", "--beam"],
        ),
        (
            &["--source", "two", "--reference", "two", "--hypothesis", "two", "--output", "x"],
            2,
            &["--hypothesis", "--output"],
        ),
        (&["--source", "two", "--reference", "two", "--beam", "0"], 2, &["--beam"]),
    ];
    for (arguments, code, reasons) in cases {
        let output = evaluate_in(folder.path(), arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
        assert!(reasons.iter().all(|reason| words.contains(reason)), "{arguments:?}: {words}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// Evaluates files of the test data.
fn evaluate(arguments: &[&str]) -> Output {
    evaluate_in(&root("tests/data"), arguments)
}

fn evaluate_in(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
    command.arg("evaluate").args(arguments).current_dir(folder).output().unwrap()
}

fn files(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn head(name: &str, lines: usize) -> String {
    let text = std::fs::read_to_string(root("tests/data").join(name)).unwrap();
    text.split_inclusive('\n').take(lines).collect()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}
