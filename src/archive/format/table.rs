//! CSV and TSV: each row is a record, and the text in it one article. Everything else stays as it is, quotation marks
//! included.

use std::io::{BufRead, Write};
use std::ops::Range;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::{Context, Found, Input, Outcome, Stop, Written, too_large};
use crate::archive::encoding::transcode;
use crate::archive::record::{Segment, Text};

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    delimiter: u8,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let (input, encoding) = transcode(input.reader())?;
    let mut rows = Rows {
        input,
        reader: ReaderBuilder::new().delimiter(delimiter).build(),
        limit: cx.options.max_item_bytes,
    };
    let mut row = Row::default();
    if !rows.next(&mut row)? {
        return Ok(Written::Whole);
    }
    let columns = columns(&row, &cx.options.text_fields)?;
    output.write_all(&row.raw)?;
    for number in 2_u64.. {
        if !rows.next(&mut row)? {
            break;
        }
        if row.fields.is_empty() {
            // Line ends behind the last row.
            output.write_all(&row.raw)?;
            break;
        }
        let locator = format!("{locator}:{number}");
        let fields = match fields(&row, &columns) {
            Ok(fields) => fields,
            Err(reason) => {
                cx.visitor.unusable(&locator, reason)?;
                output.write_all(&row.raw)?;
                continue;
            }
        };
        let text = Text::new(fields.iter().map(|(_, text)| text));
        let has_text = !text.as_str().trim().is_empty();
        let segments = if has_text { cx.visitor.article(Found { locator, text, encoding })? } else { None };
        match segments {
            Some(segments) => write(output, &row, &fields, &segments, delimiter)?,
            None => output.write_all(&row.raw)?,
        }
    }
    Ok(Written::Whole)
}

/// The indices of the columns with the text, in order, by the names in the header.
fn columns(header: &Row, names: &[String]) -> Outcome<Vec<usize>> {
    // The first may have a byte order mark before it.
    let name =
        |field: &Field| String::from_utf8_lossy(&field.value).trim_start_matches('\u{FEFF}').to_owned();
    let known: Vec<_> = header.fields.iter().map(name).collect();
    super::columns(&known, names)
}

fn fields<'a>(row: &'a Row, columns: &[usize]) -> Result<Vec<(&'a Field, String)>, String> {
    let field = |&column: &usize| {
        let field = row
            .fields
            .get(column)
            .ok_or_else(|| format!("has {} fields, too few for column {}", row.fields.len(), column + 1))?;
        match String::from_utf8(field.value.clone()) {
            Ok(text) => Ok((field, text)),
            Err(_) => Err(format!("isn't UTF-8 in column {}", column + 1)),
        }
    };
    columns.iter().map(field).collect()
}

fn write(
    output: &mut dyn Write,
    row: &Row,
    fields: &[(&Field, String)],
    segments: &[Segment],
    delimiter: u8,
) -> Outcome {
    let mut at = 0;
    for ((field, source), segment) in fields.iter().zip(segments) {
        if *source == segment.text {
            continue;
        }
        output.write_all(&row.raw[at..field.place.start])?;
        let text = &segment.text;
        let was_quoted = row.raw[field.place.clone()].starts_with(b"\"");
        if was_quoted || text.bytes().any(|byte| matches!(byte, b'"' | b'\n' | b'\r') || byte == delimiter) {
            write!(output, "\"{}\"", text.replace('"', "\"\""))?;
        } else {
            output.write_all(text.as_bytes())?;
        }
        at = field.place.end;
    }
    Ok(output.write_all(&row.raw[at..])?)
}

/// A row of a table.
#[derive(Debug, Default)]
struct Row {
    /// Its bytes, the line end included.
    raw: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    /// Its place in the row, quotation marks included.
    place: Range<usize>,
    /// What it says, without them.
    value: Vec<u8>,
}

struct Rows<'a> {
    input: Box<dyn BufRead + 'a>,
    reader: Reader,
    limit: usize,
}

