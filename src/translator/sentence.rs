//! The way of one sentence: normalise, encode, decode, review, and try again in other ways while a check fails.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use tracing::Instrument;

use super::alignment::{Details, Part, Translated, details};
use super::loaded::LoadedModel;
use super::memory::{Key, Memory};
use crate::article::Span;
use crate::article::clauses::clauses;
use crate::article::language::{Language, detect};
use crate::article::normalize::{self, Normalized};
use crate::decode::{Hypothesis, SearchOptions};
use crate::engine::Lane;
use crate::options::TranslateOptions;
use crate::review::{Attempt, Flag, Flags, Ladder, Situation, better, check};
use crate::translation::Alternative;
use crate::{Error, Result};

/// The beam of the retry ladder where the caller asked for greedy search.
const WIDE: usize = 4;
/// Pieces of a too long sentence that are decoded at once.
const PIECES_AT_ONCE: usize = 8;
/// Bytes from which a sentence is prepared on a thread that may block: tokenising it takes noticeable time.
const LONG: usize = 16 * 1024;
/// Signs that clauses end with.
const CLAUSE_ENDS: [char; 6] = ['،', '؛', ':', ';', '(', '–'];

/// What somebody asked for: the model that does it, its way into the engine, what is remembered, and how.
pub(super) struct Request {
    pub(super) model: Arc<LoadedModel>,
    pub(super) lane: Lane,
    pub(super) memory: Option<Arc<Memory>>,
    pub(super) options: TranslateOptions,
}

/// A sentence's best translation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SentenceTranslation {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) flags: Flags,
    pub(super) attempts: usize,
    pub(super) alternatives: Vec<Alternative>,
    /// Source tokens read, over all attempts.
    pub(super) source_tokens: usize,
    /// Target tokens of the translation that was kept.
    pub(super) target_tokens: usize,
    pub(super) details: Details,
}

/// A translation that was tried.
struct Tried {
    translation: SentenceTranslation,
    attempt: Attempt,
    parts: Vec<Part>,
}

/// A sentence before it is translated.
struct Sentence {
    source: String,
    /// Flags that it has whatever becomes of it.
    given: Flags,
    plain: Normalized,
    /// With half-spaces restored, if they are to be.
    restored: Normalized,
}

/// Translates one sentence, unless its translation is remembered. A sentence without a letter or a digit has nothing to
/// translate and is copied.
pub(super) async fn translate_sentence(request: &Arc<Request>, source: &str) -> Result<SentenceTranslation> {
    let options = &request.options;
    if !source.chars().any(char::is_alphanumeric) {
        return Ok(SentenceTranslation::copied(source));
    }
    let plain = normalized(source, false);
    let restored = if options.restore_half_spaces { normalized(source, true) } else { plain.clone() };
    let given = is_foreign(source).then_some(Flag::WrongLanguage).into_iter().collect();
    let sentence = Sentence { source: source.to_owned(), given, plain, restored };
    let span = tracing::debug_span!("sentence");
    let Some(memory) = &request.memory else { return translate(request, &sentence).instrument(span).await };
    let texts = [sentence.plain.text(), sentence.restored.text()];
    let key = Key::new(&request.model.identity, options, texts, given);
    let priority = options.priority;
    let request = Arc::clone(request);
    let work = async move { translate(&request, &sentence).await }.instrument(span);
    let translation = memory.translation(key, priority, work).await?;
    Ok((*translation).clone())
}

/// Translates a sentence and tries again while a check fails.
async fn translate(request: &Request, sentence: &Sentence) -> Result<SentenceTranslation> {
    let options = &request.options;
    let Sentence { source, given, plain, restored } = sentence;
    let situation = Situation {
        restored: restored != plain,
        has_clauses: restored.text().trim_end_matches(CLAUSE_ENDS).contains(CLAUSE_ENDS),
    };
    let mut ladder = Ladder::new(options.max_attempts, situation);
    let mut source_tokens = 0;
    let mut attempts = 0;
    let seen = |attempt| if attempt == Attempt::WithoutRestoration { plain } else { restored };
    let mut best: Option<Tried> = None;
    let mut next = Some(Attempt::AsAsked);
    while let Some(attempt) = next {
        let mut tried = translate_text(request, source, seen(attempt).text(), attempt).await?;
        tried.translation.flags = tried.translation.flags.union(*given);
        attempts += 1;
        source_tokens += tried.translation.source_tokens;
        let rank = |tried: &Tried| (tried.translation.flags, tried.translation.score);
        if best.as_ref().is_none_or(|best| better(rank(&tried), rank(best)).is_gt()) {
            best = Some(tried);
        }
        next = ladder.next(best.as_ref().map(|best| best.translation.flags).unwrap_or_default());
    }
    let Tried { translation, attempt, parts } =
        best.ok_or_else(|| Error::Inference("no attempt was made".into()))?;
    let translated = Translated { source, normalized: seen(attempt), text: &translation.text, parts: &parts };
    let details = details(request, &translated).await?;
    Ok(SentenceTranslation { attempts, source_tokens, details, ..translation })
}

/// Whether a text is certainly not Persian.
pub(super) fn is_foreign(text: &str) -> bool {
    !matches!(detect(text), Language::Persian | Language::Undetermined)
}

