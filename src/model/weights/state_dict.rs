//! `pytorch_model.bin`: a zip archive of a pickle, which lists the tensors, and a stored file for each storage.

use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::Stored;
use super::pickle::{self, Description};
use crate::{Error, Result};

/// Refuses a bare pickle, as PyTorch wrote before version 1.6.
pub(super) fn check_age(bytes: &[u8], path: &Path) -> Result<()> {
    // How its protocol begins.
    if !bytes.starts_with(&[0x80]) {
        return Ok(());
    }
    let problem = "was written by a PyTorch older than 1.6, in a format that can't be read";
    let remedy =
        "fetch a revision of the model that has model.safetensors, or save it again with a newer PyTorch";
    Err(Error::model_file(path, problem, remedy))
}

/// The tensors of an archive, each within its bounds.
///
/// # Errors
/// What is wrong with the archive, in words that continue its name.
pub(super) fn tensors(archive: &[u8]) -> Result<HashMap<String, Stored>, String> {
    let unreadable = |error| format!("isn't a readable zip archive of weights ({error})");
    let mut zip = ZipArchive::new(Cursor::new(archive)).map_err(unreadable)?;
    let mut files = HashMap::new();
    for index in 0..zip.len() {
        let file = zip.by_index_raw(index).map_err(unreadable)?;
        let name = file.name().map_err(unreadable)?.into_owned();
        if file.compression() != CompressionMethod::Stored {
            return Err(format!("has {name:?} compressed, which PyTorch never does"));
        }
        let range = file.data_start().and_then(|start| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(file.size()).ok()?)?;
            (end <= archive.len()).then_some(start..end)
        });
        files.insert(name, range.ok_or("ends before its last file does")?);
    }
    let list = files.keys().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let list = list.ok_or("isn't an archive of weights: it has no data.pkl")?.clone();
    let folder = list.trim_end_matches("data.pkl");
    if files.get(&format!("{folder}byteorder")).is_some_and(|range| &archive[range.clone()] == b"big") {
        return Err("was written on a big-endian machine".into());
    }
    let described = pickle::tensors(&archive[files[&list].clone()])?;
    // What can't be located is as good as missing: `Weights` says so when it is asked for.
    let stored = described.into_iter().filter_map(|(name, description)| {
        let storage = files.get(&format!("{folder}data/{}", description.storage))?;
        Some((name, locate(&description, storage)?))
    });
    Ok(stored.collect())
}

/// Where a tensor lies in its storage; none where it leaves it, isn't in one piece or isn't made of numbers.
fn locate(tensor: &Description, storage: &Range<usize>) -> Option<Stored> {
    if tensor.shape.len() != tensor.strides.len() {
        return None;
    }
    let column_major = match is_dense(tensor.shape.iter().zip(&tensor.strides).rev()) {
        true => false,
        false if tensor.shape.len() == 2 && is_dense(tensor.shape.iter().zip(&tensor.strides)) => true,
        false => return None,
    };
    let dtype = tensor.dtype?;
    let elements = tensor.shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
    let start = storage.start.checked_add(tensor.offset.checked_mul(dtype.size_in_bytes())?)?;
    let end = start.checked_add(elements.checked_mul(dtype.size_in_bytes())?)?;
    let stored = Stored { file: 0, dtype, shape: tensor.shape.clone(), column_major, bytes: start..end };
    (end <= storage.end).then_some(stored)
}

/// Whether elements lie one behind the other, given sizes and strides from the innermost on.
fn is_dense<'a>(mut dimensions: impl Iterator<Item = (&'a usize, &'a usize)>) -> bool {
    let mut next = Some(1usize);
    dimensions.all(|(&size, &stride)| {
        let fits = size == 1 || next == Some(stride);
        next = next.and_then(|next| next.checked_mul(size));
        fits
    })
}
