//! The memory that a model needs, before it is loaded.

use std::path::Path;

use candle_core::DType;

use super::LoadOptions;
use crate::hub::Family;
use crate::model::Weights;
use crate::nn::Precision;
use crate::{Error, Result};

/// What batches, buffers and tokenizers take, by and large.
const BESIDES_WEIGHTS: u64 = 100 << 20;

/// Checks that a model fits into the memory that is free. On another device than the CPU there is no telling.
///
/// # Errors
/// [`Error::TooLarge`] when it doesn't; those of its files.
pub(super) fn check(folder: &Path, family: Family, options: &LoadOptions) -> Result<()> {
    if !options.device.is_cpu() {
        return Ok(());
    }
    let needed = needed(folder, family, options.precision)?;
    match free() {
        Some(free) if free < needed => {
            Err(Error::TooLarge { model: folder.display().to_string(), needed, free })
        }
        _ => Ok(()),
    }
}

/// Bytes, by the number of weights and what each becomes.
fn needed(folder: &Path, family: Family, precision: Precision) -> Result<u64> {
    if let (Family::T5, Some(path)) = (family, super::t5::gguf(folder)?) {
        let io = |error: std::io::Error| Error::Io { path: path.clone(), message: error.to_string() };
        // While it is being read there are two copies.
        return Ok(2 * std::fs::metadata(&path).map_err(io)?.len() + BESIDES_WEIGHTS);
    }
    if family == Family::Student {
        let path = super::student::weights(folder)?;
        let io = |error: std::io::Error| Error::Io { path: path.clone(), message: error.to_string() };
        // It may be compressed, and embeddings become numbers of 32 bits.
        return Ok(5 * std::fs::metadata(&path).map_err(io)?.len() + BESIDES_WEIGHTS);
    }
    let weights = Weights::of_folder(folder, &candle_core::Device::Cpu)?;
    let hundredths = match (family, precision) {
        (Family::T5, Precision::Tensors(DType::BF16)) | (_, Precision::Tensors(DType::BF16 | DType::F16)) => {
            200
        }
        // With the scales of the rows.
        (Family::Marian | Family::M2m100, Precision::Int8) => 105,
        _ => 400,
    };
    Ok(weights.elements() * hundredths / 100 + BESIDES_WEIGHTS)
}

/// Bytes that this process can still take, by the machine and by the limits of its control group.
fn free() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = system.available_memory();
    let group = system.cgroup_limits().map(|limits| limits.free_memory);
    [machine, group.unwrap_or(machine)].into_iter().filter(|&bytes| bytes > 0).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_follows_the_weights_and_the_precision() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fa-en-mini");
        let bytes = |precision| needed(&folder, Family::Marian, precision).unwrap() - BESIDES_WEIGHTS;
        let file = std::fs::metadata(folder.join("model.safetensors")).unwrap().len();
        // The file is in 16 bits.
        assert!((file / 2..file * 6 / 10).contains(&bytes(Precision::Int8)));
        assert!((file * 19 / 10..file * 21 / 10).contains(&bytes(Precision::F32)));
    }

    #[test]
    fn a_machine_has_memory() {
        assert!(free().is_none_or(|free| free > 1 << 20));
    }
}
