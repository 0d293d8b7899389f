//! What is told of a translation on standard error.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::tell;
use crate::translation::ArticleSummary;

/// A progress bar on standard error, where that is a terminal and the translation isn't written to a terminal too:
/// there the text itself shows how far it is, and a bar at the end of an unfinished line would garble it.
pub(super) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool, to_file: bool) -> Self {
        let seen = !quiet && std::io::stderr().is_terminal() && (to_file || !std::io::stdout().is_terminal());
        let bar = if seen { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} sentences, {per_sec}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, quiet }
    }

    pub(super) fn start(&self, sentences: usize) {
        self.bar.set_length(sentences as u64);
    }

    pub(super) fn advance(&self, sentences: usize) {
        self.bar.inc(sentences as u64);
    }

    /// Says something that a user should know.
    pub(super) fn note(&self, note: &str) {
        if !self.quiet && !note.is_empty() {
            self.bar.suspend(|| tell(&format!("note: {note}")));
        }
    }

    /// Clears the bar and says what was flagged.
    pub(super) fn finish(&self, summary: &ArticleSummary) {
        self.bar.finish_and_clear();
        if !self.quiet && summary.flagged_sentences > 0 {
            tell(&flagged(summary));
        }
    }
}

fn flagged(summary: &ArticleSummary) -> String {
    let total = format!("{} of {} sentences flagged:", summary.flagged_sentences, summary.sentences);
    let counts = summary.flag_counts.iter().map(|count| {
        let name = count.flag.name().replace('_', " ");
        format!("  {:>4}  {name}: {}", count.sentences, count.flag.describe())
    });
    std::iter::once(total).chain(counts).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::Flag;
    use crate::translation::FlagCount;

    #[test]
    fn flags_are_counted_and_explained() {
        let count = |flag, sentences| FlagCount { flag, sentences };
        let summary = ArticleSummary {
            sentences: 12,
            flagged_sentences: 3,
            flag_counts: vec![count(Flag::LengthRatio, 1), count(Flag::NumbersDiffer, 2)],
            ..ArticleSummary::default()
        };
        let words = flagged(&summary);
        let lines: Vec<_> = words.lines().collect();
        assert_eq!(lines[0], "3 of 12 sentences flagged:");
        assert_eq!(lines[1], format!("     1  length ratio: {}", Flag::LengthRatio.describe()));
        assert_eq!(lines[2], format!("     2  numbers differ: {}", Flag::NumbersDiffer.describe()));
        assert_eq!(lines.len(), 3);
    }
}
