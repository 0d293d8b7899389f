//! `batch`.

mod args;
mod progress;
mod remote;
mod report;

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::args::HubArgs;
use super::failure::{Failure, Outcome, print, tell};
use crate::archive::{Backend, Batch, BatchConfig, Census, Change, Ending, Stopped};
use crate::translator::Translator;
pub(super) use args::BatchArgs;
use args::{BatchCommand, OnChange, RunArgs};
use progress::Watch;
use remote::Remote;

/// Translates an archive, or tells of a run.
pub(super) fn run(args: BatchArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    match args.command {
        None => return super::runtime()?.block_on(translate(args.run, hub, quiet)),
        Some(BatchCommand::Status { dir, json }) => print(report::status(&dir, json)?.as_bytes())?,
        Some(BatchCommand::Report { dir, json, longest }) => {
            print(report::report(&dir, json, longest)?.as_bytes())?;
        }
    }
    Ok(Outcome::Done)
}

async fn translate(args: RunArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let mut config = args.config()?;
    config.options.validate()?;
    let mut notice = String::new();
    let backend: Arc<dyn Backend> = match &args.server {
        None => {
            let chosen = args.model.choose(hub)?;
            notice = chosen.notice.unwrap_or_default();
            Arc::new(Translator::open(&chosen.model, &args.model.load_options()?)?)
        }
        Some(url) => {
            config.options.model.clone_from(&args.model.model);
            Arc::new(Remote::connect(url, &args.access.read()?, args.model.model.as_deref()).await?)
        }
    };
    if args.dry_run {
        return dry_run(&*backend, config).await;
    }
    let note = backend.model().note.clone();
    let output = config.output.display().to_string();
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
    stop_on_signals(batch.stop(), quiet)?;
    let watch = Watch::start(batch.progress(), quiet);
    watch.note(&notice);
    watch.note(&note);
    let ending = batch.run().await;
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
fn stop_on_signals(stop: Arc<AtomicBool>, quiet: bool) -> Result<(), Failure> {
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
