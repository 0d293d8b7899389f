use super::*;
use crate::archive::format::ReadOptions;
use crate::archive::format::testing::{Shout, rewritten};

/// Written by `tests/golden/parquet_tables.py`.
const TABLES: [&[u8]; 2] = [
    include_bytes!("../../../../tests/golden/parquet/zstd.parquet"),
    include_bytes!("../../../../tests/golden/parquet/pages.parquet"),
];

fn with_fields(fields: &[&str]) -> ReadOptions {
    let text_fields = fields.iter().map(|&field| field.into()).collect();
    ReadOptions { text_fields, max_item_bytes: 200, ..ReadOptions::default() }
}

fn rows(table: Vec<u8>) -> Vec<String> {
    let reader = SerializedFileReader::new(Bytes::from(table)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}

#[test]
fn only_the_text_changes() {
    for table in TABLES {
        let (output, visitor) = rewritten("a.parquet", table, &with_fields(&["text"]));
        assert_eq!(visitor.texts, ["سلام a", "خوب c", "سلام a"]);
        assert_eq!(visitor.locators, ["a.parquet:1", "a.parquet:4", "a.parquet:5"]);
        let expected: Vec<_> = rows(table.to_vec())
            .iter()
            .map(|row| row.replace("سلام a", "سلام A").replace("خوب c", "خوب C"))
            .collect();
        assert_eq!(rows(output.unwrap()), expected);
    }
}

#[test]
fn columns_within_columns_are_one_article_for_each_row() {
    for table in TABLES {
        let options = with_fields(&["parts.*.t", "article.body"]);
        let (output, visitor) = rewritten("a.parquet", table, &options);
        let texts = ["یک d\nمتن 0 f", "متن 1 f", "متن 2 f", "دو e\nمتن 3 f", "متن 4 f"];
        assert_eq!(visitor.texts, texts);
        let expected: Vec<_> = rows(table.to_vec())
            .iter()
            .map(|row| row.replace(" d\"", " D\"").replace(" e\"", " E\"").replace(" f\"", " F\""))
            .collect();
        assert_eq!(rows(output.unwrap()), expected);
    }
}

#[test]
fn what_is_said_of_the_file_stays() {
    let metadata = |table: Vec<u8>| {
        let reader = SerializedFileReader::new(Bytes::from(table)).unwrap();
        let file = reader.metadata().file_metadata();
        let packed: Vec<_> =
            reader.metadata().row_group(0).columns().iter().map(ColumnChunkMetaData::compression).collect();
        (file.schema().clone(), file.key_value_metadata().cloned(), packed)
    };
    for table in TABLES {
        let (output, _) = rewritten("a.parquet", table, &with_fields(&["text"]));
        assert_eq!(metadata(output.unwrap()), metadata(table.to_vec()));
    }
}

#[test]
fn rows_without_a_translation_stay_as_they_are() {
    let mut visitor = Shout { untranslated: Some("سلام a".into()), ..Shout::default() };
    let output = visitor.rewrite("a.parquet", TABLES[0], &with_fields(&["text"])).unwrap();
    let expected: Vec<_> = rows(TABLES[0].to_vec()).iter().map(|row| row.replace("خوب c", "خوب C")).collect();
    assert_eq!(rows(output), expected);
}

#[test]
fn tables_that_cannot_be_used_are_told() {
    for (fields, reason) in [
        (&["body"][..], "has no column \\\"body\\\" but id, price, text, parts.*.t, parts.*.n, article.body"),
        (&["id"], "has no text in its column \\\"id\\\""),
    ] {
        let (output, visitor) = rewritten("a.parquet", TABLES[0], &with_fields(fields));
        assert!(output.is_none() && visitor.problems[0].contains(reason), "{:?}", visitor.problems);
    }
    let size = TABLES[0].len();
    for broken in [&b""[..], b"PAR1", &TABLES[0][..size - 1], &TABLES[0][size / 2..]] {
        let (output, visitor) = rewritten("a.parquet", broken, &with_fields(&["text"]));
        assert!(output.is_none() && visitor.problems[0].contains("Parquet"), "{:?}", visitor.problems);
    }
    let options = ReadOptions { max_item_bytes: 9, ..ReadOptions::default() };
    let (_, visitor) = rewritten("a.parquet", TABLES[0], &options);
    assert_eq!(visitor.problems.len(), 2, "{:?}", visitor.problems);
    assert!(visitor.problems[0].starts_with("a.parquet:1: is larger than 9 bytes"), "{:?}", visitor.problems);
}

/// The library panics on some. That must cost the file, and not the run.
#[test]
fn a_file_with_a_wrong_byte_is_told_or_read() {
    let mut told = 0;
    for place in 0..TABLES[0].len() {
        let mut table = TABLES[0].to_vec();
        table[place] ^= 0x41;
        let (output, visitor) = rewritten("a.parquet", &table, &with_fields(&["text"]));
        assert!(output.is_some() || !visitor.problems.is_empty(), "{place}");
        told += usize::from(!visitor.problems.is_empty());
    }
    assert!(told > TABLES[0].len() / 4, "{told}");
}
