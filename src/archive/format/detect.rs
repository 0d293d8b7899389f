//! A document's format, by its name.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::guard::{Guarded, Metered};
use super::subtitles::Subtitles;
use super::xml::Dialect;
use super::{
    Context, Input, Outcome, Output, Written, containers, html, jsonl, markdown, parquet, subtitles, table,
    text, warc, xml,
};

/// What a document is, and how it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub(super) kind: Kind,
    pub(super) packing: Option<Packing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Markdown,
    Html,
    Jsonl,
    Csv,
    Tsv,
    Parquet,
    Subtitles(Subtitles),
    Zip,
    Tar,
    Warc,
    Epub,
    Docx,
    Xml(Dialect),
    /// Copied as it is.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstandard,
}

impl Format {
    /// The format that a document's name tells; `None` for one that is copied as it is.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let name = name.rsplit(['/', '!']).next().unwrap_or(name).to_lowercase();
        let (stem, extension) = name.rsplit_once('.')?;
        let packing = match extension {
            "gz" | "tgz" => Some(Packing::Gzip),
            "zst" | "tzst" => Some(Packing::Zstandard),
            _ => None,
        };
        let extension = match (packing, extension) {
            (Some(_), "tgz" | "tzst") => "tar",
            (Some(_), _) => stem.rsplit_once('.')?.1,
            (None, extension) => extension,
        };
        Some(Self { kind: Kind::of(extension)?, packing })
    }
}

impl Kind {
    fn of(extension: &str) -> Option<Self> {
        Some(match extension {
            "txt" | "text" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "parquet" => Self::Parquet,
            "srt" => Self::Subtitles(Subtitles::SubRip),
            "vtt" => Self::Subtitles(Subtitles::WebVtt),
            "zip" => Self::Zip,
            "tar" => Self::Tar,
            "warc" => Self::Warc,
            "epub" => Self::Epub,
            "docx" => Self::Docx,
            _ => return None,
        })
    }

    pub(super) fn rewrite(
        self,
        locator: &str,
        input: Input<'_>,
        mut output: Output<'_>,
        cx: &mut Context<'_>,
    ) -> Outcome<Written> {
        match self {
            Self::Text => text::rewrite(locator, input, output.writer(), cx),
            Self::Markdown => markdown::rewrite(locator, input, output.writer(), cx),
            Self::Html => html::rewrite(locator, input, output.writer(), cx),
            Self::Jsonl => jsonl::rewrite(locator, input, output.writer(), cx),
            Self::Csv => table::rewrite(locator, input, output.writer(), cx.options.delimiter, cx),
            Self::Tsv => table::rewrite(locator, input, output.writer(), b'\t', cx),
            Self::Parquet => parquet::rewrite(locator, input, output, cx),
            Self::Subtitles(kind) => subtitles::rewrite(locator, input, output.writer(), kind, cx),
            Self::Zip => containers::zip(locator, input, output, None, cx),
            Self::Epub => containers::zip(locator, input, output, Some(epub_part), cx),
            Self::Docx => containers::zip(locator, input, output, Some(docx_part), cx),
            Self::Tar => containers::tar(locator, input, output, cx),
            Self::Warc => warc::rewrite(locator, input, output.writer(), cx),
            Self::Xml(dialect) => xml::rewrite(locator, input, output.writer(), dialect, cx),
            Self::Other => {
                cx.visitor.copied();
                io::copy(&mut input.reader(), output.writer())?;
                Ok(Written::Whole)
            }
        }
    }
}

/// What a part of an EPUB is, by its name.
fn epub_part(name: &str) -> Kind {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "xhtml" | "html" | "htm" => Kind::Html,
        "opf" => Kind::Xml(Dialect::Package),
        "ncx" => Kind::Xml(Dialect::Contents),
        _ => Kind::Other,
    }
}

/// What a part of a DOCX file is, by its name.
fn docx_part(name: &str) -> Kind {
    let part = name.strip_prefix("word/").and_then(|part| part.strip_suffix(".xml")).unwrap_or_default();
    let texts = ["document", "footnotes", "endnotes", "comments", "header", "footer"];
    let has_text = texts.contains(&part.trim_end_matches(|c: char| c.is_ascii_digit()));
    if has_text { Kind::Xml(Dialect::Word) } else { Kind::Other }
}

impl Packing {
    /// What the stream holds unpacked, if it is no bomb.
    pub(super) fn reader<'a>(
        self,
        packed: Box<dyn Read + 'a>,
        cx: &Context<'_>,
    ) -> io::Result<Box<dyn Read + 'a>> {
        let (packed, meter) = Metered::new(packed);
        let unpacked: Box<dyn Read + 'a> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstandard => Box::new(zstd::stream::read::Decoder::new(packed)?),
        };
        Ok(Box::new(Guarded::new(unpacked, meter, &cx.budget)))
    }

    pub(super) fn pack(self, mut unpacked: impl Read, packed: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(packed, Compression::default());
                io::copy(&mut unpacked, &mut encoder)?;
                encoder.finish()?;
            }
            Self::Zstandard => zstd::stream::copy_encode(unpacked, packed, zstd::DEFAULT_COMPRESSION_LEVEL)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        let cases = [
            ("a/b.TXT", Kind::Text, None),
            ("x.zip!c.md", Kind::Markdown, None),
            ("a.jsonl.gz", Kind::Jsonl, Some(Packing::Gzip)),
            ("a.b.ndjson.zst", Kind::Jsonl, Some(Packing::Zstandard)),
            ("a.tgz", Kind::Tar, Some(Packing::Gzip)),
            ("a.tar.gz", Kind::Tar, Some(Packing::Gzip)),
        ];
        for (name, kind, packing) in cases {
            assert_eq!(Format::of(name), Some(Format { kind, packing }), "{name}");
        }
        for name in ["a.jpg", "txt", "folder.txt/a", "a.gz", "a.jpg.gz", "Makefile"] {
            assert_eq!(Format::of(name), None, "{name}");
        }
    }
}
