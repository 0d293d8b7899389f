//! Mozilla's students for Firefox, from its Remote Settings: a collection of records, one for each file, with size and
//! SHA-256, and the files as attachments on another server.

use std::collections::BTreeMap;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Report;
use super::fetch::{Digest, Wanted};
use super::http::{self, Attempts};
use super::manifest::Origin;
use super::name::is_safe_file_name;
use super::pull::Plan;
use super::settings::HubSettings;
use crate::{Error, Result};

/// What to look for among the records.
pub(super) struct Student<'a> {
    pub(super) collections: &'a [String],
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) architecture: &'a str,
}

/// What the server says of itself.
#[derive(Deserialize)]
struct Server {
    capabilities: Capabilities,
}

#[derive(Deserialize)]
struct Capabilities {
    attachments: Attachments,
}

#[derive(Deserialize)]
struct Attachments {
    base_url: String,
}

#[derive(Deserialize)]
struct Records {
    data: Vec<Record>,
}

/// A record, as both generations of the collection have it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(alias = "fromLang")]
    source_language: String,
    #[serde(alias = "toLang")]
    target_language: String,
    version: String,
    file_type: String,
    #[serde(default)]
    architecture: Option<String>,
    /// A condition on the browser that may have the file; empty for all.
    #[serde(default, rename = "filter_expression")]
    condition: String,
    attachment: Attachment,
}

#[derive(Debug, Clone, Deserialize)]
struct Attachment {
    filename: String,
    location: String,
    hash: String,
    size: u64,
}

/// What to fetch for a student.
pub(super) async fn plan(settings: &HubSettings, student: &Student<'_>, report: Report<'_>) -> Result<Plan> {
    let client = http::client(Policy::none())?;
    let read = Reader { client: &client, settings, report };
    let server: Server = read.json("/").await?;
    let base =
        Url::parse(&server.capabilities.attachments.base_url).ok().filter(|base| !base.cannot_be_a_base());
    let base = base.ok_or_else(|| refuse(settings, "the address of its attachments is none"))?;
    for collection in student.collections {
        let records: Records = read.json(&format!("/buckets/main/collections/{collection}/records")).await?;
        let Some((version, records)) = newest(records.data, student) else { continue };
        let files = records.into_iter().map(|record| wanted(&base, record.attachment));
        return Ok(Plan {
            files: files.collect::<Result<_, String>>().map_err(|problem| refuse(settings, &problem))?,
            origin: Origin {
                server: settings.remote_settings.clone(),
                repository: format!("{collection}/{}-{}", student.from, student.to),
                revision: "newest".into(),
                commit: version,
            },
            licence: String::new(),
            page: None,
        });
    }
    let pair = format!("{}-{} {}", student.from, student.to, student.architecture);
    let problem = format!("has no complete {pair} model in {}", student.collections.join(", "));
    Err(Error::hub(&settings.remote_settings, problem, "choose another model from `tarjoman models list`"))
}

struct Reader<'a> {
    client: &'a Client,
    settings: &'a HubSettings,
    report: Report<'a>,
}

impl Reader<'_> {
    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = Url::parse(&format!("{}{path}", self.settings.remote_settings));
        let url = url.map_err(|error| refuse(self.settings, &error.to_string()))?;
        let mut attempts = Attempts::new(self.settings.retries, self.report);
        attempts.until_answered(async || http::json(self.client, &url).await).await
    }
}

/// The files of the newest complete release of a student, and its version. Releases for all browsers go before those
/// for some, and what is not yet a release (`1.0a1`) doesn't count.
fn newest(records: Vec<Record>, student: &Student<'_>) -> Option<(String, Vec<Record>)> {
    let mut releases: BTreeMap<(bool, Vec<u32>), BTreeMap<String, Record>> = BTreeMap::new();
    for record in records {
        let languages = (record.source_language.as_str(), record.target_language.as_str());
        let architecture = record.architecture.as_deref().is_none_or(|found| found == student.architecture);
        let Some(version) = release(&record.version) else { continue };
        if languages == (student.from, student.to) && architecture {
            let release = releases.entry((record.condition.is_empty(), version)).or_default();
            release.insert(record.file_type.clone(), record);
        }
    }
    let (_, mut files) = releases.into_iter().rev().find(|(_, files)| {
        let has = |kind: &str| files.contains_key(kind);
        has("model") && (has("vocab") || has("srcvocab") && has("trgvocab"))
    })?;
    files.retain(|kind, _| matches!(kind.as_str(), "model" | "lex" | "vocab" | "srcvocab" | "trgvocab"));
    let version = files.values().next()?.version.clone();
    Some((version, files.into_values().collect()))
}

