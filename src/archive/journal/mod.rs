//! The journal of a run: an SQLite database beside the output that knows every article and what became of it.
//!
//! A translation is there once it is committed, and then survives a kill and a power cut. Everything else can be found
//! again by reading the input again, and is written with less care.

mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, params};
use serde::{Deserialize, Serialize};

use super::layout;
use super::plan::Source;
use super::record::{Hash, Translation};
use crate::options::TranslateOptions;
use crate::translation::ArticleSummary;
use crate::{Error, Result};
pub use report::{Report, Totals};

/// The layout of the tables. One of another number was made by another version.
const VERSION: i64 = 1;
/// How long one connection waits for another one's commit.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to the journal.
pub struct Journal {
    connection: Connection,
    path: PathBuf,
}

/// What a translation depends on besides the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    /// The model's name.
    pub(super) model: String,
    /// The digest of its weights.
    pub(super) digest: String,
    /// What it computes in.
    pub(super) precision: String,
    /// The options, as JSON.
    pub(super) options: String,
}

impl Config {
    pub(super) fn new(model: &crate::model::ModelInfo, options: &TranslateOptions) -> Self {
        // What is returned beside the translation, and whether it is remembered, doesn't change it.
        let options = TranslateOptions { return_source: false, no_cache: false, ..options.clone() };
        let options = serde_json::to_string(&options).unwrap_or_default();
        Self {
            model: model.name.clone(),
            digest: model.digest.clone(),
            precision: model.precision.clone(),
            options,
        }
    }
}

/// A file as it was found.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) id: i64,
    pub(super) source: Source,
}

/// Whether a file's output stands already.
#[derive(Debug)]
pub(super) enum Begun {
    /// It does.
    Finished,
    /// Another file has its name.
    NameTaken,
    /// It is to be read.
    Open(Opened),
}

/// What a file is known by between runs.
#[derive(Debug)]
pub(super) struct Fingerprint<'a> {
    pub(super) size: u64,
    /// Time of its last change, in nanoseconds since 1970.
    pub(super) modified: i64,
    pub(super) layout: &'a str,
    /// Whether its output is still where it was put.
    pub(super) output_exists: bool,
}

/// What became of an article.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) hash: Hash,
    pub(super) attempts: usize,
    pub(super) result: Result<Done, String>,
}

/// An article that is translated.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) translation: Translation,
    pub(super) summary: ArticleSummary,
}

/// What a text was translated with.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Provenance {
    pub(super) model: String,
    pub(super) digest: String,
    pub(super) precision: String,
    pub(super) version: String,
}

/// What the journal knows of a text.
#[derive(Debug)]
pub(super) enum State {
    Done(Translation, Provenance),
    Failed,
    Pending,
}

impl Journal {
    /// Opens the journal of an output folder for reading.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there is none.
    pub fn read(output: &Path) -> Result<Self> {
        let path = layout::journal(output);
        if !path.is_file() {
            return Err(Error::invalid(
                "output",
                format!("{} has no journal", output.display()),
                "name the folder that `tarjoman batch` writes to",
            ));
        }
        // With write access, as reading needs the shared memory beside a journal that is in use.
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens or creates the journal of an output folder.
    pub(super) fn open(output: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let journal = Self::connect(layout::journal(output), flags)?;
        journal.with(|connection| {
            connection.execute_batch(include_str!("schema.sql"))?;
            connection.pragma_update(None, "user_version", VERSION)
        })?;
        Ok(journal)
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self> {
        let failed = |error: rusqlite::Error| failure(&path, &error);
        let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "normal").map_err(failed)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        if version != VERSION && version != 0 {
            let message = format!(
                "is the journal of another version of tarjoman ({version}); use another output folder"
            );
            return Err(Error::Io { path, message });
        }
        Ok(Self { connection, path })
    }

    /// Makes every commit of this connection wait until it is safe from a power cut.
    pub(super) fn careful(self) -> Result<Self> {
        self.with(|connection| connection.pragma_update(None, "synchronous", "full"))?;
        Ok(self)
    }

    /// What the last run translated with.
    pub(super) fn config(&self) -> Result<Option<Config>> {
        self.with(|connection| {
            let newest = "SELECT model, digest, precision, options FROM config ORDER BY id DESC LIMIT 1";
            let config = |row: &rusqlite::Row<'_>| {
                Ok(Config {
                    model: row.get(0)?,
                    digest: row.get(1)?,
                    precision: row.get(2)?,
                    options: row.get(3)?,
                })
            };
            connection.query_row(newest, [], config).optional()
        })
    }

