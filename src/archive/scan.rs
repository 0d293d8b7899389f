//! The first way over the input: notes each article in the journal and sends its text to be translated.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::assemble::Outputs;
use super::format::{Context, Found, Input, Outcome, Output, ReadOptions, ReadSeek, Stop, Visitor, rewrite};
use super::journal::{Begun, Fingerprint, Journal, Opened};
use super::plan::{Inputs, Source, Unusable};
use super::progress::Progress;
use super::record::{Hash, Segment};
use crate::{Error, Result};

/// Bytes of text that may be under way at once, from being found to being stored: some thousands of sentences, which
/// fill every batch and are soon finished when the run is to stop. A longer text is under way alone.
pub(super) const BUDGET_BYTES: usize = 1 << 20;

/// What a scan finds.
pub(super) enum Work {
    Article(Article),
    /// A file was read to its end. All its articles have lower numbers than `before`.
    Read {
        file: Opened,
        usable: bool,
        before: u64,
    },
}

/// A text to translate.
pub(super) struct Article {
    /// Counted from 0 over the run.
    pub(super) number: u64,
    pub(super) hash: Hash,
    pub(super) text: String,
    /// Its part of the budget.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Reads the input. Everything that it does blocks.
pub(super) struct Scanner {
    pub(super) journal: Journal,
    pub(super) run: i64,
    pub(super) read: ReadOptions,
    pub(super) outputs: Outputs,
    pub(super) scratch: PathBuf,
    pub(super) progress: Arc<Progress>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) max_errors: Option<u64>,
    pub(super) queue: mpsc::Sender<Work>,
    pub(super) budget: Arc<Semaphore>,
    pub(super) runtime: Handle,
}

impl Scanner {
    /// Reads all files, or up to where the run is to stop; returns whether it read all.
    pub(super) fn scan(self, inputs: &Inputs) -> Result<bool> {
        self.progress.bytes_total(inputs.bytes());
        let layout = self.outputs.layout(&self.read);
        let mut number = 0;
        for file in inputs.files() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let ended = match file {
                Ok(source) => self.file(&source, &layout, &mut number),
                Err(Unusable { name, reason }) => self.problem(None, &name, &reason).map_err(Stop::Failed),
            };
            match ended {
                Ok(()) | Err(Stop::Unusable(_)) => {}
                Err(Stop::Interrupted) => return Ok(false),
                Err(Stop::NoRoom(message)) => return Err(Error::Io { path: self.scratch, message }),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        Ok(true)
    }

    fn file(&self, source: &Source, layout: &str, number: &mut u64) -> Outcome {
        let mut opened = match File::open(&source.path).and_then(|file| Ok((file.metadata()?, file))) {
            Ok(opened) => opened,
            Err(error) => return Ok(self.problem(None, &source.name, &error.to_string())?),
        };
        let (metadata, file) = (&opened.0, &mut opened.1);
        let fingerprint = Fingerprint {
            size: metadata.len(),
            modified: modified(metadata),
            layout,
            output_exists: self.outputs.exist(&source.name),
        };
        let file_id = match self.journal.begin_source(source, &fingerprint, self.run)? {
            Begun::Finished => {
                self.progress.bytes_read(metadata.len());
                self.progress.files(1);
                return Ok(());
            }
            Begun::NameTaken => {
                let reason = "has the name of another input in the output; translate it into another folder";
                return Ok(self.problem(None, &source.path.to_string_lossy(), reason)?);
            }
            Begun::Open(file) => file,
        };
        let mut visit = Visit { scanner: self, source: file_id.id, position: 0, number };
        let mut input = Counted { file, progress: &self.progress, left: fingerprint.size };
        let mut context = Context::new(&self.read, &mut visit, &self.scratch, fingerprint.size);
        let ended =
            rewrite(&source.name, Input::File(&mut input), Output::Nowhere(io::empty()), &mut context);
        input.count(fingerprint.size);
        let usable = match ended {
            Ok(_) => true,
            Err(Stop::Unusable(reason)) => {
                self.problem(Some(file_id.id), &source.name, &reason)?;
                false
            }
            Err(stop) => return Err(stop),
        };
        self.send(Work::Read { file: file_id, usable, before: *number })
    }

    fn problem(&self, source: Option<i64>, locator: &str, reason: &str) -> Result<()> {
        self.progress.errors(1);
        if self.progress.has_more_errors_than(self.max_errors) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.journal.add_problem(source, locator, reason)
    }

    fn send(&self, work: Work) -> Outcome {
        self.queue.blocking_send(work).map_err(|_| Stop::Interrupted)
    }
}

/// Nanoseconds since 1970.
fn modified(metadata: &std::fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

/// The visit to one file.
struct Visit<'a> {
    scanner: &'a Scanner,
    source: i64,
    /// The next article's place among the file's.
    position: u64,
    /// The next text's number.
    number: &'a mut u64,
}

impl Visitor for Visit<'_> {
    fn article(&mut self, article: Found) -> Outcome<Option<Vec<Segment>>> {
        let Scanner { journal, progress, stop, run, .. } = self.scanner;
        if stop.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        let hash = article.text.hash();
        journal.add_article(self.source, self.position, &article.locator, &hash, article.encoding)?;
        self.position += 1;
        progress.articles(1);
        if !journal.claim(&hash, *run)? {
            progress.known(1);
            return Ok(None);
        }
        let text = article.text.into_string();
        let permits = u32::try_from(text.len().clamp(1, BUDGET_BYTES)).unwrap_or(u32::MAX);
        let permit = self.scanner.runtime.block_on(self.scanner.budget.clone().acquire_many_owned(permits));
        let permit = permit.map_err(|_| Stop::Failed(Error::ShuttingDown))?;
        let number = *self.number;
        *self.number += 1;
        self.scanner.send(Work::Article(Article { number, hash, text, permit }))?;
        Ok(None)
    }

    fn unusable(&mut self, locator: &str, reason: String) -> Outcome {
        if self.scanner.stop.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        Ok(self.scanner.problem(Some(self.source), locator, &reason)?)
    }

    fn copied(&mut self) {}
}

/// A file whose progress is counted, each byte at most once however it is read.
struct Counted<'a> {
    file: &'a mut File,
    progress: &'a Progress,
    /// Bytes that aren't counted yet.
    left: u64,
}

impl Counted<'_> {
    fn count(&mut self, bytes: u64) {
        let counted = bytes.min(self.left);
        self.left -= counted;
        self.progress.bytes_read(counted);
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.count(read as u64);
        Ok(read)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl ReadSeek for Counted<'_> {
    fn as_file(&self) -> Option<&File> {
        Some(self.file)
    }
}
