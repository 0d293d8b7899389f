//! What every call passes before its method and behind it, in whichever protocol it comes: its id, its key, its deadline,
//! the bounds of what it sends, and the tally of how it ended.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use prost::bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Instrument, Span};

use super::admission::Demand;
use super::convert::ArticleRequest;
use super::gateway::{self, Ending, Refusal};
use super::keys::Key;
use super::metrics::{self, Metrics, Tally};
use super::receiving::{Budget, Received, Receiving};
use super::service::Service;
use super::settings::Settings;
use super::traces;
use crate::config::Limits;
use crate::proto::translation_service_server::TranslationServiceServer;
use crate::{Error, Result};

/// The header by which a client names its call, and the answer names it again.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of an API key, for those who can't set `authorization`.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The header of how long a client waits.
pub(super) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The longest name that is taken from a client.
const MAX_ID_BYTES: usize = 128;
/// What is asked for by those who have no key: health, and how to call.
const OPEN: [&str; 3] = ["/grpc.health.v1.Health/", gateway::OPENAPI, gateway::DOCS];
/// The method whose client may be silent between messages for as long as it likes to.
const MANY: &str = "/tarjoman.v1.TranslationService/TranslateArticles";

/// What all connections share.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) service: Service,
    /// Health and reflection.
    pub(super) others: Routes,
    /// What answers plain HTTP.
    pub(super) gateway: Router<Service>,
    pub(super) receiving: Budget,
}

/// The calls of one connection.
pub(super) struct Calls {
    gate: Gate,
    grpc: Routes,
    plain: Router,
    limits: Arc<Limits>,
    peer: SocketAddr,
    active: Arc<watch::Sender<usize>>,
}

/// What is known of a call besides its message.
#[derive(Clone)]
pub(super) struct Caller {
    /// Who calls; `None` where calls need no key.
    pub(super) key: Option<Arc<Key>>,
    /// When the client stops waiting.
    pub(super) deadline: Option<Instant>,
    /// What it has sent so far.
    pub(super) received: Received,
}

/// What a call is written in, besides gRPC-Web, which becomes gRPC before it is a call.
#[derive(Clone, Copy)]
enum Dialect {
    Grpc,
    Plain,
}

/// An answer's body, which knows how its call ended.
struct Answer {
    body: Body,
    tally: Tally,
    /// Of an answer that hasn't its status among its trailers.
    ending: Option<Ending>,
    _active: Active,
}

