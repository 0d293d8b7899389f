//! What tells a model from all others.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{LoadOptions, Parts};
use crate::hub::BUILT_IN_FILES;
use crate::model::digest_files;
use crate::{Error, Result};

/// Files of weights, by how their names begin and end. Those that a model uses have a digest already.
const WEIGHTS: ([&str; 2], [&str; 6]) =
    (["model.", "pytorch_model"], [".safetensors", ".gguf", ".h5", ".msgpack", ".ot", ".onnx"]);

/// The SHA-256 of all that a model's translations depend on: its weights, the other files of its folder (or of the
/// program), whichever of them it reads, and what it computes in, where.
pub(super) fn identity(parts: &Parts, folder: Option<&Path>, options: &LoadOptions) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {:?} {:?}", parts.digest, parts.precision, options.precision, options.device));
    if let Some(path) = &options.shortlist {
        hash.update(digest_files(std::slice::from_ref(path))?);
    }
    let Some(folder) = folder else {
        let files = BUILT_IN_FILES;
        for file in [files.config, files.source, files.vocabulary, files.card] {
            hash.update(Sha256::digest(file));
        }
        return Ok(hash.finalize().into());
    };
    for (name, path) in besides_weights(folder).map_err(|error| failed(folder, &error))? {
        let mut file = Sha256::new();
        File::open(&path)
            .and_then(|mut opened| std::io::copy(&mut opened, &mut file))
            .map_err(|error| failed(&path, &error))?;
        hash.update(Sha256::digest(name));
        hash.update(file.finalize());
    }
    Ok(hash.finalize().into())
}

/// The folder's files, in the order of their names.
fn besides_weights(folder: &Path) -> std::io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (starts, ends) = WEIGHTS;
        let is_weights =
            starts.iter().any(|start| name.starts_with(start)) || ends.iter().any(|end| name.ends_with(end));
        if !is_weights && entry.path().is_file() {
            files.insert(name, entry.path());
        }
    }
    Ok(files)
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Io { path: path.into(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::LoadedModel;
    use super::*;
    use crate::hub::ModelChoice;
    use crate::nn::Precision;

    #[test]
    fn a_models_identity_changes_with_any_of_its_files_and_with_its_precision() {
        let folder = tempfile::tempdir().unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/student-split");
        for entry in std::fs::read_dir(golden).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let identity = || {
            let choice = ModelChoice::Folder(folder.path().into());
            LoadedModel::open(&choice, &LoadOptions::default()).unwrap().identity
        };
        let plain = identity();
        assert_eq!(identity(), plain);
        // Without its shortlist, a student finds other translations with the same weights.
        std::fs::remove_file(folder.path().join("lex.50.50.faen.s2t.bin")).unwrap();
        let whole = identity();
        assert_ne!(whole, plain);
        std::fs::write(folder.path().join("card.json"), r#"{"target_language": "en-GB"}"#).unwrap();
        assert_ne!(identity(), whole);

        let built_in = |precision| {
            let options = LoadOptions { precision, ..LoadOptions::default() };
            LoadedModel::open(&ModelChoice::BuiltIn, &options).unwrap().identity
        };
        assert_ne!(built_in(Precision::F32), built_in(Precision::Int8));
    }
}
