//! Where a model's tensors come from.

mod pickle;
mod state_dict;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use memmap2::{Mmap, UncheckedAdvice};
use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::nn::{Precision, WeightRows};
use crate::{Error, Result};

const SAFETENSORS: &str = "model.safetensors";
const PICKLE: &str = "pytorch_model.bin";
/// What lists the parts of weights that are in several files.
const INDEX: &str = ".index.json";

/// The named tensors of a model's weights files.
pub struct Weights {
    files: Vec<Bytes>,
    tensors: HashMap<String, Stored>,
    /// The file that errors name: the only one, or the one that lists the parts.
    path: PathBuf,
    parts: Vec<PathBuf>,
    device: Device,
    precision: Precision,
}

/// A weights file.
enum Bytes {
    Mapped(Mmap),
    BuiltIn(&'static [u8]),
}

/// Where a tensor's numbers lie.
struct Stored {
    /// Which of the files they are in.
    file: usize,
    dtype: DType,
    shape: Vec<usize>,
    column_major: bool,
    bytes: Range<usize>,
}

/// A matrix as its file has it, which is read row by row. Once it is dropped, what was read of it takes no memory.
pub struct WeightMatrix<'a> {
    file: &'a Bytes,
    stored: &'a Stored,
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
        let is_pickle = whole.extension().is_some_and(|extension| extension == "bin");
        let mut weights = Self::empty(path, device);
        for part in &parts {
            let bytes = Bytes::map(part)?;
            let tensors = if is_pickle {
                state_dict::check_age(&bytes, part)?;
                state_dict::tensors(&bytes)
            } else {
                safetensors(&bytes)
            };
            weights.add(bytes, tensors.map_err(|problem| broken(part, problem))?);
        }
        Ok(Self { parts, ..weights })
    }

    /// The weights inside the binary; `path` is what errors name.
    pub fn builtin(bytes: &'static [u8], path: &Path, device: &Device) -> Result<Self> {
        let mut weights = Self::empty(path, device);
        weights.add(Bytes::BuiltIn(bytes), safetensors(bytes).map_err(|problem| broken(path, problem))?);
        Ok(weights)
    }

    fn empty(path: &Path, device: &Device) -> Self {
        Self {
            files: Vec::new(),
            tensors: HashMap::new(),
            path: path.to_owned(),
            parts: Vec::new(),
            device: device.clone(),
            precision: Precision::F32,
        }
    }

    /// Adds a file and its tensors; of two with the same name, the first counts.
    fn add(&mut self, bytes: Bytes, tensors: HashMap<String, Stored>) {
        let file = self.files.len();
        self.files.push(bytes);
        for (name, stored) in tensors {
            self.tensors.entry(name).or_insert(Stored { file, ..stored });
        }
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
        self.tensors.contains_key(name)
    }

    /// A tensor in the type that the file has, checked against the shape that the configuration promises.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        Ok(self.find(name, shape)?.tensor(&self.device)?)
    }

    /// A matrix `[rows, columns]`, checked against the shape that the configuration promises.
    pub fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<WeightMatrix<'_>> {
        self.find(name, &shape)
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<WeightMatrix<'_>> {
        let stored =
            self.tensors.get(name).ok_or_else(|| self.mismatch(format!("has no usable tensor {name:?}")))?;
        if stored.shape != shape {
            return Err(self.mismatch(format!(
                "the tensor {name:?} has the shape {:?} where the configuration promises {shape:?}",
                stored.shape
            )));
        }
        if !matches!(stored.dtype, DType::F32 | DType::F16 | DType::BF16 | DType::F64) {
            return Err(self.mismatch(format!("the tensor {name:?} holds {:?} numbers", stored.dtype)));
        }
        Ok(WeightMatrix { file: &self.files[stored.file], stored })
    }

    /// Number of weights.
    pub fn elements(&self) -> u64 {
        let count =
            |shape: &[usize]| shape.iter().fold(1u64, |count, &size| count.saturating_mul(size as u64));
        self.tensors.values().map(|stored| count(&stored.shape)).sum()
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

impl Bytes {
    fn map(path: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| broken(path, format!("can't be read: {error}"));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        // SAFETY: the map is read-only. A file that another process changes while the model is being loaded can give
        // wrong numbers, as it could for any reader, but ranges are checked against the map's fixed length, and what is
        // read is copied out before loading ends.
        #[expect(unsafe_code, reason = "a weights file is mapped, so that loading copies it once")]
        let map = unsafe { Mmap::map(&file) };
        map.map(Self::Mapped).map_err(unreadable)
    }

    /// Gives the memory back that a range takes.
    fn forget(&self, range: &Range<usize>) {
        let Self::Mapped(map) = self else { return };
        // SAFETY: the map is read-only and of a file: what is looked at again is read again.
        #[expect(
            unsafe_code,
            reason = "a file of gigabytes mustn't stay in memory beside what is made of it"
        )]
        let forgotten =
            unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
        // It is no more than advice.
        let _ = forgotten;
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::BuiltIn(bytes) => bytes,
        }
    }
}

