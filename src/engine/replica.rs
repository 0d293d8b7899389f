//! The loop of a replica's thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::stats::Counters;
use super::{EngineConfig, Inspect, Job, Translate};
use crate::decode::{Batch, Hypothesis, SearchOptions, inspect};
use crate::model::Seq2Seq;
use crate::{Error, Result};

type Answer = oneshot::Sender<Result<Vec<Hypothesis>>>;

/// Starts the thread. It ends when the queue is closed and empty and everything in it is answered or given up.
pub(super) fn start<M: Seq2Seq>(
    model: M,
    jobs: mpsc::Receiver<Job>,
    config: &EngineConfig,
    counters: Arc<Counters>,
) -> Result<()> {
    let failed =
        |error: &dyn std::fmt::Display| Error::Inference(format!("no thread for the engine: {error}"));
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .thread_name(|index| format!("tarjoman-{index}"))
        .build()
        .map_err(|error| failed(&error))?;
    let mut replica = Replica {
        model,
        jobs,
        waiting: VecDeque::new(),
        batch: Batch::default(),
        config: config.clone(),
        counters,
    };
    std::thread::Builder::new()
        .name("tarjoman-engine".into())
        .spawn(move || threads.install(|| replica.run()))
        .map_err(|error| failed(&error))?;
    Ok(())
}

struct Replica<M: Seq2Seq> {
    model: M,
    jobs: mpsc::Receiver<Job>,
    /// Taken from the queue, not yet in the batch. Never more than one encoding takes.
    waiting: VecDeque<Translate>,
    batch: Batch<M, Answer>,
    config: EngineConfig,
    counters: Arc<Counters>,
}

impl<M: Seq2Seq> Replica<M> {
    fn run(&mut self) {
        while self.admit() {
            self.batch.retain(|answer| !answer.is_closed());
            if self.batch.is_empty() {
                continue;
            }
            let rows = self.batch.rows();
            let step = self
                .counters
                .decoding(rows, || catch_unwind(AssertUnwindSafe(|| self.batch.step(&self.model))));
            match flatten(step) {
                Ok(finished) => {
                    for (answer, hypotheses) in finished {
                        // Whoever stopped waiting doesn't want it.
                        let _ = answer.send(Ok(hypotheses));
                    }
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Takes sentences from the queue into the batch, as far as there is room; waits for one if there is nothing to
    /// do. `false` when there never will be.
    fn admit(&mut self) -> bool {
        if self.batch.is_empty() && self.waiting.is_empty() {
            match self.jobs.blocking_recv() {
                Some(Job::Translate(job)) => self.waiting.push_back(job),
                Some(Job::Inspect(job)) => self.inspect(job),
                None => return false,
            }
        }
        let mut rows = self.batch.rows();
        let mut tokens = 0;
        let mut joining = Vec::new();
        let mut answers = Vec::new();
        loop {
            let Some(job) = self.waiting.pop_front().or_else(|| self.next_sentence()) else { break };
            if job.answer.is_closed() {
                continue;
            }
            // A sentence starts with one row and may grow to its beam's width.
            rows += job.options.beam_size;
            tokens += job.source.len();
            let first = joining.is_empty() && self.batch.is_empty();
            if !first && (rows > self.config.max_rows || tokens > self.config.max_encode_tokens) {
                self.waiting.push_front(job);
                break;
            }
            answers.push(job.answer);
            joining.push((job.source, job.options));
        }
        if !joining.is_empty() {
            self.join(joining, answers);
        }
        true
    }

    /// The next sentence in the queue. At most one translation is looked into on the way, lest the batch wait long.
    fn next_sentence(&mut self) -> Option<Translate> {
        match self.jobs.try_recv().ok()? {
            Job::Translate(job) => Some(job),
            Job::Inspect(job) => {
                self.inspect(job);
                None
            }
        }
    }

    fn inspect(&self, job: Inspect) {
        if job.answer.is_closed() {
            return;
        }
        let work = AssertUnwindSafe(|| inspect(&self.model, &job.source, &job.target));
        // Whoever stopped waiting doesn't want it.
        let _ = job.answer.send(flatten(catch_unwind(work)));
    }

    fn join(&mut self, jobs: Vec<(Vec<u32>, SearchOptions)>, answers: Vec<Answer>) {
        // The answers stay here until the batch has taken the sentences, so that a panic can't lose them.
        let encoded = self
            .counters
            .encoding(|| catch_unwind(AssertUnwindSafe(|| self.batch.encode(&self.model, &jobs))));
        match flatten(encoded) {
            Ok(state) => {
                let searches = jobs.into_iter().zip(answers).map(|((_, options), answer)| (options, answer));
                self.batch.join(&self.model, state, searches);
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Answers everything in flight with an error and starts afresh. The weights never change, so a new batch is a
    /// new replica.
    fn fail(&mut self, error: &Error) {
        tracing::error!(%error, sentences = self.batch.len(), "the replica failed and starts afresh");
        for answer in self.batch.abandon() {
            let _ = answer.send(Err(error.clone()));
        }
    }
}

fn flatten<T>(outcome: std::thread::Result<Result<T>>) -> Result<T> {
    outcome.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Err(Error::ReplicaFailed(words.unwrap_or_else(|| "it panicked".into())))
    })
}
