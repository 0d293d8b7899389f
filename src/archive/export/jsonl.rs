//! Bilingual JSONL.

use std::io::{self, Write};

use serde::Serialize;

use super::{Exporter, Pair, Target};
use crate::archive::journal::Provenance;
use crate::article::Span;
use crate::review::Flags;
use crate::translation::{Alternative, TokenScore, WordLink};

/// An article, as it is written.
#[derive(Serialize)]
struct Line<'a> {
    article: &'a str,
    #[serde(flatten)]
    provenance: &'a Provenance,
    paragraphs: Vec<Paragraph<'a>>,
}

#[derive(Serialize)]
struct Paragraph<'a> {
    target: &'a str,
    sentences: Vec<Sentence<'a>>,
}

/// Spans are half-open ranges of UTF-8 bytes, into the article's text and the paragraph's `target`.
#[derive(Serialize)]
struct Sentence<'a> {
    source: &'a str,
    target: &'a str,
    source_span: Span,
    target_span: Span,
    score: f32,
    flags: Flags,
    attempts: usize,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    alternatives: &'a [Alternative],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    alignment: &'a [WordLink],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    token_scores: &'a [TokenScore],
}

pub(super) struct Jsonl {
    target: Target,
}

impl Jsonl {
    pub(super) fn new(target: Target) -> Self {
        Self { target }
    }
}

impl Exporter for Jsonl {
    fn article(&mut self, article: &Pair<'_>) -> io::Result<()> {
        let paragraphs = article.translation.paragraphs.iter().zip(article.paragraphs());
        let paragraphs = paragraphs.map(|(paragraph, sentences)| Paragraph {
            target: &paragraph.text,
            sentences: sentences
                .into_iter()
                .map(|aligned| Sentence {
                    source: aligned.source,
                    target: aligned.target,
                    source_span: aligned.sentence.source_span,
                    target_span: aligned.sentence.target_span,
                    score: aligned.sentence.score,
                    flags: aligned.sentence.flags,
                    attempts: aligned.sentence.attempts,
                    alternatives: &aligned.sentence.alternatives,
                    alignment: &aligned.sentence.alignment,
                    token_scores: &aligned.sentence.token_scores,
                })
                .collect(),
        });
        let line = Line {
            article: article.locator,
            provenance: article.provenance,
            paragraphs: paragraphs.collect(),
        };
        serde_json::to_writer(&mut self.target, &line)?;
        self.target.write_all(b"\n")
    }

    fn finish(self: Box<Self>) -> io::Result<Target> {
        Ok(self.target)
    }
}
