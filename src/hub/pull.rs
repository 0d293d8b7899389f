//! Fetching a model into the store.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;

use super::catalogue::{Entry, Source};
use super::fetch::{Digest, Fetcher, Wanted};
use super::hugging_face::{self, Selection};
use super::manifest::{Digests, FileRecord, Manifest, Origin, disk, now};
use super::mozilla::{self, Student};
use super::name::{ModelName, Repository};
use super::settings::HubSettings;
use super::store::Store;
use super::{CARD, Card, http};
use crate::{Error, Result};

/// Who is told how a pull goes on.
pub type Report<'a> = &'a (dyn Fn(PullEvent<'_>) + Sync);

/// How a pull goes on.
#[derive(Debug, Clone, Copy)]
pub enum PullEvent<'a> {
    /// Another process is fetching the same model; this one waits for it.
    Waiting,
    /// A file is begun, or gone on with.
    File {
        /// Its name.
        name: &'a str,
        /// Bytes in all.
        size: u64,
        /// Bytes that are there already.
        done: u64,
    },
    /// So many more bytes of the file are there.
    Advanced(u64),
    /// Something failed and is tried again.
    Retrying {
        /// When.
        pause: Duration,
        /// What failed.
        problem: &'a str,
    },
}

/// A model that is in the store now.
#[derive(Debug)]
pub struct Pulled {
    /// Its folder.
    pub folder: PathBuf,
    /// What is known of it.
    pub manifest: Manifest,
    /// Whether it was there before.
    pub was_there: bool,
}

/// What to fetch.
pub(super) struct Plan {
    pub(super) files: Vec<Wanted>,
    pub(super) origin: Origin,
    /// The licence that the source itself states; may be empty.
    pub(super) licence: String,
    /// The page where access to the model is asked for.
    pub(super) page: Option<String>,
}

/// Fetches a model into the store, unless its current revision is there and sound. Files that an earlier run fetched,
/// whole or in part, aren't fetched again; nor are those that Hugging Face's own tools keep on this machine.
///
/// # Errors
/// [`Error::Hub`], with a remedy, when the model can't be fetched or may not be. What was fetched stays for the next
/// run.
pub async fn pull(
    settings: &HubSettings,
    name: &ModelName,
    accept_licence: bool,
    report: Report<'_>,
) -> Result<Pulled> {
    let store = Store::new(&settings.store);
    let subject = name.to_string();
    if let Some(who) = settings.offline {
        let remedy = format!("leave {who} off to fetch it");
        return Err(Error::hub(subject, format!("nothing is fetched with {who}"), remedy));
    }
    let entry = name.entry();
    if let Some(Entry { source: Source::BuiltIn {}, .. }) = entry {
        return Err(Error::hub(subject, "is inside the program", "use it as it is"));
    }
    let folder = store.folder(name);
    let before = Manifest::read(&folder).ok();
    let accepted = before.as_ref().and_then(|manifest| manifest.licence_accepted.clone());
    let asks = accepted.is_none() && !accept_licence;
    if let Some(entry) = entry.filter(|entry| entry.must_accept && asks) {
        return Err(unaccepted(&subject, &entry.licence));
    }

    let _lock = lock(&store, name, report).await?;
    let plan = plan(settings, name, report).await?;
    let licence = entry.map_or_else(|| plan.licence.clone(), |entry| entry.licence.clone());
    let must_accept = entry.map_or_else(|| is_restricted(&licence), |entry| entry.must_accept);
    if must_accept && asks {
        return Err(unaccepted(&subject, &licence));
    }
    // Read again, as the process that had the lock may have fetched it.
    if let Ok(manifest) = Manifest::read(&folder)
        && manifest.origin == plan.origin
        && (manifest.looks_unchanged(&folder) || manifest.verify(&folder).is_empty())
    {
        return Ok(Pulled { folder, manifest, was_there: true });
    }

    let staging = store.staging(name, &plan.origin.commit);
    prepare(&store, name, &staging)?;
    check_space(settings, &subject, &plan, &staging)?;
    let mut manifest = Manifest::new(subject, entry.map(|entry| entry.family), plan.origin.clone(), licence);
    manifest.licence_accepted = accepted.or_else(|| must_accept.then(now));
    manifest.files = fetch(settings, &plan, &staging, (&folder, before.as_ref()), report).await?;
    manifest.files.push(write_card(&staging, &manifest, entry)?);
    manifest.fetched = now();
    manifest.write(&staging)?;
    Store::move_in(&staging, &folder)?;
    Ok(Pulled { folder, manifest, was_there: false })
}

async fn plan(settings: &HubSettings, name: &ModelName, report: Report<'_>) -> Result<Plan> {
    let entry = match name {
        ModelName::Repository(repository) => {
            return hugging_face::plan(settings, repository, Selection::Model, report).await;
        }
        ModelName::Catalogue(entry) => entry,
    };
    match &entry.source {
        Source::HuggingFace { repository, revision, files, optional } => {
            let repository = Repository { id: repository.clone(), revision: Some(revision.clone()) };
            hugging_face::plan(settings, &repository, Selection::Named(files, optional), report).await
        }
        Source::Mozilla { collections, from, to, architecture } => {
            mozilla::plan(settings, &Student { collections, from, to, architecture }, report).await
        }
        Source::BuiltIn {} => Err(Error::hub(&entry.name, "is inside the program", "use it as it is")),
    }
}

async fn fetch(
    settings: &HubSettings,
    plan: &Plan,
    staging: &Path,
    (folder, before): (&Path, Option<&Manifest>),
    report: Report<'_>,
) -> Result<Vec<FileRecord>> {
    let on_hub = plan.page.is_some();
    let nearby = |digest: &Digest| {
        let kept = before.into_iter().flat_map(|manifest| &manifest.files);
        let kept =
            kept.filter(|file| file.sha256 == digest.hexadecimal()).map(|file| folder.join(&file.name));
        let repository = format!("models--{}", plan.origin.repository.replace('/', "--"));
        let blob = settings.hugging_face_cache.join(repository).join("blobs").join(digest.hexadecimal());
        kept.chain(on_hub.then_some(blob)).filter(|path| path.is_file()).collect()
    };
    let client = http::client(Policy::none())?;
    let fetcher = Fetcher {
        client: &client,
        retries: settings.retries,
        report,
        token: settings.token.as_deref().filter(|_| on_hub),
        page: plan.page.as_deref(),
        commit: Some(plan.origin.commit.as_str()).filter(|_| on_hub),
        folder: staging,
        nearby: &nearby,
    };
    let mut files = Vec::with_capacity(plan.files.len() + 1);
    for wanted in &plan.files {
        files.push(fetcher.file(wanted).await?);
    }
    Ok(files)
}

/// Locks a model against other processes, which is undone when the file is dropped or the process ends.
async fn lock(store: &Store, name: &ModelName, report: Report<'_>) -> Result<File> {
    let path = store.lock_path(name)?;
    let failed = |error: std::io::Error| disk(&path, &error);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            report(PullEvent::Waiting);
            let waited = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
            waited.map_err(std::io::Error::from).and_then(|locked| locked).map_err(failed)
        }
    }
}

