//! A stream of messages as server-sent events, <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{Ending, Refusal};
use crate::Result;
use crate::proto::TranslateArticleResponse;
use crate::proto::translate_article_response::Event;

/// A comment, which clients skip. It shows those between them and us that somebody is there.
const SIGN_OF_LIFE: &str = ": translating\n\n";

/// `messages` as an answer, each as an event that is named after what it is. An error is an event too, and the last.
/// While no message is ready, a comment goes out at each `interval`.
pub(super) fn answer(
    messages: impl Stream<Item = Result<TranslateArticleResponse, Status>> + Send + Unpin + 'static,
    interval: Duration,
) -> Response {
    let ending = Ending::default();
    let events = stream::unfold((messages, ending.clone()), move |(mut messages, ending)| async move {
        let event = match timeout(interval, messages.next()).await {
            Err(_) => SIGN_OF_LIFE.to_owned(),
            Ok(Some(message)) => message.and_then(|message| event(&message)).unwrap_or_else(|status| {
                ending.is(status.code());
                format!("event: error\ndata: {}\n\n", Refusal::from(status).json())
            }),
            Ok(None) => {
                ending.is(Code::Ok);
                return None;
            }
        };
        Some((Ok::<_, std::convert::Infallible>(event), (messages, ending)))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    let mut response = (headers, Body::from_stream(events)).into_response();
    response.extensions_mut().insert(ending);
    response
}

/// JSON has its line ends escaped, so it is one line.
fn event(message: &TranslateArticleResponse) -> Result<String, Status> {
    let name = match &message.event {
        Some(Event::Start(_)) => "start",
        Some(Event::Paragraph(_)) => "paragraph",
        Some(Event::Summary(_)) => "summary",
        None => "message",
    };
    let json = serde_json::to_string(message)
        .map_err(|error| Status::internal(format!("writing the answer: {error}")))?;
    Ok(format!("event: {name}\ndata: {json}\n\n"))
}
