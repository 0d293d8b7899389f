//! The logits of a decoding step.

use std::sync::Arc;

/// The logits of a step's rows. Kept from step to step, so that its memory is used again.
#[derive(Debug, Default)]
pub struct Logits {
    values: Vec<f32>,
    /// Where each row ends in `values`.
    ends: Vec<usize>,
    /// The tokens that each row's logits are of; empty where every row has the whole vocabulary.
    shortlists: Vec<Arc<[u32]>>,
}

/// One row of [`Logits`].
#[derive(Debug, Clone, Copy)]
pub struct LogitsRow<'a> {
    /// The logits of the tokens that may come next.
    pub values: &'a [f32],
    /// Which tokens they are of, ascending; without it the whole vocabulary in order.
    pub shortlist: Option<&'a [u32]>,
}

impl Logits {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// A row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> LogitsRow<'_> {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        LogitsRow {
            values: &self.values[start..self.ends[row]],
            shortlist: self.shortlists.get(row).map(|shortlist| &**shortlist),
        }
    }

    /// Starts anew with rows `[rows, vocabulary]` and returns them to be filled.
    pub fn start_full(&mut self, rows: usize, vocabulary: usize) -> &mut [f32] {
        self.start(Vec::new(), (1..=rows).map(|row| row * vocabulary))
    }

    /// Starts anew with a row for each shortlist (ascending tokens) and returns them, one behind the other, to be
    /// filled.
    pub fn start_shortlisted(&mut self, shortlists: Vec<Arc<[u32]>>) -> &mut [f32] {
        let lengths: Vec<usize> = shortlists.iter().map(|shortlist| shortlist.len()).collect();
        let ends = lengths.into_iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        self.start(shortlists, ends)
    }

    fn start(&mut self, shortlists: Vec<Arc<[u32]>>, ends: impl Iterator<Item = usize>) -> &mut [f32] {
        self.shortlists = shortlists;
        self.ends.clear();
        self.ends.extend(ends);
        self.values.resize(self.ends.last().copied().unwrap_or(0), 0.0);
        &mut self.values
    }
}

impl LogitsRow<'_> {
    /// The token of the logit at an index.
    #[expect(clippy::cast_possible_truncation, reason = "a vocabulary has at most 2²⁰ tokens")]
    pub fn token(&self, index: usize) -> u32 {
        self.shortlist.map_or(index as u32, |shortlist| shortlist[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_one_behind_the_other() {
        let mut logits = Logits::default();
        logits.start_full(2, 3).copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((logits.rows(), logits.row(1).values), (2, &[4.0, 5.0, 6.0][..]));
        assert_eq!(logits.row(1).token(2), 2);
    }

    #[test]
    fn a_shortlisted_row_knows_its_tokens() {
        let mut logits = Logits::default();
        logits.start_full(4, 9).fill(9.0);
        let shortlists = [vec![3, 8], vec![0, 1, 7]].map(Arc::from);
        logits.start_shortlisted(shortlists.to_vec()).copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((logits.rows(), logits.row(1).values), (2, &[3.0, 4.0, 5.0][..]));
        assert_eq!((logits.row(0).token(1), logits.row(1).token(2)), (8, 7));
    }
}
