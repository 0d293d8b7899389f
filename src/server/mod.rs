//! The service: translation, health (`grpc.health.v1`) and reflection (v1 and v1alpha) over gRPC, gRPC-Web, and
//! translation over plain HTTP, all on one listener; and pages for Prometheus and probes on another.
//!
//! A [`Server`] takes already bound listeners, a translator that may still be being loaded, and a future that tells it to
//! stop, so a test binds port 0 and stops it when it likes. Until the translator is there, the health of
//! `tarjoman.v1.TranslationService` is `NOT_SERVING`, and calls are answered `UNAVAILABLE`. The server stops in steps,
//! all of them within [`Listening::drain_timeout`](crate::config::Listening::drain_timeout):
//!
//! 1. That health turns to `NOT_SERVING`; new calls are answered `UNAVAILABLE`, on new connections too, so that a
//!    balancer gets an answer and goes elsewhere.
//! 2. Articles being translated go on to their end.
//! 3. The listener closes, health watches end, and connections close once their last bytes are sent.
//!
//! What is left when the time is up is cut off, and with it goes the work behind it.
//!
//! - `convert`: the only place where messages meet domain types and errors meet status codes
//! - `settings`, `tls`, `keys`: what a server runs with, and what of it can change while it runs
//! - `metrics`, `page`, `traces`: what it counts, where that and its health can be read, and whose traces calls belong to
//! - `admission`: how much at once, and who is told to stop
//! - `connections`, `calls`, `receiving`: what every connection, every call and every message passes
//! - `articles`, `reply`: an article's events as a stream, many articles' events as one, and a stream as a reply
//! - `models`: the pages of `ListModels`
//! - `service`: the four methods, each in terms of the above
//! - `gateway`: three of them over plain HTTP
//! - `web`: which pages of other origins may call

mod admission;
mod articles;
mod calls;
mod connections;
pub(crate) mod convert;
mod gateway;
mod keys;
mod metrics;
mod models;
mod page;
mod receiving;
mod reply;
mod service;
mod settings;
mod tls;
mod traces;
mod web;

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::proto::translation_service_server::SERVICE_NAME;
use crate::translator::Translator;
use crate::{Error, Result, proto};
use calls::Gate;
use connections::Connections;
pub use keys::{Keys, NewKey};
use metrics::Metrics;
use receiving::Budget;
use service::Service;
pub use settings::Settings;
pub use tls::Tls;

/// The name of the liveness entry in `grpc.health.v1`. It says `SERVING` for as long as the process answers.
const LIVENESS: &str = "";

/// A server that has its listeners and isn't running yet.
pub struct Server {
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    settings: Settings,
    ready: watch::Sender<bool>,
}

impl Server {
    /// A server of the calls that come to `listener`.
    pub fn new(listener: TcpListener, settings: Settings) -> Self {
        Self { listener, metrics_listener: None, settings, ready: watch::Sender::new(false) }
    }

    /// It also serves the pages `/metrics`, `/livez` and `/readyz` on `listener`, over plain HTTP.
    pub fn with_metrics(self, listener: TcpListener) -> Self {
        Self { metrics_listener: Some(listener), ..self }
    }

    /// Completes once the server can translate; never if it ends before that.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ready = self.ready.subscribe();
        async move {
            if ready.wait_for(|ready| *ready).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Serves `translator`, once it's there, until `shutdown` completes and the calls in progress have ended or run out
    /// of time.
    ///
    /// Dropping the returned future cuts every connection and frees all work.
    ///
    /// # Errors
    /// The error of `translator`; [`Error::Serve`] when the server can't go on.
    pub async fn run(
        self,
        translator: impl Future<Output = Result<Translator>>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<()> {
        let Self { listener, metrics_listener, settings, ready } = self;
        let metrics = Arc::new(Metrics::new());
        let service = Service::new(&settings, Arc::clone(&metrics));
        // Nothing is assumed of the reporter: it starts with the liveness entry alone, and as serving.
        let health = HealthReporter::new();
        health.set_service_status(LIVENESS, ServingStatus::Serving).await;
        health.set_service_status(SERVICE_NAME, ServingStatus::NotServing).await;

        let drain_timeout = settings.drain_timeout;
        let connections = Connections::default();
        let page = page::serve(metrics_listener, Arc::clone(&metrics), service.clone());
        let receiving = Budget::new(settings.limits().receiving_bytes);
        let gate = Gate {
            settings,
            metrics,
            service: service.clone(),
            others: others(&health)?,
            gateway: gateway::routes(),
            receiving,
        };
        let mut serving = Box::pin(async {
            tokio::select! {
                never = connections.serve(listener, gate) => never,
                never = page => never,
            }
        });
        let started = async {
            service.start(translator.await?);
            health.set_service_status(SERVICE_NAME, ServingStatus::Serving).await;
            ready.send_replace(true);
            std::future::pending::<Result<()>>().await
        };
        tokio::select! {
            never = &mut serving => match never {},
            failed = started => return failed,
            () = shutdown => {}
        }

        let deadline = Instant::now() + drain_timeout;
        tracing::info!(timeout = ?drain_timeout, "stopping: no new calls, finishing the articles in progress");
        health.set_service_status(SERVICE_NAME, ServingStatus::NotServing).await;
        // The server goes on answering meanwhile.
        let drained = async {
            tokio::select! {
                never = &mut serving => match never {},
                () = service.admission().drain() => {}
            }
        };
        let drained = timeout_at(deadline, drained).await;
        drop(serving);
        if drained.is_err() {
            tracing::warn!("stopping: the time is up; what is still in progress is cut off");
        } else {
            end_watches(health).await;
            if timeout_at(deadline, connections.close()).await.is_err() {
                tracing::warn!("stopping: connections are still open; they are cut off");
            }
        }
        connections.cut().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Health and reflection.
fn others(health: &HealthReporter) -> Result<Routes> {
    let unusable = |error: tonic_reflection::server::Error| Error::Serve(error.to_string());
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(HealthServer::new(HealthService::from_health_reporter(health.clone())))
        .add_service(reflection().build_v1().map_err(unusable)?)
        .add_service(reflection().build_v1alpha().map_err(unusable)?))
}

/// Ends the health watches, which would otherwise hold their connections open; each has its last status by now.
async fn end_watches(mut health: HealthReporter) {
    health.clear_service_status(SERVICE_NAME).await;
    health.clear_service_status(LIVENESS).await;
}

#[cfg(test)]
mod tests;
