//! The retry ladder: which other way of translating a sentence is tried next.

use super::{Flag, Flags};

/// A way of translating a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// As the caller asked.
    AsAsked,
    /// With a beam where the caller asked for greedy search, greedily where the caller asked for a beam.
    OtherBeam,
    /// With no sequence of three tokens coming twice.
    BlockedNgrams,
    /// Clause by clause.
    SplitAtClauses,
    /// With the half-spaces as the publisher left them.
    WithoutRestoration,
}

/// What could be tried with a sentence at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Whether restoring half-spaces changed the sentence.
    pub restored: bool,
    /// Whether the sentence has more than one clause.
    pub has_clauses: bool,
}

/// A sentence's way through its attempts. It never offers one twice, and ends after `max_attempts`.
#[derive(Debug)]
pub struct Ladder {
    left: usize,
    tried: Vec<Attempt>,
    situation: Situation,
}

impl Ladder {
    /// A ladder whose first step, [`Attempt::AsAsked`], is already being taken.
    pub fn new(max_attempts: usize, situation: Situation) -> Self {
        Self { left: max_attempts.saturating_sub(1), tried: vec![Attempt::AsAsked], situation }
    }

    /// What to try next, given what the best attempt so far is flagged with; nothing where no flag calls for more or
    /// nothing is left to try.
    pub fn next(&mut self, flags: Flags) -> Option<Attempt> {
        if self.left == 0 || !flags.iter().any(Flag::is_retryable) {
            return None;
        }
        let attempt = Self::order(flags).into_iter().find(|attempt| {
            let possible = match attempt {
                Attempt::WithoutRestoration => self.situation.restored,
                Attempt::SplitAtClauses => self.situation.has_clauses,
                _ => true,
            };
            possible && !self.tried.contains(attempt)
        })?;
        self.left -= 1;
        self.tried.push(attempt);
        Some(attempt)
    }

    /// The attempts in the order that suits what is wrong.
    fn order(flags: Flags) -> [Attempt; 4] {
        use Attempt::{BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration};
        if flags.contains(Flag::RepetitionLoop) || flags.contains(Flag::Truncated) {
            [BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration]
        } else if flags.contains(Flag::NumbersDiffer) {
            [OtherBeam, SplitAtClauses, WithoutRestoration, BlockedNgrams]
        } else {
            [OtherBeam, BlockedNgrams, SplitAtClauses, WithoutRestoration]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Situation = Situation { restored: true, has_clauses: true };

    #[test]
    fn a_clean_translation_is_not_tried_again() {
        assert_eq!(Ladder::new(4, ALL).next(Flags::default()), None);
        assert_eq!(Ladder::new(4, ALL).next(Flags::from_iter([Flag::WrongLanguage])), None);
    }

    #[test]
    fn it_ends_after_the_allowed_attempts_and_offers_none_twice() {
        for allowed in 1..=6 {
            let mut ladder = Ladder::new(allowed, ALL);
            let mut seen = vec![Attempt::AsAsked];
            while let Some(attempt) = ladder.next(Flags::from_iter([Flag::Empty])) {
                assert!(!seen.contains(&attempt));
                seen.push(attempt);
            }
            assert_eq!(seen.len(), allowed.min(5));
        }
    }

    #[test]
    fn what_cannot_differ_is_skipped() {
        let mut ladder = Ladder::new(9, Situation { restored: false, has_clauses: false });
        let flags = Flags::from_iter([Flag::RepetitionLoop]);
        assert_eq!(ladder.next(flags), Some(Attempt::BlockedNgrams));
        assert_eq!(ladder.next(flags), Some(Attempt::OtherBeam));
        assert_eq!(ladder.next(flags), None);
    }
}