    /// Notes what is translated with from now on.
    pub(super) fn set_config(&self, config: &Config) -> Result<()> {
        if self.config()?.as_ref() == Some(config) {
            return Ok(());
        }
        let insert = "INSERT INTO config (model, digest, precision, options, version)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let version = env!("CARGO_PKG_VERSION");
        self.execute(insert, params![config.model, config.digest, config.precision, config.options, version])
    }

    /// Forgets every translation.
    pub(super) fn forget(&self) -> Result<()> {
        self.execute("DELETE FROM translation", [])?;
        self.execute("UPDATE source SET state = 'open'", [])
    }

    /// Makes what failed be tried again.
    pub(super) fn retry_failed(&self) -> Result<()> {
        let reopen = "UPDATE source SET state = 'open' WHERE state = 'unusable'
            OR id IN (SELECT source FROM problem)
            OR id IN (SELECT source FROM article JOIN translation USING (hash) WHERE translation.state = 'failed')";
        self.execute(reopen, [])?;
        self.execute("UPDATE translation SET state = 'pending' WHERE state = 'failed'", [])
    }

    /// Begins a run and returns its number. What couldn't be found last time may be there now.
    pub(super) fn begin_run(&self) -> Result<i64> {
        self.execute("DELETE FROM problem WHERE source IS NULL", [])?;
        self.with(|connection| {
            let highest = "SELECT max((SELECT ifnull(max(run), 0) FROM translation),
                (SELECT ifnull(max(run), 0) FROM source)) + 1";
            connection.query_row(highest, [], |row| row.get(0))
        })
    }

    /// Begins to read a file, unless its output stands. Its articles and problems will be noted anew.
    pub(super) fn begin_source(&self, source: &Source, file: &Fingerprint<'_>, run: i64) -> Result<Begun> {
        let path = source.path.to_string_lossy();
        let known = self.with(|connection| {
            let query = "SELECT id, state <> 'open' AND size = ?2 AND modified = ?3 AND layout = ?4
                AND (?5 OR state = 'unusable'), run = ?6 AND path <> ?7 FROM source WHERE name = ?1";
            let values =
                params![source.name, file.size, file.modified, file.layout, file.output_exists, run, path];
            let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?));
            connection.prepare_cached(query)?.query_row(values, row).optional()
        })?;
        match known {
            Some((_, _, true)) => return Ok(Begun::NameTaken),
            Some((id, true, _)) => {
                self.execute("UPDATE source SET run = ?2 WHERE id = ?1", params![id, run])?;
                return Ok(Begun::Finished);
            }
            Some((id, false, _)) => {
                self.execute("DELETE FROM article WHERE source = ?1", [id])?;
                self.execute("DELETE FROM problem WHERE source = ?1", [id])?;
            }
            None => {}
        }
        let id = self.with(|connection| {
            let upsert = "INSERT INTO source (name, path, size, modified, layout, state, run)
                VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6)
                ON CONFLICT (name) DO UPDATE SET path = ?2, size = ?3, modified = ?4, layout = ?5, state = 'open',
                run = ?6 RETURNING id";
            let values = params![source.name, path, file.size, file.modified, file.layout, run];
            connection.prepare_cached(upsert)?.query_row(values, |row| row.get(0))
        })?;
        Ok(Begun::Open(Opened { id, source: source.clone() }))
    }

    /// Notes an article of a file.
    pub(super) fn add_article(
        &self,
        source: i64,
        position: u64,
        locator: &str,
        hash: &Hash,
        encoding: Option<&str>,
    ) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO article (source, position, locator, hash, encoding)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(insert, params![source, position, locator, hash, encoding])
    }

    /// Notes that something can't be used; `source` is the file that it is in, if that could be opened.
    pub(super) fn add_problem(&self, source: Option<i64>, locator: &str, reason: &str) -> Result<()> {
        let insert = "INSERT INTO problem (source, locator, reason) VALUES (?1, ?2, ?3)";
        self.execute(insert, params![source, locator, reason])
    }

    /// Takes up the translation of a text, unless it is done, has failed, or is under way in this run.
    pub(super) fn claim(&self, hash: &Hash, run: i64) -> Result<bool> {
        let claim = "INSERT INTO translation (hash, state, run) VALUES (?1, 'pending', ?2)
            ON CONFLICT (hash) DO UPDATE SET run = ?2 WHERE state = 'pending' AND run <> ?2";
        self.with(|connection| connection.prepare_cached(claim)?.execute(params![hash, run]))
            .map(|changed| changed > 0)
    }

    /// Stores what became of articles, all at once.
    pub(super) fn finish(&mut self, outcomes: &[Outcome]) -> Result<()> {
        let path = &self.path;
        let store = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            for outcome in outcomes {
                store(&transaction, outcome)?;
            }
            transaction.commit()
        };
        store(&mut self.connection).map_err(|error| failure(path, &error))
    }

    /// What is known of a text.
    pub(super) fn state(&self, hash: &Hash) -> Result<State> {
        type Row = (String, Option<String>, Option<Provenance>);
        let row = self.with(|connection| {
            let query = "SELECT state, result, model, digest, precision, version FROM translation
                LEFT JOIN config ON config.id = config WHERE hash = ?1";
            let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Row> {
                let provenance = match row.get(2)? {
                    Some(model) => Some(Provenance {
                        model,
                        digest: row.get(3)?,
                        precision: row.get(4)?,
                        version: row.get(5)?,
                    }),
                    None => None,
                };
                Ok((row.get(0)?, row.get(1)?, provenance))
            };
            connection.prepare_cached(query)?.query_row([hash], row).optional()
        })?;
        let broken = |error: serde_json::Error| Error::Io {
            path: self.path.clone(),
            message: format!(
                "holds a translation that can't be read: {error}; remove the journal and run again"
            ),
        };
        Ok(match row {
            Some((state, Some(result), Some(provenance))) if state == "done" => {
                State::Done(serde_json::from_str(&result).map_err(broken)?, provenance)
            }
            Some((state, ..)) if state == "failed" => State::Failed,
            _ => State::Pending,
        })
    }

    /// Notes that a file's output is written, or that the file can't be used.
    pub(super) fn close_source(&self, source: i64, usable: bool) -> Result<()> {
        let state = if usable { "written" } else { "unusable" };
        self.execute("UPDATE source SET state = ?2 WHERE id = ?1", params![source, state])
    }

    fn execute(&self, sql: &str, values: impl Params) -> Result<()> {
        self.with(|connection| connection.prepare_cached(sql)?.execute(values)).map(drop)
    }

    fn with<T>(&self, action: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        action(&self.connection).map_err(|error| failure(&self.path, &error))
    }
}

