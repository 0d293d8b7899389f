//! The same service for those who speak plain HTTP: each method at a path of its own, its messages as JSON, its stream
//! as server-sent events.
//!
//! A request becomes the interface's own message and goes to the same method that gRPC calls, so that limits, keys,
//! deadlines and counts are the same too. JSON is protobuf's own mapping of the messages.
//!
//! - this file: the paths and what answers there
//! - `messages`: JSON to messages and back
//! - `events`: a stream as server-sent events
//! - `refusal`: errors, and the HTTP status of each
//! - `openapi`, `page`: what there is, told to programs and to people

mod events;
mod messages;
mod openapi;
mod page;
mod refusal;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{Method, Uri};
use tonic::Code;
use tower_http::compression::CompressionLayer;

use super::service::Service;
use crate::proto::translation_service_server::TranslationService;
use crate::proto::{ListModelsRequest, TranslateArticleRequest, TranslateTextRequest};
pub(super) use refusal::Refusal;

/// The path of `TranslateText`. Paths follow <https://google.aip.dev/136>.
pub(super) const TEXT: &str = "/v1/text:translate";
/// The path of `TranslateArticle`.
pub(super) const ARTICLE: &str = "/v1/articles:translate";
/// The path of `ListModels`.
pub(super) const MODELS: &str = "/v1/models";
/// The description for programs.
pub(super) const OPENAPI: &str = "/openapi.json";
/// The description for people.
pub(super) const DOCS: &str = "/docs";

/// How a call ended, which is known once its answer has been sent. An answer that has one carries it among its
/// extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending(Arc<OnceLock<Code>>);

impl Ending {
    pub(super) fn known(code: Code) -> Self {
        Self(Arc::new(OnceLock::from(code)))
    }

    pub(super) fn code(&self) -> Option<Code> {
        self.0.get().copied()
    }

    /// The call has ended with this. Only the first one counts.
    fn is(&self, code: Code) {
        let _ = self.0.set(code);
    }
}

/// What answers at the paths, for any service.
pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route(TEXT, post(translate_text))
        .route(ARTICLE, post(translate_article))
        .route(MODELS, get(list_models))
        .route(OPENAPI, get(openapi::answer))
        .route(DOCS, get(page::answer))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        // Events go out one by one: it leaves them alone.
        .layer(CompressionLayer::new())
}

async fn translate_text(State(service): State<Service>, request: Request) -> Result<Response, Refusal> {
    let request = messages::from_body::<TranslateTextRequest>(request, service.limits()).await?;
    Ok(messages::answer(service.translate_text(request).await?.get_ref()))
}

async fn translate_article(State(service): State<Service>, request: Request) -> Result<Response, Refusal> {
    let request = messages::from_body::<TranslateArticleRequest>(request, service.limits()).await?;
    let interval = service.limits().keepalive_interval;
    Ok(events::answer(service.translate_article(request).await?.into_inner(), interval))
}

async fn list_models(State(service): State<Service>, request: Request) -> Result<Response, Refusal> {
    let request = messages::from_query::<ListModelsRequest>(request)?;
    Ok(messages::answer(service.list_models(request).await?.get_ref()))
}

async fn unknown_path(uri: Uri) -> Response {
    Refusal::unknown_path(uri.path()).into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    Refusal::wrong_method(&method, uri.path()).into_response()
}
