//! The gRPC service: translation, health (`grpc.health.v1`) and reflection (v1 and v1alpha) on one listener.
//!
//! A server takes an already bound listener and a future that tells it to stop, so a test binds port 0 and
//! stops it when it likes. It stops in steps, all of them within [`ServerLimits::drain_timeout`]:
//!
//! 1. The health of `tarjoman.v1.TranslationService` turns to `NOT_SERVING`; new calls are answered
//!    `UNAVAILABLE`, on new connections too, so that a balancer gets an answer and goes elsewhere.
//! 2. Articles being translated go on to their end.
//! 3. The listener closes, health watches end, and connections close once their last bytes are sent.
//!
//! What is left when the time is up is cut off, and with it goes the work behind it.
//!
//! - `convert`: the only place where messages meet domain types and errors meet status codes
//! - `admission`: how many articles at once, and who is told to stop
//! - `articles`: an article's events as a stream, and many articles' events as one
//! - `models`: the pages of `ListModels`
//! - `service`: the four methods, each in terms of the above
//! - `connections`: accepted connections that can be cut

mod admission;
mod articles;
mod connections;
pub(crate) mod convert;
mod models;
mod service;

use std::future::Future;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};

use crate::proto::translation_service_server::{SERVICE_NAME, TranslationServiceServer};
use crate::translator::Translator;
use crate::{Error, Result, proto};
use admission::Admission;
use connections::Connections;
use service::Service;

/// The name of the liveness entry in `grpc.health.v1`. It says `SERVING` for as long as the process answers.
const LIVENESS: &str = "";

/// How often a silent connection is asked for a sign of life, so that a client that vanished without closing
/// its connection doesn't keep its articles' work alive.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long the sign of life may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// What a server takes on, and how long it takes to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// How many articles may be translated at once, over all calls. A `TranslateText` or `TranslateArticle`
    /// beyond it is answered `RESOURCE_EXHAUSTED` at once; a `TranslateArticles` stream waits its turn.
    pub max_concurrent_articles: usize,
    /// The largest request message, in bytes.
    pub max_message_bytes: usize,
    /// How long calls may go on once the server has been told to stop.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_concurrent_articles: 64,
            max_message_bytes: 16 * 1024 * 1024,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// Serves `translator` on `listener` until `shutdown` completes and the calls in progress have ended or run out
/// of time.
///
/// Dropping the returned future cuts every connection and frees all work.
///
/// # Errors
/// [`Error::Serve`] when the server can't go on.
pub async fn serve(
    listener: TcpListener,
    translator: Translator,
    shutdown: impl Future<Output = ()>,
    limits: ServerLimits,
) -> Result<()> {
    let admission = Admission::new(limits.max_concurrent_articles);
    let service = TranslationServiceServer::new(Service::new(translator, admission.clone()))
        .max_decoding_message_size(limits.max_message_bytes);
    // Nothing is assumed of the reporter: it starts with the liveness entry alone, and as serving.
    let health = HealthReporter::new();
    health.set_service_status(LIVENESS, ServingStatus::Serving).await;
    health.set_service_status(SERVICE_NAME, ServingStatus::Serving).await;

    let connections = Connections::default();
    let (close, closed) = oneshot::channel::<()>();
    let mut server = Box::pin(
        Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .trace_fn(|request| tracing::info_span!("call", method = request.uri().path()))
            .add_service(service)
            .add_service(tonic_health::pb::health_server::HealthServer::new(
                HealthService::from_health_reporter(health.clone()),
            ))
            .add_service(reflection().build_v1().map_err(|error| Error::Serve(error.to_string()))?)
            .add_service(reflection().build_v1alpha().map_err(|error| Error::Serve(error.to_string()))?)
            .serve_with_incoming_shutdown(connections.accepted_by(listener), async {
                // An error here is the sender dropped, which is as good a reason to stop.
                let _ = closed.await;
            }),
    );

    tokio::select! {
        // Without a shutdown the server doesn't end but by an error.
        ended = &mut server => return ended.map_err(|error| Error::Serve(error.to_string())),
        () = shutdown => {}
    }

    let deadline = Instant::now() + limits.drain_timeout;
    tracing::info!(timeout = ?limits.drain_timeout, "stopping: no new calls, finishing the articles in progress");
    health.set_service_status(SERVICE_NAME, ServingStatus::NotServing).await;
    // The server goes on answering meanwhile.
    let drained = async {
        tokio::select! {
            _ = &mut server => {}
            () = admission.drain() => {}
        }
    };
    if timeout_at(deadline, drained).await.is_err() {
        tracing::warn!("stopping: the time is up; what is still in progress is cut off");
    } else {
        end_watches(health).await;
        let _ = close.send(());
        if timeout_at(deadline, &mut server).await.is_err() {
            tracing::warn!("stopping: connections are still open; they are cut off");
        }
    }
    drop(server);
    connections.cut().await;
    tracing::info!("stopped");
    Ok(())
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Ends the health watches, which would otherwise hold their connections open; each has its last status by now.
async fn end_watches(mut health: HealthReporter) {
    health.clear_service_status(SERVICE_NAME).await;
    health.clear_service_status(LIVENESS).await;
}
