//! Who translates what is in the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Queue, Store, Task, model_key};
use crate::archive::attempt::{Backend, outcome};
use crate::archive::job::joined;
use crate::archive::journal::Outcome;
use crate::archive::record::Hash;
use crate::archive::scan::BUDGET_BYTES;
use crate::options::TranslateOptions;
use crate::{Error, Result};

/// How long the server waits for more tasks before it says that there are none.
const PULL: Duration = Duration::from_secs(1);
/// How often tasks may be refused, one [`PULL`] after the other, before the queue is taken to be gone. A server that
/// can't be reached at all is waited for.
const OUTAGES: usize = 60;
/// How often a worker says that a task is under way.
const TICK: Duration = Duration::from_secs(1);

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Articles that are translated at once.
    pub in_flight: usize,
    /// How long a worker that has a task may be silent, at least three seconds, before the task is given to another.
    /// Holds for all workers with the model, as the last that began had it.
    pub ack_wait: Duration,
    /// How often a task is delivered before it is given up.
    pub max_deliveries: u64,
    /// Whether it ends once there are no tasks.
    pub until_empty: bool,
}

/// A worker with a model.
pub struct Worker {
    queue: Queue,
    store: Store,
    backend: Arc<dyn Backend>,
    config: WorkerConfig,
    budget: Semaphore,
    stop: Arc<AtomicBool>,
}

/// What a worker has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handled {
    /// Articles translated.
    pub translated: u64,
    /// Articles that can't be.
    pub failed: u64,
    /// Tasks that were done before.
    pub known: u64,
    /// Tasks given up, as they came too often.
    pub dead: u64,
}

impl Worker {
    /// A worker that is ready to run.
    pub fn new(queue: Queue, store: Store, backend: Arc<dyn Backend>, config: WorkerConfig) -> Self {
        let budget = Semaphore::new(BUDGET_BYTES);
        Self { queue, store, backend, config, budget, stop: Arc::default() }
    }

    /// Makes it stop once it is set: what is under way is finished, nothing new begun.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Translates what is in the queue for its model.
    ///
    /// # Errors
    /// Those after which nothing can go on: a queue, store or server that is gone. What was under way is delivered to
    /// others.
    pub async fn run(self) -> Result<Handled> {
        let worker = Arc::new(self);
        let config = &worker.config;
        let model = worker.backend.model();
        let model = model_key(&model.digest, &model.precision);
        let tasks = worker.queue.tasks(&model, config.ack_wait).await?;
        let (mut under_way, mut handled, mut outages) = (JoinSet::new(), Handled::default(), 0);
        while !worker.stop.load(Ordering::Relaxed) {
            while let Some(ended) = under_way.try_join_next() {
                handled.add(joined(ended)?);
            }
            let places = config.in_flight.max(1).saturating_sub(under_way.len());
            if places == 0 {
                if let Some(ended) = under_way.join_next().await {
                    handled.add(joined(ended)?);
                }
                continue;
            }
            match worker.pull(&tasks, places, &mut under_way).await {
                Ok(()) => outages = 0,
                Err(error) if outages < OUTAGES => {
                    tracing::warn!(%error, "no tasks can be had for the moment");
                    outages += 1;
                    tokio::time::sleep(PULL).await;
                }
                Err(error) => return Err(error),
            }
            if config.until_empty && under_way.is_empty() && worker.is_empty(&tasks).await? {
                break;
            }
        }
        while let Some(ended) = under_way.join_next().await {
            handled.add(joined(ended)?);
        }
        Ok(handled)
    }

    /// Waits a while for up to so many tasks, and begins each as it comes.
    async fn pull(
        self: &Arc<Self>,
        tasks: &PullConsumer,
        places: usize,
        under_way: &mut JoinSet<Result<Handled>>,
    ) -> Result<()> {
        let pulled = tasks.batch().max_messages(places).expires(PULL).messages().await;
        let mut pulled = pulled.map_err(|error| self.queue.failed(&error))?;
        while let Some(message) = pulled.next().await {
            let message = message.map_err(|error| self.queue.failed(&error))?;
            if self.stop.load(Ordering::Relaxed) {
                // So that another worker gets it at once.
                message.ack_with(AckKind::Nak(None)).await.map_err(|error| self.queue.failed(&error))?;
            } else {
                let worker = self.clone();
                under_way.spawn(async move { worker.handle(message).await });
            }
        }
        Ok(())
    }