impl WeightMatrix<'_> {
    fn tensor(&self, device: &Device) -> candle_core::Result<Tensor> {
        let Stored { dtype, shape, column_major, .. } = self.stored;
        if !column_major {
            return Tensor::from_raw_buffer(self.bytes(), *dtype, shape, device);
        }
        let turned: Vec<usize> = shape.iter().rev().copied().collect();
        Tensor::from_raw_buffer(self.bytes(), *dtype, &turned, device)?.t()?.contiguous()
    }

    fn bytes(&self) -> &[u8] {
        &self.file[self.stored.bytes.clone()]
    }

    /// Writes the numbers of a row, which are of `SIZE` bytes.
    fn write_as<const SIZE: usize>(
        &self,
        row: usize,
        buffer: &mut [f32],
        number: impl Fn([u8; SIZE]) -> f32,
    ) {
        let (numbers, _) = self.bytes().as_chunks::<SIZE>();
        let (rows, columns) = self.shape();
        if self.stored.column_major {
            let column = numbers.iter().skip(row).step_by(rows);
            buffer.iter_mut().zip(column).for_each(|(to, &from)| *to = number(from));
        } else {
            let own = &numbers[row * columns..(row + 1) * columns];
            buffer.iter_mut().zip(own).for_each(|(to, &from)| *to = number(from));
        }
    }
}

impl WeightRows for WeightMatrix<'_> {
    fn shape(&self) -> (usize, usize) {
        match self.stored.shape[..] {
            [rows, columns] => (rows, columns),
            _ => (0, 0),
        }
    }

    fn write(&self, row: usize, buffer: &mut [f32]) {
        match self.stored.dtype {
            DType::F16 => self.write_as(row, buffer, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
            DType::BF16 => self.write_as(row, buffer, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            #[expect(clippy::cast_possible_truncation)]
            DType::F64 => self.write_as(row, buffer, |bytes| f64::from_le_bytes(bytes) as f32),
            _ => self.write_as(row, buffer, f32::from_le_bytes),
        }
    }
}

impl Drop for WeightMatrix<'_> {
    fn drop(&mut self) {
        self.file.forget(&self.stored.bytes);
    }
}

/// The tensors of a safetensors file.
///
/// # Errors
/// What is wrong with the file, in words that continue its name.
fn safetensors(bytes: &[u8]) -> Result<HashMap<String, Stored>, String> {
    let unreadable = |error| format!("isn't a readable safetensors file ({error})");
    // It checks that the tensors lie within the file, and that they are as long as their shapes say.
    SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let (head, metadata) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let start = size_of::<u64>() + head;
    let stored = metadata.tensors().into_iter().filter_map(|(name, info)| {
        let (from, to) = info.data_offsets;
        // What isn't numbers of a known type is as good as missing.
        let dtype = DType::try_from(info.dtype).ok()?;
        let shape = info.shape.clone();
        Some((name, Stored { file: 0, dtype, shape, column_major: false, bytes: start + from..start + to }))
    });
    Ok(stored.collect())
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

fn broken(path: &Path, problem: String) -> Error {
    Error::model_file(path, problem, "fetch the model again")
}
