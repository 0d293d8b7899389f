//! What can't be used gets a clear error of its own, and everything else is translated.

use std::io::Write;

use crate::common::{Workplace, article, words};

/// A run that ends with errors: their locators and reasons.
fn failing(workplace: &Workplace, arguments: &[&str]) -> Vec<(String, String)> {
    let output = workplace.run("out", arguments);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(words(&output).contains("errors.jsonl"), "{}", words(&output));
    workplace.errors("out")
}

#[test]
fn bad_files_and_records_are_told_and_the_others_translated() {
    let workplace = Workplace::new();
    let good = format!("{}\n", serde_json::json!({ "text": article(1) }));
    workplace.input("good.jsonl", &good);
    workplace.input("nul.txt", b"\0\0\0\0");
    workplace.input("records.jsonl", format!("{good}{{\"title\": 1}}\nno json\n{good}"));
    std::os::unix::fs::symlink("/etc/hostname", workplace.path("in/link.txt")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(good.repeat(2000).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    workplace.input("whole.jsonl.gz", &packed);
    workplace.input("truncated.jsonl.gz", &packed[..packed.len() / 2]);
    let errors = failing(&workplace, &[]);
    let expected = [
        ("in/link.txt", "is a link"),
        ("in/nul.txt", "isn't text"),
        ("in/records.jsonl:2", "has no field \"text\""),
        ("in/records.jsonl:3", "isn't a record of JSON"),
        ("in/truncated.jsonl.gz", ""),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for (locator, reason) in expected {
        let found = errors.iter().find(|(found, _)| found.ends_with(locator));
        assert!(found.is_some_and(|(_, found)| found.contains(reason)), "{locator}: {errors:?}");
    }
    let outputs = workplace.outputs("out");
    let written: Vec<_> = outputs.keys().map(String::as_str).collect();
    let translated =
        ["good.jsonl", "records.jsonl", "whole.jsonl.gz"].map(|name| format!("translated/in/{name}"));
    assert_eq!(written[1..], translated);
    let records = String::from_utf8(outputs["translated/in/records.jsonl"].clone()).unwrap();
    let lines: Vec<_> = records.lines().collect();
    assert_eq!(lines[1..3], ["{\"title\": 1}", "no json"]);
    assert_eq!(lines[0], lines[3]);
    assert_ne!(lines[0], good.trim());
}

#[test]
fn a_run_stops_after_too_many_errors() {
    let workplace = Workplace::new();
    workplace.input("records.jsonl", "{}\n".repeat(1000));
    let output = workplace.run("out", &["--max-errors", "10"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("--max-errors"), "{}", words(&output));
    assert!(workplace.errors("out").len() < 1000);
}

/// An article that fails stays failed until it is asked for.
#[test]
fn what_failed_is_tried_again_on_demand() {
    let workplace = Workplace::new();
    let records = [
        serde_json::json!({ "text": article(1) }),
        serde_json::json!({ "text": "This isn't Persian at all." }),
    ];
    workplace.input("records.jsonl", records.clone().map(|record| format!("{record}\n")).concat());
    let errors = failing(&workplace, &["--require-persian"]);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].0 == "in/records.jsonl:2" && errors[0].1.contains("isn't Persian"), "{errors:?}");
    let output = std::fs::read_to_string(workplace.path("out/translated/in/records.jsonl")).unwrap();
    assert_eq!(
        output.lines().nth(1).unwrap(),
        records[1].to_string(),
        "what has no translation stays as it is"
    );

    let without = ["--on-change", "keep"];
    assert_eq!(failing(&workplace, &without), errors, "it isn't tried again by itself");
    let output = workplace.run("out", &[&without[..], &["--retry-failed"]].concat());
    assert!(output.status.success(), "{}", words(&output));
    let output = std::fs::read_to_string(workplace.path("out/translated/in/records.jsonl")).unwrap();
    assert_ne!(output.lines().nth(1).unwrap(), records[1].to_string());
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let workplace = Workplace::new();
    let record = format!("{}\n", serde_json::json!({ "text": article(1) }));
    workplace.input("records.jsonl", format!("{record}{record}{{}}\n"));
    workplace.input("a.bin", "x");
    let output = workplace.run("out", &["--dry-run"]);
    assert!(output.status.success(), "{}", words(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    for told in [
        "articles   2 (1 different texts)",
        "sentences  3",
        "problems   1",
        "in/records.jsonl:3: has no field",
    ] {
        assert!(text.contains(told), "{text}");
    }
    assert!(!workplace.path("out").exists());
}

#[test]
fn inputs_and_options_that_are_wrong_are_refused_before_anything_is_written() {
    let workplace = Workplace::new();
    workplace.input("a.txt", article(1));
    for (arguments, code, reason) in [
        (&["no-such-file"][..], 1, "no-such-file"),
        (&["--beam", "0"], 2, "--beam"),
        (&["--delimiter", "ب"], 2, "--delimiter"),
    ] {
        let output = workplace.run("out", arguments);
        assert_eq!(output.status.code(), Some(code), "{}", words(&output));
        assert!(words(&output).contains(reason), "{}", words(&output));
        assert!(!workplace.path("out").exists());
    }
}
