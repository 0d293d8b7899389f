//! Errors and status codes.

use std::error::Error as _;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::Error;
use crate::error::with_causes;

/// Largest length of a status message in bytes. It travels in a header, percent-encoded to three times its size in
/// the worst case, and clients take headers of 16 KiB in all; a message may quote what the client sent.
const MAX_MESSAGE_BYTES: usize = 2048;

impl From<Error> for Status {
    /// The one place that decides on status codes.
    fn from(error: Error) -> Self {
        let details = match &error {
            Error::InvalidArgument { field, problem, .. } => {
                Some(ErrorDetails::with_bad_request_violation(*field, shortened(problem.clone())))
            }
            Error::Overloaded { retry_after, .. } => Some(ErrorDetails::with_retry_info(Some(*retry_after))),
            _ => None,
        };
        let code = match &error {
            Error::InvalidArgument { .. } => Code::InvalidArgument,
            Error::UnknownModel { .. } => Code::NotFound,
            Error::ModelFile { .. } | Error::Hub { .. } => Code::FailedPrecondition,
            Error::Overloaded { .. } | Error::OutOfMemory(_) | Error::TooLarge { .. } => {
                Code::ResourceExhausted
            }
            Error::Unauthenticated(_) => Code::Unauthenticated,
            Error::Expired(_) => Code::DeadlineExceeded,
            Error::ReplicaFailed(_)
            | Error::ShuttingDown
            | Error::Starting
            | Error::Connect { .. }
            | Error::Queue { .. } => Code::Unavailable,
            Error::Inference(_) | Error::Io { .. } | Error::Serve(_) | Error::Config { .. } => Code::Internal,
            // A server that asks another one hands on its answer.
            Error::Remote { code, message } => return Self::new(code_named(code), message),
        };
        let message = shortened(error.to_string());
        match details {
            Some(details) => Self::with_error_details(code, message, details),
            None => Self::new(code, message),
        }
    }
}

/// A status that a server answered with, or that stands for its silence.
pub(crate) fn from_status(status: &Status) -> Error {
    // tonic says "transport error" and keeps what happened in the causes.
    let message = match status.source() {
        Some(cause) => with_causes(status.message(), cause),
        None => status.message().to_owned(),
    };
    Error::Remote { code: name(status.code()), message }
}

/// The code's name as the protocol spells it, e.g. `NOT_FOUND`.
pub(crate) fn name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn code_named(wanted: &str) -> Code {
    // Sixteen is the protocol's last code.
    (0..=16).map(Code::from_i32).find(|code| name(*code) == wanted).unwrap_or(Code::Unknown)
}

fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_error_has_its_code() {
        let cases = [
            (
                Error::invalid("text", "is empty", "send some"),
                Code::InvalidArgument,
                "text: is empty; send some",
            ),
            (
                Error::UnknownModel { name: "x".into(), known: "y".into() },
                Code::NotFound,
                "model: no model named \"x\"; known are y",
            ),
            (
                Error::model_file("f", "is gone", "put it back"),
                Code::FailedPrecondition,
                "f: is gone; put it back",
            ),
            (Error::ShuttingDown, Code::Unavailable, "the engine is shutting down"),
        ];
        for (error, code, message) in cases {
            let status = Status::from(error);
            assert_eq!((status.code(), status.message()), (code, message));
        }
        let io = Error::Io { path: "f".into(), message: "no".into() };
        assert_eq!(Status::from(io).code(), Code::Internal);
        assert_eq!(Status::from(Error::Inference("no".into())).code(), Code::Internal);
        let full = Error::Overloaded { problem: "full".into(), retry_after: Duration::from_secs(7) };
        let status = Status::from(full);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(7)));
        let status = Status::from(Error::invalid("text", "is empty", "send some"));
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "text");
        assert_eq!(Status::from(Error::Unauthenticated("no")).code(), Code::Unauthenticated);
        assert_eq!(Status::from(Error::Expired("late")).code(), Code::DeadlineExceeded);
        assert_eq!(Status::from(Error::Starting).code(), Code::Unavailable);
        assert_eq!(Status::from(Error::ReplicaFailed("no".into())).code(), Code::Unavailable);
    }

    #[test]
    fn a_status_comes_through_a_client_and_out_again_unchanged() {
        for code in (0..=16).map(Code::from_i32) {
            let status = Status::new(code, "why");
            let again = Status::from(from_status(&status));
            assert_eq!((again.code(), again.message()), (code, "why"));
        }
        assert_eq!(name(Code::ResourceExhausted), "RESOURCE_EXHAUSTED");
    }

    #[test]
    fn a_message_that_quotes_a_huge_name_still_fits_a_header() {
        let error = Error::UnknownModel { name: "مدل".repeat(100_000), known: String::new() };
        let status = Status::from(error);
        assert!(status.message().len() <= MAX_MESSAGE_BYTES + '…'.len_utf8());
        assert!(status.message().starts_with("model: no model named"));
    }
}
