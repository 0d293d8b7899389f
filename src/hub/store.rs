//! The models on this machine, each in a folder of its own with a manifest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalogue::{Catalogue, Entry, RANKED_TEST_SET, Source};
use super::manifest::{Manifest, disk};
use super::name::ModelName;
use super::{BUILT_IN, MANIFEST, ModelChoice};
use crate::{Error, Result};

/// The folder for what is being fetched, in the store so that a finished model is moved and not copied.
const PARTIAL: &str = ".partial";

/// The models on this machine.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A model in the store.
#[derive(Debug)]
pub struct Stored {
    /// Its folder.
    pub folder: PathBuf,
    /// What is known of it, or why that can't be read.
    pub manifest: Result<Manifest>,
}

/// The model to use, and what to tell the user about the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The model.
    pub model: ModelChoice,
    /// That there is a better one, and how to get it.
    pub notice: Option<String>,
}

impl Store {
    /// The store in a folder, which needn't be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The models in the store, by the names of their folders.
    ///
    /// # Errors
    /// [`Error::Hub`] when the store's folder can't be read.
    pub fn list(&self) -> Result<Vec<Stored>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(disk(&self.root, &error)),
        };
        let mut stored = Vec::new();
        for entry in entries {
            let folder = entry.map_err(|error| disk(&self.root, &error))?.path();
            if folder.join(MANIFEST).is_file() {
                stored.push(Stored { manifest: Manifest::read(&folder), folder });
            }
        }
        stored.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(stored)
    }

    /// The folder of a model in the store.
    ///
    /// # Errors
    /// [`Error::Hub`] when it isn't there, with the command that fetches it.
    pub fn find(&self, name: &ModelName) -> Result<PathBuf> {
        let alias =
            name.entry().filter(|_| matches!(name, ModelName::Repository(named) if named.revision.is_none()));
        let mut folders =
            std::iter::once(self.folder(name)).chain(alias.map(|entry| self.root.join(&entry.name)));
        folders.find(|folder| folder.join(MANIFEST).is_file()).ok_or_else(|| {
            Error::hub(
                name.to_string(),
                format!("isn't in the store at {}", self.root.display()),
                format!("fetch it with `tarjoman models pull {name}`"),
            )
        })
    }

    /// The folder of a model in the store, whose files are what they were when they were fetched: those whose size or
    /// time has changed since are read again.
    ///
    /// # Errors
    /// [`Error::Hub`] when it isn't there, or isn't what it was.
    pub fn open(&self, name: &ModelName) -> Result<PathBuf> {
        let folder = self.find(name)?;
        check(&folder)?;
        Ok(folder)
    }

    /// What is wrong with a model in the store, each in a few words; its files are read again.
    ///
    /// # Errors
    /// [`Error::Hub`] when it isn't there.
    pub fn verify(&self, name: &ModelName) -> Result<Vec<String>> {
        let folder = self.find(name)?;
        let mut manifest = Manifest::read(&folder)?;
        let problems = manifest.verify(&folder);
        if problems.is_empty() {
            renew(&mut manifest, &folder);
        }
        Ok(problems)
    }

    /// Removes a model from the store, and what was fetched of it in part.
    ///
    /// # Errors
    /// [`Error::Hub`] when there is nothing of it, or another process is fetching it.
    pub fn remove(&self, name: &ModelName) -> Result<()> {
        let lock = self.lock_path(name)?;
        let file = fs::File::options().create(true).truncate(false).write(true).open(&lock);
        let file = file.map_err(|error| disk(&lock, &error))?;
        if file.try_lock().is_err() {
            let remedy = "wait for it, or stop it first";
            return Err(Error::hub(name.to_string(), "is being fetched by another process", remedy));
        }
        let mut found = self.stagings(name);
        match self.find(name) {
            Ok(folder) => found.push(folder),
            Err(error) if found.is_empty() => return Err(error),
            Err(_) => {}
        }
        for folder in &found {
            // Out of sight first: half a model is never found under its name.
            let aside = self.root.join(PARTIAL).join(format!("{}.removed", name.folder()));
            let removed = fs::rename(folder, &aside).and_then(|()| fs::remove_dir_all(&aside));
            removed.map_err(|error| disk(folder, &error))?;
        }
        Ok(())
    }

    /// The model that a user names, or the best one for Persian to English if none is named.
    ///
    /// A name is the built-in model's, one of the catalogue, the path of a folder, or a repository's on the Hugging
    /// Face Hub; names and repositories are looked up in the store, and nothing is fetched. The best model is the one
    /// with the highest published score among those in the store and the built-in one.
    ///
    /// # Errors
    /// [`Error::UnknownModel`]; [`Error::Hub`] when the model isn't in the store or isn't what it was.
    pub fn choose(&self, name: Option<&str>) -> Result<Chosen> {
        let Some(name) = name else { return self.best() };
        let path = Path::new(name);
        let model = if name == BUILT_IN {
            ModelChoice::BuiltIn
        } else if Catalogue::get().find(name).is_none() && path.is_dir() {
            if self.holds(path) {
                check(path)?;
            }
            ModelChoice::Folder(path.into())
        } else if path.is_absolute() || name.starts_with('.') {
            return Err(Error::hub(name, "is no folder", "check the path"));
        } else {
            ModelChoice::Folder(self.open(&ModelName::parse(name)?)?)
        };
        Ok(Chosen { model, notice: None })
    }

    fn best(&self) -> Result<Chosen> {
        let stored = |entry: &&Entry| self.root.join(&entry.name).join(MANIFEST).is_file();
        let here = Catalogue::get().models.iter().filter(stored);
        let built_in = Catalogue::get().find(BUILT_IN);
        match best_of(here.clone().chain(built_in)) {
            Some(entry) if entry.name != BUILT_IN => {
                let folder = self.open(&ModelName::Catalogue(entry))?;
                Ok(Chosen { model: ModelChoice::Folder(folder), notice: None })
            }
            _ => {
                let unranked = here.filter(|entry| entry.ranked_score().is_none()).map(|entry| &*entry.name);
                let notice = notice(&unranked.collect::<Vec<_>>());
                Ok(Chosen { model: ModelChoice::BuiltIn, notice })
            }
        }
    }

    /// The folder that a model has or would have.
    pub(super) fn folder(&self, name: &ModelName) -> PathBuf {
        self.root.join(name.folder())
    }

    /// The folder that a revision of a model is fetched into.
    pub(super) fn staging(&self, name: &ModelName, commit: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let commit: String = commit.chars().take(64).map(plain).collect();
        self.root.join(PARTIAL).join(format!("{}+{commit}", name.folder()))
    }

    /// The folders with what was fetched of a model in part.
    pub(super) fn stagings(&self, name: &ModelName) -> Vec<PathBuf> {
        let prefix = format!("{}+", name.folder());
        let entries = fs::read_dir(self.root.join(PARTIAL)).into_iter().flatten().flatten();
        let begun = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        begun.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// The file that a process locks while it changes a model.
    pub(super) fn lock_path(&self, name: &ModelName) -> Result<PathBuf> {
        let folder = self.root.join(PARTIAL);
        fs::create_dir_all(&folder).map_err(|error| disk(&folder, &error))?;
        Ok(folder.join(format!("{}.lock", name.folder())))
    }

    /// Moves a complete model to its place, and an older one out of it.
    pub(super) fn move_in(staging: &Path, folder: &Path) -> Result<()> {
        let mut aside = staging.as_os_str().to_owned();
        aside.push(".old");
        let moved = || {
            if folder.exists() {
                fs::rename(folder, &aside)?;
            }
            fs::rename(staging, folder)?;
            match fs::remove_dir_all(&aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        };
        moved().map_err(|error| disk(folder, &error))
    }

    fn holds(&self, folder: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        let parent = real(folder).and_then(|folder| folder.parent().map(Path::to_owned));
        parent.is_some() && parent == real(&self.root) && folder.join(MANIFEST).is_file()
    }
}

/// The model with the highest published score.
fn best_of<'a>(models: impl Iterator<Item = &'a Entry>) -> Option<&'a Entry> {
    let ranked = models.filter_map(|entry| Some((entry.ranked_score()?, entry)));
    ranked.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, entry)| entry)
}

