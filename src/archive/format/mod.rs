//! Formats: where the articles of a document are, and how their translations take their places.
//!
//! Each is one function that copies a document from its input to its output and shows each article that it comes by
//! to a [`Visitor`]. What isn't an article's text is copied byte for byte (in UTF-8).

mod containers;
#[cfg(test)]
mod damage;
mod detect;
mod echo;
mod guard;
mod html;
mod jsonl;
mod lines;
mod markdown;
mod markup;
mod parquet;
mod subtitles;
mod table;
#[cfg(test)]
mod testing;
mod text;
mod warc;
mod xml;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use super::record::{Segment, Text};
use crate::Error;
use detect::{Format, Kind, Packing};
pub use echo::copy_unchanged;
use guard::Budget;

/// How documents are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOptions {
    /// Where the text is in a record of JSONL or a table: a column's name, or a path such as `article.body` or
    /// `parts.*.text`.
    pub text_fields: Vec<String>,
    /// What is translated of an HTML page.
    pub html: HtmlMode,
    /// What separates a CSV file's fields, as an ASCII character; tabs in a file named `.tsv`.
    pub delimiter: u8,
    /// The largest article, in bytes of the record or document that holds it.
    pub max_item_bytes: usize,
    /// How many times its packed size a packed stream may have before it is taken for a bomb.
    pub max_ratio: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            text_fields: vec!["text".into()],
            html: HtmlMode::Page,
            delimiter: b',',
            max_item_bytes: 16 << 20,
            max_ratio: 200,
        }
    }
}

/// What is translated of an HTML page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HtmlMode {
    /// The main article alone, as a page of its own.
    Article,
    /// The whole page, with its markup as it is.
    Page,
}

/// Why a document isn't read to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It can't be used: what is wrong with it. Other documents go on.
    Unusable(String),
    /// The run ends in order; nothing is wrong with the document.
    Interrupted,
    /// There is no room for the document's copy: what was said of it.
    NoRoom(String),
    /// The run can't go on.
    Failed(Error),
}

pub(super) type Outcome<T = ()> = Result<T, Stop>;

impl Stop {
    pub(super) fn unusable(reason: impl Into<String>) -> Self {
        Self::Unusable(reason.into())
    }
}

/// A failure to read the document, unless it is of a kind that only writing meets. Other failures to write its output
/// are noticed by whoever handed the output in.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem => Self::NoRoom(error.to_string()),
            _ => Self::Unusable(error.to_string()),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// An article of a document.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is, for a reader: the file's name, behind `!` names within containers, behind `:` the record.
    pub(super) locator: String,
    pub(super) text: Text,
    /// The encoding that it was taken to be in, where that isn't UTF-8.
    pub(super) encoding: Option<&'static str>,
}

/// Who looks at the articles of a document.
pub(super) trait Visitor {
    /// The translation of an article's segments; `None` where there is none (yet).
    fn article(&mut self, article: Found) -> Outcome<Option<Vec<Segment>>>;

    /// A part of the document can't be used, and is copied as it is or left out.
    fn unusable(&mut self, locator: &str, reason: String) -> Outcome;

    /// A document in no known format is copied as it is.
    fn copied(&mut self);
}

/// What a format gets to read a document with.
pub(super) struct Context<'a> {
    options: &'a ReadOptions,
    visitor: &'a mut dyn Visitor,
    /// A folder for temporary files.
    scratch: &'a Path,
    /// What all that is packed in the document may unpack to.
    budget: Budget,
    /// How deep in documents within documents it is.
    depth: usize,
}

impl<'a> Context<'a> {
    /// For a document of `size` bytes.
    pub(super) fn new(
        options: &'a ReadOptions,
        visitor: &'a mut dyn Visitor,
        scratch: &'a Path,
        size: u64,
    ) -> Self {
        Self { options, visitor, scratch, budget: Budget::new(size, options.max_ratio), depth: 0 }
    }

    /// A temporary file that is held in memory while it is small.
    fn spool(&self) -> SpooledTempFile {
        tempfile::spooled_tempfile_in(SPOOL_BYTES, self.scratch)
    }
}

