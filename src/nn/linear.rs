//! Linear layers over rows.

use std::sync::Arc;

use candle_core::{DType, Device, Module, Result, Tensor};

use super::embedding::{Embedding, Table};
use super::kernels::{Activation, PackedMatrix, QuantizedMatrix, QuantizedRows, matmul, matmul_int8};

/// What a model computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floating point.
    F32,
    /// Products of 8-bit integers, everything else in 32-bit floating point.
    Int8,
    /// Candle's own operations on tensors of a floating-point type, on any device.
    Tensors(DType),
}

impl Precision {
    /// Its name, as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
            Self::Tensors(kind) => kind.as_str(),
        }
    }
}

/// A weight matrix `[outputs, inputs]` that is read row by row, from wherever it is.
pub trait WeightRows: Sync {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);

    /// Writes a row into a buffer of as many numbers as there are columns.
    fn write(&self, row: usize, buffer: &mut [f32]);
}

/// `y = activation(x · weightᵀ + bias)` over rows, with the weights packed once when loaded.
pub struct Linear {
    weight: Matrix,
    bias: Option<Bias>,
    /// Applied while the product is at hand.
    fused: Activation,
    /// Applied after it.
    activation: Option<candle_nn::Activation>,
}

enum Bias {
    Numbers(Vec<f32>),
    Tensor(Tensor),
}

enum Matrix {
    F32(Arc<PackedMatrix>),
    Int8(Arc<QuantizedMatrix>),
    /// `[inputs, outputs]`.
    Tensor(Tensor),
}

