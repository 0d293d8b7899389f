//! Outputs beside the translated files: for each file one more, with its articles sentence by sentence.

mod html;
mod jsonl;
mod parquet;
mod tmx;
mod xliff;
mod xml;

use std::io;

use serde::{Deserialize, Serialize};

use super::assemble::Target;
use super::journal::Provenance;
use super::record::Translation;
use crate::Result;
use crate::translation::TranslatedSentence;

/// An output beside the translated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// Each article as a line of JSON, with its aligned sentences and what is known of them.
    Jsonl,
    /// A translation memory (TMX 1.4b).
    Tmx,
    /// XLIFF 2.0.
    Xliff,
    /// A page with both languages side by side.
    Html,
    /// A table of sentences, with the same columns as JSONL has fields.
    Parquet,
}

impl Export {
    /// Its name, also that of the folder that it goes to.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "bilingual",
            Self::Tmx => "tmx",
            Self::Xliff => "xliff",
            Self::Html => "html",
            Self::Parquet => "parquet",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Tmx => "tmx",
            Self::Xliff => "xlf",
            Self::Html => "html",
            Self::Parquet => "parquet",
        }
    }

    pub(super) fn start(self, target: Target) -> Result<Box<dyn Exporter>> {
        Ok(match self {
            Self::Jsonl => Box::new(jsonl::Jsonl::new(target)),
            Self::Tmx => Box::new(tmx::Tmx::new(target)),
            Self::Xliff => Box::new(xliff::Xliff::new(target)),
            Self::Html => Box::new(html::SideBySide::new(target)),
            Self::Parquet => Box::new(parquet::Parquet::new(target)?),
        })
    }
}

/// An article and its translation.
pub(super) struct Pair<'a> {
    pub(super) locator: &'a str,
    pub(super) source: &'a str,
    pub(super) translation: &'a Translation,
    pub(super) provenance: &'a Provenance,
}

/// A sentence and its translation.
pub(super) struct Aligned<'a> {
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    pub(super) sentence: &'a TranslatedSentence,
}

impl<'a> Pair<'a> {
    /// The sentences of each paragraph.
    pub(super) fn paragraphs(&self) -> impl Iterator<Item = Vec<Aligned<'a>>> + '_ {
        self.translation.paragraphs.iter().map(|paragraph| {
            let aligned = |sentence: &'a TranslatedSentence| Aligned {
                source: sentence.source_span.of(self.source),
                target: sentence.target_span.of(&paragraph.text),
                sentence,
            };
            paragraph.sentences.iter().map(aligned).collect()
        })
    }
}

/// Writes the articles of a file.
pub(super) trait Exporter {
    fn article(&mut self, article: &Pair<'_>) -> io::Result<()>;

    /// Completes the file.
    fn finish(self: Box<Self>) -> io::Result<Target>;
}
