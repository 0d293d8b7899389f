//! What users call models.

use std::fmt;

use super::catalogue::{Catalogue, Entry, Source};
use crate::{Error, Result};

/// A model that can be fetched.
#[derive(Debug, Clone)]
pub enum ModelName {
    /// A model of the catalogue.
    Catalogue(&'static Entry),
    /// Any repository on the Hugging Face Hub.
    Repository(Repository),
}

/// A repository on the Hugging Face Hub, written `owner/name` or `owner/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`.
    pub id: String,
    /// A branch, tag or commit; none stands for `main`.
    pub revision: Option<String>,
}

impl ModelName {
    /// Reads a name of the catalogue or a repository's.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] when it is neither.
    pub fn parse(name: &str) -> Result<Self> {
        if let Some(entry) = Catalogue::get().find(name) {
            return Ok(Self::Catalogue(entry));
        }
        if name.contains('/') {
            return Repository::parse(name).map(Self::Repository);
        }
        let names: Vec<_> = Catalogue::get().models.iter().map(|entry| entry.name.as_str()).collect();
        let known = format!("{}, a Hugging Face repository (owner/name), a model's folder", names.join(", "));
        Err(Error::UnknownModel { name: name.into(), known })
    }

    /// The folder that it has in the store.
    pub fn folder(&self) -> String {
        match self {
            Self::Catalogue(entry) => entry.name.clone(),
            Self::Repository(repository) => repository.folder(),
        }
    }

    /// The terms of the catalogue that hold for it. A repository of the catalogue has the same licence under its own
    /// name.
    pub(super) fn entry(&self) -> Option<&'static Entry> {
        match self {
            Self::Catalogue(entry) => Some(entry),
            Self::Repository(wanted) => Catalogue::get().models.iter().find(|entry| {
                let Source::HuggingFace { repository, .. } = &entry.source else { return false };
                repository.eq_ignore_ascii_case(&wanted.id)
            }),
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(entry) => f.write_str(&entry.name),
            Self::Repository(Repository { id, revision: None }) => f.write_str(id),
            Self::Repository(Repository { id, revision: Some(revision) }) => write!(f, "{id}@{revision}"),
        }
    }
}

impl Repository {
    /// Reads `owner/name` or `owner/name@revision`.
    ///
    /// # Errors
    /// [`Error::Hub`] when it can't be a repository's name.
    pub fn parse(text: &str) -> Result<Self> {
        let (id, revision) = match text.split_once('@') {
            Some((id, revision)) => (id, Some(revision)),
            None => (text, None),
        };
        let is_part = |part: &str| is_plain(part) && !part.contains("--");
        let is_id = id.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name));
        // Pull requests are branches with slashes: `refs/pr/39`.
        let is_revision = |revision: &str| revision.split('/').all(is_plain);
        if !is_id || !revision.is_none_or(is_revision) {
            let problem = "isn't the name of a Hugging Face repository";
            return Err(Error::hub(
                format!("{text:?}"),
                problem,
                "write it as owner/name or owner/name@revision",
            ));
        }
        Ok(Self { id: id.into(), revision: revision.map(Into::into) })
    }

    fn folder(&self) -> String {
        let id = self.id.replace('/', "--");
        match &self.revision {
            None => id,
            Some(revision) => format!("{id}@{}", revision.replace('/', "--")),
        }
    }
}

/// Whether a file of that name can lie in a model's folder: no path, nothing hidden, nothing that is kept there anyway.
pub(super) fn is_safe_file_name(name: &str) -> bool {
    is_plain(name) && !OURS.iter().any(|ours| name.ends_with(ours))
}

/// How the names end that the store itself gives to files.
const OURS: [&str; 4] = [super::MANIFEST, super::CARD, ".part", ".part.json"];

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    (1..=200).contains(&name.len()) && !name.starts_with(['.', '-']) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["nllb-200-distilled-600M", "facebook/m2m100_418M", "o/n@refs/pr/39", "o/n@main"] {
            assert_eq!(ModelName::parse(name).unwrap().to_string(), name);
        }
        assert_eq!(ModelName::parse("o/n@refs/pr/39").unwrap().folder(), "o--n@refs--pr--39");
    }

    #[test]
    fn names_that_could_leave_the_store_are_refused() {
        for name in
            ["../x", "o/..", "/etc/passwd", "o/n/m", "o/n@../x", "o/n@", "o/", "o/n\n", "o/a--b", "o/-n"]
        {
            assert!(ModelName::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn file_names_are_plain() {
        for name in ["config.json", "lex.50.50.faen.s2t.bin.zst", "model-00001-of-00002.safetensors"] {
            assert!(is_safe_file_name(name), "{name}");
        }
        for name in [
            "",
            "..",
            ".git",
            "a/b",
            "a\\b",
            "/a",
            "a\0",
            "manifest.json",
            "card.json",
            "a.part",
            "مدل",
            "a b",
        ] {
            assert!(!is_safe_file_name(name), "{name:?}");
        }
        assert!(!is_safe_file_name(&"a".repeat(300)));
    }

    #[test]
    fn a_repository_of_the_catalogue_keeps_its_terms_under_its_own_name() {
        let name = ModelName::parse("Facebook/nllb-200-distilled-600m").unwrap();
        assert!(name.entry().unwrap().must_accept);
        assert!(ModelName::parse("some/other").unwrap().entry().is_none());
    }
}
