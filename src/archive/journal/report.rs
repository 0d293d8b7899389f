//! What a journal tells of a run.

use std::collections::BTreeMap;

use rusqlite::Row;
use serde::Serialize;

use super::Journal;
use crate::Result;
use crate::archive::names::{NameVariants, Names};
use crate::archive::record::Translation;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Files whose output is written.
    pub files_written: u64,
    /// Files that can't be used.
    pub files_unusable: u64,
    /// Files that are begun and not finished.
    pub files_open: u64,
    /// Articles found so far.
    pub articles: u64,
    /// Of those, the translated ones.
    pub translated: u64,
    /// Of those, the ones that failed.
    pub failed: u64,
    /// Different texts among the articles. Each is translated once.
    pub texts: u64,
    /// Files and records that can't be used.
    pub problems: u64,
    /// Sentences translated.
    pub sentences: u64,
    /// Of those, the flagged ones.
    pub flagged_sentences: u64,
    /// Source tokens that the model read.
    pub source_tokens: u64,
    /// Target tokens of the translations.
    pub target_tokens: u64,
}

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// How far it is.
    pub totals: Totals,
    /// What translated how many texts.
    pub models: Vec<Used>,
    /// How many sentences have each flag.
    pub flags: BTreeMap<String, u64>,
    /// Encodings other than UTF-8, and how many articles were taken to be in them.
    pub encodings: BTreeMap<String, u64>,
    /// The texts that took longest.
    pub slowest: Vec<Slow>,
    /// The articles with most flagged sentences.
    pub most_flagged: Vec<Doubtful>,
    /// Names that seem to be spelled in different ways.
    pub names: Vec<NameVariants>,
    /// What failed, up to the number asked for.
    pub failed: Vec<Failed>,
}

/// A model and how much it translated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Used {
    /// Its name.
    pub model: String,
    /// The digest of its weights.
    pub digest: String,
    /// What it computes in.
    pub precision: String,
    /// The options, as JSON.
    pub options: String,
    /// The version of the software.
    pub version: String,
    /// Texts translated.
    pub texts: u64,
}

/// An article that took long.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slow {
    /// Where it is.
    pub locator: String,
    /// Time from its first sentence to its last, together with the articles that were under way at the same time.
    pub seconds: f64,
    /// Its sentences.
    pub sentences: u64,
}

/// An article with flagged sentences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doubtful {
    /// Where it is.
    pub locator: String,
    /// Its flagged sentences.
    pub flagged: u64,
    /// All its sentences.
    pub sentences: u64,
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// Where it is.
    pub locator: String,
    /// Why.
    pub reason: String,
}

/// Every failure: first what can't be used, then what can't be translated, in the order of the input.
const FAILED: &str = "SELECT locator, reason FROM (
    SELECT ifnull(source, 0) AS source, 0 AS kind, rowid AS position, locator, reason FROM problem
    UNION ALL SELECT source, 1, position, locator, error FROM article JOIN translation USING (hash)
    WHERE translation.state = 'failed') ORDER BY source, kind, position";

impl Journal {
    /// How far the run is.
    pub fn totals(&self) -> Result<Totals> {
        let files =
            "SELECT count(*) FILTER (WHERE state = 'written'), count(*) FILTER (WHERE state = 'unusable'),
            count(*) FILTER (WHERE state = 'open'), (SELECT count(*) FROM problem) FROM source";
        let articles = "SELECT count(*), count(*) FILTER (WHERE state = 'done'),
            count(*) FILTER (WHERE state = 'failed') FROM article JOIN translation USING (hash)";
        let texts = "SELECT count(*), ifnull(sum(sentences), 0), ifnull(sum(flagged), 0),
            ifnull(sum(source_tokens), 0), ifnull(sum(target_tokens), 0) FROM translation WHERE state = 'done'";
        self.with(|connection| {
            let mut totals = connection.query_row(files, [], |row| {
                Ok(Totals {
                    files_written: row.get(0)?,
                    files_unusable: row.get(1)?,
                    files_open: row.get(2)?,
                    problems: row.get(3)?,
                    ..Totals::default()
                })
            })?;
            connection.query_row(articles, [], |row| {
                (totals.articles, totals.translated, totals.failed) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(())
            })?;
            connection.query_row(texts, [], |row| {
                (totals.texts, totals.sentences, totals.flagged_sentences) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                (totals.source_tokens, totals.target_tokens) = (row.get(3)?, row.get(4)?);
                Ok(())
            })?;
            Ok(totals)
        })
    }

