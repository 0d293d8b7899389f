//! [`TranslateOptions`] and the `Options` message.

use super::count;
use crate::engine::Priority;
use crate::options::TranslateOptions;
use crate::{Error, Result, proto};

/// The options that a message stands for: its own where it sets them, else the defaults. Numbers aren't checked.
///
/// # Errors
/// [`Error::InvalidArgument`] for a priority that there isn't.
pub(super) fn options(message: proto::Options) -> Result<TranslateOptions> {
    let defaults = TranslateOptions::default();
    let number = |set: u32, default: usize| if set == 0 { default } else { set as usize };
    Ok(TranslateOptions {
        model: Some(message.model).filter(|name| !name.is_empty()),
        beam_size: number(message.beam_size, defaults.beam_size),
        length_penalty: message.length_penalty.unwrap_or(defaults.length_penalty),
        max_expansion: if message.max_expansion == 0.0 {
            defaults.max_expansion
        } else {
            message.max_expansion
        },
        min_tokens: number(message.min_tokens, defaults.min_tokens),
        max_tokens: number(message.max_tokens, defaults.max_tokens),
        return_source: message.return_source,
        n_best: number(message.n_best, defaults.n_best),
        restore_half_spaces: message.restore_half_spaces.unwrap_or(defaults.restore_half_spaces),
        max_attempts: number(message.max_attempts, defaults.max_attempts),
        require_persian: message.require_persian,
        alignment: message.alignment,
        token_scores: message.token_scores,
        no_cache: message.no_cache,
        priority: priority(message.priority)?,
        allow_unknown: defaults.allow_unknown,
    })
}

/// The message that asks for these options, which must be valid: a zero that isn't would turn into a default.
pub(crate) fn options_message(options: &TranslateOptions) -> proto::Options {
    proto::Options {
        model: options.model.clone().unwrap_or_default(),
        beam_size: count(options.beam_size),
        length_penalty: Some(options.length_penalty),
        max_expansion: options.max_expansion,
        min_tokens: count(options.min_tokens),
        max_tokens: count(options.max_tokens),
        return_source: options.return_source,
        n_best: count(options.n_best),
        restore_half_spaces: Some(options.restore_half_spaces),
        max_attempts: count(options.max_attempts),
        require_persian: options.require_persian,
        alignment: options.alignment,
        token_scores: options.token_scores,
        no_cache: options.no_cache,
        priority: match options.priority {
            Priority::Interactive => proto::Priority::Interactive,
            Priority::Batch => proto::Priority::Batch,
        }
        .into(),
    }
}

fn priority(number: i32) -> Result<Priority> {
    match proto::Priority::try_from(number) {
        Ok(proto::Priority::Unspecified | proto::Priority::Interactive) => Ok(Priority::Interactive),
        Ok(proto::Priority::Batch) => Ok(Priority::Batch),
        Err(_) => {
            let remedy = "use PRIORITY_INTERACTIVE or PRIORITY_BATCH";
            Err(Error::invalid("options.priority", format!("{number} is none"), remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_message_is_the_defaults() {
        assert_eq!(options(proto::Options::default()).unwrap(), TranslateOptions::default());
    }

    #[test]
    fn every_option_comes_back_as_it_was() {
        let defaults = TranslateOptions::default();
        // One for each field, and none of them at its default.
        let others = [
            TranslateOptions { model: Some("مدل".into()), ..defaults.clone() },
            TranslateOptions { beam_size: 16, ..defaults.clone() },
            TranslateOptions { length_penalty: 0.0, ..defaults.clone() },
            TranslateOptions { length_penalty: -5.0, ..defaults.clone() },
            TranslateOptions { max_expansion: 0.5, ..defaults.clone() },
            TranslateOptions { min_tokens: 7, ..defaults.clone() },
            TranslateOptions { max_tokens: 4096, ..defaults.clone() },
            TranslateOptions { return_source: true, ..defaults.clone() },
            TranslateOptions { n_best: 4, ..defaults.clone() },
            TranslateOptions { restore_half_spaces: false, ..defaults.clone() },
            TranslateOptions { max_attempts: 1, ..defaults.clone() },
            TranslateOptions { require_persian: true, ..defaults.clone() },
            TranslateOptions { alignment: true, ..defaults.clone() },
            TranslateOptions { token_scores: true, ..defaults.clone() },
            TranslateOptions { no_cache: true, ..defaults.clone() },
            TranslateOptions { priority: Priority::Batch, ..defaults.clone() },
        ];
        for other in others {
            assert_ne!(other, defaults);
            assert_eq!(options(options_message(&other)).unwrap(), other);
        }
        assert_eq!(options(options_message(&defaults)).unwrap(), defaults);
    }

    #[test]
    fn what_is_out_of_range_stays_out_of_range() {
        let beam_size = usize::MAX;
        let wide = options(options_message(&TranslateOptions { beam_size, ..TranslateOptions::default() }));
        assert!(wide.unwrap().validate().is_err());
        let not_a_number = proto::Options { max_expansion: f32::NAN, ..proto::Options::default() };
        assert!(options(not_a_number).unwrap().validate().is_err());
        let unknown = proto::Options { priority: 3, ..proto::Options::default() };
        let refused = options(unknown).unwrap_err().to_string();
        assert!(refused.starts_with("options.priority: 3 "), "{refused}");
    }
}
