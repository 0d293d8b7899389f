//! Whole archives: files, folders and containers translated into the same shape, unattended, through any
//! interruption.
//!
//! A format is one function that copies a document and asks a visitor for the translation of each article on its
//! way (`format`). A run goes over every file twice with that function. First `scan` visits, which writes nothing,
//! notes each article in the journal and sends its text to be translated. Once the journal has the translations of
//! all of a file's articles, `assemble` visits, which takes them from there and writes the file. So the output
//! depends on the input and the journal alone, however often a run was cut short, and memory holds what is under
//! way and nothing else.
//!
//! - `plan`: the files that the inputs name
//! - `format/`: one file for each format, `format::markup` for what text with markup shares
//! - `encoding`: bytes into text
//! - `record`: a translation as the journal keeps it
//! - `journal/`: what is done and what isn't, in SQLite
//! - `export/`: outputs beside the translated files
//! - `scan`, `assemble`: the two ways over a file
//! - `attempt`: the translation of one article
//! - `job/`: reading, translating and writing at once
//! - `queue/`: the same by many machines
//! - `census`: a dry run
//! - `names`: names spelled in different ways, for the report

mod assemble;
mod attempt;
mod census;
mod encoding;
mod export;
mod format;
mod job;
mod journal;
mod names;
mod plan;
mod progress;
mod queue;
mod record;
mod scan;

pub use attempt::Backend;
pub use census::Census;
pub use export::Export;
pub use format::{HtmlMode, ReadOptions, copy_unchanged};
pub use job::{Batch, BatchConfig, Change, Ending, Stopped};
pub use journal::{Journal, Report, Totals};
pub use names::NameVariants;
pub use plan::Inputs;
pub use progress::{Progress, Snapshot};
pub use queue::{Handled, Queue, QueueAccess, Store, Worker, WorkerConfig};

/// Names of what a run puts in its output folder.
mod layout {
    use std::path::{Path, PathBuf};

    /// The translated files.
    pub(super) const TRANSLATED: &str = "translated";

    pub(super) fn journal(output: &Path) -> PathBuf {
        output.join("journal.sqlite")
    }

    pub(super) fn lock(output: &Path) -> PathBuf {
        output.join("journal.lock")
    }

    /// Files that are being written. Emptied at the start of a run.
    pub(super) fn scratch(output: &Path) -> PathBuf {
        output.join(".scratch")
    }

    /// What was submitted to a queue.
    pub(super) fn submitted(output: &Path) -> PathBuf {
        output.join("submitted.json")
    }

    pub(super) fn errors(output: &Path) -> PathBuf {
        output.join("errors.jsonl")
    }
}
