//! Where a model's tensors come from.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors::MmapedSafetensors};
use sha2::{Digest, Sha256};

use crate::nn::Precision;
use crate::{Error, Result};

/// The named tensors of a model's weights file.
pub struct Weights {
    source: Source,
    path: PathBuf,
    device: Device,
    precision: Precision,
}

enum Source {
    Mapped(MmapedSafetensors),
    Builtin(candle_core::safetensors::SliceSafetensors<'static>),
}

impl Weights {
    /// Maps a safetensors file into memory.
    pub fn open(path: &Path, device: &Device) -> Result<Self> {
        // SAFETY: the map is read-only. A file that another process changes while the model is being loaded can
        // give wrong numbers, as it could for any reader, but the tensors are copied out before loading ends.
        #[expect(unsafe_code, reason = "a weights file is mapped, so that loading copies it once")]
        let mapped = unsafe { MmapedSafetensors::new(path) };
        let source = mapped.map(Source::Mapped).map_err(|error| unreadable(path, &error))?;
        Ok(Self { source, path: path.to_owned(), device: device.clone(), precision: Precision::F32 })
    }

    /// The weights inside the binary; `path` is what errors name.
    pub fn builtin(bytes: &'static [u8], path: &Path, device: &Device) -> Result<Self> {
        let source = candle_core::safetensors::SliceSafetensors::new(bytes).map(Source::Builtin);
        let source = source.map_err(|error| unreadable(path, &error))?;
        Ok(Self { source, path: path.to_owned(), device: device.clone(), precision: Precision::F32 })
    }

    /// The same weights for a model that computes in `precision`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// What a model with these weights is to compute in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.source {
            Source::Mapped(tensors) => tensors.get(name).is_ok(),
            Source::Builtin(tensors) => tensors.get(name).is_ok(),
        }
    }

    /// A tensor in the type that the file has, checked against the shape that the configuration promises.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = match &self.source {
            Source::Mapped(tensors) => tensors.load(name, &self.device),
            Source::Builtin(tensors) => tensors.load(name, &self.device),
        };
        let tensor =
            tensor.map_err(|error| self.mismatch(format!("has no usable tensor {name:?} ({error})")))?;
        if tensor.dims() != shape {
            let problem = format!(
                "the tensor {name:?} has the shape {:?} where the configuration promises {shape:?}",
                tensor.dims()
            );
            return Err(self.mismatch(problem));
        }
        if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16 | DType::F64) {
            return Err(self.mismatch(format!("the tensor {name:?} holds {:?} numbers", tensor.dtype())));
        }
        Ok(tensor)
    }

    /// The device that tensors are loaded to.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn mismatch(&self, problem: String) -> Error {
        let remedy = "check that the weights and config.json belong to the same model, or fetch it again";
        Error::model_file(&self.path, problem, remedy)
    }
}

/// SHA-256 of some bytes, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn digest_file(path: &Path) -> Result<String> {
    let io = |error: std::io::Error| Error::Io { path: path.to_owned(), message: error.to_string() };
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path).map_err(io)?, &mut hash).map_err(io)?;
    Ok(hex::encode(hash.finalize()))
}

fn unreadable(path: &Path, error: &candle_core::Error) -> Error {
    Error::model_file(path, format!("isn't a readable safetensors file ({error})"), "fetch the model again")
}
