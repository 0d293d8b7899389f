//! Pages for machines, over plain HTTP: Prometheus' metrics, and probes' questions for those that can't speak gRPC.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prost::bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::metrics::Metrics;
use super::service::Service;

const METRICS: &str = "/metrics";
/// Answered for as long as the process answers.
const LIVE: &str = "/livez";
/// Answered well while calls are taken: the model is loaded and the server isn't stopping.
const READY: &str = "/readyz";
/// Of the metrics.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections at once. Prometheus and a probe need one each, and nothing else should be here.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may last.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a request's headers may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait before accepting again when that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the pages without end, if there is a listener. Dropping the future cuts all its connections.
pub(super) async fn serve(
    listener: Option<TcpListener>,
    metrics: Arc<Metrics>,
    service: Service,
) -> Infallible {
    let Some(listener) = listener else { return std::future::pending().await };
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            continue;
        }
        let (metrics, service) = (Arc::clone(&metrics), service.clone());
        let answer = service_fn(move |request| {
            let answer = answer(&request, &metrics, &service);
            async { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), answer);
        connections.spawn(timeout(CONNECTION_TIMEOUT, connection));
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics, service: &Service) -> Response<Full<Bytes>> {
    let said = |status, words: String| {
        let mut response = Response::new(Full::from(words));
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::GET {
        return said(StatusCode::METHOD_NOT_ALLOWED, "these pages can only be read\n".into());
    }
    match request.uri().path() {
        METRICS => match metrics.page(service.now()) {
            Ok(page) => {
                let mut response = said(StatusCode::OK, page);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
                response
            }
            Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        LIVE => said(StatusCode::OK, "alive\n".into()),
        READY => match service.translator().and_then(|_| service.admission().call()) {
            Ok(_) => said(StatusCode::OK, "ready\n".into()),
            Err(error) => said(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        },
        _ => said(StatusCode::NOT_FOUND, format!("there are {METRICS}, {LIVE} and {READY}\n")),
    }
}
