//! Where models come from: the one inside the binary, folders, and the store that they are fetched into.
//!
//! - `catalogue`: the models that go by a short name; `name`: what users call models
//! - `store`: the models on this machine; `manifest`: what is known of their files
//! - `pull`: fetching a model; `hugging_face` and `mozilla` say what there is to fetch, `fetch` gets one file, `http`
//!   knows redirects, refusals and when to try again
//! - `settings`: where all that is
//!
//! Nothing else in the program touches the network for models, and here only `pull` does.

mod catalogue;
mod fetch;
mod http;
mod hugging_face;
mod manifest;
mod mozilla;
mod name;
mod pull;
mod settings;
mod store;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use catalogue::{Catalogue, Entry, Family, RANKED_TEST_SET, Score, Source};
pub use manifest::{FileRecord, Manifest, Origin};
pub use name::{ModelName, Repository};
pub use pull::{PullEvent, Pulled, Report, pull};
pub use settings::{HubSettings, Retries};
pub use store::{Chosen, Store, Stored};

/// The file beside a model's files that says what they are.
const MANIFEST: &str = "manifest.json";
/// The file in a model's folder that says what the model is.
const CARD: &str = "card.json";

/// The name of the built-in model, from its card.
pub const BUILT_IN: &str = "fa-en-mini";

/// A model that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChoice {
    /// The one inside the binary.
    BuiltIn,
    /// A folder with the files that its family's loader reads.
    Folder(PathBuf),
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

/// SHA-256 of the built-in model's weights, in hexadecimal.
pub(crate) fn built_in_digest() -> String {
    crate::model::digest(BUILT_IN_FILES.weights)
}

/// `card.json`: what a model's folder says of the model, beyond its files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) source_language: String,
    pub(crate) target_language: String,
    /// The model's own code for the source language, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_code: Option<String>,
    /// The model's own code for the target language, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_code: Option<String>,
    pub(crate) licence: String,
    pub(crate) note: String,
}

impl Card {
    pub(crate) fn parse(json: &[u8], path: &Path) -> Result<Self> {
        serde_json::from_slice(json).map_err(|error| {
            Error::model_file(path, format!("isn't a model's card: {error}"), "correct it, or remove it")
        })
    }

    /// How the model calls the source language.
    pub(crate) fn source_code(&self) -> &str {
        self.source_code.as_ref().unwrap_or(&self.source_language)
    }

    /// How the model calls the target language.
    pub(crate) fn target_code(&self) -> &str {
        self.target_code.as_ref().unwrap_or(&self.target_language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_has_the_name_of_its_card() {
        assert_eq!(Card::parse(BUILT_IN_FILES.card, Path::new("card.json")).unwrap().name, BUILT_IN);
    }
}
