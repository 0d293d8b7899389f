//! A translation as it comes out of the [`translator`](crate::translator): what the server puts on the wire and
//! the command line prints.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::article::Span;
use crate::model::ModelInfo;
use crate::options::TranslateOptions;
use crate::review::{Flag, Flags};

/// One step of an article's translation. A complete one is a start, each paragraph in order, and a summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What will be translated, with what.
    Start(ArticleStart),
    /// The next paragraph.
    Paragraph(TranslatedParagraph),
    /// What was translated.
    Summary(ArticleSummary),
}

/// What will be translated, with what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArticleStart {
    /// Number of paragraphs.
    pub paragraphs: usize,
    /// Number of sentences.
    pub sentences: usize,
    /// The model.
    pub model: Arc<ModelInfo>,
    /// The options in force.
    pub options: TranslateOptions,
    /// The version of the software that translates.
    pub version: String,
}

/// A paragraph and its translation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranslatedParagraph {
    /// Position among the article's paragraphs, from 0.
    pub index: usize,
    /// Where it stands in the source.
    pub source_span: Span,
    /// What stands before it in the source: line ends and white space.
    pub separator: String,
    /// The English text: the sentences' translations, joined by one space.
    pub text: String,
    /// The sentences, in order.
    pub sentences: Vec<TranslatedSentence>,
    /// The source text, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_text: Option<String>,
}

/// A sentence and its translation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranslatedSentence {
    /// Where it stands in the source.
    pub source_span: Span,
    /// Where its translation stands in its paragraph's `text`.
    pub target_span: Span,
    /// The model's score: log-probability over length to the power of the length penalty.
    pub score: f32,
    /// What the checks found.
    pub flags: Flags,
    /// How many times it was translated, at least 1.
    pub attempts: usize,
    /// The other translations, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// Which words stand for which, if it was asked for: in the order of the target, then of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alignment: Vec<WordLink>,
    /// The model's score of each token, if it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_scores: Vec<TokenScore>,
    /// The source text, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_text: Option<String>,
}

/// Two words of which one stands for the other, as far as the model's attention tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WordLink {
    /// Where the source word stands, in the same text as its sentence's `source_span`.
    pub source_span: Span,
    /// Where the target word stands, in the same text as its sentence's `target_span`.
    pub target_span: Span,
    /// How much of the target word's attention is on the source word, from [`Self::LEAST_WEIGHT`] to 1.
    pub weight: f32,
}

impl WordLink {
    /// The weight below which two words aren't linked.
    pub const LEAST_WEIGHT: f32 = 0.05;
}

/// The model's score of a target token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TokenScore {
    /// Where its text stands, in the same text as its sentence's `target_span`; empty for the end mark.
    pub target_span: Span,
    /// Its log-probability behind the tokens before it.
    pub log_prob: f32,
}

/// The translation of a line that is one sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TranslatedLine {
    /// The English text.
    pub text: String,
    /// The model's score.
    pub score: f32,
    /// What the checks found.
    pub flags: Flags,
    /// How many times it was translated, at least 1.
    pub attempts: usize,
    /// The other translations, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// Which words of the line and of `text` stand for which, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alignment: Vec<WordLink>,
    /// The model's score of each token, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_scores: Vec<TokenScore>,
    /// Source tokens that the model read, over all attempts, end marks included.
    pub source_tokens: usize,
    /// Target tokens of the translation, end marks included.
    pub target_tokens: usize,
}

/// Another translation of a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The English text.
    pub text: String,
    /// The model's score.
    pub score: f32,
}

/// What was translated, and what was found on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct ArticleSummary {
    /// Number of paragraphs.
    pub paragraphs: usize,
    /// Number of sentences.
    pub sentences: usize,
    /// Number of sentences with at least one flag.
    pub flagged_sentences: usize,
    /// How many sentences have each flag; flags never given are left out.
    pub flag_counts: Vec<FlagCount>,
    /// Number of attempts over all sentences.
    pub attempts: usize,
    /// Source tokens that the model read, over all attempts, end marks included.
    pub source_tokens: usize,
    /// Target tokens of the returned translations, end marks included.
    pub target_tokens: usize,
    /// Time from the call to the last paragraph.
    #[serde(rename = "elapsed_seconds", serialize_with = "as_seconds", deserialize_with = "from_seconds")]
    pub elapsed: Duration,
    /// What stands behind the last paragraph in the source.
    pub trailing_separator: String,
}

impl ArticleSummary {
    /// Counts the flags of one more sentence. Counts stay in the order of [`Flag::ALL`].
    pub(crate) fn count_flags(&mut self, flags: Flags) {
        self.flagged_sentences += usize::from(!flags.is_empty());
        for flag in flags.iter() {
            match self.flag_counts.binary_search_by_key(&flag, |count| count.flag) {
                Ok(at) => self.flag_counts[at].sentences += 1,
                Err(at) => self.flag_counts.insert(at, FlagCount { flag, sentences: 1 }),
            }
        }
    }
}

/// How many sentences have a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagCount {
    /// The flag.
    pub flag: Flag,
    /// The number of sentences.
    pub sentences: usize,
}

fn from_seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn as_seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}