fn store(connection: &Connection, outcome: &Outcome) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE translation SET state = ?2, attempts = attempts + ?3, error = ?4, result = ?5, sentences = ?6,
            flagged = ?7, flags = ?8, source_tokens = ?9, target_tokens = ?10, seconds = ?11,
            config = (SELECT max(id) FROM config) WHERE hash = ?1",
    )?;
    match &outcome.result {
        Ok(Done { translation, summary }) => {
            let flags: serde_json::Map<_, _> = summary
                .flag_counts
                .iter()
                .map(|count| (count.flag.name().to_owned(), count.sentences.into()))
                .collect();
            let result = serde_json::to_string(translation)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            update.execute(params![
                outcome.hash,
                "done",
                outcome.attempts,
                None::<String>,
                result,
                summary.sentences,
                summary.flagged_sentences,
                serde_json::Value::Object(flags).to_string(),
                summary.source_tokens,
                summary.target_tokens,
                summary.elapsed.as_secs_f64(),
            ])?;
        }
        Err(error) => {
            let nothing = (0_usize, 0_usize, "{}", 0_usize, 0_usize, 0.0_f64);
            let (sentences, flagged, flags, source_tokens, target_tokens, seconds) = nothing;
            update.execute(params![
                outcome.hash,
                "failed",
                outcome.attempts,
                error,
                None::<String>,
                sentences,
                flagged,
                flags,
                source_tokens,
                target_tokens,
                seconds,
            ])?;
        }
    }
    Ok(())
}

fn failure(path: &Path, error: &rusqlite::Error) -> Error {
    Error::Io { path: path.to_owned(), message: format!("the journal can't be used: {error}") }
}

#[cfg(test)]
mod tests;
