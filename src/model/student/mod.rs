//! Students as Mozilla's Firefox Translations and the Bergamot project train them (Kim et al. 2019, "From Research to
//! Production and Back"): a post-norm transformer encoder, a decoder of simpler simple recurrent units, int8 weights,
//! a lexical shortlist. In the layout and with the numerics of marian-dev (`src/models/transformer.h`, the class
//! `SSRU` of `src/rnn/cells.h`).

mod config;
mod file;
mod layers;
mod shortlist;
mod tables;

use std::sync::Arc;

use candle_core::{Device, Tensor};

use config::StudentConfig;
pub use file::ModelFile;
use layers::{DecoderLayer, EncoderLayer};
pub use shortlist::Shortlist;
use tables::{OutputLayer, Shortlisted, Table, Tables};

use super::{DecoderState, Logits, ModelSpec, Rows, Seq2Seq};
use crate::Result;
use crate::nn::{Memory, Precision, SinusoidalPositions, attention_weights, cross_attention, self_attention};

/// The longest source in one piece, as Firefox sets it (`max-length-break`).
const MAX_SOURCE: usize = 128;
/// The longest target. A model has no limit of its own, as its positions are computed.
const MAX_TARGET: usize = 512;
/// A padding token, which students haven't got.
const NO_TOKEN: u32 = u32::MAX;

/// A student on the CPU: int8 where its file is, else `f32`.
pub struct Student {
    spec: ModelSpec,
    features: usize,
    heads: usize,
    source_embedding: Table,
    target_embedding: Table,
    positions: SinusoidalPositions,
    encoder: Vec<EncoderLayer>,
    decoder: Vec<DecoderLayer>,
    output: OutputLayer,
    shortlist: Option<Shortlist>,
    shared: bool,
    /// The decoder's layer whose first head was trained to align, from 0 on.
    aligning_layer: usize,
}

impl Student {
    /// Builds the model from its file. `end` and `unknown` are the target vocabulary's `</s>` and `<unk>`.
    ///
    /// # Errors
    /// What is wrong with the file, in words that continue its name.
    pub fn new(file: &ModelFile, end: u32, unknown: u32) -> Result<Self, String> {
        let config = StudentConfig::parse(file.config()?)?;
        let tables = Tables::load(file, &config)?;
        let encoder = (1..=config.encoder_layers).map(|layer| EncoderLayer::load(file, &config, layer));
        let encoder = encoder.collect::<Result<_, String>>()?;
        let decoder = (1..=config.decoder_layers).map(|layer| DecoderLayer::load(file, &config, layer));
        let decoder = decoder.collect::<Result<_, String>>()?;
        // After the layers, whose size vouches for the number of features.
        let positions = SinusoidalPositions::student(MAX_TARGET, config.features, &Device::Cpu);
        Ok(Self {
            spec: ModelSpec {
                vocabulary: tables.target.tokens(),
                start: end,
                forced_first: None,
                end,
                pad: NO_TOKEN,
                unknown: Some(unknown),
                max_source: MAX_SOURCE,
                max_target: MAX_TARGET,
            },
            features: config.features,
            heads: config.heads,
            source_embedding: tables.source,
            target_embedding: tables.target,
            positions: positions.map_err(|error| error.to_string())?,
            encoder,
            decoder,
            output: tables.output,
            shortlist: None,
            shared: config.shared,
            aligning_layer: config.aligning_layer - 1,
        })
    }

    /// Confines translations to what a lexical shortlist allows each source sentence.
    ///
    /// # Errors
    /// Why it doesn't fit the model, in words that continue its file's name.
    pub fn with_shortlist(self, shortlist: Shortlist) -> Result<Self, String> {
        shortlist.check(self.source_tokens(), self.spec.vocabulary)?;
        Ok(Self { shortlist: Some(shortlist), ..self })
    }

    /// Number of source tokens that the model has embeddings for.
    pub fn source_tokens(&self) -> usize {
        self.source_embedding.tokens()
    }

    /// What it computes in.
    pub fn precision(&self) -> Precision {
        if self.encoder.iter().any(EncoderLayer::is_int8) { Precision::Int8 } else { Precision::F32 }
    }

    fn embed(&self, table: &Table, ids: &[u32], positions: &[u32]) -> candle_core::Result<Tensor> {
        table.embed(ids)? + self.positions.forward(positions)?
    }

