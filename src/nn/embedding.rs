//! Token embeddings and positions.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use super::kernels::{PackedMatrix, QuantizedMatrix, add};
use super::linear::{Precision, WeightRows, pack_rows, quantize_rows};

/// A table of token embeddings.
pub struct Embedding {
    table: Table,
    scale: f64,
    precision: Precision,
}

/// The embeddings `[vocabulary, features]`.
pub(super) enum Table {
    /// For candle's own operations.
    Tensor(Tensor),
    /// Packed as an output layer that is tied to it multiplies with it.
    F32(Arc<PackedMatrix>),
    /// The same in 8-bit integers.
    Int8(Arc<QuantizedMatrix>),
}

impl Embedding {
    /// A `table` `[vocabulary, features]` for our own kernels, whose rows are multiplied by `scale` when looked up.
    ///
    /// # Errors
    /// When it is to be a tensor.
    pub fn of_rows<W: WeightRows>(table: W, scale: f64, precision: Precision) -> Result<Self> {
        let table = match precision {
            Precision::F32 => Table::F32(Arc::new(pack_rows(&[table]))),
            Precision::Int8 => Table::Int8(Arc::new(quantize_rows(&[table]))),
            Precision::Tensors(_) => candle_core::bail!("tensors aren't packed"),
        };
        Ok(Self { table, scale, precision })
    }

    /// A `table` `[vocabulary, features]` for candle's operations, whose rows are multiplied by `scale` when looked up.
    pub fn of_tensor(table: &Tensor, scale: f64, kind: DType) -> Result<Self> {
        let table = Table::Tensor(table.to_dtype(kind)?);
        Ok(Self { table, scale, precision: Precision::Tensors(kind) })
    }

    /// Number of tokens in the table.
    pub fn tokens(&self) -> usize {
        match &self.table {
            Table::Tensor(table) => table.dims().first().copied().unwrap_or(0),
            Table::F32(table) => table.outputs(),
            Table::Int8(table) => table.outputs(),
        }
    }

    /// The embeddings of some token ids, of which `rows` becomes `[tokens, features]`, for our own kernels.
    ///
    /// # Errors
    /// When a token has no embedding, or the table is a tensor.
    #[expect(clippy::cast_possible_truncation, reason = "as candle scales")]
    pub fn run(&self, ids: &[u32], rows: &mut Vec<f32>) -> Result<()> {
        match &self.table {
            Table::F32(table) => {
                self.look_up(ids, table.inputs(), rows, |token, row| table.row(token, row))?;
            }
            Table::Int8(table) => {
                self.look_up(ids, table.inputs(), rows, |token, row| table.row(token, row))?;
            }
            Table::Tensor(_) => candle_core::bail!("a table of tensors has no kernel"),
        }
        let scale = self.scale as f32;
        for x in rows {
            *x *= scale;
        }
        Ok(())
    }

    /// The embeddings `[tokens, features]` of some token ids, in `f32`, in candle's operations.
    ///
    /// # Errors
    /// When a token has no embedding, or the table isn't a tensor.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let Table::Tensor(table) = &self.table else {
            candle_core::bail!("a table that was packed for our own kernels")
        };
        let ids = Tensor::new(ids, table.device())?;
        table.index_select(&ids, 0)?.to_dtype(DType::F32)?.affine(self.scale, 0.0)
    }

    /// Fills `rows` with the rows of some token ids, of which `write` writes one.
    fn look_up(
        &self,
        ids: &[u32],
        features: usize,
        rows: &mut Vec<f32>,
        write: impl Fn(usize, &mut [f32]),
    ) -> Result<()> {
        rows.resize(ids.len() * features, 0.0);
        for (row, &id) in rows.chunks_exact_mut(features).zip(ids) {
            if id as usize >= self.tokens() {
                candle_core::bail!("no embedding for the token {id}");
            }
            write(id as usize, row);
        }
        Ok(())
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }
}

/// Sinusoidal positions with the sines in the first half of the features and the cosines in the second (Vaswani et
/// al. 2017, in the order of Marian and XLM).
pub struct SinusoidalPositions {
    /// `[positions, features]`.
    table: Vec<f32>,
    features: usize,
}

