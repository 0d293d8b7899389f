//! The command line: clap types and one file for each command.

mod args;
mod failure;
mod format;
mod input;
mod lines;
mod models;
mod progress;
mod serve;
mod split;
mod stats;
mod translate;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Command, Invocation, ModelsCommand};
use failure::{Failure, Outcome};

/// Parses the arguments, runs the command, and maps how it ended to an exit code: 0 all well, 1 failed, 2 wrong
/// usage, 3 translated but some sentences flagged (only with `--strict`).
pub fn run() -> ExitCode {
    let invocation = Invocation::parse();
    crate::telemetry::start(invocation.verbose);
    match command(invocation.command) {
        Ok(Outcome::Done) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Ok(Outcome::Flagged) => ExitCode::from(3),
        Err(Failure::Usage(problem)) => {
            eprintln!("error: {problem}\n\nFor more information, try '--help'.");
            ExitCode::from(2)
        }
        Err(Failure::Failed(problem)) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn command(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Translate(args) => runtime()?.block_on(translate::run(args)),
        Command::Serve(args) => runtime()?.block_on(serve::run(args)),
        Command::Split(args) => split::run(&args),
        Command::Models(ModelsCommand::List { json }) => models::list(json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Invocation::command(), "tarjoman", &mut script);
            failure::print(&script)?;
            Ok(Outcome::Done)
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::Failed(format!("no threads for the runtime: {error}")))
}
