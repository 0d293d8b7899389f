//! `translate --lines`: one sentence a line.

use std::io::Write;

use futures::TryStreamExt;

use super::args::Format;
use super::failure::Failure;
use super::progress::Progress;
use crate::options::TranslateOptions;
use crate::translation::ArticleSummary;
use crate::translator::{Translator, count_flag};

/// Translates each line of a text and writes one line for each, whatever its translation contains.
pub(super) async fn translate(
    translator: &Translator,
    text: &str,
    options: TranslateOptions,
    format: Format,
    output: &mut dyn Write,
    progress: &Progress,
) -> Result<ArticleSummary, Failure> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let sources = lines.clone();
    let mut summary = ArticleSummary { sentences: lines.len(), ..ArticleSummary::default() };
    progress.start(lines.len());
    let mut translated = translator.translate_lines(lines, options)?;
    let mut index = 0;
    while let Some(line) = translated.try_next().await? {
        summary.attempts += line.attempts;
        summary.source_tokens += line.source_tokens;
        summary.target_tokens += line.target_tokens;
        summary.flagged_sentences += usize::from(!line.flags.is_empty());
        for flag in line.flags.iter() {
            count_flag(&mut summary.flag_counts, flag);
        }
        match format {
            Format::Text => writeln!(output, "{}", one_line(&line.text))?,
            Format::Bilingual => writeln!(output, "{}\t{}", sources[index], one_line(&line.text))?,
            Format::Jsonl => {
                writeln!(output, "{}", serde_json::to_string(&line).map_err(std::io::Error::from)?)?;
            }
        }
        index += 1;
        progress.advance(1);
    }
    output.flush()?;
    Ok(summary)
}

/// A copied line may hold line ends of other kinds than the input's.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\u{B}', '\u{C}', '\u{85}', '\u{2028}', '\u{2029}'], " ")
}