impl Calls {
    pub(super) fn new(gate: Gate, peer: SocketAddr, limits: Arc<Limits>) -> Self {
        let service = gate.service.clone().with(Arc::clone(&limits));
        let plain = gate.gateway.clone().with_state(service.clone());
        let mut service =
            TranslationServiceServer::new(service).max_decoding_message_size(limits.message_bytes);
        for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
            service = service.accept_compressed(encoding).send_compressed(encoding);
        }
        let grpc = gate.others.clone().add_service(service).prepare();
        Self { gate, grpc, plain, limits, peer, active: Arc::new(watch::Sender::new(0)) }
    }

    /// The number of calls in progress.
    pub(super) fn active(&self) -> watch::Receiver<usize> {
        self.active.subscribe()
    }

    /// Answers one call.
    pub(super) async fn call(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if kind.starts_with(b"application/grpc-web") {
            let grpc = service_fn(move |request| {
                let calls = Arc::clone(&self);
                async move { Ok::<_, Infallible>(calls.answer(Dialect::Grpc, request).await) }
            });
            let answered = GrpcWebLayer::new().layer(grpc).oneshot(request).await;
            return answered.unwrap_or_else(|never| match never {});
        }
        // gRPC needs trailers, which HTTP/1 clients don't expect.
        let is_grpc = kind.starts_with(b"application/grpc") && request.version() == Version::HTTP_2;
        let dialect = if is_grpc { Dialect::Grpc } else { Dialect::Plain };
        self.answer(dialect, request.map(Body::new)).await
    }

    async fn answer(&self, dialect: Dialect, request: Request<Body>) -> Response<Body> {
        let active = Active::new(&self.active);
        let id = request_id(request.headers());
        let method = metrics::method(request.uri().path());
        let span = tracing::info_span!(
            "call",
            method,
            request_id = id.to_str().unwrap_or_default(),
            peer = %self.peer,
            key = tracing::field::Empty,
            otel.name = method,
            otel.kind = "server"
        );
        traces::join(&span, request.headers());
        let tally = self.gate.metrics.tally(method, span.clone());
        let answered = match self.admit(request, &span) {
            Ok((request, deadline)) => by(deadline, self.route(dialect, request).instrument(span)).await,
            Err(error) => Err(error),
        };
        let mut response = answered.unwrap_or_else(|error| dialect.refuse(error));
        response.headers_mut().insert(REQUEST_ID, id);
        let (mut parts, body) = response.into_parts();
        let mut answer = Answer { body, tally, ending: parts.extensions.remove(), _active: active };
        // An answer without a body has its status among its headers.
        answer.note(&parts.headers);
        Response::from_parts(parts, Body::new(answer))
    }

    async fn route(&self, dialect: Dialect, request: Request<Receiving>) -> Response<Body> {
        match dialect {
            Dialect::Grpc => self.grpc.clone().oneshot(request).await,
            Dialect::Plain => {
                let answered = self.plain.clone().oneshot(request.map(axum::body::Body::new)).await;
                answered.map(|response| response.map(Body::new))
            }
        }
        .unwrap_or_else(|never| match never {})
    }

    /// Checks who calls, and puts bounds to what it sends.
    fn admit(&self, request: Request<Body>, span: &Span) -> Result<(Request<Receiving>, Option<Instant>)> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path();
        let key = match &self.gate.settings.keys {
            Some(keys) if !OPEN.iter().any(|open| path.starts_with(open)) => {
                let key = keys
                    .find(presented(&parts.headers)?)
                    .ok_or(Error::Unauthenticated("the key isn't known; it may have been withdrawn"))?;
                span.record("key", key.name());
                Some(key)
            }
            _ => None,
        };
        let deadline = deadline(&parts.headers)?;
        let stall = (path != MANY).then_some(self.limits.stall_timeout);
        let received = Received::new(&self.gate.receiving);
        let body = Receiving::new(body, received.clone(), stall);
        parts.extensions.insert(Caller { key, deadline, received });
        Ok((Request::from_parts(parts, body), deadline))
    }
}

impl Dialect {
    fn refuse(self, error: Error) -> Response<Body> {
        match self {
            Self::Grpc => Status::from(error).into_http(),
            Self::Plain => Refusal::from(error).into_response().map(Body::new),
        }
    }
}

impl Caller {
    /// What an article asks for.
    pub(super) fn demand(&self, article: &ArticleRequest) -> Demand {
        let characters = u32::try_from(article.text.chars().count()).unwrap_or(u32::MAX);
        Demand { key: self.key.clone(), characters, priority: article.options.priority }
    }
}

