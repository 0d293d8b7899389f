//! Repositories on the Hugging Face Hub.
//!
//! The crate `hf-hub` says what a repository holds: which commit a revision stands for, the files with their sizes and
//! git's names for them, the licence on the card. The files themselves we fetch: the crate can't resume a download, and
//! doesn't give the SHA-256 in the answer for a file (`x-linked-etag`) that it must be checked against.

use std::error::Error as _;

use futures::TryStreamExt;
use hf_hub::repository::RepoTreeEntry;
use hf_hub::{HFClient, HFError, HFRepository, RepoTypeModel, split_id};
use reqwest::Url;
use reqwest::redirect::Policy;

use super::Report;
use super::fetch::{Digest, Wanted};
use super::http::{self, Asked, Attempts, Failure, Refusal, malformed, unreachable};
use super::manifest::Origin;
use super::name::{Repository, is_safe_file_name};
use super::pull::Plan;
use super::settings::HubSettings;
use crate::{Error, Result};

/// Most entries of a repository's list of files.
const MAX_ENTRIES: usize = 10_000;

/// Files besides the weights that some family of models reads.
const COMPANIONS: [&str; 12] = [
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
    "vocab.json",
    "target_vocab.json",
    "source.spm",
    "target.spm",
    "sentencepiece.bpe.model",
    "spiece.model",
];

/// Which of a repository's files are wanted.
#[derive(Clone, Copy)]
pub(super) enum Selection<'a> {
    /// These, and of the second ones those that there are.
    Named(&'a [String], &'a [String]),
    /// What a model of any family needs.
    Model,
}

/// A file of a repository.
#[derive(Debug, Clone)]
struct Listed {
    name: String,
    size: u64,
    digest: Option<Digest>,
}

/// What to fetch for a revision of a repository.
pub(super) async fn plan(
    settings: &HubSettings,
    repository: &Repository,
    selection: Selection<'_>,
    report: Report<'_>,
) -> Result<Plan> {
    let hub = open(settings)?;
    let (owner, name) = split_id(&repository.id);
    let model = hub.model(owner, name);
    let revision = repository.revision.as_deref().unwrap_or("main");
    let page = format!("{}/{}", settings.hugging_face, repository.id);
    let subject = format!("{}@{revision}", repository.id);
    let asked = Asked { subject: &subject, page: Some(&page), token: settings.token.is_some() };

    let mut attempts = Attempts::new(settings.retries, report);
    let (commit, licence) = attempts.until_answered(async || about(&model, revision, asked).await).await?;
    let listed = attempts.until_answered(async || list(&model, &commit, asked).await).await?;
    let files =
        select(&listed, selection).map_err(|(problem, remedy)| Error::hub(&subject, problem, remedy))?;
    let base = Url::parse(&format!("{page}/resolve/{commit}/"));
    let files = files.into_iter().map(|Listed { name, size, digest }| {
        let url = base.as_ref().ok().and_then(|base| base.join(&name).ok());
        let url = url.ok_or_else(|| Error::hub(&page, "is no address", "check HF_ENDPOINT"))?;
        Ok(Wanted { name, url, size, digest })
    });
    Ok(Plan {
        files: files.collect::<Result<_>>()?,
        origin: Origin {
            server: settings.hugging_face.clone(),
            repository: repository.id.clone(),
            revision: revision.into(),
            commit,
        },
        licence,
        page: Some(page),
    })
}

fn open(settings: &HubSettings) -> Result<HFClient> {
    let mut builder = HFClient::builder()
        .endpoint(&settings.hugging_face)
        .client(http::client(Policy::limited(5))?)
        .cache_enabled(false)
        // We try again ourselves, and wait for as long as the server asks for.
        .retry_max_attempts(0);
    if let Some(token) = &settings.token {
        builder = builder.token(token);
    }
    builder
        .build()
        .map_err(|error| Error::hub(&settings.hugging_face, error.to_string(), "check HF_ENDPOINT"))
}

/// The commit of a revision, and the licence on the model's card.
async fn about(
    model: &HFRepository<RepoTypeModel>,
    revision: &str,
    asked: Asked<'_>,
) -> Result<(String, String), Failure> {
    let info = model.info().revision(revision).send().await.map_err(|error| failure(error, asked))?;
    let commit = info.sha.filter(|sha| matches!(Digest::parse(sha), Some(Digest::Git(_))));
    let commit = commit.ok_or_else(|| malformed(asked.subject, "names no commit"))?;
    let licence = info.card_data.as_ref().and_then(|card| card.get("license")?.as_str()).unwrap_or_default();
    Ok((commit, licence.to_owned()))
}

/// The files at the top of a repository.
async fn list(
    model: &HFRepository<RepoTypeModel>,
    commit: &str,
    asked: Asked<'_>,
) -> Result<Vec<Listed>, Failure> {
    let failed = |error| failure(error, asked);
    let mut entries = std::pin::pin!(model.list_tree().revision(commit).send().map_err(failed)?);
    let mut listed = Vec::new();
    let mut seen = 0;
    while let Some(entry) = entries.try_next().await.map_err(failed)? {
        seen += 1;
        if seen > MAX_ENTRIES {
            return Err(malformed(asked.subject, "lists too many files"));
        }
        if let RepoTreeEntry::File { path, size, lfs, oid, .. } = entry {
            // Git's name of a large file is that of the note that stands for it.
            let digest = Digest::parse(&oid).filter(|_| lfs.is_none());
            listed.push(Listed { name: path, size, digest });
        }
    }
    Ok(listed)
}

