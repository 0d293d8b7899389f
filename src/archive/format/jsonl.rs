//! JSONL: each line is a record, and the text in it one article. Everything else in the line stays as it is, to the
//! byte.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;

use serde_json::value::RawValue;

use super::lines::{self, Line};
use super::{Context, Found, Input, Outcome, Written, too_large};
use crate::archive::encoding::transcode;
use crate::archive::record::{Segment, Text};

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let (mut input, encoding) = transcode(input.reader())?;
    let limit = cx.options.max_item_bytes;
    let mut line = Vec::new();
    for number in 1_u64.. {
        let kind = lines::read(&mut *input, &mut line, limit)?;
        let locator = format!("{locator}:{number}");
        match kind {
            Line::End => break,
            Line::TooLong => {
                cx.visitor.unusable(&locator, too_large(limit))?;
                output.write_all(&line)?;
                lines::copy_rest(&mut *input, output)?;
            }
            Line::Whole if line.trim_ascii().is_empty() => output.write_all(&line)?,
            Line::Whole => match translated(&line, locator, encoding, cx)? {
                Some(translated) => output.write_all(translated.as_bytes())?,
                None => output.write_all(&line)?,
            },
        }
    }
    Ok(Written::Whole)
}

/// The line with its text translated; `None` where that can't be done.
fn translated(
    line: &[u8],
    locator: String,
    encoding: Option<&'static str>,
    cx: &mut Context<'_>,
) -> Outcome<Option<String>> {
    let found = std::str::from_utf8(line)
        .map_err(|error| format!("isn't UTF-8 from byte {} on", error.valid_up_to()))
        .and_then(|line| Ok((line, fields(line, &cx.options.text_fields)?)));
    let (line, fields) = match found {
        Ok(found) => found,
        Err(reason) => {
            cx.visitor.unusable(&locator, reason)?;
            return Ok(None);
        }
    };
    if fields.is_empty() {
        return Ok(None);
    }
    let text = Text::new(fields.iter().map(|field| &field.text));
    let segments = cx.visitor.article(Found { locator, text, encoding })?;
    Ok(segments.map(|segments| spliced(line, &fields, &segments)))
}

/// A string in a record.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    /// Its place in the line, quotation marks included.
    place: Range<usize>,
    text: String,
}

fn spliced(line: &str, fields: &[Field], segments: &[Segment]) -> String {
    let mut spliced = String::with_capacity(line.len());
    let mut at = 0;
    for (field, segment) in fields.iter().zip(segments) {
        spliced.push_str(&line[at..field.place.start]);
        spliced.push_str(&serde_json::Value::from(segment.text.as_str()).to_string());
        at = field.place.end;
    }
    spliced + &line[at..]
}

/// The strings at `paths` in a record, in the order in which they stand there. A null is no text.
fn fields(line: &str, paths: &[String]) -> Result<Vec<Field>, String> {
    let record: &RawValue =
        serde_json::from_str(line).map_err(|error| format!("isn't a record of JSON: {error}"))?;
    let mut fields = Vec::new();
    for path in paths {
        let finder = Finder { line, path };
        finder.find(record, path.split('.'), &mut fields)?;
    }
    fields.sort_by_key(|field| field.place.start);
    fields.dedup();
    Ok(fields)
}

struct Finder<'a> {
    line: &'a str,
    path: &'a str,
}

impl<'a> Finder<'a> {
    fn find(
        &self,
        value: &'a RawValue,
        mut path: std::str::Split<'a, char>,
        fields: &mut Vec<Field>,
    ) -> Result<(), String> {
        let json = value.get();
        let Some(key) = path.next() else { return self.take(json, fields) };
        let missing = || format!("has no field {:?}; name the one with the text by --text-field", self.path);
        match json.as_bytes().first() {
            Some(b'{') => {
                let object: BTreeMap<String, &RawValue> = parse(json)?;
                self.find(object.get(key).ok_or_else(missing)?, path, fields)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = parse(json)?;
                if key == "*" {
                    return items.into_iter().try_for_each(|item| self.find(item, path.clone(), fields));
                }
                let item = key.parse().ok().and_then(|index: usize| items.get(index).copied());
                self.find(item.ok_or_else(missing)?, path, fields)
            }
            _ => Err(missing()),
        }
    }

