//! An article's events as a stream, and the articles of one `TranslateArticles` call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use tonic::{Status, Streaming};
use tracing::Span;

use super::admission::{Admission, Call, Permit};
use super::convert::{self, ArticleRequest};
use crate::proto::{TranslateArticlesRequest, TranslateArticlesResponse};
use crate::translation::Event;
use crate::translator::Translator;
use crate::{Error, Result};

/// How many articles of one `TranslateArticles` stream are translated at once. Enough to keep a batch filled across
/// the ends of short articles; more would only spread the work over articles that all end later.
const ARTICLES_PER_STREAM: usize = 4;

/// An article's events up to its summary or its error, with all that it holds: dropping it frees its work and makes
/// room for another.
pub(super) struct ArticleStream {
    events: BoxStream<'static, Result<Event>>,
    progress: Progress,
    span: Span,
    _permit: Permit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    Over,
}

impl ArticleStream {
    /// Starts to translate `article`.
    pub(super) async fn start(
        translator: &Translator,
        article: ArticleRequest,
        permit: Permit,
    ) -> Result<Self> {
        let translator = translator.clone();
        let span = Span::current();
        tracing::debug!(bytes = article.text.len(), "article accepted");
        // A text of many megabytes is cut into sentences here, which other calls shouldn't wait for.
        let started = tokio::task::spawn_blocking({
            let span = span.clone();
            move || {
                span.in_scope(|| translator.translate(article.text, article.options)).map(StreamExt::boxed)
            }
        });
        let events = match started.await {
            Ok(started) => started.inspect_err(|error| tracing::info!(%error, "article refused"))?,
            Err(error) => return Err(Error::Inference(format!("preparing the article failed: {error}"))),
        };
        Ok(Self { events, progress: Progress::Running, span, _permit: permit })
    }
}

impl Stream for ArticleStream {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let _entered = this.span.enter();
        if this.progress == Progress::Over {
            return Poll::Ready(None);
        }
        let event = ready!(this.events.poll_next_unpin(context));
        match &event {
            Some(Ok(Event::Start(_) | Event::Paragraph(_))) => return Poll::Ready(event),
            Some(Ok(Event::Summary(summary))) => tracing::info!(
                paragraphs = summary.paragraphs,
                sentences = summary.sentences,
                flagged = summary.flagged_sentences,
                elapsed = ?summary.elapsed,
                "article translated"
            ),
            Some(Err(error)) => tracing::warn!(%error, "article failed"),
            None => tracing::error!("article ended without a summary"),
        }
        this.progress = Progress::Over;
        Poll::Ready(event)
    }
}

impl Drop for ArticleStream {
    fn drop(&mut self) {
        if self.progress == Progress::Running {
            self.span.in_scope(|| tracing::info!("article abandoned: its client went away"));
        }
    }
}

/// The articles of one `TranslateArticles` call. The next request is read only when there is room for it, so that a
/// client that sends faster than it's served is held back by its own connection.
pub(super) struct Many {
    requests: Streaming<TranslateArticlesRequest>,
    reading: Reading,
    /// An article that waits for the server to have room. Nothing is read past it.
    waiting: Option<Waiting>,
    running: SelectAll<Named>,
    /// The answer to a request that never became a running article, until it's sent.
    refused: Option<TranslateArticlesResponse>,
    translator: Translator,
    admission: Admission,
    call: Call,
}

/// Whether more requests are read.
enum Reading {
    Open,
    /// The client has sent them all.
    Closed,
    /// Reading failed or the server is stopping. The call ends with this once the running articles are done.
    Failed(Status),
}

struct Waiting {
    id: String,
    article: ArticleRequest,
    /// Kept from poll to poll, as dropping it would lose the place in the queue.
    permit: BoxFuture<'static, Result<Permit>>,
}

/// An article under its client's name for it.
struct Named {
    id: String,
    events: ArticleStream,
}

