//! `batch status` and `batch report`.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use indicatif::HumanDuration;

use crate::Result;
use crate::archive::{Census, Journal, NameVariants, Report, Totals};

/// How far the run that writes to `dir` is.
pub(super) fn status(dir: &Path, json: bool) -> Result<String> {
    let found = Journal::read(dir)?.totals()?;
    Ok(if json { json_line(&found) } else { totals(&found) })
}

/// What the run that writes to `dir` has done.
pub(super) fn report(dir: &Path, json: bool, longest: usize) -> Result<String> {
    let found = Journal::read(dir)?.report(longest)?;
    Ok(if json { json_line(&found) } else { text(&found) })
}

fn json_line(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

pub(super) fn totals(totals: &Totals) -> String {
    let Totals { files_written, files_unusable, files_open, articles, translated, failed, texts, .. } =
        *totals;
    let Totals { problems, sentences, flagged_sentences, source_tokens, target_tokens, .. } = *totals;
    format!(
        "files      {files_written} written, {files_unusable} unusable, {files_open} begun\n\
         articles   {articles} found, {translated} translated ({texts} different texts), {failed} failed\n\
         problems   {problems} files and records that can't be used\n\
         sentences  {sentences}, {flagged_sentences} flagged\n\
         tokens     {source_tokens} read, {target_tokens} written\n"
    )
}

/// What a run would find, and how long it would take.
pub(super) fn census(census: &Census, model: &str, estimate: Duration) -> String {
    let Census { files, articles, texts, sentences, copied, problems, .. } = *census;
    let mut text = format!(
        "files      {files}, {copied} of them or in them copied as they are\n\
         articles   {articles} ({texts} different texts)\n\
         sentences  {sentences}\n\
         problems   {problems} files and records that can't be used\n\
         estimate   {} with {model}\n",
        HumanDuration(estimate)
    );
    for problem in &census.first_problems {
        let _ = writeln!(text, "  {problem}");
    }
    text
}

fn text(report: &Report) -> String {
    let mut text = totals(&report.totals);
    let mut list = |title: &str, entries: Vec<String>| {
        if !entries.is_empty() {
            let _ = write!(text, "\n{title}\n");
            for entry in entries {
                let _ = writeln!(text, "  {entry}");
            }
        }
    };
    list(
        "translated with",
        report
            .models
            .iter()
            .map(|used| {
                format!(
                    "{:>8}  {} ({:.12}) in {}, {}",
                    used.texts, used.model, used.digest, used.precision, used.options
                )
            })
            .collect(),
    );
    list("flags", report.flags.iter().map(|(flag, count)| format!("{count:>8}  {flag}")).collect());
    list(
        "encodings",
        report.encodings.iter().map(|(encoding, count)| format!("{count:>8}  {encoding}")).collect(),
    );
    list(
        "most flagged (flagged sentences of all)",
        report
            .most_flagged
            .iter()
            .map(|flagged| format!("{:>4} of {:<4} {}", flagged.flagged, flagged.sentences, flagged.locator))
            .collect(),
    );
    list(
        "slowest (seconds, sentences)",
        report
            .slowest
            .iter()
            .map(|slow| format!("{:>8.2} {:>5}  {}", slow.seconds, slow.sentences, slow.locator))
            .collect(),
    );
    let spelled = |(name, count): &(String, u64)| format!("{name} ({count})");
    let spellings = |names: &NameVariants| names.spellings.iter().map(spelled).collect::<Vec<_>>().join(", ");
    list("names that seem to be spelled in different ways", report.names.iter().map(spellings).collect());
    list(
        "failed",
        report.failed.iter().map(|failed| format!("{}: {}", failed.locator, failed.reason)).collect(),
    );
    text
}
