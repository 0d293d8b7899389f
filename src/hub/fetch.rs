//! One file from a server into a folder: resumed where it broke off, and checked before it gets its name.

use std::io;
use std::path::{Path, PathBuf};

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::http::{Answer, Asked, Attempts, Failure, Place, Refusal, ask, get, malformed, unreachable};
use super::manifest::{Digests, FileRecord, disk};
use super::settings::Retries;
use super::{PullEvent, Report};
use crate::{Error, Result};

/// Bytes after which an attempt that fails counts as progress, so that a bad line is put up with as long as it takes.
const PROGRESS: u64 = 1 << 20;

/// A file to fetch.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Its name in the model's folder.
    pub(super) name: String,
    pub(super) url: Url,
    /// Bytes, as the server lists it.
    pub(super) size: u64,
    /// Its digest as the server lists it; none where only the answer for the file itself has it.
    pub(super) digest: Option<Digest>,
}

/// What a server says that a file's digest is, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Digest {
    Sha256(String),
    /// Git's name for the contents.
    Git(String),
}

/// What all files of a model are fetched with.
pub(super) struct Fetcher<'a> {
    pub(super) client: &'a Client,
    pub(super) retries: Retries,
    pub(super) report: Report<'a>,
    pub(super) token: Option<&'a str>,
    /// The page where access to the model is asked for.
    pub(super) page: Option<&'a str>,
    /// The commit that the files belong to, where the server tells it with each.
    pub(super) commit: Option<&'a str>,
    /// Where the file is written to.
    pub(super) folder: &'a Path,
    /// Folders of files that are named by their digests: what is there needn't be fetched.
    pub(super) nearby: &'a dyn Fn(&Digest) -> Vec<PathBuf>,
}

/// `NAME.part.json` beside the part of a file: what a resumed download must agree with.
#[derive(Debug, Serialize, Deserialize)]
struct PartNote {
    /// The entity tag of the answer that the part came from.
    tag: Option<String>,
    digest: Digest,
}