/// Makes the folder that files are fetched into, and removes what was begun of other revisions.
fn prepare(store: &Store, name: &ModelName, staging: &Path) -> Result<()> {
    for stale in store.stagings(name).into_iter().filter(|found| found != staging) {
        fs::remove_dir_all(&stale).map_err(|error| disk(&stale, &error))?;
    }
    fs::create_dir_all(staging).map_err(|error| disk(staging, &error))?;
    // Of a run that was interrupted just before its end.
    for ours in [CARD, super::MANIFEST] {
        let _ = fs::remove_file(staging.join(ours));
    }
    Ok(())
}

fn check_space(settings: &HubSettings, subject: &str, plan: &Plan, staging: &Path) -> Result<()> {
    let there = |name: &str| {
        let size = |name: String| fs::metadata(staging.join(name)).map_or(0, |found| found.len());
        size(name.into()).max(size(format!("{name}.part")))
    };
    let missing = plan.files.iter().map(|file| file.size.saturating_sub(there(&file.name)));
    let needed = missing.fold(0, u64::saturating_add);
    let free = (settings.free_space)(staging).map_err(|error| disk(staging, &error))?;
    if needed <= free {
        return Ok(());
    }
    let problem =
        format!("needs {needed} bytes more, and {free} are free on the disk of {}", settings.store.display());
    Err(Error::hub(subject, problem, "free some space, or choose another place with --store"))
}

fn write_card(staging: &Path, manifest: &Manifest, entry: Option<&Entry>) -> Result<FileRecord> {
    let card = Card {
        name: manifest.name.clone(),
        source_language: entry.map(|entry| entry.source_language.clone()).unwrap_or_default(),
        target_language: entry.map(|entry| entry.target_language.clone()).unwrap_or_default(),
        source_code: entry.and_then(|entry| entry.source_code.clone()),
        target_code: entry.and_then(|entry| entry.target_code.clone()),
        licence: manifest.licence.clone(),
        note: String::new(),
    };
    let path = staging.join(CARD);
    let write = || {
        fs::write(&path, serde_json::to_vec_pretty(&card)?)?;
        FileRecord::of(staging, CARD, Digests::of(&path)?)
    };
    write().map_err(|error| disk(&path, &error))
}

/// Whether a licence is one that a user should have read: not for commercial use, the author's own, or none stated.
fn is_restricted(licence: &str) -> bool {
    let licence = licence.to_ascii_lowercase();
    licence.is_empty() || licence == "other" || licence == "unknown" || licence.contains("-nc")
}

fn unaccepted(subject: &str, licence: &str) -> Error {
    let problem = match licence {
        "" | "unknown" => "states no licence, which must be accepted first".to_owned(),
        licence => format!("has the licence {licence}, which must be accepted first"),
    };
    Error::hub(subject, problem, "read the terms, and add --accept-license if you accept them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_with_conditions_must_be_accepted() {
        for licence in ["cc-by-nc-4.0", "CC-BY-NC-SA-4.0", "other", ""] {
            assert!(is_restricted(licence), "{licence:?}");
        }
        for licence in ["apache-2.0", "MIT", "MPL-2.0", "cc-by-4.0"] {
            assert!(!is_restricted(licence), "{licence:?}");
        }
    }
}
