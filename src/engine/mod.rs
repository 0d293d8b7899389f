//! Replicas of a model, each a thread with a batch of its own over the same weights. Sentences of all requests join and
//! leave the batches at every step.

mod queue;
mod replica;
mod stats;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Span;

use queue::Queue;
use stats::Counters;
pub use stats::EngineStats;

use crate::decode::{Hypothesis, Inspection, SearchOptions};
use crate::model::{ModelSpec, Seq2Seq};
use crate::{Error, Result};

/// How an engine works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Threads that compute; 0 is one for each core.
    pub threads: usize,
    /// Batches that are decoded beside each other; 0 is one for each thread. Where there are fewer batches than
    /// threads, several threads share the work of a step.
    pub replicas: usize,
    /// Sentences of one request that may wait for a place in a batch.
    pub queue: usize,
    /// Hypotheses in a batch, over all its sentences.
    pub max_rows: usize,
    /// Source tokens that a replica encodes at once.
    pub max_encode_tokens: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { threads: 0, replicas: 0, queue: 256, max_rows: 64, max_encode_tokens: 2048 }
    }
}

/// Whose sentences come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// It gets what the others leave, and at least a share of one in nine.
    Batch,
}

/// A handle to the replicas. They end after their present step once the last handle is dropped; they aren't joined, as
/// that would block whoever drops the handle, an async worker perhaps.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue<Queued>>,
    places: usize,
    spec: ModelSpec,
    counters: Arc<Counters>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A job that waits, and the place in its lane and the span that last until then.
struct Queued {
    job: Job,
    _place: OwnedSemaphorePermit,
    _waiting: Span,
}

/// What a replica is asked for. It is given up once the answer isn't waited for any more.
enum Job {
    Translate(Translate),
    Inspect(Inspect),
}

/// A sentence to decode.
struct Translate {
    source: Vec<u32>,
    options: SearchOptions,
    answer: oneshot::Sender<Result<Vec<Hypothesis>>>,
    /// Whose work it is, and what is done of it.
    request: Span,
    stage: Span,
}

impl Translate {
    fn answer(self, result: Result<Vec<Hypothesis>>) {
        let Self { answer, request, stage, .. } = self;
        // The request mustn't seem to go on after its last answer, perhaps beyond the end of its trace.
        drop((stage, request));
        // Whoever stopped waiting doesn't want it.
        let _ = answer.send(result);
    }
}

/// A translation to look into.
struct Inspect {
    source: Vec<u32>,
    target: Vec<u32>,
    answer: oneshot::Sender<Result<Inspection>>,
}

impl Engine {
    /// Starts the threads that decode with `model`.
    ///
    /// # Errors
    /// [`Error::Inference`] when the system gives no thread.
    pub fn start<M: Seq2Seq>(model: M, config: &EngineConfig) -> Result<Self> {
        let spec = model.spec().clone();
        let queue = Arc::new(Queue::new());
        let counters = Arc::<Counters>::default();
        let places = config.queue.max(1);
        let shared = Shared { queue: queue.clone(), places, spec, counters: counters.clone() };
        replica::start(model, &queue, config, &counters)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What the search knows of the model.
    pub fn spec(&self) -> &ModelSpec {
        &self.shared.spec
    }

    /// What the engine has done so far.
    pub fn stats(&self) -> EngineStats {
        self.shared.counters.read(self.shared.queue.load().waiting)
    }

    /// A lane for the sentences of one request. Lanes are served in turn, those of higher priority first.
    pub fn lane(&self, priority: Priority) -> Lane {
        Lane {
            shared: self.shared.clone(),
            places: Arc::new(Semaphore::new(self.shared.places)),
            number: self.shared.queue.new_lane(),
            priority,
        }
    }
}

/// One request's way into the engine.
pub struct Lane {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    number: u64,
    priority: Priority,
}

impl Lane {
    /// Translates one sentence (source ids, end mark included), waiting for a place in the lane. Dropping the future
    /// frees the sentence's rows at the next step.
    ///
    /// # Errors
    /// [`Error::ReplicaFailed`] when the model panicked, [`Error::ShuttingDown`] when the engine has ended.
    pub async fn translate(&self, source: Vec<u32>, options: SearchOptions) -> Result<Vec<Hypothesis>> {
        let (answer, result) = oneshot::channel();
        let (request, stage) = (Span::current(), Span::none());
        self.ask(Job::Translate(Translate { source, options, answer, request, stage }), result).await
    }

    /// Looks into a translation of one sentence (source and target ids, end marks included), waiting for a place in the
    /// lane. It takes as long as decoding the sentence alone, and is done between two steps of a batch.
    ///
    /// # Errors
    /// As [`Self::translate`].
    pub async fn inspect(&self, source: Vec<u32>, target: Vec<u32>) -> Result<Inspection> {
        let (answer, result) = oneshot::channel();
        self.ask(Job::Inspect(Inspect { source, target, answer }), result).await
    }

    async fn ask<T>(&self, job: Job, result: oneshot::Receiver<Result<T>>) -> Result<T> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| Error::ShuttingDown)?;
        let queued = Queued { job, _place: place, _waiting: tracing::debug_span!("queue") };
        self.shared.queue.push(self.number, self.priority, queued);
        result.await.map_err(|_| Error::ShuttingDown)?
    }
}

#[cfg(test)]
mod tests;
