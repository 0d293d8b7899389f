//! The models that go by a short name, from `models/catalogue.toml`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::name::{Repository, is_safe_file_name};

/// The test set whose scores rank models; scores on others aren't compared.
pub const RANKED_TEST_SET: &str = "FLORES-200 devtest";

/// The catalogue inside the binary.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    Catalogue::parse(include_str!("../../models/catalogue.toml")).expect("the catalogue passed its test")
});

/// The known models.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// In the order in which they are shown; the built-in one first.
    #[serde(rename = "model")]
    pub models: Vec<Entry>,
}

/// A model of the catalogue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The name to ask for it by.
    pub name: String,
    /// What kind of model it is.
    pub family: Family,
    /// Its licence as an SPDX expression.
    pub licence: String,
    /// Whether its licence must be accepted before it is fetched.
    #[serde(default)]
    pub must_accept: bool,
    /// BCP 47 tag of the language that it reads.
    pub source_language: String,
    /// BCP 47 tag of the language that it writes.
    pub target_language: String,
    /// The model's own code for the source language, where that is another one.
    pub source_code: Option<String>,
    /// The model's own code for the target language, where that is another one.
    pub target_code: Option<String>,
    /// About how many bytes there are to fetch, where its publisher says so.
    pub size: Option<u64>,
    /// Its published score for Persian to English.
    pub score: Option<Score>,
    /// What a user should know before choosing it.
    pub note: String,
    /// Where it comes from.
    pub source: Source,
}

/// The kind of a model, which decides on how it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Marian in the Hugging Face layout: OPUS-MT.
    Marian,
    /// M2M100 and NLLB.
    M2m100,
    /// T5: MADLAD-400.
    T5,
    /// Mozilla's students for Firefox.
    Student,
}

/// A published score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(deserialize = "kebab-case"))]
pub struct Score {
    /// BLEU, 0 to 100.
    pub bleu: f64,
    /// The texts that it was measured on.
    pub test_set: String,
    /// Who published it.
    pub source: String,
}

/// Where a model of the catalogue comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Source {
    /// The binary.
    BuiltIn {},
    /// A repository on the Hugging Face Hub.
    #[serde(rename_all = "kebab-case")]
    HuggingFace {
        /// `owner/name`.
        repository: String,
        /// A branch, tag or commit.
        revision: String,
        /// The files that it can't do without.
        files: Vec<String>,
        /// Files that are fetched if the revision has them.
        #[serde(default)]
        optional: Vec<String>,
    },
    /// Mozilla's Remote Settings.
    #[serde(rename_all = "kebab-case")]
    Mozilla {
        /// The collections to look in; the first one that has the whole model is used.
        collections: Vec<String>,
        /// The source language as the records spell it.
        from: String,
        /// The target language as the records spell it.
        to: String,
        /// The architecture, where the records tell several apart.
        architecture: String,
    },
}

impl Catalogue {
    /// The catalogue inside the binary.
    pub fn get() -> &'static Self {
        &CATALOGUE
    }

    /// The model of that name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.name == name)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let catalogue: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        for entry in &catalogue.models {
            entry.check().map_err(|problem| format!("{}: {problem}", entry.name))?;
            if !names.insert(&entry.name) {
                return Err(format!("{}: there are two of that name", entry.name));
            }
        }
        Ok(catalogue)
    }
}

impl Entry {
    /// Its BLEU, where it was measured on [`RANKED_TEST_SET`].
    pub fn ranked_score(&self) -> Option<f64> {
        self.score.as_ref().filter(|score| score.test_set == RANKED_TEST_SET).map(|score| score.bleu)
    }

    fn check(&self) -> Result<(), String> {
        if !is_safe_file_name(&self.name) || self.name.contains('@') {
            return Err("the name can't be a folder's".into());
        }
        if self.licence.is_empty() {
            return Err("a licence is missing".into());
        }
        if self.score.as_ref().is_some_and(|score| !(0.0..=100.0).contains(&score.bleu)) {
            return Err("BLEU is from 0 to 100".into());
        }
        match &self.source {
            Source::Mozilla { collections, .. } if collections.is_empty() => Err("no collection".into()),
            Source::BuiltIn {} | Source::Mozilla { .. } => Ok(()),
            Source::HuggingFace { repository, revision, files, optional } => {
                Repository::parse(&format!("{repository}@{revision}")).map_err(|error| error.to_string())?;
                match files.iter().chain(optional).find(|name| !is_safe_file_name(name)) {
                    Some(name) => Err(format!("{name:?} can't be a file's name")),
                    None if files.is_empty() => Err("no files".into()),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Family {
    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Marian => "marian",
            Self::M2m100 => "m2m100",
            Self::T5 => "t5",
            Self::Student => "student",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BUILT_IN, BUILT_IN_FILES, Card};
    use super::*;

    const ENTRY: &str = "[[model]]\nname = 'm'\nfamily = 'marian'\nlicence = 'MIT'\nsource-language = 'fa'\n\
                         target-language = 'en'\nnote = ''\n";

    #[test]
    fn the_catalogue_is_sound() {
        let catalogue = Catalogue::parse(include_str!("../../models/catalogue.toml")).unwrap();
        assert!(catalogue.find("nllb-200-distilled-600M").unwrap().must_accept);
        for entry in catalogue.models.iter().filter(|entry| entry.licence.contains("-NC")) {
            assert!(entry.must_accept, "{}", entry.name);
        }
    }

    #[test]
    fn the_built_in_model_is_listed_as_its_card_has_it() {
        let entry = Catalogue::get().find(BUILT_IN).unwrap();
        let card = Card::parse(BUILT_IN_FILES.card, std::path::Path::new("card.json")).unwrap();
        assert_eq!(
            (&entry.licence, &entry.source_language, &entry.target_language),
            (&card.licence, &card.source_language, &card.target_language)
        );
        assert!(card.note.contains(&format!("BLEU {}", entry.ranked_score().unwrap())), "{}", card.note);
    }

    #[test]
    fn a_catalogue_with_a_mistake_is_refused_by_the_model_at_fault() {
        let built_in = "source.built-in = {}\n";
        let hub = |files: &str| {
            format!("source.hugging-face = {{ repository = 'o/n', revision = 'main', files = {files} }}\n")
        };
        let cases = [
            (format!("{ENTRY}{built_in}{ENTRY}{built_in}"), "two of that name"),
            (format!("{ENTRY}{built_in}colour = 'red'\n"), "colour"),
            (format!("{ENTRY}{}", hub("['../config.json']")), "can't be a file's name"),
            (format!("{ENTRY}{}", hub("[]")), "no files"),
            (format!("{ENTRY}source.ftp = {{}}\n"), "ftp"),
            (format!("{ENTRY}{built_in}size = -1\n"), "size"),
        ];
        for (text, problem) in cases {
            let error = Catalogue::parse(&text).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn scores_on_other_test_sets_do_not_rank() {
        let text = |set: &str| {
            format!(
                "{ENTRY}source.built-in = {{}}\nscore = {{ bleu = 50, test-set = '{set}', source = '' }}\n"
            )
        };
        let ranked = |set| Catalogue::parse(&text(set)).unwrap().models[0].ranked_score();
        assert_eq!((ranked(RANKED_TEST_SET), ranked("Tatoeba")), (Some(50.0), None));
    }
}
