//! Greedy and beam search, pure over the model's logits.

mod batch;
mod beam;
mod candidates;
mod greedy;
mod inspect;

pub use batch::{Batch, generate};
pub use inspect::{Inspection, inspect};

use beam::Beam;
use greedy::Greedy;

use crate::model::{Logits, ModelSpec};

/// How to search for the translation of one sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// Width of the beam; 1 is greedy.
    pub beam_size: usize,
    /// Exponent of the length by which a hypothesis' log-probability is divided.
    pub length_penalty: f32,
    /// Least number of tokens before the end mark.
    pub min_tokens: usize,
    /// Largest number of tokens, end mark included; the last one is always the end mark.
    pub max_tokens: usize,
    /// Number of hypotheses wanted, at most `beam_size`.
    pub n_best: usize,
    /// No sequence of so many tokens may come twice in a hypothesis; 0 forbids nothing.
    pub no_repeat_ngram: usize,
    /// Whether `<unk>` may be produced.
    pub allow_unknown: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            beam_size: 1,
            length_penalty: 1.0,
            min_tokens: 0,
            max_tokens: 256,
            n_best: 1,
            no_repeat_ngram: 0,
            allow_unknown: false,
        }
    }
}

/// A translation as the search found it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Target ids, end mark included, start token not.
    pub ids: Vec<u32>,
    /// The model's log-probability of `ids`.
    pub log_prob: f32,
    /// `log_prob / ids.len() ^ length_penalty`.
    pub score: f32,
    /// Whether the search ended it because it reached `max_tokens`.
    pub truncated: bool,
}

/// The search for one sentence's translation. It starts with one row of the model's batch.
pub enum Search {
    /// Takes the best token at every step.
    Greedy(Greedy),
    /// Follows the best few hypotheses.
    Beam(Beam),
}

/// What a search wants after it has seen a step's logits.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Go on with these rows: for each, the row among the search's own that it continues, and its newest token.
    Continue(Vec<(usize, u32)>),
    /// The hypotheses, best first.
    Finished(Vec<Hypothesis>),
}

impl Search {
    /// A search over a model's vocabulary. The number of tokens is held to what the model has positions for.
    pub fn new(mut options: SearchOptions, spec: &ModelSpec) -> Self {
        options.max_tokens = options.max_tokens.clamp(1, spec.max_target);
        if options.beam_size == 1 {
            Self::Greedy(Greedy::new(Constraints::new(options, spec)))
        } else {
            Self::Beam(Beam::new(Constraints::new(options, spec)))
        }
    }

    /// Takes the next step, given the logits; the search's own rows start at `first`.
    pub fn advance(&mut self, logits: &Logits, first: usize) -> Progress {
        match self {
            Self::Greedy(search) => search.advance(logits.row(first)),
            Self::Beam(search) => search.advance(logits, first),
        }
    }
}

/// Which tokens may come next.
struct Constraints {
    options: SearchOptions,
    forced_first: Option<u32>,
    end: u32,
    /// Never produced.
    forbidden: Vec<u32>,
}

impl Constraints {
    fn new(options: SearchOptions, spec: &ModelSpec) -> Self {
        let unknown = spec.unknown.filter(|_| !options.allow_unknown);
        let forbidden = std::iter::once(spec.pad).chain(unknown).collect();
        Self { options, forced_first: spec.forced_first, end: spec.end, forbidden }
    }

    /// The only token that may follow so many, where there is no choice. It costs a hypothesis nothing.
    fn forced(&self, length: usize) -> Option<u32> {
        let must_end = length + 1 >= self.options.max_tokens;
        if must_end { Some(self.end) } else { self.forced_first.filter(|_| length == 0) }
    }

    /// The tokens that may not follow `ids`.
    fn blocked(&self, ids: &[u32]) -> Vec<u32> {
        let mut blocked = self.forbidden.clone();
        if ids.len() < self.options.min_tokens {
            blocked.push(self.end);
        }
        let n = self.options.no_repeat_ngram;
        if n > 0 && ids.len() + 1 >= n {
            // As Hugging Face's NoRepeatNGramLogitsProcessor: the token behind every earlier copy of the last n − 1.
            let last = &ids[ids.len() + 1 - n..];
            blocked.extend(ids.windows(n).filter(|ngram| ngram[..n - 1] == *last).map(|ngram| ngram[n - 1]));
        }
        blocked
    }

    fn hypothesis(&self, ids: Vec<u32>, log_prob: f32) -> Hypothesis {
        let score = log_prob / length_factor(ids.len(), self.options.length_penalty);
        Hypothesis { truncated: ids.len() >= self.options.max_tokens, ids, log_prob, score }
    }
}

/// What a log-probability is divided by.
#[expect(clippy::cast_precision_loss, reason = "a length is far below 2²⁴")]
fn length_factor(length: usize, penalty: f32) -> f32 {
    (length as f32).powf(penalty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ModelSpec {
        ModelSpec {
            source_vocabulary: 8,
            vocabulary: 8,
            start: 7,
            forced_first: None,
            end: 0,
            pad: 7,
            unknown: Some(1),
            max_source: 16,
            max_target: 16,
        }
    }

    fn blocked(options: SearchOptions, ids: &[u32]) -> Vec<u32> {
        Constraints::new(options, &spec()).blocked(ids)
    }

    #[test]
    fn padding_and_unknown_tokens_are_never_produced_unless_allowed() {
        assert_eq!(blocked(SearchOptions::default(), &[]), [7, 1]);
        assert_eq!(blocked(SearchOptions { allow_unknown: true, ..SearchOptions::default() }, &[]), [7]);
    }

    #[test]
    fn the_first_token_is_forced_where_the_model_wants_it_and_the_last_at_the_limit() {
        let spec = ModelSpec { forced_first: Some(5), ..spec() };
        let options = SearchOptions { max_tokens: 3, ..SearchOptions::default() };
        let constraints = Constraints::new(options, &spec);
        assert_eq!([0, 1, 2].map(|length| constraints.forced(length)), [Some(5), None, Some(0)]);
    }

    #[test]
    fn the_end_mark_waits_for_the_least_number_of_tokens() {
        let options = SearchOptions { min_tokens: 2, ..SearchOptions::default() };
        assert!(blocked(options.clone(), &[3]).contains(&0));
        assert!(!blocked(options, &[3, 4]).contains(&0));
    }

    #[test]
    fn no_ngram_comes_twice() {
        let options = SearchOptions { no_repeat_ngram: 3, allow_unknown: true, ..SearchOptions::default() };
        assert_eq!(blocked(options.clone(), &[2, 3, 4, 5, 2, 3]), [7, 4]);
        assert_eq!(blocked(options.clone(), &[2, 3, 2, 3]), [7, 2]);
        assert_eq!(blocked(options, &[2]), [7]);
        let options = SearchOptions { no_repeat_ngram: 1, allow_unknown: true, ..SearchOptions::default() };
        assert_eq!(blocked(options, &[2, 5]), [7, 2, 5]);
    }
}
