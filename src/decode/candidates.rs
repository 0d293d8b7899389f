//! The best continuations of a hypothesis.

use crate::model::LogitsRow;
use crate::nn::kernels::log_sum_exp;

/// A token that could come next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// The row that it continues.
    pub row: usize,
    /// The token.
    pub token: u32,
    /// Log-probability of the row's hypothesis with the token.
    pub log_prob: f32,
}

/// The best `count` candidates over several rows, best first. Of two that are equal, the one that was offered first
/// is better, so a result never depends on anything but the numbers.
pub(super) struct Best {
    count: usize,
    candidates: Vec<Candidate>,
}

/// Logits that are compared with the worst candidate at once.
const CHUNK: usize = 32;

impl Best {
    pub(super) fn new(count: usize) -> Self {
        Self { count, candidates: Vec::with_capacity(count + 1) }
    }

    /// Offers one token with a log-probability that is known already.
    pub(super) fn offer(&mut self, candidate: Candidate) {
        if candidate.log_prob.is_nan() || (self.is_full() && candidate.log_prob <= self.threshold()) {
            return;
        }
        let at = self.candidates.partition_point(|other| other.log_prob >= candidate.log_prob);
        self.candidates.insert(at, candidate);
        self.candidates.truncate(self.count);
    }

    /// Offers every token of a row, but those that are `blocked`. `log_prob` is the row's own.
    pub(super) fn offer_row(&mut self, row: usize, log_prob: f32, logits: LogitsRow<'_>, blocked: &[u32]) {
        // log softmax as PyTorch rounds it: the normaliser is subtracted before the row's own is added.
        let total = log_sum_exp(logits.values);
        for (chunk, values) in logits.values.chunks(CHUNK).enumerate() {
            // A comparison that vectorises decides for most chunks that nothing in them is of interest.
            let threshold = if self.is_full() { self.threshold() } else { f32::NEG_INFINITY };
            let any = values.iter().map(|logit| u32::from(logit - total + log_prob > threshold)).sum::<u32>();
            if any == 0 {
                continue;
            }
            for (index, logit) in (chunk * CHUNK..).zip(values) {
                let candidate =
                    Candidate { row, token: logits.token(index), log_prob: logit - total + log_prob };
                if (!self.is_full() || candidate.log_prob > self.threshold())
                    && !blocked.contains(&candidate.token)
                {
                    self.offer(candidate);
                }
            }
        }
    }

    pub(super) fn into_sorted(self) -> Vec<Candidate> {
        self.candidates
    }

    fn is_full(&self) -> bool {
        self.candidates.len() == self.count
    }

    fn threshold(&self) -> f32 {
        self.candidates.last().map_or(f32::NEG_INFINITY, |worst| worst.log_prob)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_sorting_everything_would(
            rows in prop::collection::vec(prop::collection::vec(-9f32..9.0, 100), 1..4),
            blocked in prop::collection::vec(0u32..100, 0..5),
            count in 1usize..9,
        ) {
            let mut best = Best::new(count);
            let mut all = Vec::new();
            for (row, logits) in rows.iter().enumerate() {
                best.offer_row(row, 0.5, LogitsRow { values: logits, shortlist: None }, &blocked);
                let total = log_sum_exp(logits);
                all.extend((0..).zip(logits).filter(|(token, _)| !blocked.contains(token)).map(|(token, logit)| {
                    Candidate { row, token, log_prob: logit - total + 0.5 }
                }));
            }
            all.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob));
            all.truncate(count);
            prop_assert_eq!(best.into_sorted(), all);
        }
    }

    #[test]
    fn a_shortlisted_row_offers_its_own_tokens() {
        let mut best = Best::new(1);
        let row = LogitsRow { values: &[0.5, 2.0, 1.0], shortlist: Some(&[3, 70, 90]) };
        best.offer_row(0, 0.0, row, &[70]);
        assert_eq!(best.into_sorted()[0].token, 90);
    }

    #[test]
    fn a_row_of_nothing_but_nan_offers_nothing() {
        let mut best = Best::new(2);
        best.offer_row(0, 0.0, LogitsRow { values: &[f32::NAN; 70], shortlist: None }, &[]);
        assert_eq!(best.into_sorted(), []);
    }
}
