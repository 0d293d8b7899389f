//! What an engine has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What an engine has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Time spent encoding sources.
    pub encoding: Duration,
    /// Time spent in decoding steps.
    pub decoding: Duration,
    /// Number of decoding steps.
    pub steps: u64,
    /// Hypotheses over all steps: `rows / steps` is how full the batch was.
    pub rows: u64,
    /// Hypotheses given up before their end, as nobody waited for them any more.
    pub freed_rows: u64,
    /// Sentences that wait for a place in the batch at this moment.
    pub queued: usize,
}

impl std::ops::Add for EngineStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            encoding: self.encoding + other.encoding,
            decoding: self.decoding + other.decoding,
            steps: self.steps + other.steps,
            rows: self.rows + other.rows,
            freed_rows: self.freed_rows + other.freed_rows,
            queued: self.queued + other.queued,
        }
    }
}

/// The engine's own counters; the thread that decodes is the only one to write them.
#[derive(Default)]
pub(super) struct Counters {
    encoding: AtomicU64,
    decoding: AtomicU64,
    steps: AtomicU64,
    rows: AtomicU64,
    freed_rows: AtomicU64,
}

impl Counters {
    /// What has been counted, with the number of sentences that are `queued` now.
    pub(super) fn read(&self, queued: usize) -> EngineStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EngineStats {
            encoding: Duration::from_nanos(load(&self.encoding)),
            decoding: Duration::from_nanos(load(&self.decoding)),
            steps: load(&self.steps),
            rows: load(&self.rows),
            freed_rows: load(&self.freed_rows),
            queued,
        }
    }

    pub(super) fn freed(&self, rows: usize) {
        self.freed_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn encoding<T>(&self, work: impl FnOnce() -> T) -> T {
        timed(&self.encoding, work)
    }

    pub(super) fn decoding<T>(&self, rows: usize, work: impl FnOnce() -> T) -> T {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        timed(&self.decoding, work)
    }
}

fn timed<T>(counter: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    counter.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    result
}