    /// Whether nobody has a task of this model to do or under way.
    async fn is_empty(&self, tasks: &PullConsumer) -> Result<bool> {
        let info = tasks.get_info().await.map_err(|error| self.queue.failed(&error))?;
        Ok(info.num_pending == 0 && info.num_ack_pending == 0)
    }

    /// Does a task, says all the while that it is under way, and acknowledges it in the end.
    async fn handle(&self, message: Message) -> Result<Handled> {
        let mut ticks = tokio::time::interval(TICK);
        let ending = self.settle(&message);
        tokio::pin!(ending);
        let handled = loop {
            tokio::select! {
                ended = &mut ending => break ended?,
                _ = ticks.tick() => {
                    let told = message.ack_with(AckKind::Progress).await;
                    told.map_err(|error| self.queue.failed(&error))?;
                }
            }
        };
        if let Err(error) = message.double_ack().await {
            tracing::warn!(%error, "a task that is done can't be acknowledged; it will be found done when it comes again");
        }
        Ok(handled)
    }

    /// Sees to it that the store has what became of a task's text.
    async fn settle(&self, message: &Message) -> Result<Handled> {
        let task =
            serde_json::from_slice::<Task>(&message.payload).ok().and_then(|task| Some((task.hash()?, task)));
        let Some((hash, task)) = task else {
            tracing::warn!(subject = %message.subject, "a task that can't be read is given up");
            self.queue.bury(message).await?;
            return Ok(Handled { dead: 1, ..Handled::default() });
        };
        if self.store.outcome(&task.job, &hash).await?.is_some() {
            return Ok(Handled { known: 1, ..Handled::default() });
        }
        let deliveries = message.info().map_err(|error| self.queue.failed(&error))?.delivered;
        let most = self.config.max_deliveries;
        let (outcome, handled) = if u64::try_from(deliveries).is_ok_and(|deliveries| deliveries > most) {
            self.queue.bury(message).await?;
            let problem = format!("was given up, as {most} workers that had it died or lost it");
            (Outcome { hash, attempts: 0, result: Err(problem) }, Handled { dead: 1, ..Handled::default() })
        } else {
            let outcome = self.translate(hash, task.bytes, &task.options).await?;
            let translated = u64::from(outcome.result.is_ok());
            (outcome, Handled { translated, failed: 1 - translated, ..Handled::default() })
        };
        self.store.put_outcome(&task.job, &outcome).await?;
        Ok(handled)
    }

    async fn translate(&self, hash: Hash, bytes: usize, options: &TranslateOptions) -> Result<Outcome> {
        let failed = |problem: String| Outcome { hash, attempts: 0, result: Err(problem) };
        if let Err(error) = options.validate() {
            return Ok(failed(error.to_string()));
        }
        let permits = u32::try_from(bytes.clamp(1, BUDGET_BYTES)).unwrap_or(u32::MAX);
        let _permit = self.budget.acquire_many(permits).await.map_err(|_| Error::ShuttingDown)?;
        match self.store.text(&hash).await? {
            Some(text) => outcome(self.backend.clone(), hash, text, options.clone()).await,
            None => Ok(failed("has no text in the object store; submit it again".into())),
        }
    }
}

impl Task {
    fn hash(&self) -> Option<Hash> {
        let mut hash = Hash::default();
        hex::decode_to_slice(&self.text, &mut hash).ok().map(|()| hash)
    }
}

impl Handled {
    fn add(&mut self, more: Self) {
        self.translated += more.translated;
        self.failed += more.failed;
        self.known += more.known;
        self.dead += more.dead;
    }
}