fn release(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

fn wanted(base: &Url, attachment: Attachment) -> Result<Wanted, String> {
    let Attachment { filename, location, hash, size } = attachment;
    if !is_safe_file_name(&filename) {
        return Err(format!("it names a file {filename:?}, which can't lie in a model's folder"));
    }
    let url = base.join(&location).ok().filter(|url| url.origin() == base.origin());
    let url =
        url.ok_or_else(|| format!("{filename} lies at {location:?}, which is no place on its server"))?;
    let digest = Digest::parse(&hash).filter(|digest| matches!(digest, Digest::Sha256(_)));
    let digest = digest.ok_or_else(|| format!("{filename} has the SHA-256 {hash:?}, which is none"))?;
    Ok(Wanted { name: filename, url, size, digest: Some(digest) })
}

fn refuse(settings: &HubSettings, problem: &str) -> Error {
    let remedy = "check that TARJOMAN_REMOTE_SETTINGS, if set, is Mozilla's server or a whole copy";
    Error::hub(&settings.remote_settings, problem, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDENT: Student<'_> = Student { collections: &[], from: "fa", to: "en", architecture: "tiny" };

    fn record(kind: &str, version: &str, more: &str) -> Record {
        let text = format!(
            r#"{{"name": "{kind}", "fromLang": "fa", "toLang": "en", "version": "{version}", "fileType": "{kind}",
                "schema": 1, "id": "x", "last_modified": 2 {more},
                "attachment": {{"filename": "{kind}.bin", "location": "main/{kind}-{version}.bin", "size": 3,
                "hash": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
                "mimetype": "application/octet-stream"}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn versions(records: Vec<Record>) -> Option<(String, usize)> {
        newest(records, &STUDENT).map(|(version, files)| (version, files.len()))
    }

    #[test]
    fn the_newest_complete_release_is_taken() {
        let mut records = Vec::new();
        for version in ["1.0", "1.9", "1.10", "2.0a1"] {
            records.extend(["model", "vocab", "lex"].map(|kind| record(kind, version, "")));
        }
        records.push(record("model", "2.0", ""));
        assert_eq!(versions(records), Some(("1.10".into(), 3)));
        assert_eq!(versions(vec![record("model", "1.0", ""), record("srcvocab", "1.0", "")]), None);
    }

    #[test]
    fn releases_for_some_browsers_come_last() {
        let some = r#", "filter_expression": "env.channel == 'nightly'""#;
        let mut records: Vec<_> = ["model", "vocab"].map(|kind| record(kind, "2.0", some)).into();
        assert_eq!(versions(records.clone()), Some(("2.0".into(), 2)));
        records.extend(["model", "vocab"].map(|kind| record(kind, "1.0", r#", "filter_expression": """#)));
        assert_eq!(versions(records), Some(("1.0".into(), 2)));
    }

    #[test]
    fn other_pairs_and_architectures_are_left_alone() {
        let base = r#", "architecture": "base""#;
        assert_eq!(versions(["model", "vocab"].map(|kind| record(kind, "1.0", base)).into()), None);
        let mut records = ["model", "vocab"].map(|kind| record(kind, "1.0", "")).to_vec();
        records[0].source_language = "ar".into();
        assert_eq!(versions(records), None);
    }

    #[test]
    fn records_of_the_second_generation_are_read_too() {
        let text = r#"{"sourceLanguage": "fa", "targetLanguage": "en", "version": "3.0", "fileType": "model",
            "architecture": "tiny", "decompressedSize": 4, "attachment": {"filename": "model.faen.intgemm8.bin.zst",
            "location": "l", "hash": "h", "size": 3, "mimetype": "application/zstd"}}"#;
        assert_eq!(serde_json::from_str::<Record>(text).unwrap().architecture.as_deref(), Some("tiny"));
    }

    #[test]
    fn hostile_attachments_are_refused() {
        type Spoil = fn(&mut Attachment);
        let base = Url::parse("https://attachments/").unwrap();
        let good = record("model", "1.0", "").attachment;
        assert_eq!(
            wanted(&base, good.clone()).unwrap().url.as_str(),
            "https://attachments/main/model-1.0.bin"
        );
        let cases: [(Spoil, &str); 4] = [
            (|a| a.filename = "../../.bashrc".into(), "can't lie"),
            (|a| a.filename = "/etc/passwd".into(), "can't lie"),
            (|a| a.location = "https://elsewhere/x".into(), "no place on its server"),
            (|a| a.hash = "0".into(), "SHA-256"),
        ];
        for (spoil, problem) in cases {
            let mut attachment = good.clone();
            spoil(&mut attachment);
            let error = wanted(&base, attachment).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
