//! Where a model's tensors come from.

mod pickle;
mod state_dict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors::MmapedSafetensors};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::state_dict::StateDict;
use crate::nn::Precision;
use crate::{Error, Result};

const SAFETENSORS: &str = "model.safetensors";
const PICKLE: &str = "pytorch_model.bin";
/// What lists the parts of weights that are in several files.
const INDEX: &str = ".index.json";

/// The named tensors of a model's weights files.
pub struct Weights {
    source: Source,
    /// The file that errors name: the only one, or the one that lists the parts.
    path: PathBuf,
    parts: Vec<PathBuf>,
    device: Device,
    precision: Precision,
}

enum Source {
    Mapped(MmapedSafetensors),
    Builtin(candle_core::safetensors::SliceSafetensors<'static>),
    Pickled(Vec<StateDict>),
}

impl Weights {
    /// Maps the weights of a model's folder into memory: `model.safetensors` or `pytorch_model.bin`, in one file or in
    /// the parts that an index lists; the first that is there.
    pub fn of_folder(folder: &Path, device: &Device) -> Result<Self> {
        let candidates = [SAFETENSORS, PICKLE].map(|name| [name.to_owned(), format!("{name}{INDEX}")]);
        let found = candidates.as_flattened().iter().map(|name| folder.join(name)).find(|path| path.exists());
        let missing = || {
            let remedy = format!("fetch the model's {SAFETENSORS} or {PICKLE}");
            Error::model_file(folder, "has no weights", remedy)
        };
        Self::open(&found.ok_or_else(missing)?, device)
    }

    /// Maps a weights file into memory: safetensors or, where it ends in `.bin`, a pickle in a zip archive; or all the
    /// files that an index, ending in `.index.json`, lists.
    pub fn open(path: &Path, device: &Device) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let parts = if name.ends_with(INDEX) { parts(path)? } else { vec![path.to_owned()] };
        let whole = Path::new(name.trim_end_matches(INDEX));
        let source = if whole.extension().is_some_and(|extension| extension == "bin") {
            Source::Pickled(parts.iter().map(|part| StateDict::open(part)).collect::<Result<_>>()?)
        } else {
            // SAFETY: the maps are read-only. A file that another process changes while the model is being loaded can
            // give wrong numbers, as it could for any reader, but the tensors are copied out before loading ends.
            #[expect(unsafe_code, reason = "a weights file is mapped, so that loading copies it once")]
            let mapped = unsafe { MmapedSafetensors::multi(&parts) };
            Source::Mapped(mapped.map_err(|error| unreadable(path, &error))?)
        };
        Ok(Self { source, path: path.to_owned(), parts, device: device.clone(), precision: Precision::F32 })
    }

    /// The weights inside the binary; `path` is what errors name.
    pub fn builtin(bytes: &'static [u8], path: &Path, device: &Device) -> Result<Self> {
        let source = candle_core::safetensors::SliceSafetensors::new(bytes).map(Source::Builtin);
        let source = source.map_err(|error| unreadable(path, &error))?;
        Ok(Self {
            source,
            path: path.to_owned(),
            parts: Vec::new(),
            device: device.clone(),
            precision: Precision::F32,
        })
    }

    /// The same weights for a model that computes in `precision`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// What a model with these weights is to compute in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The weights files; none for weights inside the binary.
    pub fn files(&self) -> &[PathBuf] {
        &self.parts
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// A tensor in the type that the file has, checked against the shape that the configuration promises.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let found =
            self.shape(name).ok_or_else(|| self.mismatch(format!("has no usable tensor {name:?}")))?;
        if found != shape {
            return Err(self.mismatch(format!(
                "the tensor {name:?} has the shape {found:?} where the configuration promises {shape:?}"
            )));
        }
        let tensor = match &self.source {
            Source::Mapped(tensors) => tensors.load(name, &self.device)?,
            Source::Builtin(tensors) => tensors.load(name, &self.device)?,
            Source::Pickled(parts) => match parts.iter().find_map(|part| part.load(name, &self.device)) {
                Some(tensor) => tensor?,
                None => return Err(self.mismatch(format!("has no usable tensor {name:?}"))),
            },
        };
        if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16 | DType::F64) {
            return Err(self.mismatch(format!("the tensor {name:?} holds {:?} numbers", tensor.dtype())));
        }
        Ok(tensor)
    }

    /// Number of weights.
    pub fn elements(&self) -> u64 {
        let count =
            |shape: &[usize]| shape.iter().fold(1u64, |count, &size| count.saturating_mul(size as u64));
        match &self.source {
            Source::Mapped(tensors) => tensors.tensors().iter().map(|(_, view)| count(view.shape())).sum(),
            Source::Builtin(tensors) => tensors.tensors().iter().map(|(_, view)| count(view.shape())).sum(),
            Source::Pickled(parts) => parts.iter().flat_map(StateDict::shapes).map(count).sum(),
        }
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match &self.source {
            Source::Mapped(tensors) => Some(tensors.get(name).ok()?.shape().to_vec()),
            Source::Builtin(tensors) => Some(tensors.get(name).ok()?.shape().to_vec()),
            Source::Pickled(parts) => Some(parts.iter().find_map(|part| part.shape(name))?.to_vec()),
        }
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

/// SHA-256 of some files, one behind the other, in hexadecimal.
pub(crate) fn digest_files(paths: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for path in paths {
        let io = |error: std::io::Error| Error::Io { path: path.clone(), message: error.to_string() };
        std::io::copy(&mut std::fs::File::open(path).map_err(io)?, &mut hash).map_err(io)?;
    }
    Ok(hex::encode(hash.finalize()))
}

/// The files that an index lists.
fn parts(index: &Path) -> Result<Vec<PathBuf>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }

    let broken = |problem: String| Error::model_file(index, problem, "fetch the model again");
    let json = std::fs::read(index).map_err(|error| broken(format!("can't be read: {error}")))?;
    let Index { weight_map } = serde_json::from_slice(&json)
        .map_err(|error| broken(format!("isn't an index of weights files: {error}")))?;
    let names: BTreeSet<String> = weight_map.into_values().collect();
    if names.is_empty() {
        return Err(broken("lists no files".into()));
    }
    let path = |name: &String| {
        if Path::new(name).file_name().is_none_or(|file| file != name.as_str()) {
            return Err(broken(format!("lists {name:?}, which is no file's name")));
        }
        let path = index.with_file_name(name);
        if !path.exists() {
            return Err(Error::model_file(path, "is missing, but the weights' index lists it", "fetch it"));
        }
        Ok(path)
    };
    names.iter().map(path).collect()
}

fn unreadable(path: &Path, error: &candle_core::Error) -> Error {
    Error::model_file(path, format!("isn't a readable safetensors file ({error})"), "fetch the model again")
}
