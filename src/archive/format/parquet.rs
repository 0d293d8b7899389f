//! Parquet: each row is a record, and the text in it one article. Columns without text are copied as they are packed, so
//! that nothing is lost of types that aren't known here.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnDescPtr;
use tempfile::SpooledTempFile;

use super::guard::{FREE_BYTES, is_bomb};
use super::{Context, Found, Input, Outcome, Output, Stop, WriteSeek, Written, too_large};
use crate::archive::record::Text;

/// Rows that are held in memory at once.
const ROWS: usize = 64;

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: Output<'_>,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let file = Positioned::new(input, cx)?;
    let reader = SerializedFileReader::new(file.clone())?;
    let metadata = reader.metadata();
    let columns = columns(metadata, &cx.options.text_fields)?;
    let mut writer = match output {
        Output::Nowhere(_) => None,
        Output::File(output) => Some(writer(output, metadata, &columns)?),
    };
    let mut row = 0;
    for (index, chunks) in metadata.row_groups().iter().enumerate() {
        columns.iter().try_for_each(|column| refuse_bomb(chunks.column(*column), cx.options.max_ratio))?;
        let group = Group { reader: reader.get_row_group(index)?, columns: &columns };
        let Some(writer) = &mut writer else {
            group.visit(locator, &mut row, None, cx)?;
            continue;
        };
        let mut translated: Vec<_> = columns.iter().map(|_| cx.spool()).collect();
        group.visit(locator, &mut row, Some(&mut translated), cx)?;
        let mut written = writer.next_row_group()?;
        for (index, chunk) in chunks.columns().iter().enumerate() {
            match columns.iter().position(|column| *column == index) {
                Some(place) => group.write(index, &mut translated[place], &mut written)?,
                None => written.append_column(&file, unchanged(chunk, chunks))?,
            }
        }
        written.close()?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(Written::Whole)
}

/// The indices of the columns with the text, in order. In a name, `*` stands for a list's items, whatever the writer
/// of the file calls them.
fn columns(metadata: &ParquetMetaData, names: &[String]) -> Outcome<Vec<usize>> {
    let known: Vec<_> = metadata.file_metadata().schema_descr().columns().iter().map(short_name).collect();
    super::columns(&known, names)
}

fn short_name(column: &ColumnDescPtr) -> String {
    let path = column.path().string();
    // As Arrow, Spark and Hive name a list's items.
    [".list.element", ".list.item", ".bag.array_element"]
        .iter()
        .fold(path, |path, item| path.replace(item, ".*"))
}

fn writer<'a>(
    output: &'a mut dyn WriteSeek,
    metadata: &ParquetMetaData,
    columns: &[usize],
) -> Outcome<SerializedFileWriter<&'a mut dyn WriteSeek>> {
    let file = metadata.file_metadata();
    let mut properties = WriterProperties::builder()
        .set_key_value_metadata(file.key_value_metadata().cloned())
        .set_statistics_enabled(EnabledStatistics::Chunk);
    if let Some(group) = metadata.row_groups().first() {
        for chunk in columns.iter().map(|column| group.column(*column)) {
            let packed = chunk.compression();
            properties = properties.set_column_compression(chunk.column_path().clone(), packed);
        }
    }
    let schema = file.schema_descr().root_schema_ptr();
    Ok(SerializedFileWriter::new(output, schema, Arc::new(properties.build()))?)
}

fn refuse_bomb(chunk: &ColumnChunkMetaData, max_ratio: u64) -> Outcome {
    let size = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
    let most = FREE_BYTES.max(size(chunk.compressed_size()).saturating_mul(max_ratio));
    if size(chunk.uncompressed_size()) > most {
        return Err(Stop::unusable(is_bomb(max_ratio)));
    }
    Ok(())
}

/// A column that is copied as it is, without its indices, whose places in the file are others.
fn unchanged(chunk: &ColumnChunkMetaData, group: &RowGroupMetaData) -> ColumnCloseResult {
    ColumnCloseResult {
        bytes_written: u64::try_from(chunk.compressed_size()).unwrap_or_default(),
        rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
        metadata: chunk.clone(),
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    }
}

/// A row group and its columns with text.
struct Group<'a> {
    reader: Box<dyn RowGroupReader + 'a>,
    columns: &'a [usize],
}

impl Group<'_> {
    /// Visits the article of each row; `row` counts them over the file. `translated` gets the columns' new values.
    fn visit(
        &self,
        locator: &str,
        row: &mut u64,
        mut translated: Option<&mut [SpooledTempFile]>,
        cx: &mut Context<'_>,
    ) -> Outcome {
        let mut columns = self
            .columns
            .iter()
            .map(|index| Column::new(&*self.reader, *index))
            .collect::<Outcome<Vec<_>>>()?;
        loop {
            let rows = columns.iter_mut().map(Column::read).collect::<Outcome<Vec<_>>>()?;
            let Some(&count) = rows.first().filter(|count| **count > 0) else { return Ok(()) };
            if rows.iter().any(|rows| *rows != count) {
                return Err(Stop::unusable("has columns of different lengths"));
            }
            let mut values: Vec<_> = columns.iter().map(Column::rows).collect();
            for _ in 0..count {
                *row += 1;
                let cells: Vec<_> = values.iter_mut().map(|rows| rows.next().unwrap_or_default()).collect();
                let new = translation(&format!("{locator}:{row}"), &cells, cx)?;
                if let Some(translated) = &mut translated {
                    let mut new = new.into_iter();
                    for (cell, column) in cells.iter().zip(translated.iter_mut()) {
                        cell.iter().zip(new.by_ref()).try_for_each(|(_, value)| put(column, value.data()))?;
                    }
                }
            }
        }
    }

    /// Writes a column with new values. Where there are nulls and where lists begin is as it was.
    fn write<W: Write + Send>(
        &self,
        index: usize,
        translated: &mut SpooledTempFile,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Outcome {
        translated.rewind()?;
        let mut column = Column::new(&*self.reader, index)?;
        let mut writer =
            group.next_column()?.ok_or_else(|| Stop::unusable("has fewer columns than it says"))?;
        while column.read()? > 0 {
            let new = column.values.iter().map(|_| take(translated)).collect::<io::Result<Vec<_>>>()?;
            let definition = (column.max_definition > 0).then_some(&*column.definition);
            let repetition = (column.max_repetition > 0).then_some(&*column.repetition);
            writer.typed::<ByteArrayType>().write_batch(&new, definition, repetition)?;
        }
        Ok(writer.close()?)
    }
}