    /// What the run has done, with at most `longest` entries in each list.
    pub fn report(&self, longest: usize) -> Result<Report> {
        let models = "SELECT model, digest, precision, options, version, count(*) FROM translation
            JOIN config ON config.id = config WHERE state = 'done' GROUP BY config.id ORDER BY config.id";
        let flags = "SELECT key, sum(value) FROM translation, json_each(flags) GROUP BY key";
        let encodings = "SELECT encoding, count(*) FROM article WHERE encoding IS NOT NULL GROUP BY encoding";
        let first = "(SELECT locator FROM article WHERE article.hash = translation.hash
            ORDER BY source, position LIMIT 1)";
        let slowest = format!(
            "SELECT {first}, seconds, sentences FROM translation
             WHERE state = 'done' ORDER BY seconds DESC LIMIT {longest}"
        );
        let flagged = format!(
            "SELECT {first}, sentences, flagged FROM translation
             WHERE state = 'done' AND flagged > 0 ORDER BY flagged DESC, hash LIMIT {longest}"
        );
        // A text may be left over from a file that isn't part of the input any more.
        let locator = |row: &Row<'_>| row.get::<_, Option<String>>(0).map(Option::unwrap_or_default);
        Ok(Report {
            totals: self.totals()?,
            models: self.rows(models, |row| {
                Ok(Used {
                    model: row.get(0)?,
                    digest: row.get(1)?,
                    precision: row.get(2)?,
                    options: row.get(3)?,
                    version: row.get(4)?,
                    texts: row.get(5)?,
                })
            })?,
            flags: self.rows(flags, |row| Ok((row.get(0)?, row.get(1)?)))?,
            encodings: self.rows(encodings, |row| Ok((row.get(0)?, row.get(1)?)))?,
            slowest: self.rows(&slowest, |row| {
                Ok(Slow { locator: locator(row)?, seconds: row.get(1)?, sentences: row.get(2)? })
            })?,
            most_flagged: self.rows(&flagged, |row| {
                Ok(Doubtful { locator: locator(row)?, sentences: row.get(1)?, flagged: row.get(2)? })
            })?,
            names: self.names(longest)?,
            failed: self.rows(&format!("{FAILED} LIMIT {longest}"), failed)?,
        })
    }

    /// Shows every failure to `see`, in the order of the input.
    pub(in crate::archive) fn failures(&self, mut see: impl FnMut(Failed)) -> Result<()> {
        self.with(|connection| {
            let mut query = connection.prepare(FAILED)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                see(failed(row)?);
            }
            Ok(())
        })
    }

    fn names(&self, longest: usize) -> Result<Vec<NameVariants>> {
        let mut names = Names::default();
        self.with(|connection| {
            let mut query = connection.prepare("SELECT result FROM translation WHERE state = 'done'")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                // What can't be read is told when it is written.
                let translation = serde_json::from_str(row.get_ref(0)?.as_str()?);
                let Translation { paragraphs } = translation.unwrap_or_default();
                for paragraph in paragraphs {
                    for sentence in paragraph.sentences {
                        let span = sentence.target_span;
                        names.sentence(paragraph.text.get(span.start..span.end).unwrap_or_default());
                    }
                }
            }
            Ok(())
        })?;
        Ok(names.variants(longest))
    }

    fn rows<T, C: FromIterator<T>>(
        &self,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<C> {
        self.with(|connection| connection.prepare(sql)?.query_map([], row)?.collect())
    }
}

fn failed(row: &Row<'_>) -> rusqlite::Result<Failed> {
    Ok(Failed { locator: row.get(0)?, reason: row.get::<_, Option<String>>(1)?.unwrap_or_default() })
}
