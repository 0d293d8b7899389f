//! Model families behind one small trait.

mod compressed;
mod config;
mod logits;
mod rows;
mod shortlist;
pub mod student;
pub mod t5;
mod transformer;
mod weights;

pub use compressed::unpack;
pub use logits::{Logits, LogitsRow};
pub use rows::Rows;
pub use shortlist::Shortlist;
pub use student::Student;
pub use t5::T5;
pub use transformer::{PaddedState, PaddedTransformer, Transformer};
pub use weights::{WeightMatrix, Weights};
pub(crate) use weights::{digest, digest_files};

use crate::{Error, Result};

/// An encoder-decoder translation model. Weights are immutable; everything that belongs to a sentence lives in the
/// state, which the caller owns.
pub trait Seq2Seq: Send + Sync + 'static {
    /// The decoding state of a batch of hypotheses, one row each.
    type State: DecoderState;

    /// What the search needs to know of the model.
    fn spec(&self) -> &ModelSpec;

    /// Encodes source sentences (token ids, end mark included) and returns a state with one row for each.
    fn encode(&self, sources: &[&[u32]]) -> Result<Self::State>;

    /// Feeds each row its newest token and computes the logits of the next.
    fn step(&self, state: &mut Self::State, tokens: &[u32], logits: &mut Logits) -> Result<()>;

    /// A [`Self::step`] that also tells where the rows look: for each row the weights of all source tokens, which add up
    /// to 1. They are the mean over the heads of the cross-attention of the last layer, or of the layer and head that
    /// were trained to align where the model has such. A model that doesn't tell
    /// returns nothing.
    fn step_attending(
        &self,
        state: &mut Self::State,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Vec<Vec<f32>>> {
        self.step(state, tokens, logits)?;
        Ok(Vec::new())
    }
}

/// The rows of a decoding state.
pub trait DecoderState: Send + Default {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Replaces the rows by the ones at these indices, in that order; an index may come several times or never.
    fn select(&mut self, rows: &[usize]) -> Result<()>;

    /// Appends another state's rows.
    fn append(&mut self, other: Self) -> Result<()>;

    /// Checks that there is a token for each row.
    ///
    /// # Errors
    /// [`Error::Inference`] with both numbers.
    fn check(&self, tokens: &[u32]) -> Result<()> {
        if tokens.len() == self.rows() {
            return Ok(());
        }
        Err(Error::Inference(format!("{} tokens for {} rows", tokens.len(), self.rows())))
    }
}

/// What the search needs to know of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpec {
    /// Number of source tokens.
    pub source_vocabulary: usize,
    /// Number of target tokens, the width of the logits.
    pub vocabulary: usize,
    /// The token that decoding starts from.
    pub start: u32,
    /// The first token of every target, where the model wants one: the target's language.
    pub forced_first: Option<u32>,
    /// The end mark.
    pub end: u32,
    /// The padding token, never produced.
    pub pad: u32,
    /// The token for what the vocabulary lacks.
    pub unknown: Option<u32>,
    /// The longest source that is translated in one piece, in tokens, end mark included.
    pub max_source: usize,
    /// The longest target, in tokens, end mark included.
    pub max_target: usize,
}

/// What a user should know of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ModelInfo {
    /// The name to ask for it by.
    pub name: String,
    /// Its family, e.g. `marian`.
    pub family: String,
    /// SHA-256 of its weights file, in hexadecimal.
    pub digest: String,
    /// BCP 47 tag of the language that it reads.
    pub source_language: String,
    /// BCP 47 tag of the language that it writes.
    pub target_language: String,
    /// Its licence as an SPDX expression; empty where it isn't known.
    pub licence: String,
    /// What it computes in: `int8` or `f32`; or what its weights are, a type of GGUF such as `q4k`.
    pub precision: String,
    /// What a user should know before relying on it; may be empty.
    pub note: String,
    /// Whether it can be used.
    pub state: ModelState,
}

/// Whether a model can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelState {
    /// Not yet.
    Loading,
    /// It can.
    #[default]
    Ready,
}
