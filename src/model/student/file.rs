//! Marian's binary model file, after `src/common/binary.cpp` of marian-dev and of Bergamot's copy of it.
//!
//! All numbers are little-endian: the version (1) and the number of tensors as `u64`; for each tensor four `u64`, the
//! length of its name, its type, the number of its dimensions, the length of its data; all names; all dimensions as
//! `i32`; a `u64` and as many bytes of padding; all data. An int8 matrix `[inputs, outputs]` is stored transposed,
//! its multiplier behind it.

use std::collections::HashMap;
use std::ops::Range;

const VERSION: u64 = 1;
/// Bytes of a tensor's four numbers.
const HEADER: usize = 32;
const CONFIG: &str = "special:model.yml";

/// The tensors of a model, by name.
pub struct ModelFile {
    bytes: Vec<u8>,
    tensors: HashMap<String, Stored>,
}

/// A matrix `[outputs, inputs]`, row-major.
pub(super) enum Matrix {
    Float(Vec<f32>),
    /// The matrix' numbers are these, divided by the multiplier.
    Int8 {
        values: Vec<i8>,
        multiplier: f32,
    },
}

struct Stored {
    kind: Kind,
    shape: Vec<usize>,
    data: Range<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Int8,
    Float32,
    Intgemm8,
    Other(u64),
}

impl ModelFile {
    /// Reads a file's table of tensors. Nothing is taken to be longer than the bytes that are there.
    ///
    /// # Errors
    /// What is wrong with the file, in words that continue its name.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let mut reader = Reader { bytes: &bytes, at: 0 };
        let version = reader.u64().ok_or("isn't a model in Marian's binary format: it is empty")?;
        if version != VERSION {
            return Err(format!(
                "isn't a model in Marian's binary format: it starts with {version:#x}, not with the version {VERSION}"
            ));
        }
        let tensors = reader.tensors().ok_or("is cut off, or damaged: its tensors don't fit into it")?;
        Ok(Self { bytes, tensors })
    }

    /// The model's configuration, in YAML.
    pub(super) fn config(&self) -> Result<&str, String> {
        let stored = self.tensors.get(CONFIG).filter(|stored| stored.kind == Kind::Int8);
        let stored = stored.ok_or_else(|| format!("has no configuration, {CONFIG:?}"))?;
        let text = &self.bytes[stored.data.clone()];
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).map_err(|_| format!("has a configuration, {CONFIG:?}, that isn't text"))
    }

    /// The dimensions of a tensor, if it is there.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|stored| &*stored.shape)
    }

    /// A vector of so many numbers.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, String> {
        let stored = self.stored(name, &[1, length])?;
        match stored.kind {
            Kind::Float32 => self.floats(name, stored),
            kind => Err(format!("holds {} in {name:?}, which should be float32", kind.name())),
        }
    }

    /// A layer's matrix.
    pub(super) fn weight(&self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, String> {
        let stored = self.stored(name, &[inputs, outputs])?;
        Ok(match self.matrix(name, stored)? {
            Matrix::Float(values) => Matrix::Float(transposed(&values, outputs)),
            // Transposed in the file already, whatever its shape says.
            int8 @ Matrix::Int8 { .. } => int8,
        })
    }

    /// A table of embeddings, which is never transposed.
    pub(super) fn table(&self, name: &str, rows: usize, features: usize) -> Result<Matrix, String> {
        self.matrix(name, self.stored(name, &[rows, features])?)
    }

    /// What activations are multiplied by before they are rounded, if the model has it fixed.
    pub(super) fn multiplier(&self, name: &str) -> Result<Option<f32>, String> {
        let Some(stored) = self.tensors.get(name) else { return Ok(None) };
        // Models with a vocabulary for each side have some of them as an int8 number with a multiplier of its own.
        let value = match self.matrix(name, stored)? {
            Matrix::Float(values) => values.first().copied(),
            Matrix::Int8 { values, multiplier } => values.first().map(|&value| f32::from(value) / multiplier),
        };
        match value.filter(|value| value.is_finite() && *value > 0.0) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("has a multiplier in {name:?} that is no positive number")),
        }
    }

    fn stored(&self, name: &str, shape: &[usize]) -> Result<&Stored, String> {
        let stored = self.tensors.get(name).ok_or_else(|| format!("lacks the tensor {name:?}"))?;
        if stored.shape != shape {
            return Err(format!("has the tensor {name:?} in the shape {:?}, not {shape:?}", stored.shape));
        }
        Ok(stored)
    }

    fn matrix(&self, name: &str, stored: &Stored) -> Result<Matrix, String> {
        match stored.kind {
            Kind::Float32 => self.floats(name, stored).map(Matrix::Float),
            Kind::Intgemm8 => {
                let count = stored.count(name, 1, size_of::<f32>())?;
                let (values, rest) = self.bytes[stored.data.clone()].split_at(count);
                let multiplier = rest.first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes));
                if !(multiplier.is_finite() && multiplier > 0.0) {
                    return Err(format!("has a multiplier behind {name:?} that is no positive number"));
                }
                let values = values.iter().map(|byte| byte.cast_signed()).collect();
                Ok(Matrix::Int8 { values, multiplier })
            }
            kind => Err(format!(
                "holds {} in {name:?}, which depends on a kind of CPU or on a library",
                kind.name()
            )),
        }
    }

    fn floats(&self, name: &str, stored: &Stored) -> Result<Vec<f32>, String> {
        let count = stored.count(name, size_of::<f32>(), 0)?;
        let (numbers, _) = self.bytes[stored.data.clone()].as_chunks();
        let numbers: Vec<f32> = numbers[..count].iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(format!("has numbers in {name:?} that aren't finite"))
        }
    }
}