impl Fetcher<'_> {
    /// Fetches a file, unless an earlier run has.
    pub(super) async fn file(&self, wanted: &Wanted) -> Result<FileRecord> {
        let path = self.folder.join(&wanted.name);
        let mut attempts = Attempts::new(self.retries, self.report);
        let digests = if path.exists() {
            digests(&path).await?
        } else {
            let part = Part::of(&path);
            loop {
                let before = part.size();
                match self.attempt(wanted, &part, &path).await {
                    Ok(digests) => break digests,
                    Err(failure) => {
                        if part.size() >= before.saturating_add(PROGRESS) {
                            attempts.renew();
                        }
                        attempts.pause(failure).await?;
                    }
                }
            }
        };
        FileRecord::of(self.folder, &wanted.name, digests).map_err(|error| disk(&path, &error))
    }

    async fn attempt(&self, wanted: &Wanted, part: &Part, path: &Path) -> Result<Digests, Failure> {
        let (have, note) = part.resumable(wanted.size).await;
        if let Some(note) = &note
            && have == wanted.size
        {
            return part.settle(wanted, &note.digest, true, path).await;
        }
        let headers = note.as_ref().map_or_else(HeaderMap::new, |note| range(have, note));
        let answer = ask(self.client, &wanted.url, self.token, &headers).await?;
        let digest = match (self.digest(wanted, &answer), &answer.place) {
            (Err(_), Place::Here(response)) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                part.remove().await;
                return Err(changed(wanted));
            }
            (digest, _) => digest?,
        };
        if have == 0 && self.find_nearby(&digest, part).await {
            (self.report)(PullEvent::File { name: &wanted.name, size: wanted.size, done: wanted.size });
            return part.settle(wanted, &digest, true, path).await;
        }
        let response = match answer.place {
            Place::Here(response) => response,
            Place::Elsewhere(at) => get(self.client, &at, &headers).await?,
        };
        let start = match (self.start(wanted, &response, have), response.status()) {
            (Ok(start), _) if start == 0 || note.is_some_and(|note| note.digest == digest) => start,
            (Ok(_), _) | (Err(_), StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE) => {
                part.remove().await;
                return Err(changed(wanted));
            }
            (Err(failure), _) => return Err(failure),
        };
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(Into::into);
        part.note(&PartNote { tag, digest: digest.clone() }).await?;
        self.receive(wanted, response, part, start).await?;
        part.settle(wanted, &digest, start > 0, path).await
    }

    /// The place in the file where the answer starts.
    fn start(&self, wanted: &Wanted, response: &Response, have: u64) -> Result<u64, Failure> {
        let length = response.content_length();
        match response.status() {
            StatusCode::OK if length.is_none_or(|length| length == wanted.size) => Ok(0),
            StatusCode::PARTIAL_CONTENT if content_range(response) == Some((have, wanted.size)) => Ok(have),
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                let listed = wanted.size;
                let sent = length.map_or("another part".into(), |length| format!("{length} bytes"));
                Err(malformed(
                    &wanted.name,
                    &format!("is {sent}, and the file is listed with {listed} bytes"),
                ))
            }
            _ => Err(self.refused(wanted, response)),
        }
    }

    fn refused(&self, wanted: &Wanted, response: &Response) -> Failure {
        let asked = Asked { subject: &wanted.name, page: self.page, token: self.token.is_some() };
        // The signed address of a file elsewhere holds for a while only; the next attempt gets a new one.
        let elsewhere = response.url().origin() != wanted.url.origin();
        match Refusal::of(response).failure(asked) {
            Failure::Final(error) if elsewhere => Failure::Again { error, after: None },
            failure => failure,
        }
    }

    /// The digest that the file must have.
    fn digest(&self, wanted: &Wanted, answer: &Answer) -> Result<Digest, Failure> {
        let here = match &answer.place {
            Place::Here(response) if response.status().is_success() => true,
            Place::Here(response) => return Err(self.refused(wanted, response)),
            Place::Elsewhere(_) => false,
        };
        let said = |name: &str| answer.said.get(name).and_then(|value| value.to_str().ok());
        let commit = said("x-repo-commit");
        if self.commit.zip(commit).is_some_and(|(expected, commit)| expected != commit) {
            return Err(changed(wanted));
        }
        let size = said("x-linked-size").and_then(|size| size.parse().ok());
        if size.is_some_and(|size: u64| size != wanted.size) {
            return Err(changed(wanted));
        }
        let tag = said("x-linked-etag").or_else(|| said(ETAG.as_str()).filter(|_| here));
        match (wanted.digest.clone(), tag.and_then(Digest::parse)) {
            (Some(listed), Some(told)) if self.commit.is_some() && listed.contradicts(&told) => {
                Err(changed(wanted))
            }
            (Some(digest), _) | (None, Some(digest)) => Ok(digest),
            (None, None) => {
                Err(malformed(&wanted.name, "has no digest that the file could be checked against"))
            }
        }
    }

    async fn find_nearby(&self, digest: &Digest, part: &Part) -> bool {
        for found in (self.nearby)(digest) {
            if digests(&found).await.is_ok_and(|digests| digest.is_of(&digests))
                && fs::copy(&found, &part.path).await.is_ok()
            {
                return true;
            }
        }
        false
    }

    async fn receive(
        &self,
        wanted: &Wanted,
        mut response: Response,
        part: &Part,
        start: u64,
    ) -> Result<(), Failure> {
        (self.report)(PullEvent::File { name: &wanted.name, size: wanted.size, done: start });
        let written = |error: io::Error| Failure::Final(disk(&part.path, &error));
        let mut options = fs::File::options();
        options.create(true).write(true).truncate(start == 0).append(start > 0);
        let mut file = options.open(&part.path).await.map_err(written)?;
        let mut size = start;
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&wanted.url, error))? {
            size += chunk.len() as u64;
            if size > wanted.size {
                part.remove().await;
                let problem = format!("goes on after the {} bytes that the file is listed with", wanted.size);
                return Err(malformed(&wanted.name, &problem));
            }
            file.write_all(&chunk).await.map_err(written)?;
            (self.report)(PullEvent::Advanced(chunk.len() as u64));
        }
        file.flush().await.map_err(written)?;
        file.sync_all().await.map_err(written)?;
        if size < wanted.size {
            let problem = format!("ended after {size} of {} bytes", wanted.size);
            let error = Error::hub(&wanted.name, problem, "run the command again, which goes on from here");
            return Err(Failure::Again { error, after: None });
        }
        Ok(())
    }
}

