//! Quantised weights: a GGUF file, as candle writes it, with the names of the tensors that Hugging Face has, or as
//! llama.cpp does.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content, TensorInfo};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_transformers::quantized_var_builder::VarBuilder;

use super::config::{self, T5Config};
use crate::{Error, Result};

/// Bytes in which what a file says of itself ends, by far.
const LONGEST_HEAD: u64 = 1 << 26;

/// The tensors that a configuration promises, as candle's quantised T5 takes them, and the type of most of them.
///
/// candle takes nothing but a GGUF file, and the tables of distances have to be others than the file's, so a second file
/// is put together in memory: while it is being read it needs twice the model's size.
pub(super) fn open(path: &Path, config: &T5Config, device: &Device) -> Result<(VarBuilder, GgmlDType)> {
    let unreadable = |error: &dyn Display| {
        Error::model_file(path, format!("isn't a readable GGUF file ({error})"), "fetch the model again")
    };
    let mut file = BufReader::new(File::open(path).map_err(|error| unreadable(&error))?);
    let mut head = Vec::new();
    (&mut file).take(LONGEST_HEAD).read_to_end(&mut head).map_err(|error| unreadable(&error))?;
    if is_aligned_to_nothing(&head) {
        return Err(unreadable(&"its alignment is 0"));
    }
    drop(head);
    file.rewind().map_err(|error| unreadable(&error))?;
    let content = Content::read(&mut file).map_err(|error| unreadable(&error))?;
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    for (name, shape) in config.tensors() {
        let (stored, info) = find(&content.tensor_infos, &name)
            .ok_or_else(|| mismatch(path, format!("has no tensor {name:?}")))?;
        if info.shape.dims() != shape {
            let problem = format!(
                "the tensor {stored:?} has the shape {:?} where the configuration promises {shape:?}",
                info.shape.dims()
            );
            return Err(mismatch(path, problem));
        }
        let mut tensor = content.tensor(&mut file, stored, device).map_err(|error| unreadable(&error))?;
        if let Some(buckets) = config.buckets_of(&name) {
            tensor = QTensor::quantize(&buckets.spread(&tensor.dequantize(device)?)?, GgmlDType::F32)?;
        }
        tensors.push((name, tensor));
    }
    let precision = most_common(&tensors);
    let size: usize =
        tensors.iter().map(|(name, tensor)| tensor.storage_size_in_bytes() + name.len() + 128).sum();
    let mut second = Cursor::new(Vec::with_capacity(size));
    let references: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut second, &[], &references)?;
    drop(tensors);
    Ok((VarBuilder::from_gguf_buffer(second.get_ref(), device)?, precision))
}

/// Whether a file says that its tensors start at multiples of 0, by which candle divides without looking.
fn is_aligned_to_nothing(head: &[u8]) -> bool {
    const KEY: &[u8] = b"general.alignment";
    head.windows(KEY.len()).enumerate().filter(|(_, window)| *window == KEY).any(|(at, _)| {
        let value = &head[at + KEY.len()..];
        // The value's type, then the value: in one byte, in two or in four.
        let size = match value.first_chunk().map(|kind| u32::from_le_bytes(*kind)) {
            Some(0 | 1) => 1,
            Some(2 | 3) => 2,
            Some(4 | 5) => 4,
            _ => return false,
        };
        value.get(4..4 + size).is_some_and(|value| value.iter().all(|&byte| byte == 0))
    })
}

/// A tensor by any of its names.
fn find<'a>(tensors: &'a HashMap<String, TensorInfo>, name: &str) -> Option<(&'a str, &'a TensorInfo)> {
    let stored = config::stored_name(name, |name| tensors.contains_key(name));
    let (stored, info) =
        tensors.get_key_value(stored).or_else(|| tensors.get_key_value(&llama_name(name)))?;
    Some((stored, info))
}

/// What llama.cpp calls a tensor.
fn llama_name(name: &str) -> String {
    let feed_forward = if name.starts_with("encoder.") { "layer.1" } else { "layer.2" };
    [
        ("shared", "token_embd"),
        ("lm_head", "output"),
        ("encoder.", "enc."),
        ("decoder.", "dec."),
        ("final_layer_norm", "output_norm"),
        ("block.", "blk."),
        ("layer.0.layer_norm", "attn_norm"),
        ("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"),
        ("layer.0.SelfAttention.", "attn_"),
        (&format!("{feed_forward}.layer_norm"), "ffn_norm"),
        (&format!("{feed_forward}.DenseReluDense.wi_0"), "ffn_gate"),
        (&format!("{feed_forward}.DenseReluDense.wi_1"), "ffn_up"),
        (&format!("{feed_forward}.DenseReluDense.wo"), "ffn_down"),
        ("layer.1.layer_norm", "cross_attn_norm"),
        ("layer.1.EncDecAttention.", "cross_attn_"),
    ]
    .iter()
    .fold(name.to_owned(), |name, (theirs, llama)| name.replace(theirs, llama))
}

/// The type that most numbers have.
fn most_common(tensors: &[(String, QTensor)]) -> GgmlDType {
    let mut numbers: Vec<(GgmlDType, usize)> = Vec::new();
    for (_, tensor) in tensors {
        let more = tensor.shape().elem_count();
        match numbers.iter_mut().find(|(kind, _)| *kind == tensor.dtype()) {
            Some((_, count)) => *count += more,
            None => numbers.push((tensor.dtype(), more)),
        }
    }
    numbers.into_iter().max_by_key(|(_, count)| *count).map_or(GgmlDType::F32, |(kind, _)| kind)
}

fn mismatch(path: &Path, problem: String) -> Error {
    let remedy = "check that the weights and config.json belong to the same model, or fetch it again";
    Error::model_file(path, problem, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/golden/t5.py` wrote down the names of the tiny model's tensors in both.
    #[test]
    fn every_tensor_has_the_name_that_llama_has_for_it() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-t5.names.txt");
        let golden = std::fs::read_to_string(path).unwrap();
        assert!(golden.lines().count() > 40);
        for line in golden.lines() {
            let (name, expected) = line.split_once(' ').unwrap();
            assert_eq!(llama_name(name), expected);
        }
    }
}
