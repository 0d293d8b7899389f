//! Greedy search.

use super::candidates::{Best, Candidate};
use super::{Constraints, Progress};
use crate::model::LogitsRow;

/// Takes the best token at every step.
pub struct Greedy {
    constraints: Constraints,
    ids: Vec<u32>,
    log_prob: f32,
}

impl Greedy {
    pub(super) fn new(constraints: Constraints) -> Self {
        Self { constraints, ids: Vec::new(), log_prob: 0.0 }
    }

    /// Takes the next step, given the logits of the only row.
    pub(super) fn advance(&mut self, logits: LogitsRow<'_>) -> Progress {
        let end = self.constraints.end;
        let best = if let Some(token) = self.constraints.forced(self.ids.len()) {
            Candidate { row: 0, token, log_prob: self.log_prob }
        } else {
            let mut best = Best::new(1);
            best.offer_row(0, self.log_prob, logits, &self.constraints.blocked(&self.ids));
            // Nothing is left to choose from where everything is blocked, or the model computes no numbers.
            let nothing = Candidate { row: 0, token: end, log_prob: f32::NEG_INFINITY };
            best.into_sorted().first().copied().unwrap_or(nothing)
        };
        self.ids.push(best.token);
        self.log_prob = best.log_prob;
        if best.token == end {
            let ids = std::mem::take(&mut self.ids);
            return Progress::Finished(vec![self.constraints.hypothesis(ids, self.log_prob)]);
        }
        Progress::Continue(vec![(0, best.token)])
    }
}
