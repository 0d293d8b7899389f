//! `translate --lines`: one sentence a line.

use std::io::{self, Write};

use futures::TryStreamExt;

use super::args::Format;
use super::failure::Failure;
use super::format;
use super::progress::Progress;
use crate::options::TranslateOptions;
use crate::translation::ArticleSummary;
use crate::translator::Translator;

/// Lines to translate, and how.
pub(super) struct Job<'a> {
    pub(super) text: &'a str,
    pub(super) options: TranslateOptions,
    /// How many are under way at once.
    pub(super) at_once: usize,
    pub(super) format: Format,
}

/// Translates each line of a text and writes one line for each, whatever its translation contains.
///
/// A sentence in the summary is a line that isn't blank.
pub(super) async fn translate(
    translator: &Translator,
    job: Job<'_>,
    output: &mut dyn Write,
    progress: &Progress,
) -> Result<ArticleSummary, Failure> {
    let model = translator.models().swap_remove(0);
    progress.note(&model.note);
    let sources: Vec<&str> = job.text.lines().collect();
    progress.start(sources.len());
    let texts = sources.iter().map(|&line| line.to_owned()).collect();
    let mut translated = translator.translate_lines(texts, job.options, job.at_once)?;
    let mut summary = ArticleSummary::default();
    for source in sources {
        let ended = || Failure::Failed("the translation ended early".into());
        let line = translated.try_next().await?.ok_or_else(ended)?;
        if !source.trim().is_empty() {
            summary.sentences += 1;
            summary.attempts += line.attempts;
        }
        summary.source_tokens += line.source_tokens;
        summary.target_tokens += line.target_tokens;
        summary.count_flags(line.flags);
        match job.format {
            Format::Text => writeln!(output, "{}", one_line(&line.text))?,
            Format::Bilingual => {
                writeln!(
                    output,
                    "{}\t{}{}",
                    one_line(source),
                    one_line(&line.text),
                    format::notes(line.flags)
                )?;
            }
            Format::Jsonl => writeln!(output, "{}", serde_json::to_string(&line).map_err(io::Error::from)?)?,
        }
        progress.advance(1);
    }
    output.flush()?;
    Ok(summary)
}

/// What may end a line, and the tab between source and translation. A translation that is a copy of its source may
/// hold line ends of other kinds than the input's, and a vocabulary may have any.
const NOT_IN_A_LINE: [char; 8] = ['\t', '\n', '\r', '\u{B}', '\u{C}', '\u{85}', '\u{2028}', '\u{2029}'];

fn one_line(text: &str) -> String {
    text.replace(NOT_IN_A_LINE, " ")
}
