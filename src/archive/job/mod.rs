//! A run: reading, translating and writing at once.
//!
//! One thread scans the input, the engine's thread translates, one thread writes files whose articles are all done. This
//! task stands between them: it keeps a number of articles under way and stores what comes of them. Every queue is
//! bounded, in articles and in bytes, so that a run needs as much memory for a large archive as for a small one.

mod order;
mod submit;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::wrappers::ReceiverStream;

use super::assemble::{Assembler, Outputs, write_errors};
use super::attempt::{self, Backend};
use super::export::Export;
use super::format::ReadOptions;
use super::journal::{Config, Done, Journal, Opened, Outcome, Totals};
use super::layout;
use super::plan::Inputs;
use super::progress::Progress;
use super::queue::{Job, Store};
use super::record::Hash;
use super::scan::{Article, BUDGET_BYTES, Scanner, Work};
use crate::options::TranslateOptions;
use crate::{Error, Result};
use order::Order;

/// Found articles that may wait to be translated, and read files that may wait to be written.
const QUEUE: usize = 16;
/// Finished articles that are stored at once, at most.
const STORED_AT_ONCE: usize = 64;
/// How long to wait before looking again for an outcome that isn't in the store yet, doubled each time up to the last.
const LOOK: Duration = Duration::from_millis(250);
const LAST_LOOK: Duration = Duration::from_secs(8);

/// What to translate, how, and where to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchConfig {
    /// Files, folders and patterns.
    pub inputs: Vec<String>,
    /// The folder for the outputs and the journal.
    pub output: PathBuf,
    /// How documents are read.
    pub read: ReadOptions,
    /// What is written beside the translated files.
    pub exports: Vec<Export>,
    /// How articles are translated.
    pub options: TranslateOptions,
    /// Articles that are translated at once.
    pub in_flight: usize,
    /// Errors after which the run stops; `None` is any number.
    pub max_errors: Option<u64>,
}

/// A run that is ready to begin. Its output folder is locked for others as long as it lives.
pub struct Batch {
    config: BatchConfig,
    inputs: Inputs,
    answers: Answers,
    journal: Journal,
    present: Config,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    _lock: File,
}

/// How a run ended that didn't fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// What the journal has now.
    pub totals: Totals,
    /// Why there is more to do; `None` where there isn't.
    pub stopped: Option<Stopped>,
}

/// Why a run stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to.
    Asked,
    /// There were more errors than allowed.
    Errors,
}

/// A difference between what an output was begun with and what it is to be gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What differs, for a reader.
    pub description: String,
}

impl Batch {
    /// Locks the output folder and opens its journal, both made where they don't exist.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for inputs and options that can't be used, and while another run has the folder.
    pub fn open(config: BatchConfig, backend: Arc<dyn Backend>) -> Result<Self> {
        let present = Config::new(&backend.model(), &config.options);
        let options = config.options.clone();
        Self::with(config, present, Answers::Backend(backend, options))
    }

    /// The run whose articles [`Batch::submit`] put into the queue: it waits for what workers put into the store.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where nothing was submitted from the folder, and while another run has it.
    pub fn collect(output: &Path, store: Store) -> Result<Self> {
        let (config, present) = submit::submitted(output)?;
        let job = Job::new(&present);
        Self::with(config, present, Answers::Store(store, job))
    }

    fn with(config: BatchConfig, present: Config, answers: Answers) -> Result<Self> {
        config.options.validate()?;
        let inputs = Inputs::new(&config.inputs, &config.output)?;
        let scratch = layout::scratch(&config.output);
        create(&config.output)?;
        let lock = lock(&config)?;
        // What a killed run was writing.
        let _ = fs::remove_dir_all(&scratch);
        create(&scratch)?;
        let journal = Journal::open(&config.output)?.careful()?;
        let (progress, stop) = (Arc::default(), Arc::default());
        Ok(Self { config, inputs, answers, journal, present, progress, stop, _lock: lock })
    }

