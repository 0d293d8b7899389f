//! What is told on standard error.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::translation::ArticleSummary;

/// A progress bar on standard error, where that is a terminal and the output isn't written to the same one.
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
            self.bar.suspend(|| eprintln!("note: {note}"));
        }
    }

    /// Clears the bar and says what was flagged.
    pub(super) fn finish(&self, summary: &ArticleSummary) {
        self.bar.finish_and_clear();
        if self.quiet || summary.flagged_sentences == 0 {
            return;
        }
        eprintln!("{} of {} sentences flagged:", summary.flagged_sentences, summary.sentences);
        for count in &summary.flag_counts {
            let name = count.flag.name().replace('_', " ");
            eprintln!("  {:>4}  {name}: {}", count.sentences, count.flag.describe());
        }
    }
}
