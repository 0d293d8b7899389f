//! A visitor for the tests of formats.

use std::io::Cursor;

use super::{Context, Found, Input, Outcome, Output, ReadOptions, Visitor, Written, rewrite};
use crate::archive::record::{Anchor, Segment};

/// Translates into upper case, a line a sentence, and remembers what it saw.
#[derive(Default)]
pub(crate) struct Shout {
    pub(crate) locators: Vec<String>,
    pub(crate) texts: Vec<String>,
    pub(crate) encodings: Vec<Option<&'static str>>,
    pub(crate) problems: Vec<String>,
    /// Translates into the same words instead.
    pub(crate) echo: bool,
    /// A text that has no translation.
    pub(crate) untranslated: Option<String>,
}

impl Visitor for Shout {
    fn article(&mut self, article: Found) -> Outcome<Option<Vec<Segment>>> {
        let text = article.text.as_str().to_owned();
        self.locators.push(article.locator);
        self.encodings.push(article.encoding);
        if self.untranslated.as_ref() == Some(&text) {
            return Ok(None);
        }
        let echo = self.echo;
        let segments = article.text.segments().map(|segment| {
            let text = if echo { segment.to_owned() } else { segment.to_uppercase() };
            let end = Anchor { source: segment.len(), target: text.len() };
            Segment { text, anchors: vec![Anchor { source: 0, target: 0 }, end] }
        });
        let segments = segments.collect();
        self.texts.push(text);
        Ok(Some(segments))
    }

    fn unusable(&mut self, locator: &str, reason: String) -> Outcome {
        self.problems.push(format!("{locator}: {reason}"));
        Ok(())
    }

    fn copied(&mut self) {}
}

impl Shout {
    /// The document's copy; `None` where there is none.
    pub(crate) fn rewrite(&mut self, name: &str, source: &[u8], options: &ReadOptions) -> Option<Vec<u8>> {
        let mut output = Cursor::new(Vec::new());
        let scratch = std::env::temp_dir();
        let mut context = Context::new(options, self, &scratch, source.len() as u64);
        let input = &mut Cursor::new(source);
        match rewrite(name, Input::File(input), Output::File(&mut output), &mut context) {
            Ok(Written::Whole) => Some(output.into_inner()),
            Ok(Written::Nothing) => None,
            Err(stop) => {
                self.problems.push(format!("{name}: {stop:?}"));
                None
            }
        }
    }
}

/// The document's copy, and what was seen on the way.
pub(crate) fn rewritten(name: &str, source: &[u8], options: &ReadOptions) -> (Option<Vec<u8>>, Shout) {
    let mut visitor = Shout::default();
    let output = visitor.rewrite(name, source, options);
    (output, visitor)
}
