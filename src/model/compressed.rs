//! Files as Mozilla serves them: compressed with gzip or Zstandard, or not at all.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder;

/// How many times as long as its compressed bytes a file may be. Weights shrink by a quarter, lists and vocabularies to
/// a fifth; what grows further is made to exhaust memory.
const LARGEST_GROWTH: u64 = 64;

/// The contents of a file, by the magic bytes that it starts with.
///
/// # Errors
/// What is wrong with it, in words that continue its name.
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    match bytes.get(..4) {
        Some([0x1f, 0x8b, ..]) => read("gzip", MultiGzDecoder::new(&*bytes), bytes.len()),
        Some([0x28, 0xb5, 0x2f, 0xfd]) => {
            let decoder = Decoder::with_buffer(&*bytes).map_err(|error| damaged("Zstandard", &error))?;
            read("Zstandard", decoder, bytes.len())
        }
        _ => Ok(bytes),
    }
}

fn read(format: &str, decoder: impl Read, compressed: usize) -> Result<Vec<u8>, String> {
    let limit = limit(compressed);
    let mut contents = Vec::new();
    decoder.take(limit + 1).read_to_end(&mut contents).map_err(|error| damaged(format, &error))?;
    if contents.len() as u64 > limit {
        return Err(format!("is compressed more than {LARGEST_GROWTH} times, as no model is"));
    }
    Ok(contents)
}

/// The longest that the contents of so many bytes may be.
fn limit(compressed: usize) -> u64 {
    compressed as u64 * LARGEST_GROWTH
}

fn damaged(format: &str, error: &dyn std::fmt::Display) -> String {
    format!("is cut off, or damaged: its {format} data can't be read ({error})")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(contents: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    fn contents() -> Vec<u8> {
        (0..5000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 20).to_le_bytes()).collect()
    }

    #[test]
    fn each_format_is_known_by_its_first_bytes() {
        let contents = contents();
        assert_eq!(unpack(contents.clone()).unwrap(), contents);
        assert_eq!(unpack(gzip(&contents)).unwrap(), contents);
        assert_eq!(unpack(zstd::encode_all(&*contents, 3).unwrap()).unwrap(), contents);
        assert!(unpack(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn compressed_data_that_is_cut_off_is_refused() {
        for bytes in [gzip(&contents()), zstd::encode_all(&*contents(), 3).unwrap()] {
            for length in [5, 12, bytes.len() / 2, bytes.len() - 1] {
                let error = unpack(bytes[..length].to_vec()).unwrap_err();
                assert!(error.contains("cut off, or damaged"), "{error}");
            }
        }
    }

    #[test]
    fn data_that_grows_beyond_measure_is_refused() {
        let error = unpack(gzip(&vec![0; 1 << 20])).unwrap_err();
        assert!(error.contains("more than 64 times"), "{error}");
    }
}
