//! A student's embeddings, and the output layer that is tied to the target's.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, bail};

use super::config::StudentConfig;
use super::file::{Matrix, ModelFile};
use super::layers::Loaded;
use crate::model::Logits;
use crate::model::shortlist::Shortlisted;
use crate::nn::kernels::{Activation, PackedMatrix, matmul};
use crate::nn::{IntgemmLinear, IntgemmMatrix};

const LARGEST_VOCABULARY: usize = 1 << 20;

/// The embeddings of both sides, and the output layer.
pub(super) struct Tables {
    pub(super) source: Table,
    pub(super) target: Table,
    pub(super) output: OutputLayer,
}

/// A table of embeddings `[tokens, features]`.
#[derive(Clone)]
pub(super) struct Table {
    rows: Rows,
    tokens: usize,
    features: usize,
}

#[derive(Clone)]
enum Rows {
    Float(Arc<[f32]>),
    Int8(IntgemmMatrix),
}

/// The projection of decoder states onto the vocabulary.
pub(super) struct OutputLayer {
    table: Table,
    bias: Vec<f32>,
    /// What activations are multiplied by, if the model has it fixed.
    multiplier: Option<f32>,
    /// Made when it is first needed: with a shortlist, never.
    whole: OnceLock<Projection>,
}

/// The projection onto all target tokens, or onto those that a source sentence may use.
pub(super) enum Projection {
    Float { weight: PackedMatrix, bias: Vec<f32> },
    Int8(IntgemmLinear),
}

impl Tables {
    pub(super) fn load(file: &ModelFile, config: &StudentConfig) -> Loaded<Self> {
        let (source, target) =
            if config.shared { ("Wemb", "Wemb") } else { ("encoder_Wemb", "decoder_Wemb") };
        let target_table = Table::load(file, target, config.features)?;
        let source =
            if config.shared { target_table.clone() } else { Table::load(file, source, config.features)? };
        Ok(Self {
            source,
            output: OutputLayer::load(file, target, target_table.clone())?,
            target: target_table,
        })
    }
}

impl Table {
    fn load(file: &ModelFile, name: &str, features: usize) -> Loaded<Self> {
        let tokens = match file.shape(name) {
            Some(&[tokens, _]) if (1..=LARGEST_VOCABULARY).contains(&tokens) => tokens,
            Some(shape) => return Err(format!("has the table {name:?} in the shape {shape:?}")),
            None => return Err(format!("lacks the table {name:?}")),
        };
        let rows = match file.table(name, tokens, features)? {
            Matrix::Float(values) => Rows::Float(values.into()),
            Matrix::Int8 { values, multiplier } => {
                Rows::Int8(IntgemmMatrix::new(values, tokens, features, multiplier))
            }
        };
        Ok(Self { rows, tokens, features })
    }

    /// Number of tokens in the table.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// The embeddings of some token ids, multiplied by the root of the number of features, of which `embedded` becomes
    /// `[tokens, features]`.
    pub(super) fn embed(&self, ids: &[u32], embedded: &mut Vec<f32>) -> Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2²⁴")]
        let scale = (self.features as f32).sqrt();
        embedded.clear();
        for &id in ids {
            let id = id as usize;
            if id >= self.tokens {
                bail!("no embedding for the token {id}");
            }
            match &self.rows {
                Rows::Float(rows) => embedded.extend(self.row(rows, id).iter().map(|x| x * scale)),
                Rows::Int8(matrix) => embedded.extend(matrix.row(id).map(|x| x * scale)),
            }
        }
        Ok(())
    }

    fn row<'a>(&self, rows: &'a [f32], id: usize) -> &'a [f32] {
        &rows[id * self.features..(id + 1) * self.features]
    }
}

impl OutputLayer {
    /// The layer whose weights are the `table` of that name.
    fn load(file: &ModelFile, name: &str, table: Table) -> Loaded<Self> {
        const BIAS: &str = "decoder_ff_logit_out_b";
        let bias = match file.shape(BIAS) {
            Some(_) => file.vector(BIAS, table.tokens)?,
            None => vec![0.0; table.tokens],
        };
        // Bergamot names the activations' multiplier so where it was found with a shortlist.
        let multiplier = match file.multiplier("none_QuantMultA")? {
            Some(multiplier) => Some(multiplier),
            None => file.multiplier(&format!("{name}_QuantMultA"))?,
        };
        Ok(Self { table, bias, multiplier, whole: OnceLock::new() })
    }

    /// The logits of all tokens, for rows `[rows, features]`.
    pub(super) fn all(&self, x: &[f32], logits: &mut Logits) {
        let whole = self.whole.get_or_init(|| {
            let tokens: Vec<u32> = (0..).take(self.table.tokens).collect();
            self.projection(&tokens)
        });
        whole.project(x, logits.start_full(x.len() / self.table.features, self.table.tokens));
    }

    /// The layer for a sentence that may use these tokens, which ascend.
    pub(super) fn shortlist(&self, tokens: Vec<u32>) -> Shortlisted<Projection> {
        Shortlisted { projection: self.projection(&tokens), tokens: tokens.into() }
    }

    fn projection(&self, tokens: &[u32]) -> Projection {
        match &self.table.rows {
            Rows::Float(rows) => {
                let row = |&token: &u32| self.table.row(rows, token as usize);
                let weight: Vec<f32> = tokens.iter().flat_map(row).copied().collect();
                Projection::Float {
                    weight: PackedMatrix::pack(&weight, tokens.len(), self.table.features),
                    bias: tokens.iter().map(|&token| self.bias[token as usize]).collect(),
                }
            }
            Rows::Int8(matrix) => {
                Projection::Int8(IntgemmLinear::of_outputs(matrix, &self.bias, self.multiplier, tokens))
            }
        }
    }
}

impl Projection {
    /// `[rows, features]` to `[rows, tokens]`, both row-major.
    pub(super) fn project(&self, rows: &[f32], output: &mut [f32]) {
        match self {
            Self::Float { weight, bias } => matmul(rows, weight, Some(bias), Activation::None, output),
            Self::Int8(layer) => layer.project(rows, output),
        }
    }
}
