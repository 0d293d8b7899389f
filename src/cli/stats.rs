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
    /// Until the model was ready.
    load: f64,
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
        load: Duration,
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
                load: load.as_secs_f64(),
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
