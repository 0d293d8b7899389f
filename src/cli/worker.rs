//! `worker`.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::args::{HubArgs, ModelArgs};
use super::batch::{QueueArgs, stop_on_signals};
use super::failure::{Failure, Outcome, tell};
use crate::archive::{Worker, WorkerConfig};
use crate::translator::Translator;

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    queue: QueueArgs,
    /// Articles that are translated at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    in_flight: usize,
    /// Seconds without a word from a worker after which its articles go to others; for all workers with the model, as
    /// the last that began had it.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(3..))]
    patience: u64,
    /// How often an article is given to a worker that dies of it, before it is given up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    max_deliveries: u64,
    /// End once there is nothing to do.
    #[arg(long)]
    until_empty: bool,
    #[command(flatten)]
    model: ModelArgs,
}

/// Translates what is in the queue.
pub(super) async fn run(args: WorkerArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let chosen = args.model.choose(hub)?;
    let translator = Translator::open(&chosen.model, &args.model.load_options()?)?;
    let model = translator.models().swap_remove(0);
    let (queue, store) = args.queue.open().await?;
    let config = WorkerConfig {
        in_flight: args.in_flight,
        ack_wait: Duration::from_secs(args.patience),
        max_deliveries: args.max_deliveries,
        until_empty: args.until_empty,
    };
    let worker = Worker::new(queue, store, Arc::new(translator), config);
    stop_on_signals(worker.stop(), quiet)?;
    if !quiet {
        for note in [chosen.notice.as_deref(), Some(model.note.as_str())].into_iter().flatten() {
            if !note.is_empty() {
                tell(&format!("note: {note}"));
            }
        }
        tell(&format!("working with {} ({:.12}) in {}", model.name, model.digest, model.precision));
    }
    let handled = worker.run().await?;
    if !quiet {
        tell(&format!(
            "{} articles translated, {} failed, {} known, {} given up",
            handled.translated, handled.failed, handled.known, handled.dead
        ));
    }
    Ok(Outcome::Done)
}
