//! A decoding state whose rows know nothing of each other.

use super::DecoderState;
use crate::Result;

/// The rows, each a hypothesis with all that belongs to it. A clone of one should be cheap.
pub struct Rows<R> {
    pub(crate) rows: Vec<R>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<R> FromIterator<R> for Rows<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        Self { rows: rows.into_iter().collect() }
    }
}

impl<R: Clone + Send> DecoderState for Rows<R> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        let mut last_use = vec![None; self.rows.len()];
        for (at, &row) in rows.iter().enumerate() {
            last_use[row] = Some(at);
        }
        // A row's last use takes it; a clone before it would make the next step copy what nobody shares.
        let mut old: Vec<Option<R>> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        self.rows = rows
            .iter()
            .enumerate()
            .filter_map(
                |(at, &row)| if last_use[row] == Some(at) { old[row].take() } else { old[row].clone() },
            )
            .collect();
        Ok(())
    }

    fn append(&mut self, other: Self) -> Result<()> {
        self.rows.extend(other.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_selected_in_any_order_and_number() {
        let mut state: Rows<char> = "abc".chars().collect();
        state.select(&[2, 0, 2]).unwrap();
        assert_eq!(state.rows, ['c', 'a', 'c']);
        state.append("d".chars().collect()).unwrap();
        assert_eq!((state.rows(), state.rows[3]), (4, 'd'));
        assert!(state.check(&[1, 2, 3, 4]).is_ok() && state.check(&[1]).is_err());
    }
}
