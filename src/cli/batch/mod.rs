//! `batch`.

mod args;
mod progress;
mod remote;
mod report;

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::args::HubArgs;
use super::failure::{Failure, Outcome, print, tell};
use crate::archive::{Backend, Batch, BatchConfig, Census, Change, Ending, Stopped};
use crate::translator::Translator;
pub(super) use args::{BatchArgs, QueueArgs};
use args::{BatchCommand, OnChange, RunArgs, StoreArgs};
use progress::Watch;
use remote::Remote;

/// Translates an archive, or tells of a run.
pub(super) fn run(args: BatchArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    match args.command {
        None => super::runtime()?.block_on(translate(&args.run, hub, quiet)),
        Some(BatchCommand::Submit { run, queue }) => {
            super::runtime()?.block_on(submit(&run, &queue, hub, quiet))
        }
        Some(BatchCommand::Collect { dir, store }) => {
            super::runtime()?.block_on(collect(&dir, &store, quiet))
        }
        Some(BatchCommand::Status { dir, json }) => {
            print(report::status(&dir, json)?.as_bytes())?;
            Ok(Outcome::Done)
        }
        Some(BatchCommand::Report { dir, json, longest }) => {
            print(report::report(&dir, json, longest)?.as_bytes())?;
            Ok(Outcome::Done)
        }
    }
}

async fn translate(args: &RunArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let Asked { config, backend, notes } = Asked::new(args, hub).await?;
    if args.dry_run {
        return dry_run(&*backend, config).await;
    }
    let batch = open(args, config, backend)?;
    follow(batch, &notes, quiet, Batch::run).await
}

async fn submit(args: &RunArgs, queue: &QueueArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let Asked { config, backend, notes } = Asked::new(args, hub).await?;
    if args.dry_run {
        return dry_run(&*backend, config).await;
    }
    let (queue, store) = queue.open().await?;
    let batch = open(args, config, backend)?;
    let progress = batch.progress();
    let outcome = follow(batch, &notes, quiet, async |batch| batch.submit(&queue, &store).await).await?;
    if !quiet {
        tell(&format!("{} texts put into the queue", progress.snapshot().submitted));
    }
    Ok(outcome)
}

async fn collect(dir: &Path, store: &StoreArgs, quiet: bool) -> Result<Outcome, Failure> {
    follow(Batch::collect(dir, store.open()?)?, &[], quiet, Batch::run).await
}

/// What a user asks for.
struct Asked {
    config: BatchConfig,
    backend: Arc<dyn Backend>,
    /// What the user should know.
    notes: Vec<String>,
}

impl Asked {
    async fn new(args: &RunArgs, hub: &HubArgs) -> Result<Self, Failure> {
        let mut config = args.config()?;
        config.options.validate()?;
        let mut notes = Vec::new();
        let backend: Arc<dyn Backend> = match &args.server {
            None => {
                let chosen = args.model.choose(hub)?;
                notes.extend(chosen.notice);
                Arc::new(Translator::open(&chosen.model, &args.model.load_options()?)?)
            }
            Some(url) => {
                config.options.model.clone_from(&args.model.model);
                Arc::new(Remote::connect(url, &args.access.read()?, args.model.model.as_deref()).await?)
            }
        };
        notes.push(backend.model().note.clone());
        Ok(Self { config, backend, notes })
    }
}

/// Opens a run and settles what is to become of what an earlier one did.
fn open(args: &RunArgs, config: BatchConfig, backend: Arc<dyn Backend>) -> Result<Batch, Failure> {
    let batch = Batch::open(config, backend)?;
    let restarts = match batch.change()? {
        _ if args.restarts() => true,
        Some(change) => decide(&change, args.on_change)? == OnChange::Restart,
        None => false,
    };
    if restarts {
        batch.restart()?;
    }
    if args.retry_failed {
        batch.retry_failed()?;
    }
    Ok(batch)
}

/// Runs a batch to its end and tells how it goes.
async fn follow(
    batch: Batch,
    notes: &[String],
    quiet: bool,
    run: impl AsyncFnOnce(Batch) -> crate::Result<Ending>,
) -> Result<Outcome, Failure> {
    let output = batch.output().display().to_string();
    stop_on_signals(batch.stop(), quiet)?;
    let watch = Watch::start(batch.progress(), quiet);
    for note in notes {
        watch.note(note);
    }
    let ending = run(batch).await;
    watch.finish().await;
    outcome(&ending?, &output, quiet)
}

async fn dry_run(backend: &dyn Backend, config: BatchConfig) -> Result<Outcome, Failure> {
    let census = tokio::task::block_in_place(|| Census::take(&config))?;
    let estimate = census.estimate(backend, &config).await?;
    print(report::census(&census, &backend.model().name, estimate).as_bytes())?;
    Ok(Outcome::Done)
}

fn outcome(ending: &Ending, output: &str, quiet: bool) -> Result<Outcome, Failure> {
    if !quiet {
        tell(report::totals(&ending.totals).trim_end());
    }
    let errors = ending.totals.failed + ending.totals.problems;
    match ending.stopped {
        Some(Stopped::Asked) => {
            if !quiet {
                tell("stopped; run the same command again to go on");
            }
            Ok(Outcome::Interrupted)
        }
        Some(Stopped::Errors) => Err(Failure::Failed(format!(
            "stopped after more errors than --max-errors allows; see {output}/errors.jsonl"
        ))),
        None if errors > 0 => Err(Failure::Failed(format!("{errors} failed; see {output}/errors.jsonl"))),
        None => Ok(Outcome::Done),
    }
}

/// What to do about a change, by asking if need be.
fn decide(change: &Change, wanted: Option<OnChange>) -> Result<OnChange, Failure> {
    let refused = || {
        let remedy = "choose with --on-change restart or keep, or use another folder";
        Failure::Failed(format!("{}; {remedy}", change.description))
    };
    let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    match wanted {
        Some(OnChange::Fail) => Err(refused()),
        Some(choice) => Ok(choice),
        None if can_ask => {
            tell(&format!(
                "{}.\nTranslate everything again (r), keep what is translated (k), or stop? ",
                change.description
            ));
            let mut answer = String::new();
            let read = std::io::stdin().lock().read_line(&mut answer);
            match (read, answer.trim()) {
                (Ok(_), "r" | "restart") => Ok(OnChange::Restart),
                (Ok(_), "k" | "keep") => Ok(OnChange::Keep),
                _ => Err(refused()),
            }
        }
        None => Err(refused()),
    }
}

/// The first SIGINT or SIGTERM lets the articles under way be finished, the second ends at once: the journal has what
/// is done.
pub(super) fn stop_on_signals(stop: Arc<AtomicBool>, quiet: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("can't wait for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            if !quiet {
                tell("finishing the articles under way; another signal ends at once");
            }
        }
    });
    Ok(())
}
