//! How a command ends.

use std::io::{self, Write};
use std::path::Path;

use crate::Error;

/// A command that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is well.
    Done,
    /// Some sentences are flagged, and the caller wants to know.
    Flagged,
}

/// A command that didn't.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments can't be used.
    Usage(String),
    /// Something went wrong.
    Failed(String),
    /// Whoever read the output stopped reading: no error.
    ClosedPipe,
}

impl Failure {
    /// A failure to read or write a file.
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("{}: {error}", path.display()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidArgument { field, problem, remedy } => match flag(field) {
                Some(flag) => Self::Usage(format!("{flag}: {problem}; {remedy}")),
                None => Self::Failed(format!("{field}: {problem}; {remedy}")),
            },
            other => Self::Failed(other.to_string()),
        }
    }
}

/// A failure to write the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Failed(format!("can't write the output: {error}")),
        }
    }
}

/// Writes to standard output.
pub(super) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    Ok(output.flush()?)
}

/// The command-line name of an interface's field.
fn flag(field: &str) -> Option<&'static str> {
    Some(match field {
        "options.beam_size" => "--beam",
        "options.length_penalty" => "--length-penalty",
        "options.max_expansion" => "--max-expansion",
        "options.min_tokens" => "--min-tokens",
        "options.max_tokens" => "--max-tokens",
        "options.n_best" => "--n-best",
        "options.max_attempts" => "--max-attempts",
        _ => return None,
    })
}
