//! Many machines: a run's articles as a work queue in NATS JetStream, texts and outcomes in an object store.
//!
//! `batch submit` reads the input, puts each text into the store and a task for it into the queue. Each `worker` takes
//! tasks that ask for its model, translates, stores the outcome, and only then acknowledges the task: a task of a worker
//! that dies is delivered again. Outcomes are known by what they depend on, so that one that is stored twice is the
//! same. `batch collect` is a run like any other, but for taking outcomes from the store instead of translating.
//!
//! A task that was delivered too often has probably killed its workers. The next one that gets it puts it under the
//! dead-letter subject and stores a failure as its outcome.

mod store;
mod worker;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::message::{Message, PublishMessage};
use async_nats::jetstream::stream::{Config as StreamConfig, RetentionPolicy};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, ServerAddr};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::journal::Config;
use super::record::Hash;
use crate::options::TranslateOptions;
use crate::{Error, Result};
pub use store::Store;
pub use worker::{Handled, Worker, WorkerConfig};

/// The stream of tasks. One is gone once it is acknowledged.
const TASKS: &str = "TARJOMAN_TASKS";
/// The stream of tasks that were given up. They stay until somebody removes them.
const DEAD: &str = "TARJOMAN_DEAD";

/// A subject is one of these and the name of the model that a task wants.
const TASK_SUBJECT: &str = "tarjoman.tasks.";
const DEAD_SUBJECT: &str = "tarjoman.dead.";

/// A connection to the work queue.
#[derive(Clone)]
pub struct Queue {
    context: Context,
    url: String,
}

/// Where the work queue is, and how to get in.
#[derive(Clone, Default)]
pub struct QueueAccess {
    /// The server's address, such as `nats://HOST:4222` or `tls://HOST:4222`.
    pub url: String,
    /// The name to log in with; without it, the password is a token.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<String>,
    /// The PEM file of the authority of the server's certificate; without it, the system's authorities count.
    pub ca: Option<PathBuf>,
    /// The PEM files of this client's certificate and of its private key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A text to translate, in the words of the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Task {
    job: Job,
    /// The text's hash, in hexadecimal.
    text: String,
    /// The text's length.
    bytes: usize,
    options: TranslateOptions,
}

/// What an outcome depends on besides the text, as short names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    /// Of the model and its precision. Workers with this model do the job.
    model: String,
    /// Of all of it.
    key: String,
}

impl Job {
    pub(super) fn new(config: &Config) -> Self {
        let model = model_key(&config.digest, &config.precision);
        Self { key: key(&[&model, &config.options]), model }
    }
}

/// The name of a model among tasks: of its weights and what it computes in.
fn model_key(digest: &str, precision: &str) -> String {
    key(&[digest, precision])
}

fn key(parts: &[&str]) -> String {
    let digest =
        parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part).chain_update("\n"));
    hex::encode(&digest.finalize()[..16])
}

impl Queue {
    /// Connects to a NATS server with JetStream and makes the streams, where they aren't there yet.
    ///
    /// # Errors
    /// [`Error::Queue`] where there is no such server, or it refuses; [`Error::InvalidArgument`] for an address that is
    /// none, or has a password in it.
    pub async fn connect(access: QueueAccess) -> Result<Self> {
        let QueueAccess { url, user, password, ca, identity } = access;
        let server = server(&url)?;
        let mut options = ConnectOptions::new().name("tarjoman");
        options = match (user, password) {
            (Some(user), password) => options.user_and_password(user, password.unwrap_or_default()),
            (None, Some(token)) => options.token(token),
            (None, None) => options,
        };
        if ca.is_some() || identity.is_some() {
            options = options.require_tls(true);
        }
        if let Some(ca) = ca {
            options = options.add_root_certificates(ca);
        }
        if let Some((certificate, key)) = identity {
            options = options.add_client_certificate(certificate, key);
        }
        let client = options.connect(server).await.map_err(|error| failed(&url, &error))?;
        let context = jetstream::new(client);
        for (name, subject, retention) in
            [(TASKS, TASK_SUBJECT, RetentionPolicy::WorkQueue), (DEAD, DEAD_SUBJECT, RetentionPolicy::Limits)]
        {
            let stream = StreamConfig {
                name: name.into(),
                subjects: vec![format!("{subject}>")],
                retention,
                ..StreamConfig::default()
            };
            context.get_or_create_stream(stream).await.map_err(|error| failed(&url, &error))?;
        }
        Ok(Self { context, url })
    }

    /// Asks for the translation of a text of so many bytes.
    pub(super) async fn ask(
        &self,
        job: &Job,
        hash: &Hash,
        bytes: usize,
        options: &TranslateOptions,
    ) -> Result<()> {
        let task = Task { job: job.clone(), text: hex::encode(hash), bytes, options: options.clone() };
        let task = serde_json::to_vec(&task).map_err(|error| self.failed(&error))?;
        self.publish(format!("{TASK_SUBJECT}{}", job.model), PublishMessage::build().payload(task.into()))
            .await
    }

    /// Puts a task under the dead-letter subject, once however often it is put there.
    async fn bury(&self, task: &Message) -> Result<()> {
        let number = task.info().map_err(|error| self.failed(&error))?.stream_sequence;
        let message = PublishMessage::build().payload(task.payload.clone()).message_id(number.to_string());
        self.publish(task.subject.replacen(TASK_SUBJECT, DEAD_SUBJECT, 1), message).await
    }

    async fn publish(&self, subject: String, message: PublishMessage) -> Result<()> {
        let stored =
            self.context.send_publish(subject, message).await.map_err(|error| self.failed(&error))?;
        stored.await.map(drop).map_err(|error| self.failed(&error))
    }

    /// The tasks for a model, shared by all who ask for them.
    async fn tasks(&self, model: &str, ack_wait: Duration) -> Result<PullConsumer> {
        let stream = self.context.get_stream(TASKS).await.map_err(|error| self.failed(&error))?;
        let consumer = pull::Config {
            durable_name: Some(format!("workers-{model}")),
            ack_policy: AckPolicy::Explicit,
            ack_wait,
            // Counted by the workers, who know what to do about one that comes too often.
            max_deliver: -1,
            max_ack_pending: -1,
            filter_subject: format!("{TASK_SUBJECT}{model}"),
            ..pull::Config::default()
        };
        stream.create_consumer(consumer).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        failed(&self.url, error)
    }
}

fn server(url: &str) -> Result<ServerAddr> {
    let remedy = "give the address alone, such as nats://127.0.0.1:4222";
    let server: ServerAddr =
        url.parse().map_err(|error: io::Error| Error::invalid("queue", error.to_string(), remedy))?;
    if server.has_user_pass() {
        return Err(Error::invalid("queue", "the address has a name or a password in it", remedy));
    }
    Ok(server)
}

fn failed(url: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Queue {
        place: url.into(),
        problem: error.to_string(),
        remedy: "see that a NATS server with JetStream (`nats-server -js`) is there and lets you in",
    }
}