/// Where a document is read from.
pub(super) enum Input<'a> {
    File(&'a mut dyn ReadSeek),
    Stream(Box<dyn Read + 'a>),
}

/// Where a document is written to.
pub(super) enum Output<'a> {
    Nowhere(io::Empty),
    File(&'a mut dyn WriteSeek),
}

pub(super) trait ReadSeek: Read + Seek {
    /// The file itself, where it is one.
    fn as_file(&self) -> Option<&File> {
        None
    }
}

impl ReadSeek for File {
    fn as_file(&self) -> Option<&File> {
        Some(self)
    }
}

impl ReadSeek for BufReader<File> {
    fn as_file(&self) -> Option<&File> {
        Some(self.get_ref())
    }
}

impl<T: AsRef<[u8]>> ReadSeek for Cursor<T> {}
impl ReadSeek for SpooledTempFile {}

pub(super) trait WriteSeek: Write + Seek + Send {}
impl<T: Write + Seek + Send> WriteSeek for T {}

/// Whether a document has an output. One whose only article has no translation has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Whole,
    Nothing,
}

impl<'a> Input<'a> {
    fn reader(self) -> Box<dyn Read + 'a> {
        match self {
            Self::File(file) => Box::new(file),
            Self::Stream(stream) => stream,
        }
    }
}

impl Output<'_> {
    fn writer(&mut self) -> &mut dyn WriteSeek {
        match self {
            Self::Nowhere(empty) => empty,
            Self::File(file) => file,
        }
    }
}

/// Copies the document named `locator`, whose articles `cx` has the translations of. Its format is told by its name.
pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: Output<'_>,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    if cx.depth == MAX_DEPTH {
        return Err(Stop::unusable(format!("is more than {MAX_DEPTH} documents deep in others")));
    }
    cx.depth += 1;
    // The readers of most formats are other people's; one that panics must cost its document, not the run.
    let ended = catch_unwind(AssertUnwindSafe(|| unpacked(locator, input, output, cx)));
    cx.depth -= 1;
    ended.unwrap_or_else(|_| Err(Stop::unusable("is broken in a way that its reader fails on")))
}

fn unpacked(
    locator: &str,
    input: Input<'_>,
    mut output: Output<'_>,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let Some(Format { kind, packing }) = Format::of(locator) else {
        return Kind::Other.rewrite(locator, input, output, cx);
    };
    let Some(packing) = packing else { return kind.rewrite(locator, input, output, cx) };
    let input = Input::Stream(packing.reader(input.reader(), cx)?);
    let mut unpacked = match output {
        Output::Nowhere(_) => return kind.rewrite(locator, input, output, cx),
        Output::File(_) => cx.spool(),
    };
    let written = kind.rewrite(locator, input, Output::File(&mut unpacked), cx)?;
    unpacked.rewind()?;
    match (kind, packing) {
        (Kind::Warc, Packing::Gzip) => warc::pack(unpacked, output.writer())?,
        _ => packing.pack(unpacked, output.writer())?,
    }
    Ok(written)
}

/// How deep documents may be in each other. There are zips that hold themselves.
const MAX_DEPTH: usize = 8;

/// Bytes of a temporary file that are held in memory.
const SPOOL_BYTES: usize = 1 << 20;

/// Reads a document to its end.
///
/// # Errors
/// The problem, where it can't be read; with more than `limit` bytes it is too large.
fn read_whole(input: Input<'_>, limit: usize) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit_bytes = u64::try_from(limit).unwrap_or(u64::MAX);
    input.reader().take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Stop::unusable(too_large(limit)));
    }
    Ok(bytes)
}

/// The indices among the `known` columns of those that are named, in order and each once.
///
/// # Errors
/// The first name that isn't known.
fn columns(known: &[impl AsRef<str>], names: &[String]) -> Outcome<Vec<usize>> {
    let column = |name: &String| {
        let index = known.iter().position(|column| column.as_ref() == name);
        index.ok_or_else(|| {
            let known = known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
            Stop::unusable(format!(
                "has no column {name:?} but {known:.200}; name the one with the text by --text-field"
            ))
        })
    };
    let mut columns = names.iter().map(column).collect::<Outcome<Vec<_>>>()?;
    columns.sort_unstable();
    columns.dedup();
    Ok(columns)
}

fn too_large(limit: usize) -> String {
    format!("is larger than {limit} bytes; allow more with --max-item-bytes, if that is right")
}
