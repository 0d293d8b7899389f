//! WARC (ISO 28500): each HTML page that a server sent with status 200 is a document. Its translation comes behind it, as a
//! `conversion` record that refers to it; all records of the source stay as they are.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::detect::Packing;
use super::lines::{self, Line};
use super::{Context, Input, Outcome, Stop, Written, html, too_large};

/// The longest line of a header.
const LINE_BYTES: usize = 64 << 10;
/// The most lines of a header.
const HEADER_LINES: usize = 1000;

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let mut input = BufReader::new(input.reader());
    for number in 1_u64.. {
        let Some(header) = Header::read(&mut input, output, number)? else { break };
        let inner = format!(
            "{locator}!{}",
            header.field("warc-target-uri").map_or_else(|| format!("record {number}"), str::to_owned)
        );
        let length = header.length(number)?;
        let is_page = header.field("warc-type").is_some_and(|kind| kind.eq_ignore_ascii_case("response"));
        let limit = cx.options.max_item_bytes as u64;
        if is_page && length <= limit {
            let mut block = Vec::new();
            input.by_ref().take(length).read_to_end(&mut block)?;
            if (block.len() as u64) < length {
                return Err(Stop::unusable(format!("ends within record {number}")));
            }
            output.write_all(&block)?;
            end(&mut input, output)?;
            page(&inner, &header, &block, output, cx)?;
        } else {
            if is_page {
                cx.visitor.unusable(&inner, too_large(cx.options.max_item_bytes))?;
            }
            if io::copy(&mut input.by_ref().take(length), output)? < length {
                return Err(Stop::unusable(format!("ends within record {number}")));
            }
            end(&mut input, output)?;
        }
    }
    Ok(Written::Whole)
}

/// Packs records, each as a gzip member of its own (ISO 28500, annex D), so that readers can begin at any of them.
pub(super) fn pack(records: impl Read, packed: &mut dyn Write) -> Outcome {
    let mut records = BufReader::new(records);
    for number in 1_u64.. {
        if records.fill_buf()?.is_empty() {
            break;
        }
        let mut member = GzEncoder::new(&mut *packed, Compression::default());
        let Some(header) = Header::read(&mut records, &mut member, number)? else { break };
        io::copy(&mut records.by_ref().take(header.length(number)?), &mut member)?;
        end(&mut records, &mut member)?;
        member.finish()?;
    }
    Ok(())
}

/// Copies the two line ends behind a record. The last record of a file may lack them.
fn end(input: &mut impl BufRead, output: &mut dyn Write) -> io::Result<()> {
    for expected in *b"\r\n\r\n" {
        if input.fill_buf()?.first() == Some(&expected) {
            input.consume(1);
        }
    }
    output.write_all(b"\r\n\r\n")
}

/// Writes the translation of the page that a response has, if it has one.
fn page(
    locator: &str,
    header: &Header,
    block: &[u8],
    output: &mut dyn Write,
    cx: &mut Context<'_>,
) -> Outcome {
    let body = match body(block, cx) {
        Ok(Some(body)) => body,
        Ok(None) => return Ok(()),
        Err(error) => return cx.visitor.unusable(locator, error.to_string()),
    };
    let mut page = Vec::new();
    match html::rewrite(locator, Input::Stream(Box::new(Cursor::new(body))), &mut page, cx) {
        Ok(Written::Whole) => {}
        Ok(Written::Nothing) => return Ok(()),
        Err(Stop::Unusable(reason)) => return cx.visitor.unusable(locator, reason),
        Err(stop) => return Err(stop),
    }
    let field = |name: &str| header.field(name).unwrap_or_default().trim();
    write!(
        output,
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:{}>\r\nWARC-Refers-To: {}\r\n\
         WARC-Target-URI: {}\r\nWARC-Date: {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        uuid(field("warc-record-id"), &page),
        field("warc-record-id"),
        field("warc-target-uri"),
        field("warc-date"),
        page.len(),
    )?;
    output.write_all(&page)?;
    Ok(output.write_all(b"\r\n\r\n")?)
}

/// The HTML in a response; `None` where there is none.
fn body(block: &[u8], cx: &Context<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut rest = block;
    let Some(header) = Header::read(&mut rest, &mut io::sink(), 0).ok().flatten() else { return Ok(None) };
    let says = |name: &str, value: &str| {
        header.field(name).is_some_and(|field| field.to_ascii_lowercase().contains(value))
    };
    let is_html = says("content-type", "text/html") || says("content-type", "application/xhtml");
    if header.first.split(' ').nth(1) != Some("200") || !is_html {
        return Ok(None);
    }
    let body = if says("transfer-encoding", "chunked") { unchunked(rest)? } else { rest.to_vec() };
    match header.field("content-encoding").map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "identity") => Ok(Some(body)),
        Some("gzip" | "x-gzip") => {
            let mut unpacked = Vec::new();
            Packing::Gzip.reader(Box::new(&*body), cx)?.read_to_end(&mut unpacked)?;
            Ok(Some(unpacked))
        }
        Some(other) => Err(io::Error::other(format!("is packed as {other:?}, which can't be unpacked"))),
    }
}

