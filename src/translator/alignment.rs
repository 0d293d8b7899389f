//! Which words of a sentence and of its translation stand for which, and what the model thinks of each token.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;

use super::sentence::Request;
use crate::Result;
use crate::article::Span;
use crate::article::normalize::Normalized;
use crate::tokenizer::Tokenizer;
use crate::translation::{TokenScore, WordLink};

/// A sentence that is translated.
pub(super) struct Translated<'a> {
    pub(super) source: &'a str,
    /// The source as the model saw it.
    pub(super) normalized: &'a Normalized,
    /// The translation: those of the parts that have one, joined by one space.
    pub(super) text: &'a str,
    pub(super) parts: &'a [Part],
}

/// What was translated in one piece.
pub(super) struct Part {
    /// Where it stands in the normalised sentence.
    pub(super) span: Span,
    /// Source ids.
    pub(super) source: Vec<u32>,
    /// Target ids.
    pub(super) target: Vec<u32>,
}

/// What there is to know of a translation beyond its text.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Details {
    /// Source spans are in the sentence, target spans in its translation.
    pub(super) alignment: Vec<WordLink>,
    pub(super) token_scores: Vec<TokenScore>,
}

impl Details {
    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.alignment.is_empty() && self.token_scores.is_empty()
    }

    /// The same in texts in which the sentence and its translation start so many bytes later.
    pub(super) fn shifted(mut self, source: usize, target: usize) -> Self {
        for link in &mut self.alignment {
            link.source_span = link.source_span.shifted(source);
            link.target_span = link.target_span.shifted(target);
        }
        for score in &mut self.token_scores {
            score.target_span = score.target_span.shifted(target);
        }
        self
    }
}

/// Has the model look into a translation, as far as that is asked for.
pub(super) async fn details(request: &Request, sentence: &Translated<'_>) -> Result<Details> {
    let Request { model, lane, options, .. } = request;
    let mut details = Details::default();
    if !options.alignment && !options.token_scores {
        return Ok(details);
    }
    let words = [words(sentence.source), words(sentence.text)];
    let mut start = 0;
    for part in sentence.parts {
        let inspection = lane.inspect(part.source.clone(), part.target.clone()).await?;
        let (text, spans) = target_spans(&*model.tokenizer, &part.target);
        start += usize::from(start > 0 && !text.is_empty());
        let targets: Vec<Span> = spans.into_iter().map(|span| span.shifted(start)).collect();
        start += text.len();
        if options.token_scores {
            let scores = targets.iter().zip(inspection.log_probs);
            details
                .token_scores
                .extend(scores.map(|(&target_span, log_prob)| TokenScore { target_span, log_prob }));
        }
        if options.alignment {
            let sources = model.tokenizer.source_spans(part.span.of(sentence.normalized.text()));
            let sources = sources.into_iter().map(|span| span.shifted(part.span.start));
            let sources: Vec<Span> = sources.map(|span| origin(sentence.normalized, span)).collect();
            let tokens = [sources.as_slice(), targets.as_slice()];
            details.alignment.extend(links(&words, tokens, &inspection.attention));
        }
    }
    Ok(details)
}

/// Where a span of the normalised sentence comes from; an empty one from nothing.
fn origin(normalized: &Normalized, span: Span) -> Span {
    if span.is_empty() { Span::default() } else { normalized.source_span(span) }
}

/// The words and punctuation marks of a text (UAX #29).
fn words(text: &str) -> Vec<Span> {
    let words = text.split_word_bound_indices().filter(|(_, word)| !word.trim().is_empty());
    words.map(|(start, word)| Span::new(start, start + word.len())).collect()
}

/// The text of target ids, and where in it each of them stands: what it adds to the text of those before it, without
/// the space in front. A token that leaves no text, as the end mark, has an empty span.
fn target_spans(tokenizer: &dyn Tokenizer, ids: &[u32]) -> (String, Vec<Span>) {
    let text = tokenizer.decode(ids);
    let mut end = 0;
    let spans = (1..=ids.len()).map(|count| {
        let start = end;
        // What comes later may change the end of what is there: half a character, or a space before a full stop.
        end = end.max(common_prefix(&tokenizer.decode(&ids[..count]), &text));
        let added = &text[start..end];
        Span::new(end - added.trim_start().len(), end)
    });
    let spans = spans.collect();
    (text, spans)
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// The links between words, given those of source and target, the spans of the tokens of both, and for each target
/// token the weights of all source tokens. A word's weights are the mean of its tokens'; what they give a mark goes to
/// no word.
fn links(words: &[Vec<Span>; 2], tokens: [&[Span]; 2], attention: &[Vec<f32>]) -> Vec<WordLink> {
    let [source_words, target_words] = words;
    let sources: Vec<Vec<(usize, f32)>> =
        tokens[0].iter().map(|&token| shares(token, source_words)).collect();
    let mut totals = vec![0.0; target_words.len()];
    let mut weights: BTreeMap<(usize, usize), f32> = BTreeMap::new();
    for (&token, looks) in tokens[1].iter().zip(attention) {
        for (target, share) in shares(token, target_words) {
            totals[target] += share;
            for (sources, weight) in sources.iter().zip(looks) {
                for (source, part) in sources {
                    *weights.entry((target, *source)).or_default() += share * part * weight;
                }
            }
        }
    }
    let links = weights.into_iter().map(|((target, source), weight)| WordLink {
        source_span: source_words[source],
        target_span: target_words[target],
        weight: (weight / totals[target]).min(1.0),
    });
    links.filter(|link| link.weight >= WordLink::LEAST_WEIGHT).collect()
}

/// The words that a token overlaps, and how much of it belongs to each.
#[expect(clippy::cast_precision_loss, reason = "a word is far shorter than 2²⁴ bytes")]
fn shares(token: Span, words: &[Span]) -> Vec<(usize, f32)> {
    let first = words.partition_point(|word| word.end <= token.start);
    let overlaps = words.iter().enumerate().skip(first).take_while(|(_, word)| word.start < token.end);
    let overlaps: Vec<(usize, usize)> = overlaps
        .map(|(index, word)| (index, word.end.min(token.end) - word.start.max(token.start)))
        .collect();
    let all: usize = overlaps.iter().map(|(_, bytes)| bytes).sum();
    overlaps.into_iter().map(|(index, bytes)| (index, bytes as f32 / all as f32)).collect()
}

#[cfg(test)]
mod tests;
