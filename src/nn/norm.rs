//! Layer normalisation.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::kernels::{add_layer_norm, contiguous, layer_norm};
use super::linear::{Precision, to_vec};

/// The ε of PyTorch's `LayerNorm`, which Hugging Face's translation models use.
const EPSILON: f32 = 1e-5;

/// Layer normalisation over rows, alone or fused with the residual connection before it.
pub struct LayerNorm {
    parameters: Parameters,
    epsilon: f32,
}

enum Parameters {
    Numbers { weight: Vec<f32>, bias: Vec<f32> },
    Tensors { weight: Tensor, bias: Tensor },
}

impl LayerNorm {
    /// A layer with `weight` and `bias`, each `[features]`.
    pub fn new(weight: &Tensor, bias: &Tensor, precision: Precision) -> Result<Self> {
        let parameters = match precision {
            Precision::Tensors(kind) => {
                Parameters::Tensors { weight: weight.to_dtype(kind)?, bias: bias.to_dtype(kind)? }
            }
            _ => Parameters::Numbers { weight: to_vec(weight)?, bias: to_vec(bias)? },
        };
        Ok(Self { parameters, epsilon: EPSILON })
    }

    /// A layer with `weight` and `bias`, each `[features]`, and an ε of its own.
    pub fn with_epsilon(weight: Vec<f32>, bias: Vec<f32>, epsilon: f32) -> Self {
        Self { parameters: Parameters::Numbers { weight, bias }, epsilon }
    }

    /// `LayerNorm(x + residual)`, all `[rows, features]`.
    pub fn forward(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        match &self.parameters {
            Parameters::Numbers { weight, bias } => {
                x.apply_op2_no_bwd(residual, &AddLayerNorm { weight, bias, epsilon: self.epsilon })
            }
            Parameters::Tensors { .. } => self.forward_alone(&(x + residual)?),
        }
    }

    /// `x + residual` and `LayerNorm(x + residual)`, all `[rows, features]`: what a pre-norm model needs.
    pub fn forward_with_sum(&self, x: &Tensor, residual: &Tensor) -> Result<(Tensor, Tensor)> {
        let sum = (x + residual)?;
        let normalised = self.forward_alone(&sum)?;
        Ok((sum, normalised))
    }

    /// `LayerNorm(x)`, both `[rows, features]`.
    pub fn forward_alone(&self, x: &Tensor) -> Result<Tensor> {
        match &self.parameters {
            Parameters::Numbers { weight, bias } => {
                x.apply_op1_no_bwd(&PlainLayerNorm { weight, bias, epsilon: self.epsilon })
            }
            Parameters::Tensors { weight, bias } => candle_nn::ops::layer_norm(x, weight, bias, self.epsilon),
        }
    }
}

struct PlainLayerNorm<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl CustomOp1 for PlainLayerNorm<'_> {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_at: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut output = contiguous(x, x_at, self.name())?.to_vec();
        layer_norm(&mut output, self.weight, self.bias, self.epsilon);
        Ok((CpuStorage::F32(output), x_at.shape().clone()))
    }
}

struct AddLayerNorm<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl CustomOp2 for AddLayerNorm<'_> {
    fn name(&self) -> &'static str {
        "add-layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        y: &CpuStorage,
        y_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, y) = (contiguous(x, x_at, self.name())?, contiguous(y, y_at, self.name())?);
        let mut output = Vec::with_capacity(x.len());
        add_layer_norm(x, y, self.weight, self.bias, self.epsilon, &mut output);
        Ok((CpuStorage::F32(output), x_at.shape().clone()))
    }
}