/// The body of a response that was sent in chunks (RFC 9112, 7.1). Some crawlers keep the header of such a response and
/// join its chunks: what doesn't start with a chunk's size is taken for a joined one.
fn unchunked(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    let mut rest = body;
    loop {
        let end = rest.windows(2).take(64).position(|bytes| bytes == b"\r\n");
        let size = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let size = size.and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok());
        let (Some(end), Some(size)) = (end, size) else {
            let broken = || io::Error::new(io::ErrorKind::InvalidData, "has a broken chunk");
            return if whole.is_empty() && rest.len() == body.len() {
                Ok(body.to_vec())
            } else {
                Err(broken())
            };
        };
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = rest.get(size.saturating_add(2)..).unwrap_or_default();
        if rest.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "ends within a chunk"));
        }
    }
}

/// A version 8 UUID (RFC 9562) that is the same whenever the same is converted.
fn uuid(original: &str, page: &[u8]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::new().chain_update(original).chain_update(page).finalize()[..16]);
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The header of a record or of a response.
struct Header {
    /// The version or the status.
    first: String,
    fields: Vec<(String, String)>,
}

impl Header {
    /// Reads a header and the blank line behind it, and copies them; `None` at the end of the file.
    fn read(input: &mut impl BufRead, output: &mut dyn Write, number: u64) -> Outcome<Option<Self>> {
        let mut header = Self { first: String::new(), fields: Vec::new() };
        let mut line = Vec::new();
        let broken = |what: &str| Stop::unusable(format!("{what} at record {number}"));
        for count in 0..HEADER_LINES {
            match lines::read(input, &mut line, LINE_BYTES)? {
                Line::End if count == 0 => return Ok(None),
                Line::End => return Err(broken("ends within a header")),
                Line::TooLong => return Err(broken("has a header that is too long")),
                Line::Whole => output.write_all(&line)?,
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            match text.split_once(':') {
                _ if count == 0 && (text.starts_with("WARC/") || text.starts_with("HTTP/")) => {
                    header.first = text.into();
                }
                _ if count == 0 => return Err(broken("isn't a WARC file")),
                _ if text.is_empty() => return Ok(Some(header)),
                Some((name, value)) => {
                    header.fields.push((name.trim().to_ascii_lowercase(), value.trim().into()));
                }
                None => {}
            }
        }
        Err(broken("has a header of too many lines"))
    }

    /// The number of bytes in the record's block.
    fn length(&self, number: u64) -> Outcome<u64> {
        let length = self.field("content-length").and_then(|length| length.trim().parse().ok());
        length.ok_or_else(|| Stop::unusable(format!("record {number} has no length")))
    }

    /// The value of a field, named in lower case.
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::format::ReadOptions;
    use crate::archive::format::testing::rewritten;

    fn record(kind: &str, uri: &str, block: &[u8]) -> Vec<u8> {
        let header = format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {uri}\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n\
             WARC-Record-ID: <urn:uuid:1>\r\nContent-Length: {}\r\n\r\n",
            block.len()
        );
        [header.as_bytes(), block, b"\r\n\r\n"].concat()
    }

