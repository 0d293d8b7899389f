//! Where messages meet domain types and errors meet status codes, in both directions, so that the server and the
//! client can't disagree: `client` uses it too, and nothing else does.
//!
//! - `requests`: what a client asks for
//! - `options`: how to translate
//! - `events`: what comes back
//! - `flags`: what the checks found
//! - `status`: errors and status codes

mod events;
mod flags;
mod options;
mod requests;
mod status;

pub(crate) use events::{
    article_error, article_event, article_response, extend_text_response, model, model_info,
    named_article_event, named_article_response,
};
pub(crate) use options::options_message;
pub(crate) use requests::{ArticleRequest, article_request, named_article_request, text_request};
pub(crate) use status::{from_status, name as code_name};

use crate::{Error, Result};

/// A count as a message holds it. One too large for it is as good as the largest: where there is a limit, either is
/// above it.
fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A number from a message that this machine's memory can't hold a text of.
fn size(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| malformed(format!("{number} is too large for this machine")))
}

/// What a field of a message is whose absence the interface doesn't allow.
fn required<T>(field: Option<T>, name: &str) -> Result<T> {
    field.ok_or_else(|| malformed(format!("{name} is missing")))
}

/// The error of an answer that doesn't follow the interface.
fn malformed(problem: impl std::fmt::Display) -> Error {
    Error::Remote {
        code: status::name(tonic::Code::Internal),
        message: format!(
            "the server's answer can't be read: {problem}; use a client of the server's version"
        ),
    }
}
