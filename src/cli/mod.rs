//! The command line: its arguments, one file for each command, and what they share.
//!
//! - `args`: the arguments, as clap reads them
//! - `translate`, `lines`, `batch`, `worker`, `serve`, `split`, `evaluate`, `models`, `keys`, `shortlist`,
//!   `completions`: the commands
//! - `downloads`: what is told of a download
//! - `input`, `output`, `format`: what is read and what is written
//! - `progress`, `stats`: what is told of a translation
//! - `failure`: how a command ends

mod args;
mod batch;
mod completions;
mod downloads;
mod evaluate;
mod failure;
mod format;
mod input;
mod keys;
mod lines;
mod models;
mod output;
mod progress;
mod serve;
mod shortlist;
mod split;
mod stats;
mod translate;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use crate::config::LogFormat;
use args::{Command, HubArgs, Invocation, Verbosity};
use failure::{Failure, Outcome, tell};

/// Parses the arguments, runs the command, and maps how it ended to an exit code: 0 all well, 1 failed, 2 wrong
/// usage, 3 translated but some sentences flagged (only with `--strict`), 130 a batch that was interrupted.
pub fn run() -> ExitCode {
    let Invocation { command, verbosity, hub } = Invocation::parse();
    match dispatch(command, verbosity, &hub) {
        Ok(Outcome::Done) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Ok(Outcome::Flagged) => ExitCode::from(3),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(Failure::Usage(problem)) => {
            tell(&format!("error: {problem}\n\nFor more information, try '--help'."));
            ExitCode::from(2)
        }
        Err(Failure::Failed(problem)) => {
            tell(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, verbosity: Verbosity, hub: &HubArgs) -> Result<Outcome, Failure> {
    let quiet = verbosity.quiet;
    let filter = log_filter(verbosity);
    if !matches!(command, Command::Serve(_)) {
        // A service's log has the form that its settings say.
        crate::telemetry::start(filter, LogFormat::Human, None)?;
    }
    match command {
        Command::Translate(args) => runtime()?.block_on(translate::run(args, hub, quiet)),
        Command::Batch(args) => batch::run(*args, hub, quiet),
        Command::Worker(args) => runtime()?.block_on(worker::run(args, hub, quiet)),
        Command::Serve(args) => serve::run(args, hub, filter, quiet),
        Command::Evaluate(args) => runtime()?.block_on(evaluate::run(args, hub, quiet)),
        Command::Split(args) => split::run(&args),
        Command::Models(command) => runtime()?.block_on(models::run(command, &hub.settings()?, quiet)),
        Command::Keys(command) => keys::run(&command),
        Command::Shortlist(args) => runtime()?.block_on(shortlist::run(args, hub, quiet)),
        Command::Completions { shell } => completions::run(shell),
    }
}

fn log_filter(verbosity: Verbosity) -> &'static str {
    match (verbosity.quiet, verbosity.verbose) {
        // The crate calls every failed request an error; those that matter are told in our words.
        (true, _) => "error,hf_hub=off",
        (false, 0) => "warn,hf_hub=off",
        (false, 1) => "info",
        (false, _) => "info,tarjoman=debug",
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::Failed(format!("no threads for the runtime: {error}")))
}
