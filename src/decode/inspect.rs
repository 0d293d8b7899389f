//! What a model thinks of a translation that is there.

use crate::model::{Logits, LogitsRow, Seq2Seq};
use crate::nn::kernels::log_sum_exp;
use crate::{Error, Result};

/// What a model thinks of a translation, token by token.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// The log-probability of each target token behind those before it, whether or not the search had a choice.
    pub log_probs: Vec<f32>,
    /// Where the model looked for each target token: the weights of all source tokens, which add up to 1. Empty where
    /// the model doesn't align.
    pub attention: Vec<Vec<f32>>,
}

/// Runs a model over a source and a target (token ids, end marks included), giving it the target token by token.
pub fn inspect<M: Seq2Seq>(model: &M, source: &[u32], target: &[u32]) -> Result<Inspection> {
    let mut state = model.encode(&[source])?;
    let mut logits = Logits::default();
    let mut inspection = Inspection { log_probs: Vec::with_capacity(target.len()), attention: Vec::new() };
    let mut previous = model.spec().start;
    for &token in target {
        inspection.attention.extend(model.step_attending(&mut state, &[previous], &mut logits)?);
        inspection.log_probs.push(log_prob(logits.row(0), token)?);
        previous = token;
    }
    Ok(inspection)
}

fn log_prob(row: LogitsRow<'_>, token: u32) -> Result<f32> {
    let index = match row.shortlist {
        Some(shortlist) => shortlist.binary_search(&token).ok(),
        None => Some(token as usize),
    };
    let logit = index.and_then(|index| row.values.get(index));
    let logit =
        logit.ok_or_else(|| Error::Inference(format!("the model can't produce the token {token}")))?;
    Ok(logit - log_sum_exp(row.values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_a_shortlist_by_its_id() {
        let values = [1.0, 3.0];
        let whole = LogitsRow { values: &values, shortlist: None };
        let short = LogitsRow { values: &values, shortlist: Some(&[4, 9]) };
        assert_eq!(log_prob(whole, 1).unwrap().to_bits(), log_prob(short, 9).unwrap().to_bits());
        assert!(log_prob(whole, 2).is_err() && log_prob(short, 1).is_err());
    }
}
