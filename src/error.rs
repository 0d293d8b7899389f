//! The library's one error type. `server/convert` alone maps it to gRPC status codes.

use std::path::PathBuf;
use std::time::Duration;

/// Anything that can go wrong between an article and its translation.
///
/// Every variant says what is wrong and what to do about it, so that a message can be shown as it is.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller passed something that can't be used: bad text, an option out of range, a wrong combination.
    #[error("{field}: {problem}; {remedy}")]
    InvalidArgument {
        /// The field as the interface names it, e.g. `options.beam_size`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What the caller can do about it.
        remedy: String,
    },
    /// No model of that name is known.
    #[error("model: no model named {name:?}; known are {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names that would have worked, separated by commas.
        known: String,
    },
    /// A model's folder lacks a file, or a file in it can't be used.
    #[error("{}: {problem}; {remedy}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the user can do about it.
        remedy: String,
    },
    /// A model can't be fetched, or isn't in the store, or isn't what it was when it was fetched.
    #[error("{subject}: {problem}; {remedy}")]
    Hub {
        /// The model, file or address.
        subject: String,
        /// What is wrong with it.
        problem: String,
        /// What the user can do about it.
        remedy: String,
    },
    /// There is no room for the work now.
    #[error("{problem}; try again in {} s", retry_after.as_secs_f64().ceil())]
    Overloaded {
        /// What there is no room in.
        problem: String,
        /// When there probably will be.
        retry_after: Duration,
    },
    /// The call has no valid key.
    #[error("authorization: {0}")]
    Unauthenticated(&'static str),
    /// The call's deadline has passed, or the other side let its time pass.
    #[error("the call was ended: {0}")]
    Expired(&'static str),
    /// The model isn't loaded yet.
    #[error("the model is being loaded; try again in a moment")]
    Starting,
    /// The configuration can't be used.
    #[error("{place}: {problem}; {remedy}")]
    Config {
        /// The key with the file, variable or flag that sets it, or the file.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What the user can do about it.
        remedy: String,
    },
    /// The model failed on a computation that should have worked.
    #[error("inference failed: {0}")]
    Inference(String),
    /// A model doesn't fit into memory.
    #[error(
        "{model}: needs about {} MB of memory, and {} MB are free; unload another model, or use a smaller one or --precision int8",
        needed >> 20, free >> 20
    )]
    TooLarge {
        /// The model.
        model: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// There wasn't enough memory on the device for a single sentence.
    #[error("the device is out of memory: {0}; use a smaller model, a smaller beam, or --device cpu")]
    OutOfMemory(String),
    /// The model's thread panicked while this sentence was being decoded. The replica has been restarted.
    #[error("the model's thread failed and was restarted: {0}; try again")]
    ReplicaFailed(String),
    /// The engine is shutting down and takes no more work.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// A server answered with an error.
    #[error("{code}: {message}")]
    Remote {
        /// The gRPC status code's name.
        code: String,
        /// The server's words.
        message: String,
    },
    /// A server can't be reached.
    #[error("can't connect to {url}: {problem}")]
    Connect {
        /// Its address.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// A work queue or object store can't be used.
    #[error("{place}: {problem}; {remedy}")]
    Queue {
        /// Its address.
        place: String,
        /// What went wrong.
        problem: String,
        /// What the user can do about it.
        remedy: &'static str,
    },
    /// The server can't go on.
    #[error("the server can't go on: {0}")]
    Serve(String),
    /// Reading or writing a file failed.
    #[error("{}: {message}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        message: String,
    },
}

/// A result with the library's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::InvalidArgument`].
    pub fn invalid(field: &'static str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::InvalidArgument { field, problem: problem.into(), remedy: remedy.into() }
    }

    /// An [`Error::ModelFile`].
    pub fn model_file(
        path: impl Into<PathBuf>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::ModelFile { path: path.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// An [`Error::Hub`].
    pub fn hub(subject: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Hub { subject: subject.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let words = error.to_string();
        // CUDA's own name for it, in an error that candle hands on as it is.
        if words.contains("OUT_OF_MEMORY") { Self::OutOfMemory(words) } else { Self::Inference(words) }
    }
}

/// `message` with what `error` says of itself and of its causes, each said once.
pub(crate) fn with_causes(message: &str, error: &dyn std::error::Error) -> String {
    let mut message = message.to_owned();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !message.contains(&words) {
            message.push_str(": ");
            message.push_str(&words);
        }
        cause = error.source();
    }
    message
}
