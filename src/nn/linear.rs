//! Linear layers over rows.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::kernels::{PackedMatrix, contiguous, matmul};

/// `y = x · weightᵀ + bias` over rows, with the weights packed once when loaded.
pub struct Linear {
    weight: PackedMatrix,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// A layer with `weight` `[outputs, inputs]` and `bias` `[outputs]`.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        let weight = PackedMatrix::pack(&to_vec(weight)?, outputs, inputs);
        Ok(Self { weight, bias: bias.map(to_vec).transpose()? })
    }

    /// Several layers over the same input as one: their outputs side by side.
    pub fn fused(layers: &[(Tensor, Tensor)]) -> Result<Self> {
        let weights: Vec<_> = layers.iter().map(|(weight, _)| weight).collect();
        let biases: Vec<_> = layers.iter().map(|(_, bias)| bias).collect();
        Self::new(&Tensor::cat(&weights, 0)?, Some(&Tensor::cat(&biases, 0)?))
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1_no_bwd(&MatMul { weight: &self.weight, bias: self.bias.as_deref() })
    }
}

/// The projection of decoder states onto the vocabulary.
pub struct OutputProjection(Linear);

impl OutputProjection {
    /// A projection with `weight` `[vocabulary, features]` and `bias` `[vocabulary]`.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        Linear::new(weight, bias).map(Self)
    }

    /// `[rows, features]` to the logits `[rows, vocabulary]`, row-major.
    pub fn forward(&self, x: &Tensor, logits: &mut [f32]) -> Result<()> {
        let (storage, layout) = x.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else {
            candle_core::bail!("logits are computed on the CPU")
        };
        let input = contiguous(storage, layout, "the output projection")?;
        matmul(input, &self.0.weight, self.0.bias.as_deref(), logits);
        Ok(())
    }
}

struct MatMul<'a> {
    weight: &'a PackedMatrix,
    bias: Option<&'a [f32]>,
}

impl CustomOp1 for MatMul<'_> {
    fn name(&self) -> &'static str {
        "packed-matmul"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        if inputs != self.weight.inputs() {
            candle_core::bail!("a row of {inputs} features for a layer of {}", self.weight.inputs());
        }
        let mut output = vec![0.0; rows * self.weight.outputs()];
        matmul(contiguous(storage, layout, self.name())?, self.weight, self.bias, &mut output);
        Ok((CpuStorage::F32(output), Shape::from((rows, self.weight.outputs()))))
    }
}

/// A tensor's elements as `f32`, row-major.
pub(super) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()
}