    /// The newest tokens' embeddings. Before the first token there is only a position: Marian shifts a target to the
    /// right and fills it up with zeros, not with an embedding.
    fn embed_targets(&self, rows: &[Row], tokens: &[u32]) -> candle_core::Result<Tensor> {
        let positions: Vec<u32> = rows.iter().map(|row| row.length).collect();
        let embedded = self.target_embedding.embed(tokens)?;
        let embedded = if positions.contains(&0) {
            let is_later: Vec<f32> = positions.iter().map(|&at| f32::from(u8::from(at > 0))).collect();
            embedded.broadcast_mul(&Tensor::from_vec(is_later, (rows.len(), 1), embedded.device())?)?
        } else {
            embedded
        };
        embedded + self.positions.forward(&positions)?
    }

    /// Takes a step; `looks` gets the weights of the head that was trained to align, where they are wanted.
    fn advance(
        &self,
        state: &mut Rows<Row>,
        tokens: &[u32],
        logits: &mut Logits,
        mut looks: Option<&mut Vec<Vec<f32>>>,
    ) -> Result<()> {
        state.check(tokens)?;
        if tokens.is_empty() {
            logits.start_full(0, self.spec.vocabulary);
            return Ok(());
        }
        // Each row is a sentence to itself.
        let ones = vec![1; tokens.len()];
        let mut x = self.embed_targets(&state.rows, tokens)?;
        for (index, layer) in self.decoder.iter().enumerate() {
            let cells =
                state.rows.iter_mut().map(|row| &mut row.cells[index * self.features..][..self.features]);
            x = layer.unit.forward(&x, cells)?;
            let memories: Vec<&Memory> = state.rows.iter().map(|row| &*row.memory).collect();
            let query = layer.attention.query(&x, &ones)?;
            if let Some(looks) = looks.as_deref_mut().filter(|_| index == self.aligning_layer) {
                *looks = attention_weights(&query, self.heads, 1, index, &memories)?;
            }
            let attended = cross_attention(&query, self.heads, index, &memories)?;
            x = layer.attention.finish(&attended, &x, &ones)?;
            x = layer.feed_forward.forward(&x, &ones)?;
        }
        for row in &mut state.rows {
            row.length += 1;
        }
        let shortlists: Option<Vec<_>> = state.rows.iter().map(|row| row.shortlist.clone()).collect();
        match shortlists {
            Some(shortlists) => self.output.shortlisted(&x, &shortlists, logits)?,
            None => self.output.all(&x, logits)?,
        }
        Ok(())
    }
}

impl Seq2Seq for Student {
    type State = Rows<Row>;

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<Rows<Row>> {
        if sources.is_empty() {
            return Ok(Rows::default());
        }
        let lengths: Vec<usize> = sources.iter().map(|source| source.len()).collect();
        let positions: Vec<u32> = sources.iter().flat_map(|source| (0..).take(source.len())).collect();
        let mut x = self.embed(&self.source_embedding, &sources.concat(), &positions)?;
        for layer in &self.encoder {
            let attended = self_attention(&layer.attention.qkv(&x, &lengths)?, self.heads, &lengths)?;
            x = layer.attention.finish(&attended, &x, &lengths)?;
            x = layer.feed_forward.forward(&x, &lengths)?;
        }
        let projections: candle_core::Result<Vec<_>> =
            self.decoder.iter().map(|layer| layer.attention.memory(&x, &lengths)).collect();
        let memories = Memory::split(&projections?, &lengths)?;
        let shortlist = |source: &[u32]| {
            let tokens = self.shortlist.as_ref()?.candidates(source, self.spec.vocabulary, self.shared);
            Some(Arc::new(self.output.shortlist(tokens)))
        };
        let rows = memories.into_iter().zip(sources).map(|(memory, source)| Row {
            memory: Arc::new(memory),
            shortlist: shortlist(source),
            cells: vec![0.0; self.decoder.len() * self.features],
            length: 0,
        });
        Ok(rows.collect())
    }

    fn step(&self, state: &mut Rows<Row>, tokens: &[u32], logits: &mut Logits) -> Result<()> {
        self.advance(state, tokens, logits, None)
    }

    const ALIGNS: bool = true;

    fn step_attending(
        &self,
        state: &mut Rows<Row>,
        tokens: &[u32],
        logits: &mut Logits,
    ) -> Result<Vec<Vec<f32>>> {
        let mut looks = Vec::new();
        self.advance(state, tokens, logits, Some(&mut looks))?;
        Ok(looks)
    }
}

/// One hypothesis: its source, and all that the decoder remembers of its target.
#[derive(Clone)]
pub struct Row {
    memory: Arc<Memory>,
    shortlist: Option<Arc<Shortlisted>>,
    /// The recurrent units' cells, layer by layer.
    cells: Vec<f32>,
    /// Number of tokens so far.
    length: u32,
}
