//! No bytes make a format panic, and a text or table whose words stay the same is copied byte for byte.
//!
//!     cargo +nightly fuzz run documents
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman::archive::{ReadOptions, copy_unchanged};

const NAMES: [&str; 16] = [
    "a.txt", "a.md", "a.html", "a.jsonl", "a.csv", "a.tsv", "a.srt", "a.vtt", "a.tar", "a.zip", "a.warc", "a.docx",
    "a.epub", "a.parquet", "a.warc.gz", "a.tar.zst",
];

fuzz_target!(|input: (u8, &[u8])| {
    let (format, bytes) = input;
    let name = NAMES[usize::from(format) % NAMES.len()];
    let options = ReadOptions { max_item_bytes: 1 << 16, ..ReadOptions::default() };
    let copy = copy_unchanged(name, bytes, &options);
    if let Some(copy) = copy.filter(|_| matches!(name, "a.txt" | "a.jsonl" | "a.csv" | "a.tsv")) {
        // Bytes in other encodings come out as UTF-8.
        assert!(copy == bytes || std::str::from_utf8(bytes).is_err());
    }
});