impl Linear {
    /// A layer with `weight` `[outputs, inputs]` and `bias` `[outputs]`.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, precision: Precision) -> Result<Self> {
        let weight = match precision {
            Precision::F32 => Matrix::F32(Arc::new(pack_rows(&[TensorRows::new(weight)?]))),
            Precision::Int8 => Matrix::Int8(Arc::new(quantize_rows(&[TensorRows::new(weight)?]))),
            Precision::Tensors(kind) => Matrix::Tensor(weight.to_dtype(kind)?.t()?.contiguous()?),
        };
        Self::with_matrix(weight, bias)
    }

    /// A layer for our own kernels, with the outputs of several matrices, which have the same inputs, side by side, and
    /// a `bias` `[outputs]`.
    ///
    /// # Errors
    /// When it is to compute in tensors.
    pub fn of_rows<W: WeightRows>(
        weights: &[W],
        bias: Option<&Tensor>,
        precision: Precision,
    ) -> Result<Self> {
        let weight = match precision {
            Precision::F32 => Matrix::F32(Arc::new(pack_rows(weights))),
            Precision::Int8 => Matrix::Int8(Arc::new(quantize_rows(weights))),
            Precision::Tensors(_) => candle_core::bail!("tensors aren't packed"),
        };
        Self::with_matrix(weight, bias)
    }

    fn with_matrix(weight: Matrix, bias: Option<&Tensor>) -> Result<Self> {
        let bias = match (bias, &weight) {
            (None, _) => None,
            (Some(bias), Matrix::Tensor(weight)) => {
                Some(Bias::Tensor(bias.to_dtype(weight.dtype())?.flatten_all()?))
            }
            (Some(bias), _) => Some(Bias::Numbers(to_vec(bias)?)),
        };
        Ok(Self { weight, bias, fused: Activation::None, activation: None })
    }

    /// The same layer with an activation function behind it.
    pub fn with_activation(self, activation: candle_nn::Activation) -> Self {
        match activation {
            _ if matches!(self.weight, Matrix::Tensor(_)) => Self { activation: Some(activation), ..self },
            candle_nn::Activation::Relu => self.with_fused(Activation::Relu),
            candle_nn::Activation::Silu | candle_nn::Activation::Swish => self.with_fused(Activation::Silu),
            other => Self { activation: Some(other), ..self },
        }
    }

    /// The same layer with an activation function that is applied while the product is at hand.
    pub fn with_fused(self, activation: Activation) -> Self {
        Self { fused: activation, ..self }
    }

    /// Rows `[rows, inputs]` to `y` `[rows, outputs]`, both row-major, in our own kernels.
    ///
    /// # Errors
    /// When the weights are a tensor.
    ///
    /// # Panics
    /// When `x` isn't whole rows.
    pub fn run(&self, x: &[f32], y: &mut Vec<f32>) -> Result<()> {
        let (inputs, outputs) = self.shape();
        y.resize(x.len() / inputs.max(1) * outputs, 0.0);
        self.matmul(x, y)?;
        if let Some(activation) = &self.activation {
            let plain = Tensor::from_slice(y, y.len(), &Device::Cpu)?;
            y.copy_from_slice(&to_vec(&activation.forward(&plain)?)?);
        }
        Ok(())
    }

    /// `[rows, inputs]` to `[rows, outputs]`, in candle's operations.
    ///
    /// # Errors
    /// When the weights aren't a tensor.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Matrix::Tensor(weight) = &self.weight else {
            candle_core::bail!("a layer that was packed for our own kernels")
        };
        let y = x.matmul(weight)?;
        let y = match &self.bias {
            Some(Bias::Tensor(bias)) => y.broadcast_add(bias)?,
            _ => y,
        };
        match &self.activation {
            Some(activation) => activation.forward(&y),
            None => Ok(y),
        }
    }

    /// The product in our own kernels.
    fn matmul(&self, input: &[f32], output: &mut [f32]) -> Result<()> {
        let bias = match &self.bias {
            Some(Bias::Numbers(bias)) => Some(bias.as_slice()),
            _ => None,
        };
        match &self.weight {
            Matrix::F32(weight) => matmul(input, weight, bias, self.fused, output),
            Matrix::Int8(weight) => QuantizedRows::borrow(|rows| {
                let input = rows.by_largest(input, weight.inputs());
                matmul_int8(input, weight, bias, self.fused, output);
            }),
            Matrix::Tensor(_) => candle_core::bail!("a layer of tensors has no kernel"),
        }
        Ok(())
    }

    /// Input and output features.
    fn shape(&self) -> (usize, usize) {
        match &self.weight {
            Matrix::F32(weight) => (weight.inputs(), weight.outputs()),
            Matrix::Int8(weight) => (weight.inputs(), weight.outputs()),
            Matrix::Tensor(weight) => (weight.dims()[0], weight.dims()[1]),
        }
    }
}

/// The projection of decoder states onto the vocabulary, or onto a part of it.
pub struct OutputProjection(Linear);

impl OutputProjection {
    /// A projection by a layer of `[features]` to `[vocabulary]`.
    pub fn new(layer: Linear) -> Self {
        Self(layer)
    }

    /// A projection with the embedding's table as its weight, and `bias` `[vocabulary]`.
    pub fn tied(embedding: &Embedding, bias: Option<&Tensor>) -> Result<Self> {
        match embedding.table() {
            Table::Tensor(table) => Linear::new(table, bias, embedding.precision()).map(Self),
            Table::F32(table) => Linear::with_matrix(Matrix::F32(table.clone()), bias).map(Self),
            Table::Int8(table) => Linear::with_matrix(Matrix::Int8(table.clone()), bias).map(Self),
        }
    }

    /// The projection onto some tokens only.
    ///
    /// # Errors
    /// When the weights are a tensor.
    ///
    /// # Panics
    /// When there is no such token.
    pub fn select(&self, tokens: &[u32]) -> Result<Self> {
        let weight = match &self.0.weight {
            Matrix::F32(weight) => Matrix::F32(Arc::new(weight.select(tokens))),
            Matrix::Int8(weight) => Matrix::Int8(Arc::new(weight.select(tokens))),
            Matrix::Tensor(_) => candle_core::bail!("a layer of tensors has no kernel"),
        };
        let bias = match &self.0.bias {
            Some(Bias::Numbers(bias)) => {
                Some(Bias::Numbers(tokens.iter().map(|&token| bias[token as usize]).collect()))
            }
            _ => None,
        };
        Ok(Self(Linear { weight, bias, fused: Activation::None, activation: None }))
    }

