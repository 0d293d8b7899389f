//! Where the translation goes.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// Standard output, or a file that appears whole or not at all.
pub(super) enum Output {
    Standard(Stdout),
    /// A device or a named pipe, which nothing may take the place of.
    Device(File),
    File {
        path: PathBuf,
        temporary: PathBuf,
        file: BufWriter<File>,
    },
}

impl Output {
    /// Opens the file at `path`, or standard output.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Standard(io::stdout())) };
        Self::open(path).map_err(|error| Failure::file(path, &error))
    }

    fn open(path: &Path) -> io::Result<Self> {
        // Where it is a link, what it points to is replaced and not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.exists() && !path.is_file() {
            return Ok(Self::Device(File::options().write(true).open(path)?));
        }
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        // Beside the file, as a file can't be moved into place from another disk in one step.
        let temporary = path.with_file_name(name);
        let file = BufWriter::new(File::create(&temporary)?);
        Ok(Self::File { path, temporary, file })
    }

    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Standard(output) => output,
            Self::Device(device) => device,
            Self::File { file, .. } => file,
        }
    }

    /// Completes the output. One that is dropped without it is no file at all.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.writer().flush()?;
        if let Self::File { path, temporary, .. } = &self {
            std::fs::rename(temporary, path).map_err(|error| Failure::file(path, &error))?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::File { temporary, .. } = self {
            // Gone already where the translation was finished.
            let _ = std::fs::remove_file(temporary);
        }
    }
}