impl Stored {
    /// The number of elements of `size` bytes each, once the data is known to have them and `extra` bytes. `name` is
    /// for the error.
    fn count(&self, name: &str, size: usize, extra: usize) -> Result<usize, String> {
        let count = self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let needed = count.and_then(|count| count.checked_mul(size)?.checked_add(extra));
        match (count, needed) {
            (Some(count), Some(needed)) if needed <= self.data.len() => Ok(count),
            _ => {
                let (length, shape) = (self.data.len(), &self.shape);
                Err(format!("has {length} bytes for {name:?}, too few for its shape {shape:?}"))
            }
        }
    }
}

impl Kind {
    /// The type of a code in the file. Bergamot and Marian number int8 matrices differently.
    fn of(code: u64) -> Self {
        match code {
            0x101 => Self::Int8,
            0x404 => Self::Float32,
            0x4101 | 0x1_0001 => Self::Intgemm8,
            other => Self::Other(other),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Int8 => "int8".into(),
            Self::Float32 => "float32".into(),
            Self::Intgemm8 => "intgemm8".into(),
            Self::Other(code) => format!("numbers of the type {code:#x}"),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The table of tensors; none where it or they reach beyond the end.
    fn tensors(&mut self) -> Option<HashMap<String, Stored>> {
        let count = self.length()?;
        if count.checked_mul(HEADER)? > self.bytes.len() - self.at {
            return None;
        }
        let headers: Vec<(usize, u64, usize, usize)> = (0..count)
            .map(|_| Some((self.length()?, self.u64()?, self.length()?, self.length()?)))
            .collect::<Option<_>>()?;
        let mut names = Vec::with_capacity(count);
        for &(length, ..) in &headers {
            let name = self.bytes[self.take(length)?].split(|&byte| byte == 0).next().unwrap_or_default();
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        let mut shapes = Vec::with_capacity(count);
        for &(_, _, dimensions, _) in &headers {
            let range = self.take(dimensions.checked_mul(size_of::<i32>())?)?;
            let (sizes, _) = self.bytes[range].as_chunks();
            let sizes = sizes.iter().map(|bytes| usize::try_from(i32::from_le_bytes(*bytes)).ok());
            shapes.push(sizes.collect::<Option<Vec<usize>>>()?);
        }
        let padding = self.length()?;
        self.take(padding)?;
        let mut tensors = HashMap::with_capacity(count);
        for ((name, shape), (_, kind, _, length)) in names.into_iter().zip(shapes).zip(headers) {
            tensors.insert(name, Stored { kind: Kind::of(kind), shape, data: self.take(length)? });
        }
        Some(tensors)
    }

    fn length(&mut self) -> Option<usize> {
        self.u64().and_then(|length| usize::try_from(length).ok())
    }

    fn u64(&mut self) -> Option<u64> {
        let range = self.take(size_of::<u64>())?;
        self.bytes[range].first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len())?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }
}

/// A matrix `[inputs, outputs]` as `[outputs, inputs]`.
fn transposed(values: &[f32], outputs: usize) -> Vec<f32> {
    (0..outputs).flat_map(|output| values.iter().skip(output).step_by(outputs).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one tensor.
    fn file(name: &str, kind: u64, shape: &[i32], data: &[u8]) -> Vec<u8> {
        let numbers = [1, 1, name.len() + 1, usize::try_from(kind).unwrap(), shape.len(), data.len()];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|&number| (number as u64).to_le_bytes()).collect();
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend(shape.iter().flat_map(|size| size.to_le_bytes()));
        bytes.extend(3u64.to_le_bytes());
        bytes.extend([0; 3]);
        bytes.extend_from_slice(data);
        bytes
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn a_float_matrix_is_transposed_and_an_int8_one_is_already() {
        let values = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let model = ModelFile::parse(file("w", 0x404, &[2, 3], &values)).unwrap();
        let Ok(Matrix::Float(weight)) = model.weight("w", 3, 2) else { panic!("a float matrix") };
        assert_eq!(weight, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let data = [vec![1, 2, 255, 4, 5, 6], floats(&[2.0]), vec![0; 20]].concat();
        for code in [0x4101, 0x1_0001] {
            let model = ModelFile::parse(file("w", code, &[2, 3], &data)).unwrap();
            let Ok(Matrix::Int8 { values, multiplier: 2.0 }) = model.weight("w", 3, 2) else {
                panic!("an int8 matrix")
            };
            assert_eq!(values, [1, 2, -1, 4, 5, 6]);
        }
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_refused() {
        let bytes = file("w", 0x404, &[1, 3], &floats(&[1.0, 2.0, 3.0]));
        for length in 0..bytes.len() {
            let error = ModelFile::parse(bytes[..length].to_vec()).err().unwrap();
            assert!(error.contains("cut off") || error.contains("empty"), "{error}");
        }
        let model = ModelFile::parse(bytes).unwrap();
        assert_eq!(model.vector("w", 3).unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn lengths_that_nothing_backs_are_refused() {
        let good = file("w", 0x404, &[1, 3], &floats(&[1.0, 2.0, 3.0]));
        // The number of tensors, then a name's length, the dimensions, the data's length.
        for at in [8, 16, 32, 40] {
            for length in [1 << 20, 1 << 40, u64::MAX / 4, u64::MAX] {
                let mut bytes = good.clone();
                bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
                let error = ModelFile::parse(bytes).err().unwrap();
                assert!(error.contains("cut off, or damaged"), "{error}");
            }
        }
        let error = |kind, shape: &[i32], name| {
            let model = ModelFile::parse(file("w", kind, shape, &[0; 12])).unwrap();
            let [rows, columns] = [0, 1].map(|at| usize::try_from(shape[at]).unwrap());
            model.table(name, rows, columns).err().unwrap()
        };
        assert!(error(0x404, &[i32::MAX, i32::MAX], "w").contains("12 bytes for \"w\", too few"));
        assert!(error(0x404, &[2, 2], "w").contains("too few"));
        assert!(error(0x4101, &[3, 3], "w").contains("too few"));
        assert!(error(0x4101, &[2, 2], "w").contains("no positive number"));
        assert!(error(0x1_1001, &[2, 2], "w").contains("0x11001"));
        assert!(error(0x404, &[2, 2], "v").contains("lacks the tensor \"v\""));
        let negative = file("w", 0x404, &[-1, 2], &[0; 12]);
        assert!(ModelFile::parse(negative).err().unwrap().contains("damaged"));
    }

    #[test]
    fn another_format_is_named_as_such() {
        let error = ModelFile::parse(b"PK\x03\x04 a zip archive".to_vec()).err().unwrap();
        assert!(error.starts_with("isn't a model in Marian's binary format"), "{error}");
    }
}
