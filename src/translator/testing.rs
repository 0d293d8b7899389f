//! A translator whose model takes a step only when a test allows it.

use std::sync::{Arc, Condvar, Mutex};

use super::Translator;
use super::loaded::LoadedModel;
use super::models::Models;
use crate::Result;
use crate::article::Span;
use crate::engine::{Engine, EngineConfig};
use crate::model::{Logits, ModelInfo, ModelSpec, Rows, Seq2Seq};
use crate::tokenizer::Tokenizer;

/// A sentence with this word is never translated to its end.
pub(crate) const ENDLESS: &str = "بی‌پایان";
/// A sentence with this word makes the model panic.
pub(crate) const POISON: &str = "زهر";
/// Steps that a sentence without these takes: a word and the end mark.
pub(crate) const STEPS: usize = 2;

const START: u32 = 0;
const END: u32 = 1;
const WORD: u32 = 2;
const FOR_EVER: u32 = 3;
const PANIC: u32 = 4;
const VOCABULARY: usize = 5;

/// The steps that a model may take.
#[derive(Clone, Default)]
pub(crate) struct Steps(Arc<(Mutex<usize>, Condvar)>);

impl Steps {
    /// Allows so many more.
    pub(crate) fn allow(&self, steps: usize) {
        *self.0.0.lock().unwrap() += steps;
        self.0.1.notify_all();
    }

    fn take(&self) {
        let left = self.0.1.wait_while(self.0.0.lock().unwrap(), |left| *left == 0);
        *left.unwrap() -= 1;
    }
}

/// A translator of one replica with room for so many hypotheses, which translates every sentence as `word`.
pub(crate) fn translator(max_rows: usize) -> (Translator, Steps) {
    let steps = Steps::default();
    let spec = ModelSpec {
        source_vocabulary: VOCABULARY,
        vocabulary: VOCABULARY,
        start: START,
        forced_first: None,
        end: END,
        pad: START,
        unknown: None,
        max_source: 100,
        max_target: 100,
    };
    let model = Gated { spec, steps: steps.clone() };
    let config = EngineConfig { replicas: 1, threads: 1, max_rows, ..EngineConfig::default() };
    let model = LoadedModel {
        info: Arc::new(ModelInfo { name: "gated".into(), ..ModelInfo::default() }),
        identity: [0; 32],
        tokenizer: Box::new(Words),
        engine: Engine::start(model, &config).unwrap(),
    };
    (Translator { models: Arc::new(Models::new(model)), memory: None }, steps)
}

struct Gated {
    spec: ModelSpec,
    steps: Steps,
}

impl Seq2Seq for Gated {
    /// What each row's sentence is, and how many words it has.
    type State = Rows<(u32, usize)>;

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<Self::State> {
        Ok(sources.iter().map(|source| (source[0], 0)).collect())
    }

    fn step(&self, state: &mut Self::State, _: &[u32], logits: &mut Logits) -> Result<()> {
        self.steps.take();
        let rows = logits.start_full(state.rows.len(), VOCABULARY).chunks_exact_mut(VOCABULARY);
        for ((kind, words), row) in state.rows.iter_mut().zip(rows) {
            assert!(*kind != PANIC, "poisoned");
            let next = if *kind == WORD && *words > 0 { END } else { WORD };
            row.fill(-5.0);
            row[next as usize] = 5.0;
            *words += 1;
        }
        Ok(())
    }
}

struct Words;

impl Tokenizer for Words {
    fn encode_text(&self, text: &str) -> Vec<u32> {
        let kind = match text {
            _ if text.contains(ENDLESS) => FOR_EVER,
            _ if text.contains(POISON) => PANIC,
            _ => WORD,
        };
        vec![kind, END]
    }

    fn source_spans(&self, text: &str) -> Vec<Span> {
        vec![Span::new(0, text.len()), Span::new(text.len(), text.len())]
    }

    fn decode(&self, ids: &[u32]) -> String {
        vec!["word"; ids.iter().filter(|&&id| id == WORD).count()].join(" ")
    }
}
