//! Many searches over one model batch.

use super::{Hypothesis, Progress, Search, SearchOptions};
use crate::Result;
use crate::model::{DecoderState, Logits, Seq2Seq};

/// Sentences that are decoded together. They join and leave at any step, and none sees the others.
pub struct Batch<M: Seq2Seq, T> {
    state: M::State,
    /// The rows of the state that go on, where they aren't all of them in their order.
    kept: Option<Vec<usize>>,
    members: Vec<Member<T>>,
    logits: Logits,
}

/// One sentence: its search, the newest tokens of its rows, and the caller's tag.
struct Member<T> {
    search: Search,
    tokens: Vec<u32>,
    tag: T,
}

impl<M: Seq2Seq, T> Default for Batch<M, T> {
    fn default() -> Self {
        Self { state: M::State::default(), kept: None, members: Vec::new(), logits: Logits::default() }
    }
}

impl<M: Seq2Seq, T> Batch<M, T> {
    /// Number of sentences.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nothing to decode.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Number of hypotheses over all sentences: the rows of the next step.
    pub fn rows(&self) -> usize {
        self.members.iter().map(|member| member.tokens.len()).sum()
    }

    /// Adds sentences whose sources are encoded, each with its search's options and a tag.
    ///
    /// # Errors
    /// That of the model's state; [`Self::abandon`] is all that is left to do then.
    pub fn join(
        &mut self,
        model: &M,
        encoded: M::State,
        sentences: impl IntoIterator<Item = (SearchOptions, T)>,
    ) -> Result<()> {
        let spec = model.spec();
        self.members.extend(sentences.into_iter().map(|(options, tag)| Member {
            search: Search::new(options, spec),
            tokens: vec![spec.start],
            tag,
        }));
        self.settle()?;
        self.state.append(encoded)
    }

    /// Removes the sentences whose tag isn't wanted any more.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub fn retain(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<()> {
        self.settle()?;
        let mut rows = Vec::with_capacity(self.rows());
        let mut row = 0;
        let before = self.members.len();
        self.members.retain(|member| {
            let own = row..row + member.tokens.len();
            row = own.end;
            let keep = wanted(&member.tag);
            if keep {
                rows.extend(own);
            }
            keep
        });
        if self.members.len() < before { self.state.select(&rows) } else { Ok(()) }
    }

    /// Takes one step of every search and returns the sentences that are finished.
    ///
    /// # Errors
    /// Those of the model; [`Self::abandon`] is all that is left to do then.
    pub fn step(&mut self, model: &M) -> Result<Vec<(T, Vec<Hypothesis>)>> {
        self.settle()?;
        let tokens: Vec<u32> = self.members.iter().flat_map(|member| member.tokens.iter().copied()).collect();
        model.step(&mut self.state, &tokens, &mut self.logits)?;
        let mut finished = Vec::new();
        let mut rows = Vec::with_capacity(tokens.len());
        let mut first = 0;
        let mut going_on = Vec::with_capacity(self.members.len());
        for mut member in std::mem::take(&mut self.members) {
            let own = first..first + member.tokens.len();
            match member.search.advance(&self.logits, own.start) {
                Progress::Finished(hypotheses) => finished.push((member.tag, hypotheses)),
                Progress::Continue(next) => {
                    rows.extend(next.iter().map(|(row, _)| own.start + row));
                    member.tokens.clear();
                    member.tokens.extend(next.iter().map(|(_, token)| token));
                    going_on.push(member);
                }
            }
            first = own.end;
        }
        self.members = going_on;
        let unchanged = rows.len() == tokens.len() && rows.iter().copied().eq(0..tokens.len());
        if !unchanged {
            // Not at once: if it fails, what is finished must not fail with it.
            self.kept = Some(rows);
        }
        Ok(finished)
    }

    fn settle(&mut self) -> Result<()> {
        self.kept.take().map_or(Ok(()), |rows| self.state.select(&rows))
    }

    /// Empties the batch and returns the tags of what was in it.
    pub fn abandon(&mut self) -> Vec<T> {
        self.state = M::State::default();
        self.kept = None;
        std::mem::take(&mut self.members).into_iter().map(|member| member.tag).collect()
    }
}

/// Translates sources in batches of at most `batch` sentences and returns each one's hypotheses, best first. This is
/// the whole of decoding without a queue: for tests, benchmarks and one-off use.
pub fn generate<M: Seq2Seq>(
    model: &M,
    sources: &[Vec<u32>],
    options: &SearchOptions,
    batch: usize,
) -> Result<Vec<Vec<Hypothesis>>> {
    let mut results = vec![Vec::new(); sources.len()];
    let mut waiting = sources.iter().enumerate();
    let mut decoding = Batch::<M, usize>::default();
    loop {
        let free = batch.max(1).saturating_sub(decoding.len());
        let joining: Vec<_> = waiting.by_ref().take(free).collect();
        if !joining.is_empty() {
            let sources: Vec<&[u32]> = joining.iter().map(|(_, ids)| ids.as_slice()).collect();
            let encoded = model.encode(&sources)?;
            decoding.join(model, encoded, joining.iter().map(|(index, _)| (options.clone(), *index)))?;
        }
        if decoding.is_empty() {
            return Ok(results);
        }
        for (index, hypotheses) in decoding.step(model)? {
            results[index] = hypotheses;
        }
    }
}