/// Makes one attempt at the normalised `text` of the sentence `source`.
async fn translate_text(request: &Request, source: &str, text: &str, attempt: Attempt) -> Result<Tried> {
    let Request { model, lane, options, .. } = request;
    let pieces = pieces(model, text, attempt).instrument(tracing::debug_span!("tokenize")).await?;
    let too_long = pieces.len() > 1 && attempt != Attempt::SplitAtClauses;
    let source_tokens = pieces.iter().map(|(_, ids)| ids.len()).sum();
    let searches: Vec<_> =
        pieces.iter().map(|(_, ids)| (ids.clone(), search(options, attempt, ids.len()))).collect();
    let searches = searches.into_iter().map(|(ids, search)| lane.translate(ids, search));
    let results: Vec<Vec<Hypothesis>> = stream::iter(searches).buffered(PIECES_AT_ONCE).try_collect().await?;
    let best: Vec<&Hypothesis> = results.iter().filter_map(|hypotheses| hypotheses.first()).collect();
    let texts: Vec<String> = best.iter().map(|hypothesis| model.tokenizer.decode(&hypothesis.ids)).collect();
    let text = texts.iter().filter(|text| !text.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ");
    let truncated = best.iter().any(|hypothesis| hypothesis.truncated);
    let mut flags = tracing::debug_span!("review").in_scope(|| check(source, &text, truncated));
    if too_long {
        flags.insert(Flag::SplitTooLong);
    }
    let target_tokens = best.iter().map(|hypothesis| hypothesis.ids.len()).sum();
    // Only a sentence in one piece has other translations: those of several can't be combined.
    let alternatives = match results.as_slice() {
        [hypotheses] => hypotheses.iter().skip(1).map(|other| alternative(model, other)).collect(),
        _ => Vec::new(),
    };
    let score = score(&best, options.length_penalty);
    let targets = best.iter().map(|hypothesis| hypothesis.ids.clone());
    let parts = pieces.into_iter().zip(targets).map(|((span, source), target)| Part { span, source, target });
    let parts = parts.collect();
    let translation = SentenceTranslation {
        text,
        score,
        flags,
        attempts: 1,
        alternatives,
        source_tokens,
        target_tokens,
        details: Details::default(),
    };
    Ok(Tried { translation, attempt, parts })
}

/// The source ids of the text and where they are of: in one piece if the model takes it, split at clause ends otherwise.
pub(super) async fn pieces(
    model: &Arc<LoadedModel>,
    text: &str,
    attempt: Attempt,
) -> Result<Vec<(Span, Vec<u32>)>> {
    if text.len() < LONG {
        return Ok(split(model, text, attempt));
    }
    let (model, text) = (model.clone(), text.to_owned());
    let work = tokio::task::spawn_blocking(move || split(&model, &text, attempt)).await;
    work.map_err(|error| Error::Inference(format!("a long sentence could not be split: {error}")))
}

fn split(model: &LoadedModel, text: &str, attempt: Attempt) -> Vec<(Span, Vec<u32>)> {
    let most = model.engine.spec().max_source;
    let limit = match attempt {
        Attempt::SplitAtClauses => (model.tokenizer.encode_text(text).len() / 2).clamp(4, most),
        _ => most,
    };
    // No piece has more tokens than bytes and marks, so that short texts need not be counted.
    let too_long = |piece: &str| piece.len() + 2 > limit && model.tokenizer.encode_text(piece).len() > limit;
    let spans = clauses(text, Span::new(0, text.len()), too_long);
    spans.into_iter().map(|span| (span, model.tokenizer.encode_text(span.of(text)))).collect()
}

fn search(options: &TranslateOptions, attempt: Attempt, source_tokens: usize) -> SearchOptions {
    let beam_size = match attempt {
        Attempt::OtherBeam if options.beam_size == 1 => WIDE,
        Attempt::OtherBeam => 1,
        _ => options.beam_size,
    };
    SearchOptions {
        beam_size,
        length_penalty: options.length_penalty,
        min_tokens: options.min_tokens,
        max_tokens: options.token_limit(source_tokens),
        n_best: options.n_best.min(beam_size),
        no_repeat_ngram: if attempt == Attempt::BlockedNgrams { 3 } else { 0 },
        allow_unknown: options.allow_unknown,
    }
}

/// The score of pieces together: their log-probability over their length to the power of the penalty.
#[expect(clippy::cast_precision_loss, reason = "a sentence has far fewer than 2²⁴ tokens")]
fn score(pieces: &[&Hypothesis], length_penalty: f32) -> f32 {
    if let [only] = pieces {
        return only.score;
    }
    let length: usize = pieces.iter().map(|piece| piece.ids.len()).sum();
    pieces.iter().map(|piece| piece.log_prob).sum::<f32>() / (length.max(1) as f32).powf(length_penalty)
}

fn alternative(model: &LoadedModel, hypothesis: &Hypothesis) -> Alternative {
    Alternative { text: model.tokenizer.decode(&hypothesis.ids), score: hypothesis.score }
}

pub(super) fn normalized(source: &str, restore_half_spaces: bool) -> Normalized {
    normalize::normalize(source, normalize::Options { restore_half_spaces })
}

impl SentenceTranslation {
    fn copied(source: &str) -> Self {
        Self {
            text: source.to_owned(),
            score: 0.0,
            flags: Flags::default(),
            attempts: 1,
            alternatives: Vec::new(),
            source_tokens: 0,
            target_tokens: 0,
            details: Details::default(),
        }
    }
}
