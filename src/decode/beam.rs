//! Beam search with the semantics of Hugging Face's `generate` (`GenerationMixin._beam_search` of transformers 5,
//! `early_stopping=False`), so that both find the same translations.

use super::candidates::{Best, Candidate};
use super::{Constraints, Hypothesis, Progress, length_factor};
use crate::model::Logits;

/// Follows the best few hypotheses.
pub struct Beam {
    constraints: Constraints,
    running: Vec<Running>,
    /// The best finished hypotheses, best first, at most as many as the beam is wide.
    finished: Vec<Hypothesis>,
    /// Tokens of the running hypotheses.
    length: usize,
}

/// A hypothesis that goes on.
struct Running {
    ids: Vec<u32>,
    log_prob: f32,
}

impl Beam {
    pub(super) fn new(constraints: Constraints) -> Self {
        let running = vec![Running { ids: Vec::new(), log_prob: 0.0 }];
        Self { constraints, running, finished: Vec::new(), length: 0 }
    }

    /// Takes the next step, given the logits; those of the running hypotheses start at the row `first`.
    pub(super) fn advance(&mut self, logits: &Logits, first: usize) -> Progress {
        let width = self.constraints.options.beam_size;
        let candidates = self.candidates(logits, first);
        self.length += 1;
        let mut rows = Vec::with_capacity(width);
        let mut running = Vec::with_capacity(width);
        for (rank, candidate) in candidates.iter().enumerate() {
            let mut ids = Vec::with_capacity(self.length + 1);
            ids.extend_from_slice(&self.running[candidate.row].ids);
            ids.push(candidate.token);
            if candidate.token == self.constraints.end {
                // Only the first `width` candidates may end; the others are there to keep the beam full.
                if rank < width {
                    self.finish(ids, candidate.log_prob);
                }
            } else if running.len() < width {
                rows.push((candidate.row, candidate.token));
                running.push(Running { ids, log_prob: candidate.log_prob });
            }
        }
        self.running = running;
        if self.can_improve() {
            return Progress::Continue(rows);
        }
        let mut finished = std::mem::take(&mut self.finished);
        if finished.is_empty() {
            // Every continuation was blocked, or the model computes no numbers: an empty translation, and a score
            // that says so.
            finished.push(self.constraints.hypothesis(vec![self.constraints.end], f32::NEG_INFINITY));
        }
        finished.truncate(self.constraints.options.n_best);
        Progress::Finished(finished)
    }

    /// The best continuations of all running hypotheses: twice as many as the beam is wide, so that enough are left
    /// to go on where many end.
    fn candidates(&self, logits: &Logits, first: usize) -> Vec<Candidate> {
        let mut best = Best::new(2 * self.constraints.options.beam_size);
        for (row, hypothesis) in self.running.iter().enumerate() {
            if let Some(token) = self.constraints.forced(self.length) {
                best.offer(Candidate { row, token, log_prob: hypothesis.log_prob });
            } else {
                let blocked = self.constraints.blocked(&hypothesis.ids);
                best.offer_row(row, hypothesis.log_prob, logits.row(first + row), &blocked);
            }
        }
        best.into_sorted()
    }

    fn finish(&mut self, ids: Vec<u32>, log_prob: f32) {
        let hypothesis = self.constraints.hypothesis(ids, log_prob);
        let at = self.finished.partition_point(|other| other.score >= hypothesis.score);
        self.finished.insert(at, hypothesis);
        self.finished.truncate(self.constraints.options.beam_size);
    }

    /// Whether a running hypothesis could still be among the best. Like the reference, this compares the best of
    /// them at its present length with the worst finished one, and never gives up before the beam is full.
    fn can_improve(&self) -> bool {
        let Some(best) = self.running.first() else { return false };
        match self.finished.last() {
            Some(worst) if self.finished.len() == self.constraints.options.beam_size => {
                best.log_prob / length_factor(self.length, self.constraints.options.length_penalty)
                    > worst.score
            }
            _ => true,
        }
    }
}
