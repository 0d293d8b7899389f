//! tarjoman on the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    tarjoman::cli::run()
}
