//! Many searches over one model batch.

use super::{Hypothesis, Progress, Search, SearchOptions};
use crate::Result;
use crate::model::{DecoderState, Logits, Seq2Seq};

/// Sentences that are decoded together. They join and leave at any step, and none sees the others.
pub struct Batch<M: Seq2Seq, T> {
    state: M::State,
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
        Self { state: M::State::default(), members: Vec::new(), logits: Logits::default() }
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
        self.state.rows()
    }

    /// Encodes the sources of sentences that are to join.
    pub fn encode<S: AsRef<[u32]>>(&self, model: &M, sentences: &[(S, SearchOptions)]) -> Result<M::State> {
        let sources: Vec<&[u32]> = sentences.iter().map(|(source, _)| source.as_ref()).collect();
        model.encode(&sources)
    }

    /// Adds sentences whose sources are encoded, each with its search's options and a tag.
    pub fn join(
        &mut self,
        model: &M,
        encoded: M::State,
        sentences: impl IntoIterator<Item = (SearchOptions, T)>,
    ) {
        self.state.append(encoded);
        let spec = model.spec();
        self.members.extend(sentences.into_iter().map(|(options, tag)| Member {
            search: Search::new(options, spec),
            tokens: vec![spec.start],
            tag,
        }));
    }

    /// Removes the sentences whose tag isn't wanted any more.
    pub fn retain(&mut self, mut wanted: impl FnMut(&T) -> bool) {
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
        if self.members.len() < before {
            self.state.select(&rows);
        }
    }

    /// Takes one step of every search and returns the sentences that are finished.
    pub fn step(&mut self, model: &M) -> Result<Vec<(T, Vec<Hypothesis>)>> {
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
            self.state.select(&rows);
        }
        Ok(finished)
    }

    /// Empties the batch and returns the tags of what was in it.
    pub fn abandon(&mut self) -> Vec<T> {
        self.state = M::State::default();
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
            let sources: Vec<_> = joining.iter().map(|(_, ids)| (ids, options.clone())).collect();
            let encoded = decoding.encode(model, &sources)?;
            decoding.join(model, encoded, joining.iter().map(|(index, _)| (options.clone(), *index)));
        }
        if decoding.is_empty() {
            return Ok(results);
        }
        for (index, hypotheses) in decoding.step(model)? {
            results[index] = hypotheses;
        }
    }
}
