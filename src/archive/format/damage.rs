//! Documents that are damaged at random: a format tells what is wrong with them, and doesn't fail on them.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::testing::Shout;
use super::{HtmlMode, ReadOptions};

/// How often each document is damaged, unless `TARJOMAN_DAMAGE` has another number.
const ROUNDS: usize = 200;

type Pack = fn(&[u8]) -> Vec<u8>;

/// A document that is whole, and how it is packed once it is damaged.
struct Sample {
    name: &'static str,
    document: Vec<u8>,
    pack: Pack,
}

/// Written by `tests/golden/parquet_tables.py`.
const PARQUET: &[u8] = include_bytes!("../../../tests/golden/parquet/zstd.parquet");
const WARC: &str = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/1\r\n\
    WARC-Date: 2024-01-02T03:04:05Z\r\nWARC-Record-ID: <urn:uuid:1>\r\nContent-Length: 71\r\n\r\n\
    HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>salam</p>\r\n\r\n";
const PAGE: &str = "<!doctype html><html lang=fa dir=\"rtl\"><head><title>خبر</title><meta charset=utf-8>\
    <style>p{}</style></head><body><article><h1>یک &amp; دو</h1><p>سلام <b>دنیا</b>.<br>دوم<!-- no --></p>\
    <pre>a\n b</pre><img alt=\"عکس\"><script>1<2</script></article></body></html>";
const WORD: &str = "<?xml version=\"1.0\"?><w:document xmlns:w=\"a\"><w:body><w:p><w:pPr><w:rPr/></w:pPr><w:r><w:t \
    xml:space=\"preserve\">سلام </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>دنیا.</w:t><w:tab/></w:r></w:p>\
    <w:tbl><w:tr><w:tc><w:p><w:r><w:t>&#1587; &lt;</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>";
const PACKAGE: &str = "<package xmlns:dc=\"b\" xml:lang=\"fa\"><metadata><dc:title>کتاب</dc:title><dc:language>fa\
    </dc:language></metadata><manifest><item id=\"a\" href=\"a.xhtml\"/></manifest></package>";
const CONTENTS: &str = "<ncx><docTitle><text>کتاب</text></docTitle><navMap><navPoint id=\"1\"><navLabel><text>فصل \
    یک</text></navLabel><content src=\"a.xhtml\"/></navPoint></navMap></ncx>";

fn samples() -> Vec<Sample> {
    let as_it_is: Pack = <[u8]>::to_vec;
    let text = "سلام دنیا.\r\n\r\nدوم\u{200c}ها ۱۲۳\n".to_owned();
    let windows = encoding_rs::WINDOWS_1256.encode(&text).0.into_owned();
    let zipped = zip("a.md", text.as_bytes());
    let samples: Vec<(&str, Vec<u8>, Pack)> = vec![
        ("a.txt", text.clone().into(), as_it_is),
        ("b.txt", windows, as_it_is),
        ("c.txt", format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(), as_it_is),
        ("a.md", "---\na: b\n---\n# سلام *دنیا*\n\n- یک [پیوند](http://a)\n  1. دو\n\n```rust\nx\n```\n| a | b |\n|--|--|\n| ج | د |\n\n> نقل\n".into(), as_it_is),
        ("a.html", PAGE.into(), as_it_is),
        ("a.jsonl", "{\"id\": 1, \"text\": \"سلام \\u0633\\n\\ud83d\\ude00 \\\"\", \"x\": [1.5e3, null, {}]}\n\n{\"text\":\"دو\"}\n".into(), as_it_is),
        ("a.csv", "id,text,note\r\n1,\"سلام, \"\"دنیا\"\"\nدو\",x\r\n2,سه,\r\n".into(), as_it_is),
        ("a.tsv", "id\ttext\n1\tسلام\n2\t\"دو\"\n".into(), as_it_is),
        ("a.srt", "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>سلام</i>\r\nدنیا\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nدو\r\n".into(), as_it_is),
        ("a.vtt", "WEBVTT - a\n\nSTYLE\n::cue {}\n\nNOTE x\n\nid\n00:01.000 --> 00:02.000 align:start\n<v علی>سلام <c.a>دنیا</c>\n".into(), as_it_is),
        ("a.warc", WARC.into(), as_it_is),
        ("a.warc.gz", gzip(WARC.as_bytes()), as_it_is),
        ("b.warc.gz", WARC.into(), gzip),
        ("a.tar", tar("b/a.txt", text.as_bytes()), as_it_is),
        ("a.tar.gz", tar("b/a.txt", text.as_bytes()), gzip),
        ("a.txt.gz", gzip(text.as_bytes()), as_it_is),
        ("a.txt.zst", zstd::encode_all(text.as_bytes(), 3).unwrap(), as_it_is),
        ("a.zip", zipped, as_it_is),
        ("a.docx", WORD.into(), |part| zip("word/document.xml", part)),
        ("a.epub", PAGE.into(), |part| zip("a.xhtml", part)),
        ("b.epub", PACKAGE.into(), |part| zip("a.opf", part)),
        ("c.epub", CONTENTS.into(), |part| zip("a.ncx", part)),
        ("a.parquet", PARQUET.into(), as_it_is),
    ];
    samples.into_iter().map(|(name, document, pack)| Sample { name, document, pack }).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default()).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes).unwrap();
    builder.into_inner().unwrap()
}

/// The bytes with one to three short pieces lost, doubled, overwritten or taken from elsewhere in them, and at times cut
/// off.
fn damaged(mut bytes: Vec<u8>, random: &mut fastrand::Rng) -> Vec<u8> {
    let piece = |bytes: &[u8], random: &mut fastrand::Rng| {
        let start = random.usize(..=bytes.len());
        start..random.usize(start..=bytes.len().min(start + 12))
    };
    for _ in 0..random.usize(1..=3) {
        let place = piece(&bytes, random);
        let instead = match random.u8(..4) {
            0 => Vec::new(),
            1 => bytes[place.clone()].repeat(2),
            2 => place.clone().map(|_| random.u8(..)).collect(),
            _ => bytes[piece(&bytes, random)].to_vec(),
        };
        bytes.splice(place, instead);
    }
    if random.u8(..8) == 0 {
        bytes.truncate(random.usize(..=bytes.len()));
    }
    bytes
}

#[test]
fn no_damage_makes_a_format_fail() {
    let rounds = std::env::var("TARJOMAN_DAMAGE").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let (mut random, mut failures) = (fastrand::Rng::with_seed(3), Vec::new());
    for Sample { name, document, pack } in samples() {
        let (copy, problems) = echoed(name, &pack(&document), HtmlMode::Page);
        assert!(copy.is_some() && problems.is_empty(), "{name}, whole: {problems:?}");
        for round in 0..rounds {
            let document = pack(&damaged(document.clone(), &mut random));
            let html = [HtmlMode::Page, HtmlMode::Article][round % 2];
            let (_, problems) = echoed(name, &document, html);
            if problems.iter().any(|problem| problem.contains("its reader fails on")) {
                failures.push(format!("{name}: {} {problems:?}", document.escape_ascii()));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// A document's copy with its own words for their translations, and its problems.
fn echoed(name: &str, document: &[u8], html: HtmlMode) -> (Option<Vec<u8>>, Vec<String>) {
    let options = ReadOptions { html, max_item_bytes: 1 << 16, ..ReadOptions::default() };
    let mut visitor = Shout { echo: true, ..Shout::default() };
    (visitor.rewrite(name, document, &options), visitor.problems)
}