    fn response(headers: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n{headers}\r\n");
        [head.as_bytes(), body].concat()
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn pages_get_a_conversion_behind_them() {
        let page = "<p>سلام a</p>".as_bytes();
        let chunked = [
            b"5;x=y\r\n",
            &page[..5],
            b"\r\n",
            format!("{:x}", page.len() - 5).as_bytes(),
            b"\r\n",
            &page[5..],
            b"\r\n0\r\n\r\n",
        ]
        .concat();
        let source = [
            record("warcinfo", "", b"software: x\r\n"),
            record("response", "http://a/1", &response("", page)),
            record("response", "http://a/2", &response("Transfer-Encoding: chunked\r\n", &chunked)),
            record("response", "http://a/3", &response("Content-Encoding: gzip\r\n", &gzipped(page))),
            record(
                "response",
                "http://a/4",
                b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>\xd8\xb3</p>",
            ),
            record("response", "http://a/5", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\xff"),
            record("response", "http://a/6", &response("Content-Encoding: gzip\r\n", b"no gzip")),
            record("request", "http://a/1", b"GET /1 HTTP/1.1\r\n\r\n"),
        ];
        let (output, visitor) = rewritten("a.warc", &source.concat(), &ReadOptions::default());
        let output = output.unwrap();
        assert_eq!(visitor.locators, ["a.warc!http://a/1", "a.warc!http://a/2", "a.warc!http://a/3"]);
        assert_eq!(visitor.problems.len(), 1);
        assert!(visitor.problems[0].starts_with("a.warc!http://a/6: "), "{:?}", visitor.problems);
        let has = |bytes: &[u8]| output.windows(bytes.len()).filter(|window| *window == bytes).count();
        assert!(source.iter().all(|record| has(record) == 1), "all records of the source stay");
        assert_eq!(has(b"WARC-Type: conversion\r\n"), 3);
        assert_eq!(has("Content-Length: 17\r\n\r\n<p>سلام A</p>\r\n\r\n".as_bytes()), 3);
        // What was written can be read, and a conversion isn't converted again.
        let (again, visitor) = rewritten("a.warc", &output, &ReadOptions::default());
        assert_eq!(visitor.locators.len(), 3);
        assert!(again.is_some());
    }

    #[test]
    fn packed_records_stay_packed_one_by_one() {
        let page = record("response", "http://a/1", &response("", "<p>سلام a</p>".as_bytes()));
        let source = gzipped(&[page.clone(), record("request", "http://a/1", b"x")].concat());
        let (output, _) = rewritten("a.warc.gz", &source, &ReadOptions::default());
        let output = output.unwrap();
        let (mut rest, mut records) = (&*output, Vec::new());
        while !rest.is_empty() {
            let mut member = flate2::bufread::GzDecoder::new(rest);
            let mut record = Vec::new();
            member.read_to_end(&mut record).unwrap();
            records.push(record);
            rest = member.into_inner();
        }
        assert_eq!(records.len(), 3);
        assert!(records.iter().all(|record| record.starts_with(b"WARC/1.0\r\n")));
        assert_eq!(records[0], page);
    }

    #[test]
    fn a_page_that_cannot_be_unpacked_is_told() {
        let source = record("response", "http://a/1", &response("Content-Encoding: br\r\n", b"x"));
        let (_, visitor) = rewritten("a.warc", &source, &ReadOptions::default());
        assert!(visitor.problems[0].contains("is packed as \"br\""), "{:?}", visitor.problems);
    }

    #[test]
    fn a_broken_file_is_told_by_its_record() {
        let whole = record("response", "http://a/1", &response("", b"<p>x</p>"));
        for (source, reason) in [
            (&b"<html>"[..], "isn't a WARC file at record 1"),
            (&whole[..60], "ends within a header at record 1"),
            (&whole[..whole.len() - 10], "ends within record 1"),
            (b"WARC/1.0\r\nWARC-Type: x\r\n\r\n", "record 1 has no length"),
        ] {
            let (output, visitor) = rewritten("a.warc", source, &ReadOptions::default());
            assert!(output.is_none() && visitor.problems[0].contains(reason), "{:?}", visitor.problems);
        }
    }
}