/// The outcome of `work`, which is dropped at the deadline.
pub(super) async fn by<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T> {
    match deadline {
        None => Ok(work.await),
        Some(deadline) => {
            timeout_at(deadline, work).await.map_err(|_| Error::Expired("its deadline has passed"))
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.note(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Answer {
    /// Notes the call's status if it is among these headers.
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(Status::GRPC_STATUS) {
            self.tally.ended(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(code) = self.ending.as_ref().and_then(Ending::code) {
            self.tally.ended(code);
        }
    }
}

/// One of a connection's calls in progress.
struct Active(Arc<watch::Sender<usize>>);

impl Active {
    fn new(calls: &Arc<watch::Sender<usize>>) -> Self {
        calls.send_modify(|calls| *calls += 1);
        Self(Arc::clone(calls))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

/// The client's name for its call, or one of our own.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let usable = |id: &&HeaderValue| {
        (1..=MAX_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(usable).cloned().unwrap_or_else(|| {
        let mut random = [0; 16];
        // Without random numbers the calls are told apart by their other fields.
        let _ = getrandom::fill(&mut random);
        HeaderValue::from_str(&hex::encode(random)).unwrap_or(HeaderValue::from_static(""))
    })
}

/// The key that a call presents.
fn presented(headers: &HeaderMap) -> Result<&str> {
    if let Some(key) = headers.get(API_KEY) {
        return key
            .to_str()
            .map(str::trim)
            .map_err(|_| Error::Unauthenticated("has other letters than a key has"));
    }
    let value = headers
        .get(AUTHORIZATION)
        .ok_or(Error::Unauthenticated("is missing; send `authorization: Bearer KEY` with every call"))?;
    let (scheme, key) = value.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(key.trim());
    }
    Err(Error::Unauthenticated("isn't of the form `Bearer KEY`"))
}

/// When the client stops waiting, by its `grpc-timeout`: up to eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Result<Option<Instant>> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let time = text.split_at_checked(text.len().saturating_sub(1)).and_then(|(digits, unit)| {
        let number = (1..=8).contains(&digits.len()).then(|| digits.parse::<u32>().ok())??;
        // `parse` would take a sign.
        let number = digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(u64::from(number))?;
        match unit {
            "H" => Some(Duration::from_hours(number)),
            "M" => Some(Duration::from_mins(number)),
            "S" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_millis(number)),
            "u" => Some(Duration::from_micros(number)),
            "n" => Some(Duration::from_nanos(number)),
            _ => None,
        }
    });
    let time = time.ok_or_else(|| {
        Error::invalid(
            "grpc-timeout",
            format!("{text:?} is no time"),
            "send 1 to 8 digits and one of H, M, S, m, u, n",
        )
    })?;
    // Past the end of time is no deadline.
    Ok(Instant::now().checked_add(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn deadlines_are_read_as_the_protocol_writes_them() {
        for (text, time) in [
            ("99999999H", Duration::from_hours(99_999_999)),
            ("2M", Duration::from_mins(2)),
            ("30S", Duration::from_secs(30)),
            ("0m", Duration::ZERO),
            ("1500m", Duration::from_millis(1500)),
            ("7u", Duration::from_micros(7)),
            ("99n", Duration::from_nanos(99)),
        ] {
            let deadline = deadline(&headers("grpc-timeout", text)).unwrap();
            assert_eq!(deadline, Some(Instant::now() + time), "{text}");
        }
        assert_eq!(deadline(&HeaderMap::new()).unwrap(), None);
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", " 1S"] {
            let refused = deadline(&headers("grpc-timeout", text));
            assert!(matches!(refused, Err(Error::InvalidArgument { field: "grpc-timeout", .. })), "{text:?}");
        }
    }

    #[test]
    fn a_usable_request_id_is_kept_and_any_other_replaced() {
        let longest = "x".repeat(MAX_ID_BYTES);
        for id in ["a", "3f2a-7:/+", &longest] {
            assert_eq!(request_id(&headers("x-request-id", id)), *id);
        }
        let own = request_id(&HeaderMap::new());
        for id in ["", "a b", "a\tb", &"x".repeat(MAX_ID_BYTES + 1)] {
            let made = request_id(&headers("x-request-id", id));
            assert_eq!(made.len(), 32, "{made:?}");
            assert_ne!(made, own);
        }
    }

    #[test]
    fn a_key_is_presented_as_a_bearer_token() {
        for (value, key) in [("Bearer k", "k"), ("bearer  k ", "k"), ("BEARER a b", "a b")] {
            assert_eq!(presented(&headers("authorization", value)).unwrap(), key);
        }
        for value in ["", "k", "Basic k", "Bearer"] {
            presented(&headers("authorization", value)).unwrap_err();
        }
        presented(&HeaderMap::new()).unwrap_err();
    }
}
