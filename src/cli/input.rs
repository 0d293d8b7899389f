//! Reading the text to translate.

use std::io::Read;
use std::path::Path;

use super::failure::Failure;

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| Failure::file(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        Failure::Failed(format!(
            "{}: isn't UTF-8 from byte {} on; convert it first, e.g. with iconv -f WINDOWS-1256 -t UTF-8",
            path.display(),
            error.utf8_error().valid_up_to()
        ))
    })
}