    /// What has changed since the output was begun; to go on regardless keeps what is translated.
    pub fn change(&self) -> Result<Option<Change>> {
        let Some(before) = self.journal.config()?.filter(|before| *before != self.present) else {
            return Ok(None);
        };
        let mut description = Vec::new();
        let now = &self.present;
        let model = |config: &Config| (config.model.clone(), config.digest.clone(), config.precision.clone());
        if model(&before) != model(now) {
            let name =
                |config: &Config| format!("{} ({:.12}) in {}", config.model, config.digest, config.precision);
            description.push(format!("the model was {} and is {}", name(&before), name(now)));
        }
        if before.options != now.options {
            description.push(format!("the options were {} and are {}", before.options, now.options));
        }
        Ok(Some(Change { description: description.join("; ") }))
    }

    /// Forgets what is translated.
    pub fn restart(&self) -> Result<()> {
        self.journal.forget()
    }

    /// Makes what failed be tried again.
    pub fn retry_failed(&self) -> Result<()> {
        self.journal.retry_failed()
    }

    /// The folder that it writes to.
    pub fn output(&self) -> &Path {
        &self.config.output
    }

    /// How far it is; goes on counting while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Makes it stop once it is set: what is under way is finished, nothing new begun.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Translates what isn't translated yet.
    ///
    /// # Errors
    /// Those after which nothing can go on: a full disk, a model or server that is gone. To run again goes on from there.
    pub async fn run(mut self) -> Result<Ending> {
        let run = self.journal.begin_run()?;
        let (scanning, work) = self.scan(run)?;
        let config = &self.config;
        let assembler = Assembler {
            journal: Journal::open(&config.output)?,
            outputs: Outputs::new(&config.output, &config.exports),
            read: config.read.clone(),
            scratch: layout::scratch(&config.output),
        };
        let (finished, files) = mpsc::channel(QUEUE);
        let progress = self.progress.clone();
        let writing = spawn_blocking(move || assemble(&assembler, files, &progress));

        let translated = self.translate(work, finished).await;
        // Those who wait for a place in a queue that nobody reads any more give up by themselves.
        let read = joined(scanning.await);
        let written = joined(writing.await);
        let read_all = read.and_then(|read_all| written.and(translated).map(|all| read_all && all))?;
        self.end(read_all)
    }

    /// Begins to read the input.
    fn scan(&self, run: i64) -> Result<(JoinHandle<Result<bool>>, mpsc::Receiver<Work>)> {
        self.journal.set_config(&self.present)?;
        let config = &self.config;
        let (queue, work) = mpsc::channel(QUEUE);
        let scanner = Scanner {
            journal: Journal::open(&config.output)?,
            run,
            read: config.read.clone(),
            outputs: Outputs::new(&config.output, &config.exports),
            scratch: layout::scratch(&config.output),
            progress: self.progress.clone(),
            stop: self.stop.clone(),
            max_errors: config.max_errors,
            queue,
            budget: Arc::new(Semaphore::new(BUDGET_BYTES)),
            runtime: Handle::current(),
        };
        let inputs = self.inputs.clone();
        Ok((spawn_blocking(move || scanner.scan(&inputs)), work))
    }

    /// Ends a run; `is_done` is whether there is nothing left.
    fn end(&self, is_done: bool) -> Result<Ending> {
        write_errors(&self.journal, &self.config.output)?;
        // Left where it isn't empty, which harms nobody.
        let _ = fs::remove_dir(layout::scratch(&self.config.output));
        // Asked to stop once all was done, it has come to its end.
        let stopped = match (is_done, self.too_many_errors()) {
            (true, _) => None,
            (false, true) => Some(Stopped::Errors),
            (false, false) => Some(Stopped::Asked),
        };
        Ok(Ending { totals: self.journal.totals()?, stopped })
    }

