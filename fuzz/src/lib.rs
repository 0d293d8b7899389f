//! What the targets of the archive's formats share.
//!
//! A format gets bytes, copies them as a run would, with every text for its own translation, and must not panic.

use std::io::{Cursor, Write};

use tarjoman::archive::{HtmlMode, ReadOptions, copy_unchanged};
use zip::write::SimpleFileOptions;

/// A document's copy, if it can be used. `name` tells its format.
pub fn copied(name: &str, document: &[u8]) -> Option<Vec<u8>> {
    let options = ReadOptions { max_item_bytes: 1 << 16, ..ReadOptions::default() };
    copy_unchanged(name, document, &options)
}

/// The copy of a page's main article.
pub fn main_article(name: &str, document: &[u8]) -> Option<Vec<u8>> {
    let options = ReadOptions { html: HtmlMode::Article, max_item_bytes: 1 << 16, ..ReadOptions::default() };
    copy_unchanged(name, document, &options)
}

/// Copies a document whose every byte must stay; those in other encodings come out as UTF-8.
pub fn stays(name: &str, document: &[u8]) {
    if let Some(copy) = copied(name, document) {
        assert!(
            copy == document || std::str::from_utf8(document).is_err(),
            "{:?}",
            String::from_utf8_lossy(&copy)
        );
    }
}

/// Copies a document whose copy may differ from it; the copy must be one that can be copied again, and then stays.
pub fn settles(name: &str, document: &[u8]) {
    if let Some(copy) = copied(name, document) {
        let again = copied(name, &copy).expect("the copy can be used");
        assert!(again == copy, "{:?}\n{:?}", String::from_utf8_lossy(&copy), String::from_utf8_lossy(&again));
    }
}

/// A zip of parts.
pub fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        archive.start_file(*name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
