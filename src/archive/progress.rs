//! How far a run is, for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a run, updated as it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    bytes_total: AtomicU64,
    bytes_read: AtomicU64,
    files: AtomicU64,
    articles: AtomicU64,
    known: AtomicU64,
    translated: AtomicU64,
    submitted: AtomicU64,
    sentences: AtomicU64,
    flagged: AtomicU64,
    errors: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Size of all input files in bytes.
    pub bytes_total: u64,
    /// Bytes read of them, or skipped as their output stands.
    pub bytes_read: u64,
    /// Files finished, by this run or an earlier one.
    pub files: u64,
    /// Articles found by this run.
    pub articles: u64,
    /// Of those, the ones whose text was translated before, or is translated once for several.
    pub known: u64,
    /// Texts translated by this run.
    pub translated: u64,
    /// Texts put into a queue by this run.
    pub submitted: u64,
    /// Their sentences.
    pub sentences: u64,
    /// Of those, the flagged ones.
    pub flagged: u64,
    /// What can't be used or translated.
    pub errors: u64,
}

impl Progress {
    pub(super) fn has_more_errors_than(&self, most: Option<u64>) -> bool {
        most.is_some_and(|most| self.errors.load(Ordering::Relaxed) > most)
    }
}

macro_rules! counters {
    ($($counter:ident),*) => {
        impl Progress {
            /// The counts now.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($counter: self.$counter.load(Ordering::Relaxed)),* }
            }

            $(pub(super) fn $counter(&self, more: u64) {
                self.$counter.fetch_add(more, Ordering::Relaxed);
            })*
        }
    };
}

counters!(bytes_total, bytes_read, files, articles, known, translated, submitted, sentences, flagged, errors);
