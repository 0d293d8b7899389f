//! The loop of a replica's thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::queue::{Load, Queue};
use super::stats::Counters;
use super::{EngineConfig, Inspect, Job, Queued, Translate};
use crate::decode::{Batch, Hypothesis, inspect};
use crate::model::Seq2Seq;
use crate::nn::on_this_thread;
use crate::{Error, Result};

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
    /// Taken from the queue, not yet in the batch: the next that had no room in it, or what has to start again.
    waiting: VecDeque<Translate>,
    batch: Batch<M, Translate>,
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
            match self.work(Self::step) {
                Ok(finished) => {
                    for (job, hypotheses) in finished {
                        job.answer(Ok(hypotheses));
                    }
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    fn step(&mut self) -> Result<Vec<(Translate, Vec<Hypothesis>)>> {
        let rows = self.batch.rows();
        self.batch.retain(|job| !job.answer.is_closed())?;
        self.counters.freed(rows - self.batch.rows());
        if self.batch.is_empty() {
            return Ok(Vec::new());
        }
        let counters = self.counters.clone();
        counters.decoding(self.batch.rows(), || self.batch.step(&self.model))
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
            joining.push(job);
        }
        if !joining.is_empty() {
            self.join(joining);
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

    fn join(&mut self, mut jobs: Vec<Translate>) {
        for job in &mut jobs {
            job.stage = tracing::debug_span!(parent: &job.request, "encode");
        }
        // The jobs stay here until they are encoded, so that a panic can't lose them.
        let encoded = self.work(|replica| {
            let sources: Vec<&[u32]> = jobs.iter().map(|job| job.source.as_slice()).collect();
            replica.counters.encoding(|| replica.model.encode(&sources))
        });
        match encoded {
            Ok(state) => {
                for job in &mut jobs {
                    job.stage = tracing::debug_span!(parent: &job.request, "decode");
                }
                let searches = jobs.into_iter().map(|job| (job.options.clone(), job));
                if let Err(error) = self.work(|replica| replica.batch.join(&replica.model, state, searches)) {
                    self.fail(&error);
                }
            }
            Err(Error::OutOfMemory(_)) if !self.batch.is_empty() => {
                self.config.max_rows = self.batch.rows();
                self.put_back(jobs);
            }
            Err(Error::OutOfMemory(_)) if jobs.len() > 1 => {
                self.config.max_encode_tokens = jobs.iter().map(|job| job.source.len()).sum::<usize>() / 2;
                self.put_back(jobs);
            }
            Err(error) => refuse(jobs, &error),
        }
    }

    /// Ends what is in flight and starts afresh: with half of it at once if it was too much for the memory, with an
    /// error otherwise. The weights never change, so a new batch is a new replica.
    fn fail(&mut self, error: &Error) {
        let jobs = self.batch.abandon();
        if matches!(error, Error::OutOfMemory(_)) && jobs.len() > 1 {
            self.config.max_rows = jobs.iter().map(|job| job.options.beam_size).sum::<usize>() / 2;
            self.put_back(jobs);
        } else {
            tracing::error!(%error, sentences = jobs.len(), "the replica failed and starts afresh");
            refuse(jobs, error);
        }
    }

    /// Has jobs wait again, before all others.
    fn put_back(&mut self, jobs: Vec<Translate>) {
        let EngineConfig { max_rows, max_encode_tokens, .. } = self.config;
        tracing::warn!(max_rows, max_encode_tokens, "out of memory: from here on less at once");
        for job in jobs.into_iter().rev() {
            self.waiting.push_front(job);
        }
    }

    /// Runs the model; on this thread alone if other replicas are so busy that there is no other thread to share with.
    fn work<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let alone = self.replicas - self.queue.load().idle > self.sharing;
        let work = AssertUnwindSafe(|| work(self));
        flatten(catch_unwind(|| if alone { on_this_thread(work) } else { work() }))
    }
}

fn refuse(jobs: Vec<Translate>, error: &Error) {
    for job in jobs {
        job.answer(Err(error.clone()));
    }
}

fn flatten<T>(outcome: std::thread::Result<Result<T>>) -> Result<T> {
    outcome.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Err(Error::ReplicaFailed(words.unwrap_or_else(|| "it panicked".into())))
    })
}