    /// Translates what `work` brings and stores it; hands on each file of which nothing is under way any more. Returns
    /// whether it waited for all of it.
    async fn translate(
        &mut self,
        work: mpsc::Receiver<Work>,
        finished: mpsc::Sender<(Opened, bool)>,
    ) -> Result<bool> {
        let (answers, stop) = (self.answers.clone(), self.stop.clone());
        let begin = move |work| {
            let (answers, stop) = (answers.clone(), stop.clone());
            async move {
                match work {
                    Work::Read { file, usable, before } => Ok(Step::Read { file, usable, before }),
                    // A task of its own, so that splitting articles doesn't wait for storing others.
                    Work::Article(article) => {
                        let Article { number, hash, text, permit } = article;
                        let task = tokio::spawn(async move {
                            let _permit = permit;
                            answers.outcome(hash, text, &stop).await
                        });
                        joined(task.await).map(|outcome| match outcome {
                            Some(outcome) => Step::Translated(number, outcome),
                            None => Step::GivenUp,
                        })
                    }
                }
            }
        };
        let steps = ReceiverStream::new(work).map(begin).buffer_unordered(self.config.in_flight.max(1));
        let mut steps = steps.ready_chunks(STORED_AT_ONCE);
        let (mut order, mut all) = (Order::default(), true);
        while let Some(steps) = steps.next().await {
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                match step? {
                    Step::Read { file, usable, before } => order.read(before, file, usable),
                    Step::Translated(number, outcome) => {
                        order.translated(number);
                        outcomes.push(outcome);
                    }
                    Step::GivenUp => all = false,
                }
            }
            self.journal.finish(&outcomes)?;
            for outcome in &outcomes {
                self.count(outcome);
            }
            while let Some(file) = order.next() {
                finished.send(file).await.map_err(|_| Error::ShuttingDown)?;
            }
            if self.too_many_errors() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(all)
    }

    fn count(&self, outcome: &Outcome) {
        match &outcome.result {
            Ok(Done { summary, .. }) => {
                self.progress.translated(1);
                self.progress.sentences(summary.sentences as u64);
                self.progress.flagged(summary.flagged_sentences as u64);
            }
            Err(_) => self.progress.errors(1),
        }
    }

    fn too_many_errors(&self) -> bool {
        self.progress.has_more_errors_than(self.config.max_errors)
    }
}

/// Where outcomes come from.
#[derive(Clone)]
enum Answers {
    /// They are made as they are asked for.
    Backend(Arc<dyn Backend>, TranslateOptions),
    /// Workers put them there.
    Store(Store, Job),
}

impl Answers {
    /// What becomes of a text; `None` where it isn't waited for, as the run is to stop.
    async fn outcome(self, hash: Hash, text: String, stop: &AtomicBool) -> Result<Option<Outcome>> {
        let (store, job) = match self {
            Self::Backend(backend, options) => {
                return attempt::outcome(backend, hash, text, options).await.map(Some);
            }
            Self::Store(store, job) => (store, job),
        };
        let mut pause = LOOK;
        loop {
            let found = store.outcome(&job, &hash).await?;
            if found.is_some() || stop.load(Ordering::Relaxed) {
                return Ok(found);
            }
            if pause == LOOK && !store.has_text(&hash).await? {
                return Err(Error::invalid(
                    "queue_store",
                    format!("{} lacks an article of the input, and nobody will translate it", store.place()),
                    "run `tarjoman batch submit` again if the input has changed, or name the store that it used",
                ));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }
}

enum Step {
    Translated(u64, Outcome),
    GivenUp,
    Read { file: Opened, usable: bool, before: u64 },
}

/// Writes files as they come.
fn assemble(
    assembler: &Assembler,
    mut files: mpsc::Receiver<(Opened, bool)>,
    progress: &Progress,
) -> Result<()> {
    while let Some((file, usable)) = files.blocking_recv() {
        assembler.assemble(&file, usable)?;
        progress.files(1);
    }
    Ok(())
}

pub(super) fn joined<T>(result: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| Err(Error::Inference(format!("a part of the run failed: {error}"))))
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(|error| Error::Io { path: folder.to_owned(), message: error.to_string() })
}

fn lock(config: &BatchConfig) -> Result<File> {
    let path = layout::lock(&config.output);
    let failed = |error: std::io::Error| Error::Io { path: path.clone(), message: error.to_string() };
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::invalid(
            "output",
            format!("another run writes to {}", config.output.display()),
            "wait for its end, or use another folder",
        )),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
