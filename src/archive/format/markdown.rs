//! Markdown (CommonMark with tables and strikethrough): the document is one article, each block a segment. Code stays as
//! it is.

use std::io::Write;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::markup::Blocks;
use super::{Context, Found, Input, Outcome, Stop, Written, read_whole};
use crate::archive::encoding::decode;

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let bytes = read_whole(input, cx.options.max_item_bytes)?;
    let decoded = decode(bytes, None).map_err(Stop::Unusable)?;
    let blocks = blocks(&decoded.text);
    if blocks.is_empty() {
        output.write_all(decoded.text.as_bytes())?;
        return Ok(Written::Whole);
    }
    let found = Found { locator: locator.into(), text: blocks.text(), encoding: decoded.guess };
    let Some(segments) = cx.visitor.article(found)? else { return Ok(Written::Nothing) };
    output.write_all(blocks.weave(&decoded.text, &segments, escape, vec![]).as_bytes())?;
    Ok(Written::Whole)
}

fn blocks(document: &str) -> Blocks {
    let mut blocks = Blocks::default();
    let mut in_code = false;
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    for (event, place) in Parser::new_ext(document, options).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::MetadataBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock | TagEnd::MetadataBlock(_)) => in_code = false,
            Event::Text(text) if !in_code => blocks.piece(with_escape(document, place, &text), &text),
            Event::SoftBreak | Event::HardBreak => blocks.line_end(),
            Event::Start(tag) if !is_inline(&tag) => blocks.end(),
            Event::End(tag) if !is_inline_end(tag) => blocks.end(),
            _ => {}
        }
    }
    blocks.end();
    blocks
}

/// The place of a text together with the backslash before its first character.
fn with_escape(document: &str, place: Range<usize>, text: &str) -> Range<usize> {
    let escaped =
        document[..place.start].ends_with('\\') && text.starts_with(|c: char| c.is_ascii_punctuation());
    place.start - usize::from(escaped)..place.end
}

fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

fn is_inline_end(tag: TagEnd) -> bool {
    matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image)
}

/// `text` with a backslash before what would be markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let number = text[..at].chars().all(|c| c.is_ascii_digit());
        let starts_block = match c {
            '#' | '>' | '-' | '+' | '=' => at == 0,
            '.' | ')' => at > 0 && number,
            _ => false,
        };
        if starts_block || matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '|' | '~' | '&') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::format::ReadOptions;
    use crate::archive::format::testing::{Shout, rewritten};

    const DOCUMENT: &str = "---\ntitle: سلام\n---\n# تیتر *خبر* a\n\nمتن با [پیوند b](http://x/الف) و\n**تاکید** \\* c.\n\n\
        - یک\n- دو &amp; سه\n\n```\nکد\n```\n\n| آ | b |\n|---|---|\n| ج | d |\n\nEnglish *only* text\n";

    #[test]
    fn nothing_but_text_changes() {
        let (output, visitor) = rewritten("a.md", DOCUMENT.as_bytes(), &ReadOptions::default());
        let output = String::from_utf8(output.unwrap()).unwrap();
        assert_eq!(visitor.texts, ["تیتر خبر a\nمتن با پیوند b و تاکید * c.\nیک\nدو & سه\nآ\nج"]);
        for kept in
            ["title: سلام", "# تیتر *", "(http://x/الف)", "```\nکد\n```", "|---|---|", "English *only* text"]
        {
            assert!(output.contains(kept), "{kept}: {output}");
        }
        assert!(output.contains("C.") && output.contains("دو &amp; سه"), "{output}");
    }

    #[test]
    fn the_same_words_leave_the_document_as_it_is() {
        let mut visitor = Shout { echo: true, ..Shout::default() };
        let output = visitor.rewrite("a.md", DOCUMENT.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(events(&String::from_utf8(output).unwrap()), events(DOCUMENT));
    }

    fn events(document: &str) -> Vec<String> {
        let structure = |event: Event<'_>| match event {
            Event::Text(_) => None,
            other => Some(format!("{other:?}")),
        };
        Parser::new_ext(document, Options::ENABLE_TABLES).filter_map(structure).collect()
    }
}
