//! One thread owns a model replica. Sentences of all requests join and leave its decode batch at every step.

mod replica;
mod stats;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use stats::Counters;
pub use stats::EngineStats;

use crate::decode::{Hypothesis, Inspection, SearchOptions};
use crate::model::{ModelSpec, Seq2Seq};
use crate::{Error, Result};

/// How an engine works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Threads that share the work of a step; 0 is one for each core.
    pub threads: usize,
    /// Sentences that may wait for a place in the batch.
    pub queue: usize,
    /// Hypotheses decoded at once, over all sentences.
    pub max_rows: usize,
    /// Source tokens encoded at once.
    pub max_encode_tokens: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { threads: 0, queue: 256, max_rows: 64, max_encode_tokens: 2048 }
    }
}

/// A handle to the thread that decodes. The thread ends after its present step once the last handle is dropped; it
/// isn't joined, as that would block whoever drops the handle, an async worker perhaps.
#[derive(Clone)]
pub struct Engine {
    queue: mpsc::Sender<Job>,
    spec: Arc<ModelSpec>,
    aligns: bool,
    counters: Arc<Counters>,
}

/// What the thread is asked for. It is given up once the answer isn't waited for any more.
enum Job {
    Translate(Translate),
    Inspect(Inspect),
}

/// A sentence to decode.
struct Translate {
    source: Vec<u32>,
    options: SearchOptions,
    answer: oneshot::Sender<Result<Vec<Hypothesis>>>,
}

/// A translation to look into.
struct Inspect {
    source: Vec<u32>,
    target: Vec<u32>,
    answer: oneshot::Sender<Result<Inspection>>,
}

impl Engine {
    /// Starts a thread that decodes with `model`.
    ///
    /// # Errors
    /// [`Error::Inference`] when the system gives no thread.
    pub fn start<M: Seq2Seq>(model: M, config: &EngineConfig) -> Result<Self> {
        let spec = Arc::new(model.spec().clone());
        let (queue, jobs) = mpsc::channel(config.queue.max(1));
        let counters = Arc::<Counters>::default();
        replica::start(model, jobs, config, counters.clone())?;
        Ok(Self { queue, spec, aligns: M::ALIGNS, counters })
    }

    /// What the search knows of the model.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Whether the model tells where it looks.
    pub fn aligns(&self) -> bool {
        self.aligns
    }

    /// What the engine has done so far.
    pub fn stats(&self) -> EngineStats {
        self.counters.read()
    }

    /// Translates one sentence (source ids, end mark included), waiting for a place in the queue. Dropping the
    /// future frees the sentence's rows at the next step.
    ///
    /// # Errors
    /// [`Error::ReplicaFailed`] when the model panicked, [`Error::ShuttingDown`] when the engine has ended.
    pub async fn translate(&self, source: Vec<u32>, options: SearchOptions) -> Result<Vec<Hypothesis>> {
        let (answer, result) = oneshot::channel();
        self.ask(Job::Translate(Translate { source, options, answer }), result).await
    }

    /// Looks into a translation of one sentence (source and target ids, end marks included), waiting for a place in the
    /// queue. It takes as long as decoding the sentence alone, and is done between two steps of the batch.
    ///
    /// # Errors
    /// As [`Self::translate`].
    pub async fn inspect(&self, source: Vec<u32>, target: Vec<u32>) -> Result<Inspection> {
        let (answer, result) = oneshot::channel();
        self.ask(Job::Inspect(Inspect { source, target, answer }), result).await
    }

    async fn ask<T>(&self, job: Job, result: oneshot::Receiver<Result<T>>) -> Result<T> {
        self.queue.send(job).await.map_err(|_| Error::ShuttingDown)?;
        result.await.map_err(|_| Error::ShuttingDown)?
    }
}

#[cfg(test)]
mod tests;
