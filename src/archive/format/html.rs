//! HTML: the page is one article, each block of text a segment. All markup stays, tags within a block too (see
//! [`super::markup`]); only what says that the page is in Persian, right to left, or in another encoding is changed.
//! Scripts, styles, code, attributes and what is marked `translate="no"` aren't translated.

use std::cell::RefCell;
use std::io::Write;
use std::ops::Range;
use std::rc::Rc;

use dom_smoothie::Readability;
use encoding_rs::Encoding;
use lol_html::html_content::{Element, TextChunk, TextType};
use lol_html::{HandlerResult, RewriteStrSettings, doc_text, element, rewrite_str};

use super::markup::{Blocks, Edit};
use super::{Context, Found, HtmlMode, Input, Outcome, Stop, Written, read_whole};
use crate::archive::encoding::decode;

/// Bytes at the head of a page in which it may say its encoding (WHATWG HTML, prescan).
const PRESCAN_BYTES: usize = 1024;

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let bytes = read_whole(input, cx.options.max_item_bytes)?;
    let declared = declared(&bytes);
    let decoded = decode(bytes, declared).map_err(Stop::Unusable)?;
    let page = match cx.options.html {
        HtmlMode::Page => decoded.text,
        HtmlMode::Article => main_article(decoded.text).map_err(Stop::Unusable)?,
    };
    let Parts { blocks, edits, .. } = parts(&page).map_err(Stop::Unusable)?;
    if blocks.is_empty() {
        output.write_all(page.as_bytes())?;
        return Ok(Written::Whole);
    }
    let found = Found { locator: locator.into(), text: blocks.text(), encoding: decoded.guess };
    let Some(segments) = cx.visitor.article(found)? else { return Ok(Written::Nothing) };
    let escape = |text: &str| html_escape::encode_text(text).into_owned();
    output.write_all(blocks.weave(&page, &segments, escape, edits).as_bytes())?;
    Ok(Written::Whole)
}

/// The encoding that a page says it is in.
fn declared(page: &[u8]) -> Option<&'static Encoding> {
    let head = page[..page.len().min(PRESCAN_BYTES)].to_ascii_lowercase();
    let start = head.windows(8).position(|bytes| bytes == b"charset=")? + 8;
    let label = head[start..].trim_ascii_start();
    let label = label.strip_prefix(b"\"").or(label.strip_prefix(b"'")).unwrap_or(label);
    let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    let end = label.iter().position(|byte| !is_label(byte)).unwrap_or(label.len());
    Encoding::for_label(&label[..end])
}

/// A page of its own with the main article of a page, as Readability finds it.
fn main_article(page: String) -> Result<String, String> {
    let failed = |error: dom_smoothie::ReadabilityError| {
        format!(
            "has no main article that can be told from the rest ({error}); translate the page with --html page"
        )
    };
    let article = Readability::new(page, None, None).map_err(failed)?.parse().map_err(failed)?;
    let title = html_escape::encode_text(&article.title);
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"fa\" dir=\"rtl\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         </head>\n<body>\n<h1>{title}</h1>\n{}\n</body>\n</html>\n",
        article.content
    ))
}

/// What a page consists of, as far as it is translated.
#[derive(Default)]
struct Parts {
    blocks: Blocks,
    edits: Vec<Edit>,
    /// The text node that is being read.
    text: Option<Range<usize>>,
    /// Elements around it whose text stays.
    kept: usize,
}

fn parts(page: &str) -> Result<Parts, String> {
    let parts = Rc::<RefCell<Parts>>::default();
    let (at_tag, at_text) = (parts.clone(), parts.clone());
    let settings = RewriteStrSettings::new()
        .with_strict(false)
        .append_element_content_handler(element!("*", move |element| Parts::start(&at_tag, page, element)))
        .append_document_content_handler(doc_text!(move |chunk| {
            at_text.borrow_mut().chunk(page, chunk);
            Ok(())
        }));
    rewrite_str(page, settings).map_err(|error| format!("can't be read as HTML: {error}"))?;
    let mut parts = parts.take();
    parts.blocks.end();
    Ok(parts)
}

impl Parts {
    fn start(parts: &Rc<RefCell<Self>>, page: &str, element: &mut Element<'_, '_>) -> HandlerResult {
        let name = element.tag_name();
        let keeps =
            matches!(
                name.as_str(),
                "code" | "kbd" | "pre" | "samp" | "svg" | "math" | "textarea" | "template"
            ) || element.get_attribute("translate").is_some_and(|value| value.eq_ignore_ascii_case("no"));
        let is_block = !is_inline(&name);
        let mut this = parts.borrow_mut();
        if is_block {
            this.blocks.end();
        }
        this.mend(page, &name, element);
        if !element.can_have_content() {
            return Ok(());
        }
        this.kept += usize::from(keeps);
        if keeps || is_block {
            let parts = parts.clone();
            element.on_end_tag(Box::new(move |_| {
                let mut this = parts.borrow_mut();
                this.kept -= usize::from(keeps);
                if is_block {
                    this.blocks.end();
                }
                Ok(())
            }))?;
        }
        Ok(())
    }

    fn chunk(&mut self, page: &str, chunk: &TextChunk<'_>) {
        let place = chunk.source_location().bytes();
        let start = self.text.take().map_or(place.start, |text| text.start);
        if !chunk.last_in_text_node() {
            self.text = Some(start..place.end);
            return;
        }
        let place = start..place.end;
        let is_text = matches!(chunk.text_type(), TextType::Data | TextType::RCData);
        if is_text && self.kept == 0 && !place.is_empty() {
            let text = html_escape::decode_html_entities(&page[place.clone()]);
            self.blocks.piece(place, &text);
        }
    }

    /// Changes attributes that aren't true of the translation.
    fn mend(&mut self, page: &str, name: &str, element: &Element<'_, '_>) {
        for attribute in element.attributes() {
            let Some(place) = attribute.value_source_location().map(|location| location.bytes()) else {
                continue;
            };
            let value = page[place.clone()].to_ascii_lowercase();
            let text = match (attribute.name().as_str(), name) {
                ("dir", _) if value == "rtl" => "ltr".into(),
                ("lang" | "xml:lang", _) if value == "fa" || value.starts_with("fa-") => "en".into(),
                ("charset", "meta") => "utf-8".into(),
                ("content", "meta") if value.contains("charset=") => "text/html; charset=utf-8".into(),
                _ => continue,
            };
            self.edits.push(Edit { place, text });
        }
    }
}

/// Whether an element stands within a line of text (WHATWG HTML, phrasing content with text of the page in it).
fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "acronym"
            | "b"
            | "bdi"
            | "bdo"
            | "big"
            | "cite"
            | "code"
            | "data"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "img"
            | "ins"
            | "kbd"
            | "label"
            | "mark"
            | "math"
            | "q"
            | "ruby"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "svg"
            | "time"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}

#[cfg(test)]
mod tests;
