//! `split`.

use serde::Serialize;

use super::args::SplitArgs;
use super::failure::{Failure, Outcome, print};
use super::input;
use crate::article::{Article, normalize};

/// One sentence, as it is printed.
#[derive(Serialize)]
struct Sentence<'a> {
    paragraph: usize,
    /// Counted from 0 over the whole text.
    #[serde(rename = "sentence")]
    index: usize,
    /// UTF-8 bytes, half-open.
    start: usize,
    end: usize,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalized: Option<String>,
}

/// Prints each sentence with its span as a line of JSON.
pub(super) fn run(args: &SplitArgs) -> Result<Outcome, Failure> {
    let article = Article::parse(input::read(&args.input)?);
    let options = normalize::Options { restore_half_spaces: !args.no_restore_half_spaces };
    let mut lines = Vec::new();
    let mut index = 0;
    for (paragraph, spans) in article.paragraphs().iter().enumerate() {
        for span in &spans.sentences {
            let text = span.of(article.source());
            let normalized = args.normalized.then(|| normalize::normalize(text, options).text().to_owned());
            let line = Sentence { paragraph, index, start: span.start, end: span.end, text, normalized };
            serde_json::to_writer(&mut lines, &line).map_err(std::io::Error::from)?;
            lines.push(b'\n');
            index += 1;
        }
    }
    print(&lines)?;
    Ok(Outcome::Done)
}
