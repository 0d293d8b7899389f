//! `completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Invocation;
use super::failure::{Failure, Outcome, print};

/// Prints a shell's completion script.
pub(super) fn run(shell: Shell) -> Result<Outcome, Failure> {
    // Into memory first: clap panics where it can't write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Invocation::command(), "tarjoman", &mut script);
    print(&script)?;
    Ok(Outcome::Done)
}
