//! A run whose articles others translate.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use futures::stream::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio_stream::wrappers::ReceiverStream;

use super::{Batch, BatchConfig, Config, Ending, joined};
use crate::archive::layout;
use crate::archive::queue::{Job, Queue, Store};
use crate::archive::scan::{Article, Work};
use crate::{Error, Result};

/// What [`Batch::collect`] has to know of what was submitted.
#[derive(Serialize, Deserialize)]
struct Submitted {
    batch: BatchConfig,
    config: Config,
}

impl Batch {
    /// Puts the texts that aren't translated yet into the store and asks for their translations in the queue.
    ///
    /// # Errors
    /// Those after which nothing can go on: a full disk, a queue or store that is gone. To submit again goes on from there.
    pub async fn submit(self, queue: &Queue, store: &Store) -> Result<Ending> {
        // Until all is submitted there is nothing to collect.
        let _ = fs::remove_file(layout::submitted(&self.config.output));
        let job = Job::new(&self.present);
        let run = self.journal.begin_run()?;
        let (scanning, work) = self.scan(run)?;
        let options = &self.config.options;
        let ask = async |work| {
            let Work::Article(Article { hash, text, permit: _permit, .. }) = work else { return Ok(()) };
            match store.outcome(&job, &hash).await? {
                Some(outcome) if outcome.result.is_ok() => return Ok(()),
                Some(_) => store.forget(&job, &hash).await?,
                None => {}
            }
            let bytes = text.len();
            store.put_text(text).await?;
            queue.ask(&job, &hash, bytes, options).await?;
            self.progress.submitted(1);
            Ok(())
        };
        let asked = ReceiverStream::new(work).map(ask).buffer_unordered(self.config.in_flight.max(1));
        let asked: Result<()> = asked.try_collect().await;
        let read_all = joined(scanning.await);
        asked?;
        let read_all = read_all?;
        if read_all {
            self.note()?;
        }
        self.end(read_all)
    }

    fn note(&self) -> Result<()> {
        let path = layout::submitted(&self.config.output);
        let absolute = |input: &String| -> io::Result<String> {
            Ok(std::path::absolute(input)?.to_string_lossy().into_owned())
        };
        let write = || {
            let inputs = self.config.inputs.iter().map(absolute).collect::<io::Result<_>>()?;
            let batch = BatchConfig { inputs, ..self.config.clone() };
            let mut file = NamedTempFile::new_in(layout::scratch(&self.config.output))?;
            serde_json::to_writer_pretty(&mut file, &Submitted { batch, config: self.present.clone() })?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|error: io::Error| Error::Io { path: path.clone(), message: error.to_string() })
    }
}

/// What was submitted from an output folder.
pub(super) fn submitted(output: &Path) -> Result<(BatchConfig, Config)> {
    let path = layout::submitted(output);
    let unusable = |problem: String| {
        Error::invalid(
            "output",
            problem,
            "name the folder that `tarjoman batch submit` wrote to, or run that again",
        )
    };
    let json = match fs::read(&path) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(unusable(format!("{} wasn't submitted to the end", output.display())));
        }
        Err(error) => return Err(Error::Io { path, message: error.to_string() }),
    };
    let Submitted { mut batch, config } = serde_json::from_slice(&json)
        .map_err(|error| unusable(format!("{} can't be read: {error}", path.display())))?;
    // The folder may have been moved.
    output.clone_into(&mut batch.output);
    Ok((batch, config))
}
