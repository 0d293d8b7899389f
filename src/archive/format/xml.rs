//! XML with text in certain elements: the parts of DOCX and EPUB files that aren't HTML.

use std::io::Write;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::markup::{Blocks, Edit};
use super::{Context, Found, Input, Outcome, Stop, Written, read_whole};
use crate::archive::encoding::decode;

/// Which elements have text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A part of a DOCX file (ECMA-376, WordprocessingML).
    Word,
    /// An EPUB's package document.
    Package,
    /// An EPUB 2's table of contents.
    Contents,
}

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    dialect: Dialect,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let bytes = read_whole(input, cx.options.max_item_bytes)?;
    let decoded = decode(bytes, None).map_err(Stop::Unusable)?;
    let (blocks, edits) = parts(&decoded.text, dialect).map_err(Stop::Unusable)?;
    if blocks.is_empty() {
        output.write_all(decoded.text.as_bytes())?;
        return Ok(Written::Whole);
    }
    let found = Found { locator: locator.into(), text: blocks.text(), encoding: decoded.guess };
    let Some(segments) = cx.visitor.article(found)? else { return Ok(Written::Nothing) };
    let escape = |text: &str| quick_xml::escape::partial_escape(text).into_owned();
    output.write_all(blocks.weave(&decoded.text, &segments, escape, edits).as_bytes())?;
    Ok(Written::Whole)
}

impl Dialect {
    fn has_text(self, element: &str) -> bool {
        match self {
            Self::Word => element == "w:t",
            Self::Package => matches!(element, "dc:title" | "dc:description"),
            Self::Contents => element == "text",
        }
    }

    fn is_block(self, element: &str) -> bool {
        match self {
            Self::Word => matches!(element, "w:p" | "w:txbxContent"),
            Self::Package | Self::Contents => self.has_text(element),
        }
    }

    /// What to put in the place of a start tag, if anything.
    fn mended(self, tag: &BytesStart<'_>, raw: &str) -> Option<String> {
        match (self, tag.name().as_ref()) {
            // Right to left, for paragraphs and runs.
            (Self::Word, "w:bidi" | "w:rtl") => Some(String::new()),
            // A translation's piece may have a space at its end, which is dropped otherwise.
            (Self::Word, "w:t") if raw == "<w:t>" => Some("<w:t xml:space=\"preserve\">".into()),
            (Self::Package, "spine") => {
                Some(raw.replace("page-progression-direction=\"rtl\"", "page-progression-direction=\"ltr\""))
            }
            _ => None,
        }
    }
}

fn parts(document: &str, dialect: Dialect) -> Result<(Blocks, Vec<Edit>), String> {
    let mut reader = Reader::from_str(document);
    let (mut blocks, mut edits) = (Blocks::default(), Vec::new());
    let (mut in_text, mut in_language) = (false, false);
    let place = |from: u64, to: u64| -> Range<usize> {
        let at = |position: u64| usize::try_from(position).unwrap_or(document.len()).min(document.len());
        at(from)..at(to)
    };
    loop {
        let from = reader.buffer_position();
        let event = reader.read_event().map_err(|error| format!("isn't whole XML: {error}"))?;
        let place = place(from, reader.buffer_position());
        match event {
            Event::Start(tag) => {
                in_text |= dialect.has_text(tag.name().as_ref());
                in_language = dialect == Dialect::Package && tag.name().as_ref() == "dc:language";
                if dialect.is_block(tag.name().as_ref()) {
                    blocks.end();
                }
                if let Some(text) = dialect.mended(&tag, &document[place.clone()]) {
                    edits.push(Edit { place, text });
                }
            }
            Event::Empty(tag) => {
                if matches!(tag.name().as_ref(), "w:br" | "w:tab" | "w:cr") {
                    blocks.line_end();
                }
                if let Some(text) = dialect.mended(&tag, &document[place.clone()]) {
                    edits.push(Edit { place, text });
                }
            }
            Event::End(tag) => {
                in_text &= !dialect.has_text(tag.name().as_ref());
                in_language = false;
                if dialect.is_block(tag.name().as_ref()) {
                    blocks.end();
                }
            }
            Event::Text(_) if in_text => blocks.piece(place.clone(), &document[place]),
            Event::GeneralRef(_) if in_text => {
                let text = html_escape::decode_html_entities(&document[place.clone()]);
                blocks.piece(place, &text);
            }
            Event::Text(_) if in_language && document[place.clone()].trim().starts_with("fa") => {
                edits.push(Edit { place, text: "en".into() });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    blocks.end();
    Ok((blocks, edits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::format::testing::Shout;
    use crate::archive::format::{Input, ReadOptions};

    fn rewritten(document: &str, dialect: Dialect) -> (String, Shout) {
        let (mut visitor, mut output) = (Shout::default(), Vec::new());
        let options = ReadOptions::default();
        let scratch = std::env::temp_dir();
        let mut context = Context::new(&options, &mut visitor, &scratch, document.len() as u64);
        let input = Input::Stream(Box::new(document.as_bytes()));
        rewrite("a.xml", input, &mut output, dialect, &mut context).unwrap();
        (String::from_utf8(output).unwrap(), visitor)
    }

    #[test]
    fn a_word_document_keeps_its_runs() {
        let source = "<?xml version=\"1.0\"?><w:document><w:p><w:pPr><w:bidi/></w:pPr><w:r><w:t>سلام a</w:t></w:r>\
            <w:r><w:br/></w:r><w:r><w:rPr><w:b/><w:rtl/></w:rPr><w:t xml:space=\"preserve\">دنیا &amp; b</w:t></w:r></w:p>\
            <w:p><w:r><w:t>c</w:t></w:r></w:p></w:document>";
        let (output, visitor) = rewritten(source, Dialect::Word);
        assert_eq!(visitor.texts, ["سلام a دنیا & b"]);
        let expected = "<?xml version=\"1.0\"?><w:document><w:p><w:pPr></w:pPr><w:r><w:t xml:space=\"preserve\">سلام A</w:t>\
            </w:r><w:r><w:br/></w:r><w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">دنیا &amp; B</w:t></w:r></w:p>\
            <w:p><w:r><w:t xml:space=\"preserve\">c</w:t></w:r></w:p></w:document>";
        assert_eq!(output, expected);
    }

    #[test]
    fn a_package_says_what_it_is_translated_into() {
        let source = "<package><dc:title>کتاب a</dc:title><dc:language>fa-IR</dc:language><dc:creator>رضا b</dc:creator>\
            <spine page-progression-direction=\"rtl\" toc=\"x\"></spine></package>";
        let (output, _) = rewritten(source, Dialect::Package);
        let expected = source.replace("کتاب a", "کتاب A").replace("fa-IR", "en").replace("rtl", "ltr");
        assert_eq!(output, expected);
    }
}
