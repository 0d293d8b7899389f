//! What is told of a download on standard error.

use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::tell;
use crate::hub::PullEvent;

/// A bar for each file where standard error is a terminal, a line for each where it isn't, nothing with `--quiet`.
pub(super) struct Downloads {
    bar: Mutex<ProgressBar>,
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Bars,
    Lines,
    Nothing,
}

impl Downloads {
    pub(super) fn new(quiet: bool) -> Self {
        let told = match quiet {
            true => Told::Nothing,
            false if std::io::stderr().is_terminal() => Told::Bars,
            false => Told::Lines,
        };
        Self { bar: Mutex::new(ProgressBar::hidden()), told }
    }

    pub(super) fn tell(&self, event: PullEvent<'_>) {
        if self.told == Told::Nothing {
            return;
        }
        let Ok(mut bar) = self.bar.lock() else { return };
        match event {
            PullEvent::File { name, size, done } if self.told == Told::Bars => {
                bar.abandon();
                *bar = ProgressBar::new(size).with_position(done).with_message(name.to_owned());
                let template = "{msg:28!} {bar:24} {bytes:>10} of {total_bytes}, {bytes_per_sec}, {eta} left";
                bar.set_style(
                    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                // Resumed bytes are no speed.
                bar.reset_eta();
            }
            PullEvent::Advanced(bytes) => bar.inc(bytes),
            event => bar.suspend(|| tell(&line(event))),
        }
    }

    /// Leaves the bars as they are.
    pub(super) fn finish(&self) {
        if let Ok(bar) = self.bar.lock() {
            bar.abandon();
        }
    }
}

fn line(event: PullEvent<'_>) -> String {
    match event {
        PullEvent::File { name, size, done: 0 } => format!("{name}: {} to fetch", bytes(size)),
        PullEvent::File { name, size, done } if done == size => format!("{name}: is on this machine already"),
        PullEvent::File { name, size, done } => {
            format!("{name}: going on after {} of {}", bytes(done), bytes(size))
        }
        PullEvent::Retrying { pause, problem } => {
            format!("{problem} (trying again in {:.1} s)", pause.as_secs_f32())
        }
        PullEvent::Waiting => "waiting for another process that is fetching this model".into(),
        PullEvent::Advanced(size) => bytes(size),
    }
}

/// A number of bytes for reading, e.g. `2.46 GB`.
pub(super) fn bytes(size: u64) -> String {
    indicatif::DecimalBytes(size).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_what_is_fetched_and_what_is_not() {
        let file = |done| line(PullEvent::File { name: "f", size: 2_460_000_000, done });
        assert_eq!(file(0), "f: 2.46 GB to fetch");
        assert_eq!(file(460_000_000), "f: going on after 460.00 MB of 2.46 GB");
        assert_eq!(file(2_460_000_000), "f: is on this machine already");
    }
}
