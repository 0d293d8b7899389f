//! How a model is loaded.

use std::path::PathBuf;

use candle_core::{DType, Device, utils::cuda_is_available};

use crate::engine::EngineConfig;
use crate::nn::Precision;
use crate::{Error, Result};

/// Rows of a batch on an accelerator, which computes many in the time of one.
const ACCELERATOR_ROWS: usize = 256;

/// How a model is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// How its engine works.
    pub engine: EngineConfig,
    /// Where it computes.
    pub device: Device,
    /// What it computes in.
    pub precision: Precision,
    /// The file of a lexical shortlist for it, such as [`Translator::learn_shortlist`] makes.
    ///
    /// [`Translator::learn_shortlist`]: crate::translator::Translator::learn_shortlist
    pub shortlist: Option<PathBuf>,
}

/// What a model is to compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrecisionChoice {
    /// What is fastest on the device: 8-bit integers on the CPU, 16-bit floating point on an accelerator.
    #[default]
    Auto,
    /// Products of 8-bit integers; on the CPU only.
    Int8,
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point.
    F16,
    /// 16-bit floating point with the range of 32 bits.
    Bf16,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            engine: EngineConfig::default(),
            device: Device::Cpu,
            precision: Precision::Int8,
            shortlist: None,
        }
    }
}

impl LoadOptions {
    /// Options for a device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such device here, or it doesn't compute in that precision.
    pub fn new(engine: EngineConfig, device: &str, precision: PrecisionChoice) -> Result<Self> {
        let device = self::device(device)?;
        let precision = match (precision, device.is_cpu()) {
            (PrecisionChoice::Auto | PrecisionChoice::Int8, true) => Precision::Int8,
            (PrecisionChoice::Int8, false) => {
                let remedy = "use f16, or --device cpu";
                return Err(Error::invalid("precision", "int8 is for the CPU", remedy));
            }
            (PrecisionChoice::F32, true) => Precision::F32,
            (PrecisionChoice::F32, false) => Precision::Tensors(DType::F32),
            (PrecisionChoice::F16, _) | (PrecisionChoice::Auto, false) => Precision::Tensors(DType::F16),
            (PrecisionChoice::Bf16, _) => Precision::Tensors(DType::BF16),
        };
        Ok(Self { engine, device, precision, shortlist: None })
    }

    /// How the engine works of a model that computes on the device.
    pub(super) fn engine_on_device(&self) -> EngineConfig {
        let engine = self.engine.clone();
        if self.device.is_cpu() {
            return engine;
        }
        EngineConfig {
            // One fills the device.
            replicas: engine.replicas.max(1),
            max_rows: engine.max_rows.max(ACCELERATOR_ROWS),
            ..engine
        }
    }
}

fn device(name: &str) -> Result<Device> {
    let problem = |problem: String, remedy: &str| Error::invalid("device", problem, remedy);
    let number = match name {
        "auto" if cuda_is_available() => return Ok(Device::new_cuda(0).unwrap_or(Device::Cpu)),
        "auto" | "cpu" => return Ok(Device::Cpu),
        "cuda" => 0,
        _ => name.strip_prefix("cuda:").and_then(|number| number.parse().ok()).ok_or_else(|| {
            problem(
                format!("{name:?} is no device"),
                "use auto, cpu, cuda, or cuda:N for the GPU of that number",
            )
        })?,
    };
    if !cuda_is_available() {
        let remedy = "build it with --features cuda, or use --device cpu";
        return Err(problem("this program was built without support for CUDA".into(), remedy));
    }
    Device::new_cuda(number).map_err(|error| {
        problem(
            format!("GPU {number} can't be used ({error})"),
            "check what nvidia-smi lists, or use --device cpu",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_none_is_refused_with_those_that_are() {
        for name in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            let error = device(name).unwrap_err().to_string();
            assert!(error.starts_with("device: ") && error.contains("cuda:N"), "{error}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_so() {
        let error = device("cuda:1").unwrap_err().to_string();
        assert!(error.contains("built without") && error.contains("--features cuda"), "{error}");
        assert!(device("auto").unwrap().is_cpu());
    }

    #[test]
    fn the_cpu_computes_in_integers_unless_asked_otherwise() {
        let precision = |choice| LoadOptions::new(EngineConfig::default(), "cpu", choice).unwrap().precision;
        assert_eq!(precision(PrecisionChoice::Auto), Precision::Int8);
        assert_eq!(precision(PrecisionChoice::F32), Precision::F32);
        assert_eq!(precision(PrecisionChoice::Bf16), Precision::Tensors(DType::BF16));
    }
}
