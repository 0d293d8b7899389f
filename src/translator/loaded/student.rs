//! Mozilla's and Bergamot's students, as Firefox Translations serves them: `model.*.bin`, `vocab.*.spm` or
//! `srcvocab.*.spm` and `trgvocab.*.spm`, and perhaps a shortlist `lex.*.bin`; each may be compressed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LoadOptions, Parts, read};
use crate::engine::Engine;
use crate::model::student::{ModelFile, Student};
use crate::model::{Seq2Seq, Shortlist, digest_files, unpack};
use crate::tokenizer::{StudentTokenizer, StudentVocabulary};
use crate::{Error, Result};

const FETCH_AGAIN: &str = "fetch the model again";
const ONE_MODEL: &str = "check that all files in the folder belong to the same model";

/// Whether a folder has a student's weights. A folder in the Hugging Face layout has a configuration beside them.
pub(super) fn is_in(folder: &Path) -> bool {
    let weights = names(folder, "model.", ".bin");
    weights.is_ok_and(|names| !names.is_empty()) && !folder.join("config.json").exists()
}

/// Loads a student from its folder. It computes on the CPU, in what its weights are.
pub(super) fn open(folder: &Path, options: &LoadOptions) -> Result<Parts> {
    let model_path = weights(folder)?;
    let (source_path, target_path) = match find(folder, "vocab.", ".spm")? {
        Some(shared) => (shared.clone(), shared),
        None => (needed(folder, "srcvocab.", ".spm")?, needed(folder, "trgvocab.", ".spm")?),
    };
    let source = vocabulary(&source_path)?;
    let target = if source_path == target_path { Arc::clone(&source) } else { vocabulary(&target_path)? };

    let broken = |problem| Error::model_file(&model_path, problem, FETCH_AGAIN);
    let file = ModelFile::parse(contents(&model_path)?).map_err(broken)?;
    let mut model = Student::new(&file, target.end(), target.unknown()).map_err(broken)?;
    for (path, vocabulary, tokens) in
        [(&source_path, &source, model.source_tokens()), (&target_path, &target, model.spec().vocabulary)]
    {
        if vocabulary.size() != tokens {
            let problem =
                format!("has {} pieces, but the model has embeddings for {tokens}", vocabulary.size());
            return Err(Error::model_file(path, problem, ONE_MODEL));
        }
    }
    if let Some(path) = find(folder, "lex.", ".bin")? {
        let shortlist = Shortlist::parse(&contents(&path)?)
            .map_err(|problem| Error::model_file(&path, problem, FETCH_AGAIN))?;
        model = model
            .with_shortlist(shortlist)
            .map_err(|problem| Error::model_file(&path, problem, ONE_MODEL))?;
    }

    if !options.device.is_cpu() {
        tracing::warn!("a student computes on the CPU: its kernels are for nothing else");
    }
    let precision = model.precision();
    let digest = digest_files(std::slice::from_ref(&model_path))?;
    let engine = Engine::start(model, &options.engine)?;
    Ok(Parts {
        digest,
        precision: precision.name().to_owned(),
        tokenizer: Box::new(StudentTokenizer::new(source, target)),
        engine,
    })
}

/// The file of the weights.
pub(super) fn weights(folder: &Path) -> Result<PathBuf> {
    needed(folder, "model.", ".bin")
}

fn vocabulary(path: &Path) -> Result<Arc<StudentVocabulary>> {
    let vocabulary = StudentVocabulary::parse(&contents(path)?);
    vocabulary.map(Arc::new).map_err(|problem| Error::model_file(path, problem, FETCH_AGAIN))
}

/// The contents of a file, decompressed.
fn contents(path: &Path) -> Result<Vec<u8>> {
    unpack(read(path, FETCH_AGAIN)?).map_err(|problem| Error::model_file(path, problem, FETCH_AGAIN))
}

fn needed(folder: &Path, prefix: &str, suffix: &str) -> Result<PathBuf> {
    find(folder, prefix, suffix)?.ok_or_else(|| {
        let remedy =
            "a student's folder has model.*.bin, and vocab.*.spm or srcvocab.*.spm and trgvocab.*.spm";
        Error::model_file(folder.join(format!("{prefix}*{suffix}")), "is missing", remedy)
    })
}

/// The file whose name starts and ends so. One that is there compressed, too, is taken as it is.
fn find(folder: &Path, prefix: &str, suffix: &str) -> Result<Option<PathBuf>> {
    let names = names(folder, prefix, suffix)?;
    let Some(first) = names.first() else { return Ok(None) };
    match names.iter().find(|name| plain(name) != plain(first)) {
        None => Ok(Some(folder.join(first))),
        Some(other) => {
            let problem = format!("and {other} are in one folder");
            Err(Error::model_file(folder.join(first), problem, "keep one model in a folder"))
        }
    }
}

/// The names that start and, but for the ending of a compressed file, end so, in order.
fn names(folder: &Path, prefix: &str, suffix: &str) -> Result<Vec<String>> {
    let unreadable = |error: std::io::Error| {
        let remedy = "name a folder that can be read";
        Error::model_file(folder, format!("can't be read: {error}"), remedy)
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && plain(&name).ends_with(suffix) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A file's name without the ending that tells of compression.
fn plain(name: &str) -> &str {
    [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}
