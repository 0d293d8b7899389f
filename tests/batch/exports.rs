//! What is written beside the translated files says the same in each format, and says it so that its readers understand.

use parquet::file::reader::{FileReader, SerializedFileReader};
use roxmltree::Document;
use scraper::{Html, Selector};
use serde_json::Value;

use crate::common::{Workplace, words};

const TEXT: &str =
    "خبر <b>\"نان\" & 'آب'</b>\u{7} داد. مردم ]]> شنیدند.\n\n<script>alert(1)</script> پایان.\n";

const XLIFF: &str = "urn:oasis:names:tc:xliff:document:2.0";

/// The texts of all elements of this name, in order. A code point that XML can't say is a `cp` in XLIFF.
fn elements(document: &str, namespace: &str, name: &str) -> Vec<String> {
    let document = Document::parse(document).expect("well-formed XML");
    let is_named = |node: &roxmltree::Node<'_, '_>| {
        node.tag_name().name() == name && node.tag_name().namespace().unwrap_or_default() == namespace
    };
    let text = |node: roxmltree::Node<'_, '_>| -> String {
        let parts = node.children().map(|child| match child.attribute("hex") {
            Some(hex) => char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap().to_string(),
            None => child.text().unwrap_or_default().to_owned(),
        });
        parts.collect()
    };
    document.descendants().filter(is_named).map(text).collect()
}

/// The texts of all elements in a page that stands without a mistake.
fn texts(page: &str, selector: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    let selector = Selector::parse(selector).unwrap();
    let found = page.select(&selector);
    found.map(|element| element.text().collect()).collect()
}

/// The rows of a table as JSON.
fn table(bytes: &[u8]) -> Vec<Value> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_json_value()).collect()
}

#[test]
fn every_format_has_every_sentence() {
    let workplace = Workplace::new();
    workplace.input("a.txt", TEXT);
    workplace.input(
        "b.jsonl",
        format!("{}\n{}\n", serde_json::json!({ "text": TEXT }), serde_json::json!({ "text": "" })),
    );
    let output = workplace.run("out", &["--export", "jsonl,tmx,xliff,html,parquet"]);
    assert!(output.status.success(), "{}", words(&output));
    let outputs = workplace.outputs("out");
    let read = |name: &str| String::from_utf8(outputs[name].clone()).unwrap();

    let bilingual = read("bilingual/in/a.txt.jsonl");
    let article: Value = serde_json::from_str(&bilingual).unwrap();
    assert_eq!(article["article"], "in/a.txt");
    assert_eq!(article["digest"].as_str().unwrap().len(), 64);
    let sentences: Vec<&Value> = article["paragraphs"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|paragraph| paragraph["sentences"].as_array().unwrap())
        .collect();
    let all = |key: &str| -> Vec<String> {
        sentences.iter().map(|sentence| sentence[key].as_str().unwrap().to_owned()).collect()
    };
    let (sources, targets) = (all("source"), all("target"));
    assert!(sources.len() >= 3);
    for sentence in &sentences {
        let at = |end: &str| usize::try_from(sentence["source_span"][end].as_u64().unwrap()).unwrap();
        assert_eq!(sentence["source"], TEXT[at("start")..at("end")]);
        assert!(sentence["score"].is_number() && sentence["flags"].is_array());
    }

    let xliff = read("xliff/in/a.txt.xlf");
    assert_eq!(elements(&xliff, XLIFF, "source"), sources);
    assert_eq!(elements(&xliff, XLIFF, "target"), targets);
    let segments = elements(&read("tmx/in/a.txt.tmx"), "", "seg");
    let without_control = |text: &String| text.replace('\u{7}', "\u{FFFD}");
    assert_eq!(
        segments.iter().step_by(2).cloned().collect::<Vec<_>>(),
        sources.iter().map(without_control).collect::<Vec<_>>()
    );
    assert_eq!(
        segments.iter().skip(1).step_by(2).cloned().collect::<Vec<_>>(),
        targets.iter().map(without_control).collect::<Vec<_>>()
    );

    let html = read("html/in/a.txt.html");
    assert_eq!(texts(&html, "p[lang=fa] > span"), sources);
    assert_eq!(texts(&html, "p[lang=en] > span"), targets);
    assert!(!html.contains("<script") && !html.contains("http"), "it stands alone and runs nothing");
    assert!(html.contains("dir=\"rtl\"") && html.contains(":has(.s0:hover)"));

    let table = table(&outputs["parquet/in/a.txt.parquet"]);
    let column = |name: &str| -> Vec<Value> { table.iter().map(|row| row[name].clone()).collect() };
    assert_eq!(column("source"), sources);
    assert_eq!(column("target"), targets);
    for (row, sentence) in table.iter().zip(&sentences) {
        assert_eq!(row["article"], "in/a.txt");
        assert_eq!(row["digest"], article["digest"]);
        assert_eq!(row["flags"], sentence["flags"]);
        for (name, span, end) in [
            ("source_start", "source_span", "start"),
            ("source_end", "source_span", "end"),
            ("target_start", "target_span", "start"),
            ("target_end", "target_span", "end"),
        ] {
            assert_eq!(row[name], sentence[span][end], "{name}");
        }
    }

    assert_eq!(read("bilingual/in/b.jsonl.jsonl").lines().count(), 2);
    assert_eq!(elements(&read("xliff/in/b.jsonl.xlf"), XLIFF, "source"), sources);
}

#[test]
fn a_file_without_text_has_exports_that_are_whole() {
    let workplace = Workplace::new();
    workplace.input("a.jsonl", "");
    assert!(workplace.run("out", &["--export", "jsonl,tmx,xliff,html,parquet"]).status.success());
    let outputs = workplace.outputs("out");
    let read = |name: &str| String::from_utf8(outputs[name].clone()).unwrap();
    assert_eq!(read("bilingual/in/a.jsonl.jsonl"), "");
    assert_eq!(elements(&read("xliff/in/a.jsonl.xlf"), XLIFF, "source"), [""]);
    assert!(elements(&read("tmx/in/a.jsonl.tmx"), "", "seg").is_empty());
    assert!(texts(&read("html/in/a.jsonl.html"), "body > *").is_empty());
}