    fn take(&self, json: &str, fields: &mut Vec<Field>) -> Result<(), String> {
        match json.as_bytes().first() {
            Some(b'"') => {
                // The value is a part of the line, so that its address tells its place.
                let start = json.as_ptr().addr() - self.line.as_ptr().addr();
                fields.push(Field { place: start..start + json.len(), text: parse(json)? });
                Ok(())
            }
            Some(b'n') => Ok(()),
            _ => Err(format!("has no text in its field {:?}, but {json:.40}", self.path)),
        }
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("isn't a record of JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::archive::format::testing::{Shout, rewritten};
    use crate::archive::format::{Format, ReadOptions};

    fn with_fields(fields: &[&str]) -> ReadOptions {
        let text_fields = fields.iter().map(|&field| field.into()).collect();
        ReadOptions { text_fields, max_item_bytes: 200, ..ReadOptions::default() }
    }

    #[test]
    fn only_the_text_changes() {
        let source = concat!(
            "{\"id\": 1.50, \"text\" : \"\\u0633\\u0644\\u0627\\u0645 \\\"x\\\"\", \"u\":\"\\u00e9\"}\r\n",
            "\n",
            "{\"text\":null,\"n\":12345678901234567890}\n",
            "{\"text\":\"a\\nb\"}"
        );
        let (output, visitor) = rewritten("a.jsonl", source.as_bytes(), &with_fields(&["text"]));
        let expected = concat!(
            "{\"id\": 1.50, \"text\" : \"سلام \\\"X\\\"\", \"u\":\"\\u00e9\"}\r\n",
            "\n",
            "{\"text\":null,\"n\":12345678901234567890}\n",
            "{\"text\":\"A\\nB\"}"
        );
        assert_eq!(String::from_utf8(output.unwrap()).unwrap(), expected);
        assert_eq!(visitor.locators, ["a.jsonl:1", "a.jsonl:4"]);
        assert!(visitor.problems.is_empty());
    }

    #[test]
    fn paths_lead_into_objects_and_arrays() {
        let source =
            "{\"a\": {\"t\": \"x\"}, \"p\": [{\"b\": \"y\"}, {\"b\": \"z\"}], \"q\": [\"v\", \"w\"]}";
        let options = with_fields(&["q.1", "p.*.b", "a.t", "a.t"]);
        let (output, visitor) = rewritten("a.jsonl", source.as_bytes(), &options);
        let expected =
            "{\"a\": {\"t\": \"X\"}, \"p\": [{\"b\": \"Y\"}, {\"b\": \"Z\"}], \"q\": [\"v\", \"W\"]}";
        assert_eq!(String::from_utf8(output.unwrap()).unwrap(), expected);
        assert_eq!(visitor.texts, ["x\ny\nz\nw"]);
    }

    #[test]
    fn a_bad_record_is_named_and_kept_and_the_others_go_on() {
        let long = format!("{{\"text\": \"{}\"}}", "x".repeat(300));
        let lines = [
            "{\"text\": \"a\"}",
            "{\"other\": \"متن فارسی\"}",
            "{\"text\": 5}",
            "[1]",
            "{\"text\": \"a",
            &long,
            "{\"text\": \"b\"}",
        ];
        let mut source = lines.join("\n").into_bytes();
        source.extend(b"\n{\"text\": \"\xff\"}");
        let (output, visitor) = rewritten("a.jsonl", &source, &with_fields(&["text"]));
        let mut expected = lines.map(str::to_owned);
        expected[0] = "{\"text\": \"A\"}".into();
        expected[6] = "{\"text\": \"B\"}".into();
        let mut expected = expected.join("\n").into_bytes();
        expected.extend(b"\n{\"text\": \"\xff\"}");
        assert_eq!(output.unwrap(), expected);
        let reasons = [
            "2: has no field \"text\"",
            "3: has no text",
            "4: has no field",
            "5: isn't a record",
            "6: is larger",
            "8: isn't UTF-8",
        ];
        assert_eq!(visitor.problems.len(), reasons.len(), "{:?}", visitor.problems);
        for (problem, reason) in visitor.problems.iter().zip(reasons) {
            assert!(problem.starts_with(&format!("a.jsonl:{reason}")), "{problem}");
        }
    }

    #[test]
    fn a_record_without_a_translation_stays_as_it_is() {
        let source = b"{\"text\": \"skip\"}\n{\"text\": \"b\"}\n";
        let mut visitor = Shout { untranslated: Some("skip".into()), ..Shout::default() };
        let output = visitor.rewrite("a.jsonl", source, &with_fields(&["text"])).unwrap();
        assert_eq!(output, b"{\"text\": \"skip\"}\n{\"text\": \"B\"}\n");
        assert!(Format::of("a.jsonl").is_some());
    }
}