impl SinusoidalPositions {
    /// Positions 0 to `positions` of `features` features, with the frequencies of Marian.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    pub fn marian(positions: usize, features: usize) -> Self {
        let sines = features.div_ceil(2);
        let angle = |position: usize, feature: usize| {
            position as f64 / 10_000f64.powf(2.0 * (feature / 2) as f64 / features as f64)
        };
        let value = |position: usize, index: usize| {
            if index < sines {
                angle(position, 2 * index).sin() as f32
            } else {
                angle(position, 2 * (index - sines) + 1).cos() as f32
            }
        };
        Self::tabulate(0..positions, features, value)
    }

    /// Positions 0 to `positions` of `features` features, with the frequencies of fairseq and tensor2tensor. What
    /// they call position 2 is 0 here: the two before it are for padding and for nothing.
    pub fn fairseq(positions: usize, features: usize) -> Self {
        Self::tensor2tensor(2..positions + 2, features)
    }

    /// Positions 0 to `positions` of `features` features, with the frequencies of tensor2tensor, which Marian has, too
    /// (`SinusoidalPositionEmbeddings` in marian-dev's `tensor_operators.cpp`).
    pub fn student(positions: usize, features: usize) -> Self {
        Self::tensor2tensor(0..positions, features)
    }

    /// Frequencies that fall from 1 to exactly 1/10,000.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn tensor2tensor(positions: Range<usize>, features: usize) -> Self {
        let half = features / 2;
        // In single precision up to the angle, as the models were trained.
        let step = (10_000f64.ln() / half.saturating_sub(1).max(1) as f64) as f32;
        let angle = |position: usize, index: usize| f64::from(position as f32 * (-step * index as f32).exp());
        let value = |position: usize, index: usize| match index {
            sine if sine < half => angle(position, sine).sin() as f32,
            cosine if cosine < 2 * half => angle(position, cosine - half).cos() as f32,
            _ => 0.0,
        };
        Self::tabulate(positions, features, value)
    }

    fn tabulate(positions: Range<usize>, features: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let value = &value;
        let row = |position| (0..features).map(move |index| value(position, index));
        Self { table: positions.flat_map(row).collect(), features }
    }

    /// Adds to `rows` `[tokens, features]` what belongs to each one's position.
    ///
    /// # Errors
    /// When there is no such position.
    pub fn add_to(&self, rows: &mut [f32], positions: impl IntoIterator<Item = u32>) -> Result<()> {
        for (row, position) in rows.chunks_exact_mut(self.features.max(1)).zip(positions) {
            add(self.row(position)?, row);
        }
        Ok(())
    }

    /// The rows `[tokens, features]` of some positions.
    ///
    /// # Errors
    /// When there is no such position.
    pub fn rows(&self, positions: &[u32], device: &Device) -> Result<Tensor> {
        let mut rows = Vec::with_capacity(positions.len() * self.features);
        for &position in positions {
            rows.extend_from_slice(self.row(position)?);
        }
        Tensor::from_vec(rows, (positions.len(), self.features), device)
    }

    fn row(&self, position: u32) -> Result<&[f32]> {
        let start = position as usize * self.features;
        match self.table.get(start..start + self.features) {
            Some(row) => Ok(row),
            None => candle_core::bail!("position {position} is too far"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sines_come_first_then_cosines() {
        let positions = SinusoidalPositions::marian(3, 4);
        let rows = positions.rows(&[2], &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        let expected = [2f32.sin(), 0.02f32.sin(), 2f32.cos(), 0.02f32.cos()];
        for (actual, expected) in rows[0].iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{rows:?}");
        }
    }

    #[test]
    fn the_positions_of_fairseq_start_at_2_and_their_last_frequency_is_a_ten_thousandth() {
        let positions = SinusoidalPositions::fairseq(3, 5);
        let rows = positions.rows(&[0, 2], &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        for (row, position) in rows.iter().zip([2f32, 4.0]) {
            let small = position / 10_000.0;
            let expected = [position.sin(), small.sin(), position.cos(), small.cos(), 0.0];
            for (actual, expected) in row.iter().zip(expected) {
                assert!((actual - expected).abs() < 1e-6, "{rows:?}");
            }
        }
    }
}
