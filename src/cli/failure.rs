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
    /// It was asked to stop, and can go on later.
    Interrupted,
}

/// A command that didn't.
#[derive(Debug, PartialEq, Eq)]
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

/// The interface's fields, and the flags that set them.
const FLAGS: [(&str, &str); 8] = [
    ("beam_size", "--beam"),
    ("length_penalty", "--length-penalty"),
    ("max_expansion", "--max-expansion"),
    ("min_tokens", "--min-tokens"),
    ("max_tokens", "--max-tokens"),
    ("n_best", "--n-best"),
    ("max_attempts", "--max-attempts"),
    ("require_persian", "--require-persian"),
];

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (field, problem, remedy) = match error {
            Error::InvalidArgument { field, problem, remedy } => (field, problem, remedy),
            // Trying again won't help, which a service's manager tells by the exit code.
            Error::Config { .. } => return Self::Usage(error.to_string()),
            _ => return Self::Failed(error.to_string()),
        };
        // Its words name fields of the interface, which whoever typed the arguments has never seen.
        let words = format!("{field}: {problem}; {remedy}").replace("options.", "");
        let words = FLAGS.iter().fold(words, |words, (name, flag)| words.replace(name, flag));
        if field.starts_with("options.") { Self::Usage(words) } else { Self::Failed(words) }
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

/// Writes a line to standard error. One that nobody reads is lost, where `eprintln` would panic.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::TranslateOptions;

    #[test]
    fn a_bad_option_is_wrong_usage_in_the_words_of_the_command_line() {
        type Spoil = fn(&mut TranslateOptions);
        let cases: [(&str, Spoil); 7] = [
            ("--beam: ", |o| o.beam_size = 17),
            ("--n-best: ", |o| o.n_best = 5),
            ("--length-penalty: ", |o| o.length_penalty = f32::NAN),
            ("--max-expansion: ", |o| o.max_expansion = 0.0),
            ("--min-tokens: ", |o| o.min_tokens = 512),
            ("--max-tokens: ", |o| o.max_tokens = 0),
            ("--max-attempts: ", |o| o.max_attempts = 0),
        ];
        for (flag, spoil) in cases {
            let mut options = TranslateOptions::default();
            spoil(&mut options);
            let Failure::Usage(words) = Failure::from(options.validate().unwrap_err()) else {
                panic!("{flag} is wrong usage");
            };
            assert!(words.starts_with(flag) && !words.contains('_'), "{words}");
        }
    }

    #[test]
    fn a_bad_text_is_no_wrong_usage() {
        let error = Error::invalid("text", "isn't Persian", "leave require_persian off");
        let words = "text: isn't Persian; leave --require-persian off";
        assert_eq!(Failure::from(error), Failure::Failed(words.into()));
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_failures_to_write() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::ClosedPipe);
        let through_json = io::Error::from(serde_json::Error::io(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(Failure::from(through_json), Failure::ClosedPipe);
        assert!(matches!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)), Failure::Failed(_)));
    }
}
