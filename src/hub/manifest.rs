//! What the store knows of a model's files: where they came from, and what they were when they were checked.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::catalogue::Family;
use super::name::is_safe_file_name;
use super::{CARD, MANIFEST};
use crate::{Error, Result};

/// The version of the manifest's form.
const FORMAT: u32 = 1;

/// `manifest.json` beside a model's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// The name that it was fetched by.
    pub name: String,
    /// What kind of model it is, where the catalogue knows.
    pub family: Option<Family>,
    /// Where it came from.
    pub origin: Origin,
    /// Its licence as an SPDX expression; empty where it isn't known.
    pub licence: String,
    /// When the user accepted the licence, where that was asked for; RFC 3339.
    pub licence_accepted: Option<String>,
    /// When it was fetched; RFC 3339.
    pub fetched: String,
    /// Its files.
    pub files: Vec<FileRecord>,
}

/// Where a model came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The server's address.
    pub server: String,
    /// The repository, or the collection of records.
    pub repository: String,
    /// The revision that was asked for.
    pub revision: String,
    /// What the revision stood for: the commit, or the records' version. Never changes its meaning.
    pub commit: String,
}

/// A file as it was when its digest was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its name in the model's folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// When it was last modified: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
}

/// The digests that servers give of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) size: u64,
    pub(super) sha256: String,
    /// What git calls the file: SHA-1 of `blob`, the size, a zero byte and the contents.
    pub(super) git: String,
}

impl Manifest {
    pub(super) fn new(name: String, family: Option<Family>, origin: Origin, licence: String) -> Self {
        Self {
            format: FORMAT,
            name,
            family,
            origin,
            licence,
            licence_accepted: None,
            fetched: now(),
            files: Vec::new(),
        }
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// [`Error::Hub`] when it isn't a manifest, or names files that can't lie in the folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let remedy = "remove the model and fetch it again";
        let wrong = |problem: String| Error::hub(path.display().to_string(), problem, remedy);
        let bytes = fs::read(&path).map_err(|error| wrong(format!("can't be read: {error}")))?;
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|error| wrong(format!("isn't a manifest: {error}")))?;
        if manifest.format != FORMAT {
            return Err(wrong(format!("has the form {}, and this program reads {FORMAT}", manifest.format)));
        }
        match manifest.files.iter().find(|file| file.name != CARD && !is_safe_file_name(&file.name)) {
            Some(file) => Err(wrong(format!("{:?} can't be a file's name", file.name))),
            None => Ok(manifest),
        }
    }

    /// Writes the manifest into a folder, in one step.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(MANIFEST);
        let temporary = folder.join(format!("{MANIFEST}.part"));
        let write = || {
            fs::write(&temporary, serde_json::to_vec_pretty(self)?)?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| disk(&path, &error))
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// What is wrong with the files of a folder, each in a few words; with their digests computed again.
    pub fn verify(&self, folder: &Path) -> Vec<String> {
        let mut problems: Vec<_> = self.files.iter().filter_map(|file| file.problem(folder)).collect();
        let known = |name: &str| name == MANIFEST || self.files.iter().any(|file| file.name == name);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !known(&name) {
                problems.push(format!("{name} wasn't fetched with the model"));
            }
        }
        problems
    }

    /// Whether all files have the size and time they had when they were checked.
    pub(super) fn looks_unchanged(&self, folder: &Path) -> bool {
        self.files.iter().all(|file| {
            fs::metadata(folder.join(&file.name))
                .is_ok_and(|found| found.len() == file.size && modified(&found) == file.modified)
        })
    }

    /// Takes the files' times as they are now.
    pub(super) fn take_times(&mut self, folder: &Path) -> io::Result<()> {
        for file in &mut self.files {
            file.modified = modified(&fs::metadata(folder.join(&file.name))?);
        }
        Ok(())
    }
}

impl FileRecord {
    /// The record of a file that is all right as it is.
    pub(super) fn of(folder: &Path, name: &str, digests: Digests) -> io::Result<Self> {
        let modified = modified(&fs::metadata(folder.join(name))?);
        Ok(Self { name: name.into(), size: digests.size, sha256: digests.sha256, modified })
    }

    fn problem(&self, folder: &Path) -> Option<String> {
        let Self { name, size, sha256, .. } = self;
        let path = folder.join(name);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("{name} is missing")),
            Err(error) => Some(format!("{name} can't be read: {error}")),
            Ok(found) if found.len() != *size => {
                Some(format!("{name} has {} bytes instead of {size}", found.len()))
            }
            Ok(_) => match Digests::of(&path) {
                Err(error) => Some(format!("{name} can't be read: {error}")),
                Ok(found) if found.sha256 != *sha256 => {
                    Some(format!("{name} has the SHA-256 {} instead of {sha256}", found.sha256))
                }
                Ok(_) => None,
            },
        }
    }
}

