//! The second way over a file: writes its outputs with the translations that the journal has by now.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::export::{Export, Exporter, Pair};
use super::format::{Context, Found, Input, Outcome, Output, ReadOptions, Stop, Visitor, Written, rewrite};
use super::journal::{Journal, Opened, State};
use super::layout;
use super::record::Segment;
use crate::{Error, Result};

/// Where a run's outputs are.
#[derive(Debug, Clone)]
pub(super) struct Outputs {
    folder: PathBuf,
    exports: Vec<Export>,
}

impl Outputs {
    pub(super) fn new(folder: &Path, exports: &[Export]) -> Self {
        Self { folder: folder.to_owned(), exports: exports.to_vec() }
    }

    /// What an output depends on besides its file and the translations.
    pub(super) fn layout(&self, read: &ReadOptions) -> String {
        serde_json::json!({ "read": read, "exports": self.exports }).to_string()
    }

    /// Whether all outputs of a file are there.
    pub(super) fn exist(&self, name: &str) -> bool {
        self.translated(name).exists()
            && self.exports.iter().all(|export| self.export(*export, name).exists())
    }

    fn translated(&self, name: &str) -> PathBuf {
        self.folder.join(layout::TRANSLATED).join(name)
    }

    fn export(&self, export: Export, name: &str) -> PathBuf {
        self.folder.join(export.name()).join(format!("{name}.{}", export.extension()))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let exports = self.exports.iter().map(|export| self.export(*export, name));
        exports.chain([self.translated(name)]).try_for_each(|path| remove(&path))
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure(path, &error)),
        _ => Ok(()),
    }
}

/// Writes outputs. Everything that it does blocks.
pub(super) struct Assembler {
    pub(super) journal: Journal,
    pub(super) outputs: Outputs,
    pub(super) read: ReadOptions,
    pub(super) scratch: PathBuf,
}

impl Assembler {
    /// Writes the outputs of a file whose articles are all done. `usable` is whether it could be read to its end; one
    /// that couldn't has none, and loses those of an earlier run.
    pub(super) fn assemble(&self, file: &Opened, usable: bool) -> Result<()> {
        let usable = usable && self.write(file)?;
        if !usable {
            self.outputs.remove(&file.source.name)?;
        }
        self.journal.close_source(file.id, usable)
    }

    fn write(&self, file: &Opened) -> Result<bool> {
        let name = &file.source.name;
        let opened = File::open(&file.source.path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, input) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.unusable(file, &error.to_string()),
        };
        let mut input = BufReader::new(input);
        let mut translated = Target::new(self.outputs.translated(name), &self.scratch)?;
        let mut exports = Vec::new();
        for export in &self.outputs.exports {
            let target = Target::new(self.outputs.export(*export, name), &self.scratch)?;
            exports.push(export.start(target)?);
        }
        let mut visit = Visit { journal: &self.journal, folder: &self.outputs.folder, exports: &mut exports };
        let mut context = Context::new(&self.read, &mut visit, &self.scratch, size);
        let ended = rewrite(name, Input::File(&mut input), Output::File(&mut translated), &mut context);
        translated.check()?;
        match ended {
            Ok(Written::Whole) => translated.keep()?,
            Ok(Written::Nothing) => remove(&self.outputs.translated(name))?,
            Err(Stop::Unusable(reason)) => return self.unusable(file, &reason),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::NoRoom(message)) => {
                return Err(Error::Io { path: self.outputs.folder.clone(), message });
            }
            Err(Stop::Interrupted) => return Err(Error::ShuttingDown),
        }
        for export in exports {
            let target = export.finish().map_err(|error| failure(&self.outputs.folder, &error))?;
            target.keep()?;
        }
        Ok(true)
    }

    fn unusable(&self, file: &Opened, reason: &str) -> Result<bool> {
        self.journal.add_problem(Some(file.id), &file.source.name, reason)?;
        Ok(false)
    }
}

struct Visit<'a> {
    journal: &'a Journal,
    /// Where the exports go.
    folder: &'a Path,
    exports: &'a mut [Box<dyn Exporter>],
}

impl Visitor for Visit<'_> {
    fn article(&mut self, article: Found) -> Outcome<Option<Vec<Segment>>> {
        let (translation, provenance) = match self.journal.state(&article.text.hash())? {
            State::Done(translation, provenance) if translation.fits(article.text.as_str()) => {
                (translation, provenance)
            }
            State::Done(..) => {
                return Err(Stop::unusable(
                    "has a translation that isn't its own; remove the journal and run again",
                ));
            }
            State::Failed => return Ok(None),
            State::Pending => return Err(Stop::unusable("changed while it was translated; run again")),
        };
        let pair = Pair {
            locator: &article.locator,
            source: article.text.as_str(),
            translation: &translation,
            provenance: &provenance,
        };
        for export in self.exports.iter_mut() {
            export.article(&pair).map_err(|error| failure(self.folder, &error))?;
        }
        Ok(Some(article.text.translated(&translation)))
    }

    /// The scan has noted it.
    fn unusable(&mut self, _locator: &str, _reason: String) -> Outcome {
        Ok(())
    }

    fn copied(&mut self) {}
}

/// A file that appears in its place once it is whole, and then survives a power cut.
pub(super) struct Target {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    /// Why writing failed, which whoever writes may take for a failure to read.
    failed: Option<String>,
}

impl Target {
    fn new(path: PathBuf, scratch: &Path) -> Result<Self> {
        let permissions = fs::Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().permissions(permissions).tempfile_in(scratch);
        let file = BufWriter::new(file.map_err(|error| failure(scratch, &error))?);
        Ok(Self { path, file, failed: None })
    }

    fn check(&self) -> Result<()> {
        match &self.failed {
            Some(message) => Err(Error::Io { path: self.path.clone(), message: message.clone() }),
            None => Ok(()),
        }
    }

    fn keep(self) -> Result<()> {
        self.check()?;
        let Self { path, file, .. } = self;
        let keep = || {
            let file = file.into_inner()?;
            file.as_file().sync_all()?;
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            file.persist(&path)?;
            File::open(folder)?.sync_all()
        };
        keep().map_err(|error: io::Error| failure(&path, &error))
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.failed = Some(error.to_string());
        }
        result
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.file.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        self.noted(result)
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let result = self.file.seek(to);
        self.noted(result)
    }
}

/// Writes every failure as a line of JSON.
pub(super) fn write_errors(journal: &Journal, output: &Path) -> Result<()> {
    let mut target = Target::new(layout::errors(output), &layout::scratch(output))?;
    journal.failures(|failed| {
        // A failure stays with the target.
        let _ = serde_json::to_writer(&mut target, &failed).map(|()| target.write_all(b"\n"));
    })?;
    target.keep()
}

fn failure(path: &Path, error: &io::Error) -> Error {
    Error::Io { path: path.to_owned(), message: error.to_string() }
}
