//! The loop of a replica's thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::queue::{Load, Queue};
use super::stats::Counters;
use super::{EngineConfig, Inspect, Job, Queued, Translate};
use crate::decode::{Batch, Hypothesis, SearchOptions, inspect};
use crate::model::Seq2Seq;
use crate::nn::on_this_thread;
use crate::{Error, Result};

type Answer = oneshot::Sender<Result<Vec<Hypothesis>>>;

/// Threads that share a step's work where they are free: more of them cost more than they bring to models of this size.
const HELPERS: usize = 4;

/// Starts the threads. They end when the queue is closed and empty and everything in it is answered or given up.
pub(super) fn start<M: Seq2Seq>(
    model: M,
    queue: &Arc<Queue<Queued>>,
    config: &EngineConfig,
    counters: &Arc<Counters>,
) -> Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if config.threads == 0 { cores() } else { config.threads };
    let replicas = if config.replicas == 0 { threads } else { config.replicas };
    let team = threads.min(HELPERS);
    let model = Arc::new(model);
    for number in 0..replicas {
        let mut replica = Replica {
            model: model.clone(),
            queue: queue.clone(),
            waiting: VecDeque::new(),
            batch: Batch::default(),
            replicas,
            sharing: threads / team,
            config: config.clone(),
            counters: counters.clone(),
        };
        let run = move || {
            // The thread itself is one of its team.
            let team = rayon::ThreadPoolBuilder::new()
                .num_threads(team)
                .use_current_thread()
                .thread_name(move |index| format!("tarjoman-{number}-{index}"))
                .build();
            match team {
                Ok(team) => team.install(|| replica.run()),
                Err(error) => {
                    tracing::warn!(%error, "a replica works alone");
                    on_this_thread(|| replica.run());
                }
            }
        };
        std::thread::Builder::new()
            .name(format!("tarjoman-{number}"))
            .spawn(run)
            .map_err(|error| Error::Inference(format!("no thread for the engine: {error}")))?;
    }
    Ok(())
}

struct Replica<M: Seq2Seq> {
    model: Arc<M>,
    queue: Arc<Queue<Queued>>,
    /// Taken from the queue, not yet in the batch. Never more than one encoding takes.
    waiting: VecDeque<Translate>,
    batch: Batch<M, Answer>,
    /// Number of replicas.
    replicas: usize,
    /// Replicas that may be busy while each has a team of threads of its own.
    sharing: usize,
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
            let step = self.work(|replica| {
                let counters = replica.counters.clone();
                counters.decoding(rows, || replica.batch.step(&replica.model))
            });
            match step {
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
            match self.queue.take().map(|queued| queued.job) {
                Some(Job::Translate(job)) => self.waiting.push_back(job),
                Some(Job::Inspect(job)) => self.inspect(job),
                None => return false,
            }
        }
        // Others that have nothing to do get their share.
        let Load { waiting, idle } = self.queue.load();
        let share = self.waiting.len() + waiting.div_ceil(idle + 1);
        let mut rows = self.batch.rows();
        let mut tokens = 0;
        let mut joining = Vec::new();
        let mut answers = Vec::new();
        while joining.len() < share {
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
        match self.queue.try_take()?.job {
            Job::Translate(job) => Some(job),
            Job::Inspect(job) => {
                self.inspect(job);
                None
            }
        }
    }

    fn inspect(&mut self, job: Inspect) {
        if job.answer.is_closed() {
            return;
        }
        let inspection = self.work(|replica| inspect(&*replica.model, &job.source, &job.target));
        // Whoever stopped waiting doesn't want it.
        let _ = job.answer.send(inspection);
    }

    fn join(&mut self, jobs: Vec<(Vec<u32>, SearchOptions)>, answers: Vec<Answer>) {
        // The answers stay here until the batch has taken the sentences, so that a panic can't lose them.
        let encoded =
            self.work(|replica| replica.counters.encoding(|| replica.batch.encode(&replica.model, &jobs)));
        match encoded {
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

    /// Runs the model; on this thread alone if other replicas are so busy that there is no other thread to share with.
    fn work<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let alone = self.replicas - self.queue.load().idle > self.sharing;
        let work = AssertUnwindSafe(|| work(self));
        flatten(catch_unwind(|| if alone { on_this_thread(work) } else { work() }))
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