impl Digests {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        let mut sha256 = Sha256::new();
        let mut git = Sha1::new_with_prefix(format!("blob {size}\0"));
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                let (sha256, git) = (hex::encode(sha256.finalize()), hex::encode(git.finalize()));
                return Ok(Self { size, sha256, git });
            }
            sha256.update(&buffer[..read]);
            git.update(&buffer[..read]);
        }
    }
}

/// The error of a file of the store, with what to do about a full disk.
pub(super) fn disk(path: &Path, error: &io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let remedy = match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            "free some space and run the command again, which goes on from here, or choose another place with --store"
        }
        PermissionDenied | ReadOnlyFilesystem => "choose a place that you may write to with --store",
        _ => "check the disk, or choose another place with --store",
    };
    Error::hub(path.display().to_string(), error.to_string(), remedy)
}

pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

fn modified(found: &Metadata) -> (i64, i64) {
    (found.mtime(), found.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin {
            server: "http://hub".into(),
            repository: "o/n".into(),
            revision: "main".into(),
            commit: "c".into(),
        };
        let mut manifest = Manifest::new("o/n".into(), None, origin, "MIT".into());
        for (name, contents) in [("config.json", "{}"), ("vocab.json", "hello\n")] {
            fs::write(folder.path().join(name), contents).unwrap();
            let digests = Digests::of(&folder.path().join(name)).unwrap();
            manifest.files.push(FileRecord::of(folder.path(), name, digests).unwrap());
        }
        manifest.write(folder.path()).unwrap();
        (folder, manifest)
    }

    #[test]
    fn digests_are_those_of_sha256sum_and_git() {
        let (folder, _) = model();
        let digests = Digests::of(&folder.path().join("vocab.json")).unwrap();
        // By `printf 'hello\n' | sha256sum` and `printf 'hello\n' | git hash-object --stdin`.
        assert_eq!(digests.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(digests.git, "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(digests.size, 6);
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let (folder, manifest) = model();
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
        assert_eq!(manifest.size(), 8);
    }

    #[test]
    fn every_way_to_spoil_a_file_is_found() {
        type Spoil = fn(&Path);
        let cases: [(Spoil, &str); 4] = [
            (|folder| fs::write(folder.join("vocab.json"), "hellO\n").unwrap(), "SHA-256"),
            (|folder| fs::write(folder.join("vocab.json"), "hello").unwrap(), "5 bytes instead of 6"),
            (|folder| fs::remove_file(folder.join("vocab.json")).unwrap(), "is missing"),
            (|folder| fs::write(folder.join("model.safetensors"), "x").unwrap(), "wasn't fetched"),
        ];
        for (spoil, problem) in cases {
            let (folder, manifest) = model();
            assert_eq!(manifest.verify(folder.path()), [""; 0]);
            spoil(folder.path());
            let problems = manifest.verify(folder.path());
            assert!(problems.len() == 1 && problems[0].contains(problem), "{problems:?}");
        }
    }

    #[test]
    fn a_touched_file_looks_changed_and_is_all_right() {
        let (folder, manifest) = model();
        assert!(manifest.looks_unchanged(folder.path()));
        let file = fs::File::options().write(true).open(folder.path().join("vocab.json")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(!manifest.looks_unchanged(folder.path()));
        assert_eq!(manifest.verify(folder.path()), [""; 0]);
    }

    #[test]
    fn a_manifest_that_is_none_is_refused() {
        let (folder, manifest) = model();
        let text = serde_json::to_string(&manifest).unwrap();
        let cases = [
            ("{".to_owned(), "isn't a manifest"),
            (text.replace("\"format\":1", "\"format\":2"), "the form 2"),
            (text.replace("vocab.json", "../vocab.json"), "can't be a file's name"),
            (text.replace("\"licence\"", "\"license\""), "isn't a manifest"),
        ];
        for (text, problem) in cases {
            fs::write(folder.path().join(MANIFEST), text).unwrap();
            let error = Manifest::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("fetch it again"), "{error}");
        }
    }

    #[test]
    fn a_full_disk_is_told_with_what_to_do() {
        let error = disk(Path::new("f"), &io::ErrorKind::StorageFull.into()).to_string();
        assert!(error.contains("free some space") && error.contains("--store"), "{error}");
    }
}