impl Many {
    pub(super) fn new(
        requests: Streaming<TranslateArticlesRequest>,
        translator: Translator,
        admission: Admission,
        call: Call,
    ) -> Self {
        Self {
            requests,
            reading: Reading::Open,
            waiting: None,
            running: SelectAll::new(),
            refused: None,
            translator,
            admission,
            call,
        }
    }

    /// The next message to the client; `None` once every article has been answered and no more will come.
    pub(super) async fn next(&mut self) -> Option<Result<TranslateArticlesResponse, Status>> {
        loop {
            if let Some(response) = self.refused.take() {
                return Some(Ok(response));
            }
            let open = matches!(self.reading, Reading::Open);
            let room = self.waiting.is_none() && self.running.len() < ARTICLES_PER_STREAM;
            tokio::select! {
                // None is the end of the last running article, after which there may be room again.
                response = self.running.next(), if !self.running.is_empty() => {
                    if let Some(response) = response {
                        return Some(Ok(response));
                    }
                }
                permit = turn(&mut self.waiting), if self.waiting.is_some() => self.start_waiting(permit).await,
                request = self.requests.next(), if open && room => match request {
                    Some(Ok(request)) => self.take(request),
                    Some(Err(status)) => self.reading = Reading::Failed(status),
                    None => self.reading = Reading::Closed,
                },
                () = self.call.stopping(), if open || self.waiting.is_some() => self.stop(),
                else => return self.end(),
            }
        }
    }

    /// Takes a request in: its article waits for its turn, or it is refused.
    fn take(&mut self, request: TranslateArticlesRequest) {
        let id = request.id.clone();
        let taken = convert::named_article_request(request).and_then(|article| {
            if self.running.iter().any(|running| running.id == id) {
                let problem = "an article of this id is still being translated";
                return Err(Error::invalid("id", problem, "wait for its last message or choose another id"));
            }
            Ok(article)
        });
        match taken {
            Ok(article) => {
                let permit = Box::pin(self.admission.clone().permit_in_turn());
                self.waiting = Some(Waiting { id, article, permit });
            }
            Err(error) => self.refuse(id, error),
        }
    }

    async fn start_waiting(&mut self, permit: Result<Permit>) {
        let Some(Waiting { id, article, .. }) = self.waiting.take() else { return };
        let started = match permit {
            Ok(permit) => ArticleStream::start(&self.translator, article, permit).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(events) => self.running.push(Named { id, events }),
            Err(error) => self.refuse(id, error),
        }
    }

    fn stop(&mut self) {
        if let Some(Waiting { id, .. }) = self.waiting.take() {
            self.refuse(id, Error::ShuttingDown);
        }
        if matches!(self.reading, Reading::Open) {
            self.reading = Reading::Failed(Error::ShuttingDown.into());
        }
    }

    fn refuse(&mut self, id: String, error: Error) {
        self.refused = Some(convert::article_error(id, error));
    }

    /// The end of the call: nothing runs, waits or is read any more.
    fn end(&mut self) -> Option<Result<TranslateArticlesResponse, Status>> {
        match std::mem::replace(&mut self.reading, Reading::Closed) {
            Reading::Failed(status) => Some(Err(status)),
            Reading::Open | Reading::Closed => None,
        }
    }
}

/// Waits for the waiting article's turn; for ever if none waits.
async fn turn(waiting: &mut Option<Waiting>) -> Result<Permit> {
    match waiting {
        Some(waiting) => waiting.permit.as_mut().await,
        None => std::future::pending().await,
    }
}

impl Stream for Named {
    type Item = TranslateArticlesResponse;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = ready!(self.events.poll_next_unpin(context));
        Poll::Ready(event.map(|event| {
            let id = self.id.clone();
            match event {
                Ok(event) => convert::named_article_response(id, event),
                Err(error) => convert::article_error(id, error),
            }
        }))
    }
}