fn select(listed: &[Listed], selection: Selection<'_>) -> Result<Vec<Listed>, (String, String)> {
    let find = |name: &str| listed.iter().find(|file| file.name == name).cloned();
    match selection {
        Selection::Named(files, optional) => {
            let required = files.iter().map(|name| {
                find(name).ok_or_else(|| {
                    let remedy = "tell the maintainers of the catalogue, or give another revision as owner/name@revision";
                    (format!("has no file {name}"), remedy.to_owned())
                })
            });
            let optional = optional.iter().filter_map(|name| find(name)).map(Ok);
            required.chain(optional).collect()
        }
        Selection::Model => {
            let files: Vec<_> = listed.iter().filter(|file| is_safe_file_name(&file.name)).cloned().collect();
            let weights = weights(&files)?;
            let companion =
                |file: &&Listed| COMPANIONS.contains(&file.name.as_str()) || is_student(&file.name);
            let mut chosen: Vec<_> = files.iter().filter(companion).cloned().collect();
            chosen.extend(weights);
            Ok(chosen)
        }
    }
}

/// The weights among a repository's files, in the form that is read best.
fn weights(files: &[Listed]) -> Result<Vec<Listed>, (String, String)> {
    let all = |wanted: &dyn Fn(&str) -> bool| -> Vec<Listed> {
        files.iter().filter(|file| wanted(&file.name)).cloned().collect()
    };
    let shard = |name: &str| {
        name == "model.safetensors.index.json"
            || name.starts_with("model-") && name.contains("-of-") && name.ends_with(".safetensors")
    };
    let forms = [
        all(&|name| name == "model.safetensors"),
        all(&shard),
        all(&|name| name == "pytorch_model.bin"),
        all(&is_gguf),
    ];
    let remedy = "give a repository or revision with model.safetensors or pytorch_model.bin".to_owned();
    match forms.into_iter().find(|form| !form.is_empty()) {
        Some(form) if form.len() > 1 && is_gguf(&form[0].name) => Err((
            format!("has {} files of GGUF weights, and says nowhere which one to use", form.len()),
            remedy,
        )),
        Some(form) => Ok(form),
        None if files.iter().any(|file| is_student(&file.name)) => Ok(Vec::new()),
        None => Err(("has no weights in a form that this program reads".into(), remedy)),
    }
}

fn is_gguf(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == "gguf")
}

/// Whether a file is one of a student's, as Mozilla names them.
fn is_student(name: &str) -> bool {
    name.contains(".intgemm")
        || ["lex.", "vocab.", "srcvocab.", "trgvocab."]
            .iter()
            .any(|start| name.starts_with(start) && name != "vocab.json")
}

fn failure(error: HFError, asked: Asked<'_>) -> Failure {
    let refused =
        |status, code: Option<String>, retry_after| Refusal { status, code, retry_after }.failure(asked);
    match error {
        HFError::RateLimited { retry_after, context } => {
            refused(context.status, context.error_code, retry_after)
        }
        HFError::Http { context }
        | HFError::AuthRequired { context }
        | HFError::Forbidden { context }
        | HFError::RepoNotFound { context: Some(context), .. }
        | HFError::RevisionNotFound { context: Some(context), .. }
        | HFError::EntryNotFound { context: Some(context), .. } => {
            refused(context.status, context.error_code, None)
        }
        HFError::Request { source, .. } if is_about_json(&source) => {
            malformed(asked.subject, "isn't as expected")
        }
        HFError::Request { source, url } => {
            match url.or_else(|| asked.page.map(str::to_owned)).and_then(|url| Url::parse(&url).ok()) {
                Some(url) => unreachable(&url, source),
                None => malformed(asked.subject, &source.to_string()),
            }
        }
        other => malformed(asked.subject, &format!("isn't as expected: {other}")),
    }
}

/// Whether an answer came whole, and is no JSON or other JSON than expected.
fn is_about_json(error: &reqwest::Error) -> bool {
    matches!(error.source(), Some(cause) if cause.is::<serde_json::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Result<Vec<String>, String> {
        let listed: Vec<_> =
            names.iter().map(|name| Listed { name: (*name).into(), size: 1, digest: None }).collect();
        let chosen = select(&listed, Selection::Model).map_err(|(problem, _)| problem)?;
        Ok(chosen.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn weights_are_fetched_in_one_form_only() {
        let files = ["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"];
        assert_eq!(chosen(&files).unwrap(), ["config.json", "model.safetensors"]);
        assert_eq!(chosen(&files[3..]).unwrap(), ["pytorch_model.bin"]);
        let sharded = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        assert_eq!(chosen(&sharded).unwrap(), sharded);
    }

    #[test]
    fn a_student_is_known_by_its_names() {
        let files = ["model.faen.intgemm.alphas.bin.gz", "lex.50.50.faen.s2t.bin.gz", "vocab.faen.spm.gz"];
        assert_eq!(chosen(&files).unwrap(), files);
    }

    #[test]
    fn a_repository_without_a_model_is_refused() {
        assert!(chosen(&["README.md", "tf_model.h5"]).unwrap_err().contains("no weights"));
        assert!(chosen(&["a.gguf", "b.gguf"]).unwrap_err().contains("2 files of GGUF"));
    }

    #[test]
    fn names_that_could_leave_the_folder_are_never_chosen() {
        assert_eq!(
            chosen(&["../config.json", "/vocab.json", "pytorch_model.bin"]).unwrap(),
            ["pytorch_model.bin"]
        );
        assert!(chosen(&["a/../../x.gguf", "lex./../../x"]).is_err());
    }
}