    /// Rows `[rows, features]` to the logits `[rows, vocabulary]`, both row-major.
    pub fn run(&self, x: &[f32], logits: &mut [f32]) -> Result<()> {
        self.0.matmul(x, logits)
    }

    /// `[rows, features]` to the logits `[rows, vocabulary]`, in candle's operations.
    pub fn forward(&self, x: &Tensor, logits: &mut [f32]) -> Result<()> {
        logits.copy_from_slice(&to_vec(&self.0.forward(x)?)?);
        Ok(())
    }
}

/// Matrices `[outputs, inputs]`, one below the other, in panels.
pub(super) fn pack_rows<W: WeightRows>(matrices: &[W]) -> PackedMatrix {
    let (outputs, inputs) = stacked(matrices);
    PackedMatrix::pack_rows(outputs, inputs, |row, buffer| write_row(matrices, row, buffer))
}

/// Matrices `[outputs, inputs]`, one below the other, in 8-bit integers.
pub(super) fn quantize_rows<W: WeightRows>(matrices: &[W]) -> QuantizedMatrix {
    let (outputs, inputs) = stacked(matrices);
    QuantizedMatrix::quantize(outputs, inputs, |row, buffer| write_row(matrices, row, buffer))
}

fn stacked<W: WeightRows>(matrices: &[W]) -> (usize, usize) {
    let rows = matrices.iter().map(|matrix| matrix.shape().0).sum();
    (rows, matrices.first().map_or(0, |matrix| matrix.shape().1))
}

fn write_row<W: WeightRows>(matrices: &[W], mut row: usize, buffer: &mut [f32]) {
    for matrix in matrices {
        let (rows, _) = matrix.shape();
        if row < rows {
            return matrix.write(row, buffer);
        }
        row -= rows;
    }
}

/// The rows of a tensor `[outputs, inputs]` of single precision.
struct TensorRows {
    values: Vec<f32>,
    shape: (usize, usize),
}

impl TensorRows {
    fn new(matrix: &Tensor) -> Result<Self> {
        Ok(Self { values: to_vec(matrix)?, shape: matrix.dims2()? })
    }
}

impl WeightRows for TensorRows {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn write(&self, row: usize, buffer: &mut [f32]) {
        buffer.copy_from_slice(&self.values[row * self.shape.1..][..self.shape.1]);
    }
}

/// A tensor's elements as `f32`, row-major.
pub(super) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::numbers;
    use super::*;

    #[test]
    fn a_projection_onto_some_tokens_is_that_onto_all_with_the_others_left_out() {
        let weight = Tensor::from_vec(numbers(1, 70 * 9), (70, 9), &Device::Cpu).unwrap();
        let bias = Tensor::from_vec(numbers(2, 70), 70, &Device::Cpu).unwrap();
        let input = numbers(3, 5 * 9);
        let tokens = [0, 3, 31, 32, 33, 69];
        for precision in [Precision::F32, Precision::Int8] {
            let whole = OutputProjection::new(Linear::new(&weight, Some(&bias), precision).unwrap());
            let (mut all, mut some) = (vec![0.0; 5 * 70], vec![0.0; 5 * tokens.len()]);
            whole.run(&input, &mut all).unwrap();
            whole.select(&tokens).unwrap().run(&input, &mut some).unwrap();
            let chosen = |row: &[f32]| tokens.map(|token| row[token as usize]);
            assert_eq!(some, all.chunks_exact(70).flat_map(chosen).collect::<Vec<f32>>(), "{precision:?}");
        }
    }
}
