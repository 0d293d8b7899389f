//! A run: reading, translating and writing at once.
//!
//! One thread scans the input, the engine's thread translates, one thread writes files whose articles are all done. This
//! task stands between them: it keeps a number of articles under way and stores what comes of them. Every queue is
//! bounded, in articles and in bytes, so that a run needs as much memory for a large archive as for a small one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;

use super::assemble::{Assembler, Outputs, write_errors};
use super::export::Export;
use super::format::ReadOptions;
use super::journal::{Config, Done, Journal, Opened, Outcome, Totals};
use super::layout;
use super::plan::Inputs;
use super::progress::Progress;
use super::record::Translation;
use super::scan::{Article, BUDGET_BYTES, Scanner, Work};
use crate::model::ModelInfo;
use crate::options::TranslateOptions;
use crate::translation::{ArticleSummary, Event};
use crate::translator::Translator;
use crate::{Error, Result};

/// Found articles that may wait to be translated, and read files that may wait to be written.
const QUEUE: usize = 16;
/// Finished articles that are stored at once, at most.
const STORED_AT_ONCE: usize = 64;
/// How often an article is sent again where that may help.
const ATTEMPTS: usize = 5;
/// How long to wait for a server that is busy or gone, doubled each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Who translates.
pub trait Backend: Send + Sync + 'static {
    /// The model that `options` ask for, with its digest.
    fn model(&self) -> Arc<ModelInfo>;

    /// Begins to translate an article.
    fn translate(
        &self,
        text: String,
        options: TranslateOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Event>>>>;
}

impl Backend for Translator {
    fn model(&self) -> Arc<ModelInfo> {
        self.models().swap_remove(0)
    }

    fn translate(
        &self,
        text: String,
        options: TranslateOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Event>>>> {
        let translator = self.clone();
        async move { translator.translate(text, options) }.boxed()
    }
}

/// What to translate, how, and where to.
#[derive(Debug, Clone)]
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
    backend: Arc<dyn Backend>,
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
        config.options.validate()?;
        let inputs = Inputs::new(&config.inputs, &config.output)?;
        let scratch = layout::scratch(&config.output);
        create(&config.output)?;
        let lock = lock(&config)?;
        // What a killed run was writing.
        let _ = fs::remove_dir_all(&scratch);
        create(&scratch)?;
        let journal = Journal::open(&config.output)?.careful()?;
        let present = Config::new(&backend.model(), &config.options);
        let (progress, stop) = (Arc::default(), Arc::default());
        Ok(Self { config, inputs, backend, journal, present, progress, stop, _lock: lock })
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
        self.journal.set_config(&self.present)?;
        let run = self.journal.begin_run()?;
        let (config, scratch) = (&self.config, layout::scratch(&self.config.output));
        let outputs = Outputs::new(&config.output, &config.exports);
        let (queue, work) = mpsc::channel(QUEUE);
        let scanner = Scanner {
            journal: Journal::open(&config.output)?,
            run,
            read: config.read.clone(),
            outputs: outputs.clone(),
            scratch: scratch.clone(),
            progress: self.progress.clone(),
            stop: self.stop.clone(),
            max_errors: config.max_errors,
            queue,
            budget: Arc::new(Semaphore::new(BUDGET_BYTES)),
            runtime: Handle::current(),
        };
        let inputs = self.inputs.clone();
        let scanning = spawn_blocking(move || scanner.scan(&inputs));
        let journal = Journal::open(&config.output)?;
        let assembler = Assembler { journal, outputs, read: config.read.clone(), scratch };
        let (finished, files) = mpsc::channel(QUEUE);
        let progress = self.progress.clone();
        let writing = spawn_blocking(move || assemble(&assembler, files, &progress));

