//! A copy with nothing translated.

use std::io::{Cursor, Seek};

use super::{Context, Found, Input, Outcome, Output, ReadOptions, Visitor, Written, rewrite};
use crate::archive::record::{Anchor, Segment};

/// Reads a document as a run does and copies it with its own words for their translations; `None` where it can't be
/// used. `name` tells its format.
///
/// It shows what a run would keep of a document, and is what the formats are fuzzed through.
pub fn copy_unchanged(name: &str, document: &[u8], options: &ReadOptions) -> Option<Vec<u8>> {
    let scratch = std::env::temp_dir();
    let mut echo = Echo;
    let mut context = Context::new(options, &mut echo, &scratch, document.len() as u64);
    let (mut input, mut output) = (Cursor::new(document), Cursor::new(Vec::new()));
    let written = rewrite(name, Input::File(&mut input), Output::File(&mut output), &mut context).ok()?;
    output.rewind().ok()?;
    (written == Written::Whole).then(|| output.into_inner())
}

struct Echo;

impl Visitor for Echo {
    fn article(&mut self, article: Found) -> Outcome<Option<Vec<Segment>>> {
        let segment = |text: &str| Segment {
            anchors: [0, text.len()].map(|at| Anchor { source: at, target: at }).to_vec(),
            text: text.to_owned(),
        };
        Ok(Some(article.text.segments().map(segment).collect()))
    }

    fn unusable(&mut self, _locator: &str, _reason: String) -> Outcome {
        Ok(())
    }

    fn copied(&mut self) {}
}
