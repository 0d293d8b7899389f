//! The sentences that outlast the process: an SQLite file and the thread that has it open.
//!
//! It is only ever a help: where the thread is behind, or the file fails, sentences are translated again.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Key, SentenceTranslation};
use crate::review::Flag;
use crate::translation::Alternative;
use crate::translator::alignment::Details;
use crate::{Error, Result};

/// The layout of the table. A file of another one is begun anew.
const VERSION: i64 = 1;
/// Questions and sentences that wait for the thread.
const QUEUE: usize = 1024;
/// Those that it takes into one transaction.
const BATCH: usize = 256;

/// A handle to the thread; the thread ends with it, once all is written.
pub(super) struct Store {
    commands: Option<SyncSender<Command>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

enum Command {
    Get(Key, oneshot::Sender<Option<SentenceTranslation>>),
    Put(Key, Arc<SentenceTranslation>),
}

impl Store {
    /// Opens the file at `path`, or makes it.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be used.
    pub(super) fn open(path: &Path, most_bytes: u64) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::Io {
            path: path.into(),
            message: format!("it can't be the translation memory: {error}"),
        };
        let connection = connect(path).map_err(|error| failed(&error))?;
        let (commands, queue) = mpsc::sync_channel(QUEUE);
        let file = File { connection, most_bytes };
        let thread = std::thread::Builder::new()
            .name("tarjoman-memory".into())
            .spawn(move || file.serve(&queue))
            .map_err(|error| failed(&error))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// The sentence of this key, if it's there.
    pub(super) async fn get(&self, key: Key) -> Option<SentenceTranslation> {
        let (answer, found) = oneshot::channel();
        self.send(Command::Get(key, answer));
        // No answer is as good as none found.
        found.await.ok().flatten()
    }

    /// Writes a sentence, if the thread isn't too far behind.
    pub(super) fn put(&self, key: Key, translation: Arc<SentenceTranslation>) {
        self.send(Command::Put(key, translation));
    }

    fn send(&self, command: Command) {
        let Some(commands) = &self.commands else { return };
        if let Err(TrySendError::Full(_)) = commands.try_send(command) {
            tracing::debug!("the translation memory's file is behind");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.commands = None;
        // A thread that panicked has said so.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // After a power cut some of the last sentences may be gone, and the file is whole.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        connection.execute_batch("DROP TABLE IF EXISTS sentences")?;
        connection.pragma_update(None, "user_version", VERSION)?;
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS sentences (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, record TEXT NOT NULL)",
    )?;
    Ok(connection)
}

/// The file, in its thread.
struct File {
    connection: Connection,
    most_bytes: u64,
}

impl File {
    fn serve(mut self, commands: &Receiver<Command>) {
        while let Ok(command) = commands.recv() {
            let gathered = std::iter::once(command).chain(commands.try_iter().take(BATCH)).collect();
            if let Err(error) = self.run(gathered) {
                // Without this thread, nothing is found any more.
                tracing::error!(%error, "the translation memory's file fails; it isn't used any more");
                return;
            }
        }
    }

    fn run(&mut self, commands: Vec<Command>) -> rusqlite::Result<()> {
        let writes = commands.iter().any(|command| matches!(command, Command::Put(..)));
        // Of the two who begin to read and then to write, one would fail.
        let behavior = if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        for command in commands {
            match command {
                Command::Get(key, answer) => {
                    let mut find =
                        transaction.prepare_cached("SELECT record FROM sentences WHERE key = ?1")?;
                    let record: Option<String> = find.query_row([key.0], |row| row.get(0)).optional()?;
                    // Who asked may be gone.
                    let _ = answer.send(record.and_then(|record| Record::parse(&record)));
                }
                Command::Put(key, translation) => {
                    let record = serde_json::to_string(&Record::of(&translation)).unwrap_or_default();
                    transaction
                        .prepare_cached("INSERT OR IGNORE INTO sentences (key, record) VALUES (?1, ?2)")?
                        .execute(params![key.0, record])?;
                }
            }
        }
        transaction.commit()?;
        if writes { self.make_room() } else { Ok(()) }
    }

    /// Removes the oldest eighth if the file is too large.
    fn make_room(&self) -> rusqlite::Result<()> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
        if used > self.most_bytes {
            let removed = self.connection.execute(
                "DELETE FROM sentences WHERE id IN (SELECT id FROM sentences ORDER BY id \
                 LIMIT (SELECT count(*) / 8 + 1 FROM sentences))",
                [],
            )?;
            tracing::info!(removed, "the translation memory's file has made room");
        }
        Ok(())
    }
}

/// A sentence as it's written.
#[derive(Serialize, Deserialize)]
struct Record {
    text: String,
    score: f32,
    flags: Vec<String>,
    attempts: usize,
    alternatives: Vec<(String, f32)>,
    source_tokens: usize,
    target_tokens: usize,
}

impl Record {
    fn of(translation: &SentenceTranslation) -> Self {
        let SentenceTranslation {
            text,
            score,
            flags,
            attempts,
            alternatives,
            source_tokens,
            target_tokens,
            details: _,
        } = translation.clone();
        Self {
            text,
            score,
            flags: flags.iter().map(|flag| flag.name().to_owned()).collect(),
            attempts,
            alternatives: alternatives.into_iter().map(|other| (other.text, other.score)).collect(),
            source_tokens,
            target_tokens,
        }
    }

    /// The sentence of a record; `None` if it can't be read, as by a version that knows other flags.
    fn parse(record: &str) -> Option<SentenceTranslation> {
        let Self { text, score, flags, attempts, alternatives, source_tokens, target_tokens } =
            serde_json::from_str(record).ok()?;
        let flag = |name: &String| Flag::ALL.into_iter().find(|flag| flag.name() == name);
        Some(SentenceTranslation {
            text,
            score,
            flags: flags.iter().map(flag).collect::<Option<_>>()?,
            attempts,
            alternatives: alternatives.into_iter().map(|(text, score)| Alternative { text, score }).collect(),
            source_tokens,
            target_tokens,
            details: Details::default(),
        })
    }
}