/// The new values of a row's cells, one after the other; the old ones where there is no translation.
fn translation(locator: &str, cells: &[Vec<ByteArray>], cx: &mut Context<'_>) -> Outcome<Vec<ByteArray>> {
    let old: Vec<_> = cells.concat();
    let size = old.iter().map(ByteArray::len).sum::<usize>();
    cx.budget.spend(size as u64)?;
    if size > cx.options.max_item_bytes {
        cx.visitor.unusable(locator, too_large(cx.options.max_item_bytes))?;
        return Ok(old);
    }
    let Ok(texts) = old.iter().map(|value| std::str::from_utf8(value.data())).collect::<Result<Vec<_>, _>>()
    else {
        cx.visitor.unusable(locator, "isn't UTF-8".into())?;
        return Ok(old);
    };
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Ok(old);
    }
    let found = Found { locator: locator.into(), text: Text::new(texts), encoding: None };
    let segments = cx.visitor.article(found)?;
    Ok(segments.map_or(old, |segments| {
        segments.into_iter().map(|segment| ByteArray::from(segment.text.into_bytes())).collect()
    }))
}

/// A column's values, [`ROWS`] rows at a time, and the levels by which Parquet tells where they are in their rows.
struct Column {
    reader: ColumnReaderImpl<ByteArrayType>,
    max_definition: i16,
    max_repetition: i16,
    definition: Vec<i16>,
    repetition: Vec<i16>,
    values: Vec<ByteArray>,
}

impl Column {
    fn new(group: &dyn RowGroupReader, index: usize) -> Outcome<Self> {
        let column = group.metadata().column(index).column_descr_ptr();
        let ColumnReader::ByteArrayColumnReader(reader) = group.get_column_reader(index)? else {
            return Err(Stop::unusable(format!("has no text in its column {:?}", short_name(&column))));
        };
        Ok(Self {
            reader,
            max_definition: column.max_def_level(),
            max_repetition: column.max_rep_level(),
            definition: Vec::new(),
            repetition: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Reads the next rows in place of the last ones and returns their number.
    fn read(&mut self) -> Outcome<usize> {
        self.definition.clear();
        self.repetition.clear();
        self.values.clear();
        let (definition, repetition) = (&mut self.definition, &mut self.repetition);
        let (rows, ..) =
            self.reader.read_records(ROWS, Some(definition), Some(repetition), &mut self.values)?;
        Ok(rows)
    }

    /// The values of each row.
    fn rows(&self) -> impl Iterator<Item = Vec<ByteArray>> {
        let levels = self.values.len().max(self.definition.len());
        let begins = |level: &usize| self.max_repetition == 0 || self.repetition.get(*level) == Some(&0);
        let starts: Vec<_> = (0..levels).filter(begins).chain([levels]).collect();
        let has_value = |level: &usize| {
            self.max_definition == 0 || self.definition.get(*level) == Some(&self.max_definition)
        };
        let mut values = self.values.iter().cloned();
        let counts: Vec<_> =
            starts.windows(2).map(|row| (row[0]..row[1]).filter(has_value).count()).collect();
        counts.into_iter().map(move |count| values.by_ref().take(count).collect())
    }
}

/// Appends a value with its length before it.
fn put(file: &mut impl Write, value: &[u8]) -> io::Result<()> {
    file.write_all(&value.len().to_le_bytes())?;
    file.write_all(value)
}

/// The next value that was [`put`].
fn take(file: &mut impl Read) -> io::Result<ByteArray> {
    let mut length = [0; size_of::<usize>()];
    file.read_exact(&mut length)?;
    let mut value = vec![0; usize::from_le_bytes(length)];
    file.read_exact(&mut value)?;
    Ok(value.into())
}

impl From<ParquetError> for Stop {
    fn from(error: ParquetError) -> Self {
        let unusable =
            |error: &dyn std::fmt::Display| Self::unusable(format!("isn't whole Parquet: {error}"));
        match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => (*error).into(),
                Err(error) => unusable(&error),
            },
            error => unusable(&error),
        }
    }
}

/// A file that is read at any place; what reads at one doesn't move the others.
#[derive(Clone)]
struct Positioned {
    file: Arc<File>,
    size: u64,
}

impl Positioned {
    fn new(input: Input<'_>, cx: &Context<'_>) -> Outcome<Self> {
        let own = match &input {
            Input::File(file) => file.as_file().map(File::try_clone).transpose()?,
            Input::Stream(_) => None,
        };
        let file = if let Some(file) = own {
            file
        } else {
            let mut copy = tempfile::tempfile_in(cx.scratch)?;
            io::copy(&mut input.reader(), &mut copy)?;
            copy
        };
        Ok(Self { size: file.metadata()?.len(), file: Arc::new(file) })
    }
}

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Positioned {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(At { file: self.file.clone(), place: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.saturating_add(length as u64) > self.size {
            return Err(ParquetError::EOF("ends within a column".into()));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

struct At {
    file: Arc<File>,
    place: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.place)?;
        self.place += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
