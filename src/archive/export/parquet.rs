//! Parquet: each sentence is a row.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::{Exporter, Pair, Target};
use crate::review::Flag;
use crate::{Error, Result};

/// The columns. Spans are half-open ranges of UTF-8 bytes, into the article's text and the paragraph's translation.
const SCHEMA: &str = "message sentences {
    required binary article (string);
    required int32 paragraph;
    required int32 sentence;
    required binary source (string);
    required binary target (string);
    required int64 source_start;
    required int64 source_end;
    required int64 target_start;
    required int64 target_end;
    required float score;
    required group flags (list) { repeated group list { required binary element (string); } }
    required int32 attempts;
    required binary model (string);
    required binary digest (string);
    required binary precision (string);
    required binary version (string);
}";

/// Sentences in a row group. They are held in memory until it is full.
const ROWS: usize = 8192;

pub(super) struct Parquet {
    writer: SerializedFileWriter<Target>,
    rows: Rows,
}

/// Sentences, column by column.
#[derive(Default)]
struct Rows {
    article: Vec<ByteArray>,
    paragraph: Vec<i32>,
    sentence: Vec<i32>,
    texts: [Vec<ByteArray>; 2],
    places: [Vec<i64>; 4],
    score: Vec<f32>,
    flags: Flags,
    attempts: Vec<i32>,
    provenance: [Vec<ByteArray>; 4],
}

/// A column of lists, as Parquet writes them down: for each flag, and each sentence without any, whether there is a
/// flag, and whether it is in the same list as the one before.
#[derive(Default)]
struct Flags {
    values: Vec<ByteArray>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Parquet {
    pub(super) fn new(target: Target) -> Result<Self> {
        let begin = || {
            let schema = Arc::new(parse_message_type(SCHEMA)?);
            let compression = Compression::ZSTD(ZstdLevel::default());
            let properties = WriterProperties::builder().set_compression(compression).build();
            SerializedFileWriter::new(target, schema, Arc::new(properties))
        };
        let writer = begin().map_err(|error| Error::Inference(error.to_string()))?;
        Ok(Self { writer, rows: Rows::default() })
    }

    fn flush(&mut self) -> ParquetResult<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.article.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        column::<ByteArrayType>(&mut group, &rows.article, None)?;
        column::<Int32Type>(&mut group, &rows.paragraph, None)?;
        column::<Int32Type>(&mut group, &rows.sentence, None)?;
        rows.texts.iter().try_for_each(|texts| column::<ByteArrayType>(&mut group, texts, None))?;
        rows.places.iter().try_for_each(|places| column::<Int64Type>(&mut group, places, None))?;
        column::<FloatType>(&mut group, &rows.score, None)?;
        let Flags { values, definition, repetition } = &rows.flags;
        column::<ByteArrayType>(&mut group, values, Some((definition, repetition)))?;
        column::<Int32Type>(&mut group, &rows.attempts, None)?;
        rows.provenance.iter().try_for_each(|texts| column::<ByteArrayType>(&mut group, texts, None))?;
        group.close().map(drop)
    }
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Target>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> ParquetResult<()> {
    let missing = || ParquetError::General("the schema has fewer columns".into());
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    let (definition, repetition) = levels.unzip();
    writer.typed::<T>().write_batch(values, definition, repetition)?;
    writer.close()
}

impl Rows {
    fn push(&mut self, article: &Pair<'_>) {
        let provenance = article.provenance;
        let provenance = [&provenance.model, &provenance.digest, &provenance.precision, &provenance.version];
        for (paragraph, sentences) in article.paragraphs().enumerate() {
            for (number, aligned) in sentences.iter().enumerate() {
                let sentence = aligned.sentence;
                let (source, target) = (sentence.source_span, sentence.target_span);
                self.article.push(article.locator.into());
                self.paragraph.push(count(paragraph));
                self.sentence.push(count(number));
                push(&mut self.texts, [aligned.source.into(), aligned.target.into()]);
                push(&mut self.places, [source.start, source.end, target.start, target.end].map(place));
                self.score.push(sentence.score);
                self.flags.push(sentence.flags.iter().map(Flag::name));
                self.attempts.push(count(sentence.attempts));
                push(&mut self.provenance, provenance.map(|text| text.as_str().into()));
            }
        }
    }
}

impl Flags {
    fn push(&mut self, names: impl Iterator<Item = &'static str>) {
        let before = self.values.len();
        for name in names {
            self.repetition.push(i16::from(self.values.len() > before));
            self.definition.push(1);
            self.values.push(name.into());
        }
        if self.values.len() == before {
            self.repetition.push(0);
            self.definition.push(0);
        }
    }
}

/// Appends a value to each column.
fn push<T, const N: usize>(columns: &mut [Vec<T>; N], values: [T; N]) {
    for (column, value) in columns.iter_mut().zip(values) {
        column.push(value);
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn place(offset: usize) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

impl Exporter for Parquet {
    fn article(&mut self, article: &Pair<'_>) -> io::Result<()> {
        self.rows.push(article);
        if self.rows.article.len() >= ROWS {
            self.flush().map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Target> {
        self.flush().map_err(io::Error::other)?;
        self.writer.into_inner().map_err(io::Error::other)
    }
}
