//! Reading the text to translate.

use std::io::{IsTerminal, Read};
use std::path::Path;

use super::failure::Failure;

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = if is_standard(path) {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| Failure::Failed(format!("{}: {error}", name(path))))?;
    decode(bytes).map_err(|problem| Failure::Failed(format!("{}: {problem}", name(path))))
}

/// What messages call the input.
pub(super) fn name(path: &Path) -> String {
    if is_standard(path) { "standard input".into() } else { path.display().to_string() }
}

/// Whether someone has to type the input.
pub(super) fn is_typed(path: &Path) -> bool {
    is_standard(path) && std::io::stdin().is_terminal()
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn decode(bytes: Vec<u8>) -> Result<String, String> {
    // What other encodings Persian text comes in: UTF-16 says so itself, and else it is most likely Windows'.
    let likely = match bytes.get(..2) {
        Some([0xFF, 0xFE] | [0xFE, 0xFF]) => "UTF-16",
        _ => "WINDOWS-1256",
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("isn't UTF-8 from byte {at} on; convert it first, e.g. with `iconv -f {likely} -t UTF-8`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf_8_is_answered_with_where_and_what_to_do() {
        let problem = decode(b"abc\xC7\xE6".to_vec()).unwrap_err();
        assert!(problem.contains("byte 3 on;") && problem.contains("-f WINDOWS-1256"), "{problem}");
        let problem = decode(b"\xFF\xFE\x33\x06".to_vec()).unwrap_err();
        assert!(problem.contains("byte 0 on;") && problem.contains("-f UTF-16"), "{problem}");
        // Cut within a letter.
        assert!(decode("سلام".as_bytes()[..7].to_vec()).unwrap_err().contains("byte 6 on;"));
    }

    #[test]
    fn a_byte_order_mark_is_kept() {
        assert_eq!(decode(b"\xEF\xBB\xBFa".to_vec()).unwrap(), "\u{FEFF}a");
    }
}
