//! A lexical shortlist, learnt from a model's own translations.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::Translator;
use super::sentence::{Request, normalized, pieces};
use crate::Result;
use crate::decode::SearchOptions;
use crate::engine::Priority;
use crate::model::Shortlist;
use crate::options::TranslateOptions;
use crate::review::Attempt;

/// Lines that are being translated at once.
const AT_ONCE: usize = 256;

/// How long the lists of a shortlist are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLengths {
    /// Target tokens that every sentence may use: the most frequent ones.
    pub frequent: usize,
    /// Target tokens that each source token may become: those that it became most often.
    pub best: usize,
}

impl Default for ListLengths {
    fn default() -> Self {
        Self { frequent: 500, best: 50 }
    }
}

/// How often a source token became a target token.
#[derive(Default)]
struct Counts {
    pairs: BTreeMap<(u32, u32), u32>,
    targets: BTreeMap<u32, u32>,
    /// The token that every source ends with.
    end: u32,
}

impl Translator {
    /// Learns from the model's translations of some lines, each of which is one sentence, which target tokens each source
    /// token becomes: for each target token it is the source token that the model looked at most. `progress` is called
    /// after each line.
    ///
    /// # Errors
    /// Those of a translation.
    pub async fn learn_shortlist(
        &self,
        lines: Vec<String>,
        lengths: ListLengths,
        mut progress: impl FnMut(),
    ) -> Result<Shortlist> {
        let options =
            TranslateOptions { beam_size: 1, priority: Priority::Batch, ..TranslateOptions::default() };
        let request = self.request(options)?;
        let mut counts = Counts::default();
        let seen = stream::iter(lines).map(|line| look(&request, line)).buffered(AT_ONCE);
        let mut seen = std::pin::pin!(seen);
        while let Some(links) = seen.next().await {
            for Looks { source, target, attention } in links? {
                counts.add(&source, &target, &attention);
            }
            progress();
        }
        Ok(counts.shortlist(request.model.engine.spec().source_vocabulary, lengths))
    }
}

/// A piece of a sentence, its translation, and for each target token the weights of all source tokens.
struct Looks {
    source: Vec<u32>,
    target: Vec<u32>,
    attention: Vec<Vec<f32>>,
}

async fn look(request: &Request, line: String) -> Result<Vec<Looks>> {
    let Request { model, lane, options, .. } = request;
    let mut looks = Vec::new();
    let text = normalized(line.trim(), options.restore_half_spaces);
    if text.text().is_empty() {
        return Ok(looks);
    }
    for (_, source) in pieces(model, text.text(), Attempt::AsAsked).await? {
        let search = SearchOptions { max_tokens: options.token_limit(source.len()), ..Default::default() };
        for best in lane.translate(source.clone(), search).await?.into_iter().take(1) {
            let attention = lane.inspect(source.clone(), best.ids.clone()).await?.attention;
            looks.push(Looks { source: source.clone(), target: best.ids, attention });
        }
    }
    Ok(looks)
}

impl Counts {
    fn add(&mut self, source: &[u32], target: &[u32], attention: &[Vec<f32>]) {
        self.end = source.last().copied().unwrap_or(self.end);
        for (&target, weights) in target.iter().zip(attention) {
            *self.targets.entry(target).or_default() += 1;
            let most = weights.iter().zip(source).max_by(|(one, _), (other, _)| one.total_cmp(other));
            if let Some((_, &source)) = most {
                *self.pairs.entry((source, target)).or_default() += 1;
            }
        }
    }

    /// The end of a source, which every source has, gets the frequent tokens.
    fn shortlist(&self, source_vocabulary: usize, lengths: ListLengths) -> Shortlist {
        let mut lists = vec![Vec::new(); source_vocabulary];
        let mut pairs =
            self.pairs.iter().map(|(&(source, target), &count)| (source, target, count)).peekable();
        while let Some(&(source, ..)) = pairs.peek() {
            let mut own = Vec::new();
            while let Some((_, target, count)) = pairs.next_if(|&(other, ..)| other == source) {
                own.push((target, count));
            }
            if let Some(list) = lists.get_mut(source as usize) {
                *list = most_frequent(own, lengths.best);
            }
        }
        let targets = self.targets.iter().map(|(&target, &count)| (target, count)).collect();
        if let Some(list) = lists.get_mut(self.end as usize) {
            list.extend(most_frequent(targets, lengths.frequent));
            list.sort_unstable();
            list.dedup();
        }
        Shortlist::new(lists)
    }
}

/// The tokens with the largest counts, ascending.
fn most_frequent(mut counts: Vec<(u32, u32)>, at_most: usize) -> Vec<u32> {
    counts.sort_by_key(|&(token, count)| (std::cmp::Reverse(count), token));
    let mut tokens: Vec<u32> = counts.into_iter().take(at_most).map(|(token, _)| token).collect();
    tokens.sort_unstable();
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_token_gets_what_it_became_most_often_and_the_end_what_is_frequent() {
        let mut counts = Counts::default();
        for _ in 0..2 {
            counts.add(
                &[5, 6, 0],
                &[70, 71, 9],
                &[vec![0.9, 0.1, 0.0], vec![0.2, 0.8, 0.0], vec![0.0, 0.1, 0.9]],
            );
        }
        counts.add(&[5, 0], &[72, 9], &[vec![0.9, 0.1], vec![0.1, 0.9]]);
        let list = counts.shortlist(8, ListLengths { frequent: 1, best: 1 });
        assert_eq!(
            list,
            Shortlist::new([vec![9], vec![], vec![], vec![], vec![], vec![70], vec![71], vec![]])
        );
        let list = counts.shortlist(8, ListLengths { frequent: 9, best: 9 });
        let all = vec![9, 70, 71, 72];
        assert_eq!(
            list,
            Shortlist::new([all, vec![], vec![], vec![], vec![], vec![70, 72], vec![71], vec![]])
        );
    }
}
