//! Layer normalisation.

use candle_core::{Result, Tensor};

use super::kernels::{add_layer_norm, layer_norm};
use super::linear::{Precision, to_vec};

/// The ε of PyTorch's `LayerNorm`, which Hugging Face's translation models use.
const EPSILON: f32 = 1e-5;

/// Layer normalisation over rows, alone or behind a residual connection.
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

    /// `rows = LayerNorm(rows + x)`, both `[rows, features]`, in our own kernel.
    ///
    /// # Errors
    /// When the parameters are tensors.
    pub fn add_and_run(&self, x: &[f32], rows: &mut [f32]) -> Result<()> {
        let Parameters::Numbers { weight, bias } = &self.parameters else { return no_kernel() };
        add_layer_norm(x, rows, weight, bias, self.epsilon);
        Ok(())
    }

    /// `rows = LayerNorm(rows)`, `[rows, features]`, in our own kernel.
    ///
    /// # Errors
    /// When the parameters are tensors.
    pub fn run(&self, rows: &mut [f32]) -> Result<()> {
        let Parameters::Numbers { weight, bias } = &self.parameters else { return no_kernel() };
        layer_norm(rows, weight, bias, self.epsilon);
        Ok(())
    }

    /// `LayerNorm(x)`, both `[rows, features]`, in candle's operations.
    ///
    /// # Errors
    /// When the parameters aren't tensors.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Parameters::Tensors { weight, bias } = &self.parameters else {
            candle_core::bail!("a layer norm for our own kernel")
        };
        candle_nn::ops::layer_norm(x, weight, bias, self.epsilon)
    }
}

fn no_kernel() -> Result<()> {
    candle_core::bail!("a layer norm of tensors has no kernel")
}
