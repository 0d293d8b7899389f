//! The retry ladder: which other way of translating a sentence is tried next, and which attempt is kept.

use std::cmp::Ordering;

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
        let attempt = order(flags)
            .into_iter()
            .find(|attempt| !self.tried.contains(attempt) && may_differ(*attempt, flags, self.situation))?;
        self.left -= 1;
        self.tried.push(attempt);
        Some(attempt)
    }
}

/// Compares two attempts by their flags and the model's scores: [`Ordering::Greater`] where the first is better. What
/// is flagged counts first, since the model is often surest of its loops.
pub fn better(one: (Flags, f32), other: (Flags, f32)) -> Ordering {
    // Whatever its sign bit, a score that isn't a number is the worst.
    let score = |score: f32| if score.is_nan() { f32::NEG_INFINITY } else { score };
    other.0.severity().cmp(&one.0.severity()).then(score(one.1).total_cmp(&score(other.1)))
}

/// The attempts in the order that suits what is worst.
fn order(flags: Flags) -> [Attempt; 4] {
    use Attempt::{BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration};
    let has = |flag| flags.contains(flag);
    if has(Flag::RepetitionLoop) || has(Flag::Truncated) {
        [BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration]
    } else if has(Flag::Empty) || has(Flag::LengthRatio) {
        // A model that stops early skips whole clauses; each by itself it has to translate.
        [SplitAtClauses, OtherBeam, WithoutRestoration, BlockedNgrams]
    } else {
        [OtherBeam, WithoutRestoration, SplitAtClauses, BlockedNgrams]
    }
}

/// Whether an attempt could give anything else than the ones before.
fn may_differ(attempt: Attempt, flags: Flags, situation: Situation) -> bool {
    // A word that is left in Persian, or no word at all, comes from no repetition.
    let may_repeat = [Flag::RepetitionLoop, Flag::Truncated, Flag::LengthRatio, Flag::NumbersDiffer];
    match attempt {
        Attempt::AsAsked | Attempt::OtherBeam => true,
        Attempt::BlockedNgrams => may_repeat.into_iter().any(|flag| flags.contains(flag)),
        Attempt::SplitAtClauses => situation.has_clauses,
        Attempt::WithoutRestoration => situation.restored,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Situation = Situation { restored: true, has_clauses: true };

    fn set(flags: &[Flag]) -> Flags {
        flags.iter().copied().collect()
    }

    fn way(max_attempts: usize, situation: Situation, flags: &[Flag]) -> Vec<Attempt> {
        let mut ladder = Ladder::new(max_attempts, situation);
        std::iter::from_fn(|| ladder.next(set(flags))).collect()
    }

    #[test]
    fn a_clean_translation_is_not_tried_again() {
        assert_eq!(way(4, ALL, &[]), []);
        assert_eq!(way(4, ALL, &[Flag::WrongLanguage, Flag::SplitTooLong]), []);
    }

    #[test]
    fn what_is_wrong_decides_what_is_tried_first() {
        use Attempt::{BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration};
        let cases: [(&[Flag], &[Attempt]); 6] = [
            (&[Flag::RepetitionLoop], &[BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration]),
            (
                &[Flag::NumbersDiffer, Flag::Truncated],
                &[BlockedNgrams, OtherBeam, SplitAtClauses, WithoutRestoration],
            ),
            (&[Flag::NumbersDiffer], &[OtherBeam, WithoutRestoration, SplitAtClauses, BlockedNgrams]),
            (&[Flag::LengthRatio], &[SplitAtClauses, OtherBeam, WithoutRestoration, BlockedNgrams]),
            (&[Flag::Empty], &[SplitAtClauses, OtherBeam, WithoutRestoration]),
            (
                &[Flag::SourceEcho, Flag::ArabicScriptLeft, Flag::WrongLanguage],
                &[OtherBeam, WithoutRestoration, SplitAtClauses],
            ),
        ];
        for (flags, expected) in cases {
            assert_eq!(way(9, ALL, flags), expected, "{flags:?}");
        }
    }

    #[test]
    fn what_cannot_differ_is_skipped() {
        let nothing = Situation { restored: false, has_clauses: false };
        assert_eq!(way(9, nothing, &[Flag::RepetitionLoop]), [Attempt::BlockedNgrams, Attempt::OtherBeam]);
        assert_eq!(way(9, nothing, &[Flag::ArabicScriptLeft]), [Attempt::OtherBeam]);
    }

    #[test]
    fn the_way_changes_with_the_flags() {
        let mut ladder = Ladder::new(4, ALL);
        assert_eq!(ladder.next(set(&[Flag::RepetitionLoop])), Some(Attempt::BlockedNgrams));
        assert_eq!(ladder.next(set(&[Flag::LengthRatio])), Some(Attempt::SplitAtClauses));
        assert_eq!(ladder.next(set(&[Flag::LengthRatio])), Some(Attempt::OtherBeam));
        assert_eq!(ladder.next(set(&[Flag::LengthRatio])), None);
    }

    #[test]
    fn the_lesser_fault_wins_and_then_the_higher_score() {
        let clean = set(&[]);
        let numbers = set(&[Flag::NumbersDiffer]);
        assert_eq!(better((clean, -2.0), (numbers, -0.1)), Ordering::Greater);
        assert_eq!(better((numbers, -0.1), (numbers, -0.2)), Ordering::Greater);
        assert_eq!(better((numbers, -0.2), (numbers, -0.2)), Ordering::Equal);
        assert_eq!(better((set(&[Flag::Empty]), 0.0), (numbers, -9.0)), Ordering::Less);
        for not_a_number in [f32::NAN, -f32::NAN] {
            assert_eq!(better((numbers, not_a_number), (numbers, -9.0)), Ordering::Less);
            assert_eq!(better((clean, not_a_number), (numbers, 0.0)), Ordering::Greater);
        }
    }

    proptest! {
        #[test]
        fn it_ends_in_time_and_offers_nothing_twice(
            max_attempts in 0_usize..9,
            restored: bool,
            has_clauses: bool,
            flags in proptest::collection::vec(proptest::collection::vec(0..Flag::ALL.len(), 0..4), 12),
        ) {
            let mut ladder = Ladder::new(max_attempts, Situation { restored, has_clauses });
            let mut seen = vec![Attempt::AsAsked];
            for flags in flags {
                let flags = flags.into_iter().map(|index| Flag::ALL[index]).collect();
                if let Some(attempt) = ladder.next(flags) {
                    prop_assert!(!seen.contains(&attempt));
                    seen.push(attempt);
                }
            }
            prop_assert!(seen.len() <= max_attempts.max(1));
        }
    }
}