/// That the built-in model is used although there are better ones.
fn notice(unranked: &[&str]) -> Option<String> {
    let free = Catalogue::get().models.iter();
    let free = free.filter(|entry| !entry.must_accept && !matches!(entry.source, Source::BuiltIn {}));
    let better = best_of(free)?;
    let bleu = better.ranked_score()?;
    let unranked = match unranked {
        [] => String::new(),
        names => {
            format!(
                "; {} in the store has no published score, and is used if named with --model",
                names.join(", ")
            )
        }
    };
    Some(format!(
        "using the built-in model; {name} is far better (BLEU {bleu:.1} on {RANKED_TEST_SET}), and \
         `tarjoman models pull {name}` fetches it{unranked}",
        name = better.name
    ))
}

/// Reads a model's files again whose size or time has changed.
fn check(folder: &Path) -> Result<()> {
    let mut manifest = Manifest::read(folder)?;
    if manifest.looks_unchanged(folder) {
        return Ok(());
    }
    let problems = manifest.verify(folder);
    if problems.is_empty() {
        renew(&mut manifest, folder);
        return Ok(());
    }
    let remedy = format!("fetch it again with `tarjoman models pull {}`", manifest.name);
    Err(Error::hub(folder.display().to_string(), problems.join(", "), remedy))
}

/// Spares the next load the reading of files that are all right. Not being able to is no harm.
fn renew(manifest: &mut Manifest, folder: &Path) {
    if manifest.take_times(folder).is_ok() {
        let _ = manifest.write(folder);
    }
}