impl Rows<'_> {
    /// Reads the next row; false at the end of the table.
    fn next(&mut self, row: &mut Row) -> Outcome<bool> {
        row.raw.clear();
        row.fields.clear();
        let mut field = Vec::new();
        let mut start = 0;
        let mut buffer = [0; 4096];
        loop {
            let input = self.input.fill_buf()?;
            let (result, read, written) = self.reader.read_field(input, &mut buffer);
            let ended = input.is_empty();
            row.raw.extend_from_slice(&input[..read]);
            self.input.consume(read);
            field.extend_from_slice(&buffer[..written]);
            if row.raw.len() > self.limit {
                // Where the row would end can't be known without reading it all.
                return Err(Stop::unusable(format!("has a row that {}", too_large(self.limit))));
            }
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    // Blank lines before a row and the second half of `\r\n` come with its first field.
                    if row.fields.is_empty() {
                        start += row.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    }
                    // At the end of the table nothing ends the last field.
                    let end = row.raw.len() - usize::from(!ended);
                    row.fields.push(Field { place: start.min(end)..end, value: std::mem::take(&mut field) });
                    start = row.raw.len();
                    if record_end {
                        return Ok(true);
                    }
                }
                ReadFieldResult::End => return Ok(!row.raw.is_empty()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::archive::format::ReadOptions;
    use crate::archive::format::testing::{Shout, rewritten};

    fn with_fields(fields: &[&str]) -> ReadOptions {
        let text_fields = fields.iter().map(|&field| field.into()).collect();
        ReadOptions { text_fields, max_item_bytes: 200, ..ReadOptions::default() }
    }

    fn table(name: &str, source: &str, fields: &[&str]) -> (String, Shout) {
        let (output, visitor) = rewritten(name, source.as_bytes(), &with_fields(fields));
        (output.map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default(), visitor)
    }

    #[test]
    fn only_the_text_changes() {
        let source =
            "\u{FEFF}text,id,\"note\"\r\na,1,\"x\"\r\n\r\n\"b \"\"c\"\", d\ne\",\"2\",\r\n,3,y\r\nf,4";
        let expected =
            "\u{FEFF}text,id,\"note\"\r\nA,1,\"x\"\r\n\r\n\"B \"\"C\"\", D\nE\",\"2\",\r\n,3,y\r\nF,4";
        let (output, visitor) = table("a.csv", source, &["text"]);
        assert_eq!(output, expected);
        assert_eq!(visitor.locators, ["a.csv:2", "a.csv:3", "a.csv:5"]);
        let (output, visitor) = table("a.csv", "id,text\r\n1,a\r\n\r\n", &["text"]);
        assert_eq!(output, "id,text\r\n1,A\r\n\r\n");
        assert!(visitor.problems.is_empty(), "{:?}", visitor.problems);
        let (output, visitor) = table("a.tsv", "id\ttitle\ttext\n1\ta, b\tc", &["text", "title"]);
        assert_eq!(output, "id\ttitle\ttext\n1\tA, B\tC");
        assert_eq!(visitor.texts, ["a, b\nc"]);
    }

    #[test]
    fn a_table_without_the_column_and_a_row_without_the_field_are_told() {
        let (output, visitor) = table("a.csv", "id,body\n1,x\n", &["text"]);
        assert!(output.is_empty());
        assert!(
            visitor.problems[0].contains("has no column \\\"text\\\" but id, body"),
            "{:?}",
            visitor.problems
        );
        let (output, visitor) = table("a.csv", "id,text\n1\n2,b\n", &["text"]);
        assert_eq!(output, "id,text\n1\n2,B\n");
        assert_eq!(visitor.problems, ["a.csv:2: has 1 fields, too few for column 2"]);
        let (_, visitor) = table("a.csv", &format!("text\n\"{}", "x".repeat(300)), &["text"]);
        assert!(visitor.problems[0].contains("larger than 200"), "{:?}", visitor.problems);
    }

    proptest! {
        #[test]
        fn the_same_words_leave_any_table_as_it_is(rest in "[ab\",\r\n ]{0,60}") {
            let source = format!("text,id\n{rest}");
            let mut visitor = Shout { echo: true, ..Shout::default() };
            let output = visitor.rewrite("a.csv", source.as_bytes(), &with_fields(&["text"]));
            prop_assert_eq!(String::from_utf8(output.unwrap()).unwrap(), source);
        }

        #[test]
        fn other_words_come_back_as_they_were_written(cells in proptest::collection::vec("[a-c\",\n]{1,8}", 1..6)) {
            let quoted = cells.iter().map(|cell| format!("7,\"{}\",z\n", cell.replace('"', "\"\"")));
            let source = format!("id,text,x\n{}", quoted.collect::<String>());
            let mut visitor = Shout::default();
            let output = visitor.rewrite("a.csv", source.as_bytes(), &with_fields(&["text"])).unwrap();
            let mut again = Shout::default();
            again.rewrite("a.csv", &output, &with_fields(&["text"]));
            let expected: Vec<_> = cells.iter().filter(|cell| !cell.trim().is_empty()).collect();
            prop_assert_eq!(visitor.texts.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(again.texts, expected.iter().map(|cell| cell.to_uppercase()).collect::<Vec<_>>());
        }
    }
}
