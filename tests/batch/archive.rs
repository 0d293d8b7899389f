//! An archive with articles in every format.

use std::io::{Cursor, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::data_type::{ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tar::{Builder, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::common::{Workplace, article};

/// Files that [`fill`] makes besides one for each text.
pub(crate) const FILES: usize = 15;

/// Fills the input with `count` articles in each of fourteen formats and packings.
pub(crate) fn fill(workplace: &Workplace, count: usize) {
    let mut numbers = 0..;
    let mut next = || article(numbers.next().unwrap());
    for number in 0..count {
        workplace.input(&format!("texts/{number:05}.txt"), next());
    }
    let mut articles = || (0..count).map(|_| next()).collect::<Vec<_>>();
    let records = |articles: Vec<String>| -> String {
        let record =
            |(id, text)| format!("{}\n", serde_json::json!({ "id": id, "text": text, "tags": ["x"] }));
        articles.into_iter().enumerate().map(record).collect()
    };
    let first = records(articles());
    workplace.input("records.jsonl", &first);
    // The same once more: it is translated once.
    workplace.input("again.jsonl", &first);
    workplace.input("records.jsonl.gz", gzipped(records(articles()).as_bytes()));
    workplace.input("table.csv", table(&articles(), ","));
    workplace.input("table.tsv", table(&articles(), "\t"));
    workplace.input("table.parquet", parquet(&articles()));
    workplace.input("pages.warc.gz", warc(&articles()));
    workplace.input("news.zip", zipped(&named(&articles(), "md", |text| format!("# {text}"))));
    let pages = tarred(&named(&articles(), "html", page));
    workplace.input("pages.tar.zst", zstd::stream::encode_all(&*pages, 3).unwrap());
    workplace.input("pages.tar.gz", gzipped(&tarred(&named(&articles(), "txt", str::to_owned))));
    workplace.input("book.epub", zipped(&named(&articles(), "xhtml", page)));
    workplace.input("films.tar", tarred(&named(&articles(), "srt", |text| subtitles(text, "", ','))));
    workplace
        .input("talks.zip", zipped(&named(&articles(), "vtt", |text| subtitles(text, "WEBVTT\n\n", '.'))));
    workplace.input("letters.zip", zipped(&named(&articles(), "docx", docx)));
    workplace.input("picture.jpg", b"\xff\xd8\xff");
}

/// The different texts in an archive of `count` articles in each format.
pub(crate) fn texts(count: usize) -> u64 {
    14 * count as u64
}

fn named<T>(articles: &[String], extension: &str, write: impl Fn(&str) -> T) -> Vec<(String, T)> {
    let named = |(number, text): (usize, &String)| (format!("2024/{number:05}.{extension}"), write(text));
    articles.iter().enumerate().map(named).collect()
}

fn page(text: &str) -> String {
    let paragraphs = text.lines().map(|line| format!("<p>{line}</p>")).collect::<Vec<_>>().concat();
    format!("<html lang=\"fa\"><body dir=\"rtl\">{paragraphs}</body></html>")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(entries: &[(String, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        writer.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_ref()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(entries: &[(String, String)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, text) in entries {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn table(articles: &[String], delimiter: &str) -> String {
    let rows = articles.iter().enumerate().map(|(id, text)| format!("{id},\"{text}\",x\r\n"));
    format!("id,text,note\r\n{}", rows.collect::<String>()).replace(',', delimiter)
}

fn parquet(articles: &[String]) -> Vec<u8> {
    let schema = "message news { required int64 id; required binary text (string); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    for (group, articles) in articles.chunks(1000).enumerate() {
        let ids: Vec<_> = (1000 * i64::try_from(group).unwrap()..).take(articles.len()).collect();
        let texts: Vec<_> = articles.iter().map(|text| text.as_str().into()).collect();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn warc(articles: &[String]) -> Vec<u8> {
    let record = |(number, text): (usize, &String)| {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{}", page(text));
        let header = format!(
            "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/{number}\r\n\
             WARC-Date: 2024-01-02T03:04:05Z\r\nWARC-Record-ID: <urn:uuid:{number}>\r\nContent-Length: {}\r\n\r\n",
            response.len()
        );
        gzipped((header + &response + "\r\n\r\n").as_bytes())
    };
    articles.iter().enumerate().flat_map(record).collect()
}

/// A cue for each line of an article.
fn subtitles(text: &str, head: &str, point: char) -> String {
    let cue = |(number, line): (usize, &str)| {
        let (from, to) = (format!("00:00:{number:02}{point}000"), format!("00:00:{number:02}{point}900"));
        format!("{}\n{from} --> {to}\n{line}\n\n", number + 1)
    };
    let lines = text.lines().filter(|line| !line.is_empty());
    head.to_owned() + &lines.enumerate().map(cue).collect::<String>()
}

fn docx(text: &str) -> Vec<u8> {
    let paragraphs = text.lines().map(|line| format!("<w:p><w:r><w:t>{line}</w:t></w:r></w:p>"));
    let body = paragraphs.collect::<String>();
    let document = format!("<w:document><w:body>{body}</w:body></w:document>");
    zipped(&[("word/document.xml".to_owned(), &*document), ("word/styles.xml".to_owned(), "<w:styles/>")])
}