        let translated = self.translate(work, finished).await;
        // Those who wait for a place in a queue that nobody reads any more give up by themselves.
        let read = joined(scanning.await);
        let written = joined(writing.await);
        let read_all = read.and_then(|read_all| written.and(translated).map(|()| read_all))?;
        write_errors(&self.journal, &self.config.output)?;
        // Left where it isn't empty, which harms nobody.
        let _ = fs::remove_dir(layout::scratch(&self.config.output));
        // Asked to stop once all was read, it has come to its end.
        let stopped = match (read_all, self.too_many_errors()) {
            (true, _) => None,
            (false, true) => Some(Stopped::Errors),
            (false, false) => Some(Stopped::Asked),
        };
        Ok(Ending { totals: self.journal.totals()?, stopped })
    }

    /// Translates what `work` brings and stores it; hands on each file of which nothing is under way any more.
    async fn translate(
        &mut self,
        work: mpsc::Receiver<Work>,
        finished: mpsc::Sender<(Opened, bool)>,
    ) -> Result<()> {
        let (backend, options) = (self.backend.clone(), self.config.options.clone());
        let step = move |work| {
            let (backend, options) = (backend.clone(), options.clone());
            async move {
                match work {
                    Work::Read { file, usable, before } => Ok(Step::Read { file, usable, before }),
                    // A task of its own, so that splitting articles doesn't wait for storing others.
                    Work::Article(article) => {
                        let task = tokio::spawn(translate(backend, article, options));
                        joined(task.await).map(|(number, outcome)| Step::Translated(number, outcome))
                    }
                }
            }
        };
        let steps = ReceiverStream::new(work).map(step).buffer_unordered(self.config.in_flight.max(1));
        let mut steps = steps.ready_chunks(STORED_AT_ONCE);
        let mut order = Order::default();
        while let Some(steps) = steps.next().await {
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                match step? {
                    Step::Read { file, usable, before } => order.read(before, file, usable),
                    Step::Translated(number, outcome) => {
                        order.translated(number);
                        outcomes.push(outcome);
                    }
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
        Ok(())
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

enum Step {
    Translated(u64, Outcome),
    Read { file: Opened, usable: bool, before: u64 },
}

/// Which files are done, while articles are done in any order.
#[derive(Default)]
struct Order {
    /// Articles with lower numbers are all done.
    done: u64,
    /// Articles with higher numbers that are done.
    ahead: BTreeSet<u64>,
    /// Files that are read to their end, by the number that their articles are below.
    read: BTreeMap<(u64, i64), (Opened, bool)>,
}

impl Order {
    fn translated(&mut self, number: u64) {
        self.ahead.insert(number);
        while self.ahead.remove(&self.done) {
            self.done += 1;
        }
    }

    fn read(&mut self, before: u64, file: Opened, usable: bool) {
        self.read.insert((before, file.id), (file, usable));
    }

    /// A file whose articles are all done.
    fn next(&mut self) -> Option<(Opened, bool)> {
        let first = self.read.first_entry()?;
        (first.key().0 <= self.done).then(|| first.remove())
    }
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

/// Translates an article, again where that may help. What is wrong with it is its outcome; an error is one that ends the
/// run.
async fn translate(
    backend: Arc<dyn Backend>,
    article: Article,
    options: TranslateOptions,
) -> Result<(u64, Outcome)> {
    let Article { number, hash, text, permit: _permit } = article;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match whole(&*backend, text.clone(), options.clone()).await {
            Ok(done) => return Ok((number, Outcome { hash, attempts, result: Ok(done) })),
            Err(error) => error,
        };
        match Remedy::of(&error) {
            Remedy::Repeat if attempts < ATTEMPTS => {}
            Remedy::Wait if attempts < ATTEMPTS => {
                let doubled = 1 << attempts.min(8);
                tokio::time::sleep(PAUSE * doubled).await;
            }
            Remedy::Wait | Remedy::GiveUp => return Err(error),
            Remedy::Repeat | Remedy::Skip => {
                let result = Err(error.to_string());
                return Ok((number, Outcome { hash, attempts, result }));
            }
        }
    }
}

/// Translates an article to its end.
pub(super) async fn whole(backend: &dyn Backend, text: String, options: TranslateOptions) -> Result<Done> {
    let mut events = backend.translate(text, options).await?;
    let mut translation = Translation::default();
    let mut summary = None;
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Start(_) => {}
            Event::Paragraph(paragraph) => translation.paragraphs.push(paragraph),
            Event::Summary(last) => summary = Some(last),
        }
    }
    let summary: ArticleSummary =
        summary.ok_or_else(|| Error::Inference("the translation ended early".into()))?;
    Ok(Done { translation, summary })
}

/// What helps against an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// Nothing: it is the article's own.
    Skip,
    /// To try again at once.
    Repeat,
    /// To try again later.
    Wait,
    /// Nothing, for any article.
    GiveUp,
}

impl Remedy {
    fn of(error: &Error) -> Self {
        match error {
            Error::ReplicaFailed(_) => Self::Repeat,
            Error::Overloaded { .. } | Error::Starting | Error::Expired(_) | Error::Connect { .. } => {
                Self::Wait
            }
            Error::Remote { code, .. } => match code.as_str() {
                "UNAVAILABLE" | "RESOURCE_EXHAUSTED" | "ABORTED" | "DEADLINE_EXCEEDED" => Self::Wait,
                "UNAUTHENTICATED" | "PERMISSION_DENIED" | "UNIMPLEMENTED" | "NOT_FOUND" => Self::GiveUp,
                _ => Self::Skip,
            },
            Error::ShuttingDown | Error::UnknownModel { .. } | Error::Unauthenticated(_) => Self::GiveUp,
            _ => Self::Skip,
        }
    }
}

fn joined<T>(result: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| Err(Error::Inference(format!("a part of the run failed: {error}"))))
}

fn create(folder: &std::path::Path) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::plan::Source;

    fn file(id: i64) -> Opened {
        Opened { id, source: Source { path: PathBuf::new(), name: String::new() } }
    }

    #[test]
    fn a_file_is_done_once_all_articles_up_to_its_end_are() {
        let mut order = Order::default();
        let mut next = |steps: &mut dyn FnMut(&mut Order)| {
            steps(&mut order);
            std::iter::from_fn(|| order.next().map(|(file, _)| file.id)).collect::<Vec<_>>()
        };
        // Articles 0 and 1 are in file 1, article 2 in file 3; file 2 has none of its own.
        assert!(next(&mut |order| order.read(2, file(1), true)).is_empty());
        assert!(next(&mut |order| order.read(3, file(3), true)).is_empty());
        assert!(next(&mut |order| order.read(2, file(2), true)).is_empty());
        assert!(next(&mut |order| order.translated(2)).is_empty());
        assert!(next(&mut |order| order.translated(1)).is_empty());
        assert_eq!(next(&mut |order| order.translated(0)), [1, 2, 3]);
    }

    #[test]
    fn only_an_articles_own_error_is_its_outcome() {
        let remote = |code: &str| Error::Remote { code: code.into(), message: String::new() };
        for (error, remedy) in [
            (Error::invalid("text", "isn't Persian", "send Persian text"), Remedy::Skip),
            (Error::Inference("NaN".into()), Remedy::Skip),
            (remote("INVALID_ARGUMENT"), Remedy::Skip),
            (Error::ReplicaFailed("panic".into()), Remedy::Repeat),
            (remote("UNAVAILABLE"), Remedy::Wait),
            (remote("UNAUTHENTICATED"), Remedy::GiveUp),
            (Error::ShuttingDown, Remedy::GiveUp),
        ] {
            assert_eq!(Remedy::of(&error), remedy, "{error}");
        }
    }
}
