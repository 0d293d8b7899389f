//! Students as Mozilla's Firefox Translations and the Bergamot project train them (Kim et al. 2019, "From Research to
//! Production and Back"): a post-norm transformer encoder, a decoder of simpler simple recurrent units, int8 weights,
//! a lexical shortlist. In the layout and with the numerics of marian-dev (`src/models/transformer.h`, the class
//! `SSRU` of `src/rnn/cells.h`).

mod config;
mod file;
mod layers;
mod tables;

use std::cell::Cell;
use std::sync::Arc;

use config::StudentConfig;
pub use file::ModelFile;
use layers::{Buffers, DecoderLayer, EncoderLayer};
use tables::{OutputLayer, Projection, Table, Tables};

use super::shortlist::{Shortlist, Shortlisted, project_shortlisted};
use super::{DecoderState, Logits, ModelSpec, Rows, Seq2Seq};
use crate::Result;
use crate::nn::{Memory, Precision, SinusoidalPositions, attention_weights, cross_attention, self_attention};

/// The longest source in one piece, as Firefox sets it (`max-length-break`).
const MAX_SOURCE: usize = 128;
/// The longest target. A model has no limit of its own, as its positions are computed.
const MAX_TARGET: usize = 512;
/// A padding token, which students haven't got.
const NO_TOKEN: u32 = u32::MAX;

thread_local! {
    /// What the steps of this thread work in: after the first ones they find all the memory that they need.
    static BUFFERS: Cell<Buffers> = Cell::default();
}

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
        let positions = SinusoidalPositions::student(MAX_TARGET, config.features);
        Ok(Self {
            spec: ModelSpec {
                source_vocabulary: tables.source.tokens(),
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
            positions,
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

    /// The newest tokens' embeddings. Before the first token there is only a position: Marian shifts a target to the
    /// right and fills it up with zeros, not with an embedding.
    fn embed_targets(&self, rows: &[Row], tokens: &[u32], x: &mut Vec<f32>) -> Result<()> {
        self.target_embedding.embed(tokens, x)?;
        for (row, embedded) in rows.iter().zip(x.chunks_exact_mut(self.features)) {
            if row.length == 0 {
                embedded.fill(0.0);
            }
        }
        self.positions.add_to(x, rows.iter().map(|row| row.length))?;
        Ok(())
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
        let mut x = BUFFERS.take();
        self.embed_targets(&state.rows, tokens, &mut x.input)?;
        for (index, layer) in self.decoder.iter().enumerate() {
            let cells =
                state.rows.iter_mut().map(|row| &mut row.cells[index * self.features..][..self.features]);
            layer.unit.run(&mut x, &ones, cells)?;
            let memories: Vec<&Memory> = state.rows.iter().map(|row| &*row.memory).collect();
            layer.attention.query(&mut x, &ones)?;
            if let Some(looks) = looks.as_deref_mut().filter(|_| index == self.aligning_layer) {
                *looks = attention_weights(&x.queries, self.heads, 1, index, &memories);
            }
            cross_attention(&x.queries, self.heads, index, &memories, &mut x.attended);
            layer.attention.finish(&mut x, &ones)?;
            layer.feed_forward.run(&mut x, &ones)?;
        }
        for row in &mut state.rows {
            row.length += 1;
        }
        let shortlists: Option<Vec<_>> = state.rows.iter().map(|row| row.shortlist.clone()).collect();
        match shortlists {
            Some(shortlists) => {
                let project = |projection: &Projection, rows: &[f32], output: &mut [f32]| {
                    projection.project(rows, output);
                    Ok(())
                };
                project_shortlisted(&x.input, &shortlists, logits, project)?;
            }
            None => self.output.all(&x.input, logits),
        }
        BUFFERS.set(x);
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
        // Not those of a step, which would keep what a batch of long sentences takes.
        let mut x = Buffers::default();
        self.source_embedding.embed(&sources.concat(), &mut x.input)?;
        let positions = sources.iter().flat_map(|source| (0..).take(source.len()));
        self.positions.add_to(&mut x.input, positions)?;
        for layer in &self.encoder {
            layer.attention.qkv(&mut x, &lengths)?;
            self_attention(&x.queries, self.features, self.heads, &lengths, &mut x.attended);
            layer.attention.finish(&mut x, &lengths)?;
            layer.feed_forward.run(&mut x, &lengths)?;
        }
        let mut memories = Memory::of_sentences(sources.len());
        for layer in &self.decoder {
            layer.attention.memory(&mut x, &lengths)?;
            Memory::push_layer(&mut memories, &x.queries, self.features, &lengths);
        }
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
    shortlist: Option<Arc<Shortlisted<Projection>>>,
    /// The recurrent units' cells, layer by layer.
    cells: Vec<f32>,
    /// Number of tokens so far.
    length: u32,
}
