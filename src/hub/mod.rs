//! Where models come from: the one inside the binary, and folders.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result};

/// The name of the built-in model, from its card.
pub const BUILT_IN: &str = "fa-en-mini";

/// A model that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChoice {
    /// The one inside the binary.
    BuiltIn,
    /// A folder in the Hugging Face layout.
    Folder(PathBuf),
}

impl ModelChoice {
    /// The model that a user names: nothing or the built-in model's name for that one, otherwise a folder.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] when there is no such folder.
    pub fn resolve(name: Option<&str>) -> Result<Self> {
        match name {
            None | Some(BUILT_IN) => Ok(Self::BuiltIn),
            Some(path) if Path::new(path).is_dir() => Ok(Self::Folder(path.into())),
            Some(name) => Err(Error::UnknownModel {
                name: name.into(),
                known: format!("{BUILT_IN} (built in), or the path of a model's folder"),
            }),
        }
    }
}

/// The files of the built-in model.
pub(crate) struct BuiltInFiles {
    pub(crate) config: &'static [u8],
    pub(crate) weights: &'static [u8],
    pub(crate) source: &'static [u8],
    pub(crate) vocabulary: &'static [u8],
    pub(crate) card: &'static [u8],
}

pub(crate) const BUILT_IN_FILES: BuiltInFiles = BuiltInFiles {
    config: include_bytes!("../../models/fa-en-mini/config.json"),
    weights: include_bytes!("../../models/fa-en-mini/model.safetensors"),
    source: include_bytes!("../../models/fa-en-mini/source.spm"),
    vocabulary: include_bytes!("../../models/fa-en-mini/vocab.json"),
    card: include_bytes!("../../models/fa-en-mini/card.json"),
};

/// `card.json`: what a model's folder says of the model, beyond its files.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) source_language: String,
    pub(crate) target_language: String,
    pub(crate) licence: String,
    pub(crate) note: String,
}

impl Card {
    pub(crate) fn parse(json: &[u8], path: &Path) -> Result<Self> {
        serde_json::from_slice(json).map_err(|error| {
            Error::model_file(path, format!("isn't a model's card: {error}"), "correct it, or remove it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_has_the_name_of_its_card() {
        assert_eq!(Card::parse(BUILT_IN_FILES.card, Path::new("card.json")).unwrap().name, BUILT_IN);
        assert_eq!(ModelChoice::resolve(Some(BUILT_IN)).unwrap(), ModelChoice::BuiltIn);
    }

    #[test]
    fn an_unknown_name_is_answered_with_what_is_known() {
        let error = ModelChoice::resolve(Some("no/such-model")).unwrap_err().to_string();
        assert!(error.contains("no/such-model") && error.contains(BUILT_IN), "{error}");
    }
}
