//! An article's events as a stream, and the articles of one `TranslateArticles` call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, sleep};
use tonic::{Status, Streaming};
use tracing::{Instrument, Span};

use super::admission::{Call, Permit};
use super::calls::Caller;
use super::convert::{self, ArticleRequest};
use super::metrics::{Metrics, Outcome, Stage};
use super::service::Service;
use crate::article::paragraphs::paragraphs;
use crate::proto::{TranslateArticlesRequest, TranslateArticlesResponse};
use crate::translation::{Event, TranslatedParagraph};
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
    permit: Permit,
    /// Characters admitted and bytes of text, by which the former are given back as paragraphs are done.
    size: (usize, usize),
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    Over,
}

impl ArticleStream {
    /// Starts to translate `article` on behalf of `caller`, whose message it was.
    pub(super) async fn start(
        service: &Service,
        caller: &Caller,
        article: ArticleRequest,
        permit: Permit,
    ) -> Result<Self> {
        let translator = service.translator()?.clone();
        let span = Span::current();
        let ArticleRequest { text, options } = article;
        tracing::debug!(bytes = text.len(), "article accepted");
        if service.log_texts() {
            tracing::info!(text, "article text");
        }
        caller.received.release();
        let size = (permit.characters(), text.len());
        let longest = service.limits().paragraph_bytes;
        let begun = Instant::now();
        // A text of many megabytes is cut into sentences here, which other calls shouldn't wait for.
        let started = tokio::task::spawn_blocking({
            let span = tracing::debug_span!("split");
            move || {
                span.in_scope(|| {
                    check_paragraphs(&text, longest)?;
                    Ok(translator.translate(text, options)?.boxed())
                })
            }
        });
        let events = match started.await {
            Ok(started) => started.inspect_err(log_refusal)?,
            Err(error) => return Err(Error::Inference(format!("preparing the article failed: {error}"))),
        };
        let metrics = Arc::clone(service.metrics());
        metrics.stage(Stage::Split, begun.elapsed());
        Ok(Self { events, progress: Progress::Running, span, permit, size, metrics })
    }

    fn translated(&mut self, paragraph: &TranslatedParagraph) {
        let bytes = paragraph.source_span.end - paragraph.source_span.start;
        let (characters, of) = self.size;
        self.permit.done(characters.saturating_mul(bytes) / of);
        self.metrics.paragraph(paragraph);
    }
}

fn log_refusal(error: &Error) {
    // As short as the client gets it: an error may quote what the client sent.
    tracing::info!(error = Status::from(error.clone()).message(), "article refused");
}

fn check_paragraphs(text: &str, longest: usize) -> Result<()> {
    let too_long = paragraphs(text).into_iter().zip(1..).find(|(span, _)| span.end - span.start > longest);
    too_long.map_or(Ok(()), |(span, number)| {
        let bytes = span.end - span.start;
        let problem =
            format!("paragraph {number} has {bytes} bytes, more than the {longest} that the service takes");
        Err(Error::invalid("text", problem, "break it into several lines"))
    })
}

impl Stream for ArticleStream {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let span = this.span.clone();
        let _entered = span.enter();
        if this.progress == Progress::Over {
            return Poll::Ready(None);
        }
        let event = ready!(this.events.poll_next_unpin(context));
        match &event {
            Some(Ok(Event::Start(_))) => return Poll::Ready(event),
            Some(Ok(Event::Paragraph(paragraph))) => {
                this.translated(paragraph);
                return Poll::Ready(event);
            }
            Some(Ok(Event::Summary(summary))) => {
                this.metrics.summary(summary);
                this.metrics.article(Outcome::Translated);
                tracing::info!(
                    paragraphs = summary.paragraphs,
                    sentences = summary.sentences,
                    flagged = summary.flagged_sentences,
                    elapsed = ?summary.elapsed,
                    "article translated"
                );
            }
            Some(Err(error)) => {
                this.metrics.article(Outcome::Failed);
                tracing::warn!(%error, "article failed");
            }
            None => {
                this.metrics.article(Outcome::Failed);
                tracing::error!("article ended without a summary");
            }
        }
        this.progress = Progress::Over;
        Poll::Ready(event)
    }
}

impl Drop for ArticleStream {
    fn drop(&mut self) {
        if self.progress == Progress::Running {
            self.metrics.article(Outcome::Cancelled);
            self.span.in_scope(|| tracing::info!("article abandoned: its call has ended"));
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
    service: Service,
    caller: Caller,
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
    since: Instant,
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
        service: Service,
        caller: Caller,
        call: Call,
    ) -> Self {
        Self {
            requests,
            reading: Reading::Open,
            waiting: None,
            running: SelectAll::new(),
            refused: None,
            service,
            caller,
            call,
        }
    }

    /// The next message to the client; `None` once every article has been answered and no more will come.
    pub(super) async fn next(&mut self) -> Option<Result<TranslateArticlesResponse, Status>> {
        let silence = self.service.limits().idle_timeout;
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
                () = sleep(silence), if open && room && self.running.is_empty() => {
                    let silent = Error::Expired("no article came for too long");
                    self.reading = Reading::Failed(silent.into());
                }
                () = self.call.stopping(), if open || self.waiting.is_some() => self.stop(),
                else => return self.end(),
            }
        }
    }

    /// Takes a request in: its article waits for its turn, or it is refused.
    fn take(&mut self, request: TranslateArticlesRequest) {
        let id = request.id.clone();
        let taken = convert::named_article_request(request).and_then(|article| {
            self.service.check(&article)?;
            if self.running.iter().any(|running| running.id == id) {
                let problem = "an article of this id is still being translated";
                return Err(Error::invalid("id", problem, "wait for its last message or choose another id"));
            }
            Ok(article)
        });
        match taken {
            Ok(article) => {
                let demand = self.caller.demand(&article);
                let permit = self.service.admission().clone().permit_in_turn(demand);
                let permit = Box::pin(permit.instrument(tracing::debug_span!("queue")));
                self.waiting = Some(Waiting { id, article, since: Instant::now(), permit });
            }
            Err(error) => self.refuse(id, error),
        }
    }

    async fn start_waiting(&mut self, permit: Result<Permit>) {
        let Some(Waiting { id, article, since, .. }) = self.waiting.take() else { return };
        self.service.metrics().stage(Stage::Queue, since.elapsed());
        let started = match permit {
            Ok(permit) => ArticleStream::start(&self.service, &self.caller, article, permit).await,
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
