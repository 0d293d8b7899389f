//! What a caller may ask of a translation, with its defaults and limits. The one place that validates it.

use crate::engine::Priority;
use crate::{Error, Result};

/// How to translate an article. [`TranslateOptions::default`] is what a caller gets who asks for nothing.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own in the interface")]
pub struct TranslateOptions {
    /// The model's name; `None` is the default model.
    pub model: Option<String>,
    /// Width of the beam; 1 is greedy.
    pub beam_size: usize,
    /// Exponent of the length by which a hypothesis' log-probability is divided.
    pub length_penalty: f32,
    /// Target tokens allowed per source token, with [`Self::EXPANSION_SLACK`] more for short sentences.
    pub max_expansion: f32,
    /// Least number of target tokens, the end mark not counted.
    pub min_tokens: usize,
    /// Largest number of target tokens, whatever `max_expansion` allows, the end mark included.
    pub max_tokens: usize,
    /// Whether the source text is returned with each paragraph and sentence.
    pub return_source: bool,
    /// Number of translations returned for each sentence, at most `beam_size`.
    pub n_best: usize,
    /// Whether lost half-spaces (ZWNJ) are restored before the model sees the text.
    pub restore_half_spaces: bool,
    /// How often a sentence may be tried in all while its translation fails a check.
    pub max_attempts: usize,
    /// Whether a text whose language isn't Persian is refused instead of flagged.
    pub require_persian: bool,
    /// Whether each sentence comes with its word alignment.
    pub alignment: bool,
    /// Whether each sentence comes with the model's score of each token.
    pub token_scores: bool,
    /// Whether every sentence is translated anew, and none is remembered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_cache: bool,
    /// Whose sentences come first. It changes nothing about the translation.
    #[serde(skip)]
    pub priority: Priority,
    /// Whether `<unk>` may be produced. Marian itself forbids it; Hugging Face allows it.
    #[serde(skip)]
    pub allow_unknown: bool,
}

impl Default for TranslateOptions {
    fn default() -> Self {
        Self {
            model: None,
            beam_size: 4,
            length_penalty: 1.0,
            max_expansion: 3.0,
            min_tokens: 0,
            max_tokens: 512,
            return_source: false,
            n_best: 1,
            restore_half_spaces: true,
            max_attempts: 4,
            require_persian: false,
            alignment: false,
            token_scores: false,
            no_cache: false,
            priority: Priority::default(),
            allow_unknown: false,
        }
    }
}

impl TranslateOptions {
    /// Tokens that a translation may have beyond `max_expansion` times its source's, so that a headline of two
    /// tokens isn't held to six.
    pub const EXPANSION_SLACK: usize = 32;
    /// The widest beam.
    pub const MAX_BEAM_SIZE: usize = 16;
    /// The largest [`Self::max_tokens`].
    pub const MAX_TOKENS: usize = 4096;
    /// The largest [`Self::max_attempts`].
    pub const MAX_ATTEMPTS: usize = 6;

    /// Checks every field against its limits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the first field out of range.
    pub fn validate(&self) -> Result<()> {
        in_range("options.beam_size", self.beam_size, 1, Self::MAX_BEAM_SIZE)?;
        in_range("options.n_best", self.n_best, 1, Self::MAX_BEAM_SIZE)?;
        in_range("options.max_tokens", self.max_tokens, 1, Self::MAX_TOKENS)?;
        in_range("options.max_attempts", self.max_attempts, 1, Self::MAX_ATTEMPTS)?;
        in_range("options.length_penalty", self.length_penalty, -5.0, 5.0)?;
        in_range("options.max_expansion", self.max_expansion, 0.5, 20.0)?;
        if self.n_best > self.beam_size {
            return Err(Error::invalid(
                "options.n_best",
                format!("{} translations can't come from a beam of {}", self.n_best, self.beam_size),
                "ask for at most beam_size of them, or widen the beam",
            ));
        }
        if self.min_tokens >= self.max_tokens {
            return Err(Error::invalid(
                "options.min_tokens",
                format!("{} isn't below max_tokens, {}", self.min_tokens, self.max_tokens),
                "lower min_tokens or raise max_tokens",
            ));
        }
        Ok(())
    }

    /// The largest number of target tokens for a source of `source_tokens`, the end mark included.
    pub fn token_limit(&self, source_tokens: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let expanded = (source_tokens as f32 * self.max_expansion).ceil() as usize;
        (expanded + Self::EXPANSION_SLACK).min(self.max_tokens).max(self.min_tokens + 1)
    }
}

fn in_range<T: Copy + PartialOrd + std::fmt::Display>(
    field: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("{value} is out of range"),
        format!("use a value from {least} to {most}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        TranslateOptions::default().validate().unwrap();
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        type Spoil = fn(&mut TranslateOptions);
        let cases: [(&str, Spoil); 9] = [
            ("options.beam_size", |o| o.beam_size = 0),
            ("options.beam_size", |o| o.beam_size = 17),
            ("options.n_best", |o| o.n_best = 0),
            ("options.n_best", |o| o.n_best = 5),
            ("options.max_tokens", |o| o.max_tokens = 0),
            ("options.max_attempts", |o| o.max_attempts = 7),
            ("options.length_penalty", |o| o.length_penalty = f32::NAN),
            ("options.max_expansion", |o| o.max_expansion = f32::INFINITY),
            ("options.min_tokens", |o| o.min_tokens = 512),
        ];
        for (field, spoil) in cases {
            let mut options = TranslateOptions::default();
            spoil(&mut options);
            let error = options.validate().unwrap_err();
            assert!(
                matches!(error, Error::InvalidArgument { field: named, .. } if named == field),
                "{error}"
            );
        }
    }

    #[test]
    fn the_token_limit_follows_the_source_between_its_bounds() {
        let options = TranslateOptions::default();
        assert_eq!(options.token_limit(1), 35);
        assert_eq!(options.token_limit(100), 332);
        assert_eq!(options.token_limit(10_000), 512);
        let options = TranslateOptions { min_tokens: 60, ..options };
        assert_eq!(options.token_limit(1), 61);
    }
}
