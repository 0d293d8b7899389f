//! [`Flag`] and its message.

use super::malformed;
use crate::review::Flag;
use crate::{Result, proto};

pub(super) fn flag_message(flag: Flag) -> proto::Flag {
    match flag {
        Flag::Empty => proto::Flag::Empty,
        Flag::SourceEcho => proto::Flag::SourceEcho,
        Flag::ArabicScriptLeft => proto::Flag::ArabicScriptLeft,
        Flag::RepetitionLoop => proto::Flag::RepetitionLoop,
        Flag::LengthRatio => proto::Flag::LengthRatio,
        Flag::NumbersDiffer => proto::Flag::NumbersDiffer,
        Flag::SplitTooLong => proto::Flag::SplitTooLong,
        Flag::WrongLanguage => proto::Flag::WrongLanguage,
        Flag::Truncated => proto::Flag::Truncated,
    }
}

/// The flag of a message. One that this client doesn't know is an error: a flagged sentence must not pass as a good
/// one.
pub(super) fn flag(message: i32) -> Result<Flag> {
    Flag::ALL
        .into_iter()
        .find(|flag| flag_message(*flag) as i32 == message)
        .ok_or_else(|| malformed(format!("flag {message} is unknown")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_message_of_its_own() {
        for ours in Flag::ALL {
            assert_eq!(flag(flag_message(ours).into()).unwrap(), ours);
        }
        // And every message but the unspecified one has a flag.
        let messages = (1..).map_while(|number| proto::Flag::try_from(number).ok());
        assert_eq!(messages.count(), Flag::ALL.len());
    }

    #[test]
    fn an_unknown_flag_is_not_taken_for_none() {
        for number in [0, -1, 1000] {
            assert!(flag(number).is_err());
        }
    }
}
