//! What is told of a run while it goes on.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::archive::{Progress, Snapshot};
use crate::cli::failure::tell;

/// How often a bar is drawn, and a line written where there is no terminal.
const BAR: Duration = Duration::from_millis(200);
const LINE: Duration = Duration::from_secs(10);

/// Tells how far a run is on standard error: a bar on a terminal, otherwise a line every few seconds.
pub(super) struct Watch {
    bar: Option<ProgressBar>,
    task: Option<JoinHandle<()>>,
    quiet: bool,
}

impl Watch {
    pub(super) fn start(progress: Arc<Progress>, quiet: bool) -> Self {
        if quiet {
            return Self { bar: None, task: None, quiet };
        }
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:20} {msg}");
            let bar = ProgressBar::new(0);
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let task = tokio::spawn(watch(progress, bar.clone()));
        Self { bar, task: Some(task), quiet }
    }

    /// Says something that a user should know.
    pub(super) fn note(&self, note: &str) {
        let told = || tell(&format!("note: {note}"));
        match &self.bar {
            _ if self.quiet || note.is_empty() => {}
            Some(bar) => bar.suspend(told),
            None => told(),
        }
    }

    pub(super) async fn finish(self) {
        if let Some(task) = self.task {
            task.abort();
            // So that no line comes after the end.
            let _ = task.await;
        }
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

async fn watch(progress: Arc<Progress>, bar: Option<ProgressBar>) {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(if bar.is_some() { BAR } else { LINE });
    // The first comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let snapshot = progress.snapshot();
        let line = line(&snapshot, begun.elapsed());
        match &bar {
            Some(bar) => {
                bar.set_length(snapshot.bytes_total);
                bar.set_position(snapshot.bytes_read.min(snapshot.bytes_total));
                bar.set_message(line);
            }
            None => tell(&line),
        }
    }
}

fn line(snapshot: &Snapshot, elapsed: Duration) -> String {
    let Snapshot { articles, translated, known, sentences, flagged, errors, bytes_read, bytes_total, .. } =
        *snapshot;
    let percent = (bytes_read * 100).checked_div(bytes_total).unwrap_or(0).min(100);
    #[expect(clippy::cast_precision_loss, reason = "a rate for readers")]
    let rate = sentences as f64 / elapsed.as_secs_f64().max(0.001);
    let left = match (bytes_read, bytes_total.saturating_sub(bytes_read)) {
        // Nothing is translated yet, or nothing is left to read: the rest is no part of the rate.
        (0, _) | (_, 0) => String::new(),
        (read, left) => {
            #[expect(clippy::cast_precision_loss, reason = "an estimate for readers")]
            let seconds = elapsed.as_secs_f64() * (left as f64 / read as f64);
            format!(", about {} left", HumanDuration(Duration::from_secs_f64(seconds)))
        }
    };
    format!(
        "{percent}% read, {articles} articles found, {known} known, {translated} translated, \
         {rate:.1} sentences/s, {flagged} of {sentences} sentences flagged, {errors} errors{left}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_rate_flags_errors_and_time_left() {
        let snapshot = Snapshot {
            bytes_total: 1000,
            bytes_read: 250,
            articles: 12,
            known: 2,
            translated: 9,
            sentences: 50,
            flagged: 4,
            errors: 1,
            ..Snapshot::default()
        };
        assert_eq!(
            line(&snapshot, Duration::from_secs(20)),
            "25% read, 12 articles found, 2 known, 9 translated, 2.5 sentences/s, 4 of 50 sentences flagged, \
             1 errors, about 60 seconds left"
        );
        assert!(line(&Snapshot::default(), Duration::ZERO).starts_with("0% read, 0 articles"));
    }
}