impl Digest {
    /// Reads an entity tag that is a digest, as the Hub's are.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
        let hexadecimal = tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match tag.len() {
            64 if hexadecimal => Some(Self::Sha256(tag.into())),
            40 if hexadecimal => Some(Self::Git(tag.into())),
            _ => None,
        }
    }

    pub(super) fn hexadecimal(&self) -> &str {
        let (Self::Sha256(digits) | Self::Git(digits)) = self;
        digits
    }

    fn contradicts(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self != other
    }

    fn is_of(&self, digests: &Digests) -> bool {
        match self {
            Self::Sha256(expected) => *expected == digests.sha256,
            Self::Git(expected) => *expected == digests.git,
        }
    }
}

/// A file that isn't complete yet.
struct Part {
    path: PathBuf,
    note: PathBuf,
}

impl Part {
    fn of(path: &Path) -> Self {
        let with = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { path: with(".part"), note: with(".part.json") }
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    /// How much of the file is there, and what it must agree with, if it can be gone on with.
    async fn resumable(&self, size: u64) -> (u64, Option<PartNote>) {
        let note = fs::read(&self.note).await.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match self.size() {
            have if (1..=size).contains(&have) && note.is_some() => (have, note),
            _ => (0, None),
        }
    }

    async fn note(&self, note: &PartNote) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(note).map_err(io::Error::from);
        let written = match bytes {
            Ok(bytes) => fs::write(&self.note, bytes).await,
            Err(error) => Err(error),
        };
        written.map_err(|error| Failure::Final(disk(&self.note, &error)))
    }

    /// Gives a complete file its name if it is what it should be.
    async fn settle(
        &self,
        wanted: &Wanted,
        expected: &Digest,
        resumed: bool,
        path: &Path,
    ) -> Result<Digests, Failure> {
        let found = digests(&self.path).await.map_err(Failure::Final)?;
        if found.size == wanted.size && expected.is_of(&found) {
            fs::rename(&self.path, path).await.map_err(|error| Failure::Final(disk(path, &error)))?;
            let _ = fs::remove_file(&self.note).await;
            return Ok(found);
        }
        self.remove().await;
        let (name, digest) = match expected {
            Digest::Sha256(_) => ("SHA-256", &found.sha256),
            Digest::Git(_) => ("git object name", &found.git),
        };
        let problem = format!("has the {name} {digest}, and the server says {}", expected.hexadecimal());
        let remedy =
            "run the command again; if it says the same, something between here and the server changes files";
        let error = Error::hub(&wanted.name, problem, remedy);
        // The first part may be what was wrong.
        Err(if resumed { Failure::Again { error, after: None } } else { Failure::Final(error) })
    }

    async fn remove(&self) {
        for path in [&self.path, &self.note] {
            let _ = fs::remove_file(path).await;
        }
    }
}

fn changed(wanted: &Wanted) -> Failure {
    let remedy = "run the command again, which starts from what the server has now";
    let error = Error::hub(&wanted.name, "the file on the server isn't the one that it lists", remedy);
    Failure::Again { error, after: None }
}

async fn digests(path: &Path) -> Result<Digests> {
    let owned = path.to_owned();
    let digests = tokio::task::spawn_blocking(move || Digests::of(&owned)).await;
    digests.map_err(io::Error::from).and_then(|digests| digests).map_err(|error| disk(path, &error))
}

/// Asks for the rest of a file, unless it has changed since.
fn range(have: u64, note: &PartNote) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::try_from(format!("bytes={have}-")).ok().map(|value| (RANGE, value)));
    // A weak tag can't stand for a range.
    let tag = note.tag.as_deref().filter(|tag| !tag.starts_with("W/"));
    headers.extend(tag.and_then(|tag| HeaderValue::try_from(tag).ok()).map(|value| (IF_RANGE, value)));
    headers
}

/// Where a partial answer starts, and the size of the whole.
fn content_range(response: &Response) -> Option<(u64, u64)> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_read_as_digests() {
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(Digest::parse(&format!("\"{sha256}\"")), Some(Digest::Sha256(sha256.into())));
        assert_eq!(Digest::parse(&format!("W/\"{git}\"")), Some(Digest::Git(git.into())));
        assert_eq!(Digest::parse(&format!("\"{}\"", git.to_uppercase())), None);
        assert_eq!(Digest::parse("\"5f3-61a\""), None);
    }
}
