//! `translate --stats`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::failure::Failure;
use crate::engine::EngineStats;
use crate::translation::ArticleSummary;

/// What a translation took.
#[derive(Debug, Serialize)]
pub(super) struct Stats {
    sentences: usize,
    flagged_sentences: usize,
    attempts: usize,
    source_tokens: usize,
    target_tokens: usize,
    seconds: Seconds,
    /// Hypotheses decoded in a step on average; null where a server did the work.
    rows_per_step: Option<f64>,
    /// Largest resident memory of this process; null where the system doesn't tell.
    peak_memory_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Seconds {
    /// Until the model was ready; null where a server did the work.
    load: Option<f64>,
    /// From the text to its translation.
    translate: f64,
    /// Of those, in the encoder; null where a server did the work.
    encode: Option<f64>,
    /// Of those, in decoding steps; null where a server did the work.
    decode: Option<f64>,
}

impl Stats {
    pub(super) fn new(
        summary: &ArticleSummary,
        load: Option<Duration>,
        translate: Duration,
        engine: Option<EngineStats>,
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵²")]
        let occupancy = |stats: EngineStats| stats.rows as f64 / stats.steps.max(1) as f64;
        Self {
            sentences: summary.sentences,
            flagged_sentences: summary.flagged_sentences,
            attempts: summary.attempts,
            source_tokens: summary.source_tokens,
            target_tokens: summary.target_tokens,
            seconds: Seconds {
                load: load.map(|load| load.as_secs_f64()),
                translate: translate.as_secs_f64(),
                encode: engine.map(|stats| stats.encoding.as_secs_f64()),
                decode: engine.map(|stats| stats.decoding.as_secs_f64()),
            },
            rows_per_step: engine.map(occupancy),
            peak_memory_bytes: peak_memory(),
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(self).map_err(std::io::Error::from)?;
        std::fs::write(path, json + "\n").map_err(|error| Failure::file(path, &error))
    }
}

/// `VmHWM` of Linux' `/proc/self/status`, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_no_stages_and_an_engine_has() {
        let summary =
            ArticleSummary { sentences: 3, source_tokens: 20, target_tokens: 30, ..Default::default() };
        let remote = Stats::new(&summary, None, Duration::from_secs(2), None);
        let remote = serde_json::to_value(remote).unwrap();
        assert_eq!(remote["sentences"], 3);
        assert_eq!(remote["seconds"]["translate"], 2.0);
        assert!(remote["seconds"]["load"].is_null() && remote["seconds"]["decode"].is_null());
        assert!(remote["rows_per_step"].is_null());

        let engine =
            EngineStats { steps: 2, rows: 9, decoding: Duration::from_secs(1), ..EngineStats::default() };
        let local = Stats::new(&summary, Some(Duration::ZERO), Duration::from_secs(2), Some(engine));
        let local = serde_json::to_value(local).unwrap();
        assert_eq!((&local["seconds"]["load"], &local["seconds"]["decode"]), (&0.0.into(), &1.0.into()));
        assert_eq!(local["rows_per_step"], 4.5);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_on_linux_knows_its_peak_memory() {
        assert!(peak_memory().unwrap() > 1 << 20);
    }
}
