//! Where each value of a configuration comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use crate::{Error, Result};

/// What the names of the environment's variables start with.
const PREFIX: &str = "TARJOMAN_";
/// Variables with that start which aren't settings of the service: they are there before it is, or not for it.
const OTHER_VARIABLES: [&str; 13] = [
    "TARJOMAN_CONFIG",
    "TARJOMAN_LOG",
    "TARJOMAN_API_KEY",
    // The models' store has them.
    "TARJOMAN_HOME",
    "TARJOMAN_REMOTE_SETTINGS",
    // A worker's, which may run beside the service.
    "TARJOMAN_QUEUE",
    "TARJOMAN_QUEUE_NAME",
    "TARJOMAN_QUEUE_USER",
    "TARJOMAN_QUEUE_PASSWORD",
    "TARJOMAN_QUEUE_CA",
    "TARJOMAN_QUEUE_CERTIFICATE",
    "TARJOMAN_QUEUE_KEY",
    "TARJOMAN_QUEUE_STORE",
];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

/// Every value with its origin. Each layer that is laid on replaces what it sets.
///
/// Its [`Display`](fmt::Display) is a configuration file, with each value's origin in a comment.
#[derive(Debug, Clone)]
pub struct Layers {
    /// In the order of [`Config`]'s fields.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    section: String,
    name: String,
    value: Value,
    origin: Origin,
}

impl Layers {
    /// The defaults alone.
    ///
    /// # Errors
    /// None but for a fault of this program.
    pub fn defaults() -> Result<Self> {
        let table = Table::try_from(Config::default()).map_err(|error| Error::Config {
            place: "defaults".into(),
            problem: error.to_string(),
            remedy: "report it".into(),
        })?;
        let entries = values(table)
            .map(|(section, name, value)| Entry { section, name, value, origin: Origin::Default })
            .collect();
        Ok(Self { entries })
    }

    /// Lays a TOML file on.
    ///
    /// # Errors
    /// [`Error::Config`] when it can't be read, isn't TOML or sets what there isn't.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let refused = |problem: String, remedy: &str| Error::Config {
            place: path.display().to_string(),
            problem,
            remedy: remedy.into(),
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            refused(format!("can't be read: {error}"), "name a file that can be, as UTF-8")
        })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            refused(format!("isn't TOML: {}", error.to_string().trim_end()), "correct it there")
        })?;
        for (name, value) in &table {
            if !value.is_table() {
                return Err(self.unknown(name, &path.display().to_string()));
            }
        }
        for (section, name, value) in values(table) {
            let key = format!("{section}.{name}");
            self.set(&key, |_| Ok(value), Origin::File(path.into()))?;
        }
        Ok(())
    }

    /// Lays the environment on: the key `limits.article_bytes` is the variable `TARJOMAN_LIMITS_ARTICLE_BYTES`.
    ///
    /// # Errors
    /// [`Error::Config`] for a variable that starts as these do and is none.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<()> {
        for (variable, text) in variables {
            if !variable.starts_with(PREFIX) || OTHER_VARIABLES.contains(&variable.as_str()) {
                continue;
            }
            let key = self.entries.iter().map(Entry::key).find(|key| variable_of(key) == variable);
            let Some(key) = key else {
                let known = self.entries.iter().map(|entry| variable_of(&entry.key()));
                return Err(Error::Config {
                    place: variable.clone(),
                    problem: "is no setting".into(),
                    remedy: format!("unset it, or set {}", nearest(&variable, known)),
                });
            };
            self.set(&key, |like| read(&text, like), Origin::Environment(variable))?;
        }
        Ok(())
    }

    /// Lays the text of one flag on.
    ///
    /// # Errors
    /// [`Error::Config`] when there is no such key or the text isn't of its type.
    pub fn flag(&mut self, flag: &str, key: &str, text: &str) -> Result<()> {
        self.set(key, |like| read(text, like), Origin::Flag(flag.into()))
    }

    /// The configuration.
    ///
    /// # Errors
    /// [`Error::Config`] that names the key and the origin of a value that can't be used.
    pub fn config(&self) -> Result<Config> {
        let mut table = Table::new();
        for entry in &self.entries {
            let section = table.entry(entry.section.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(entry.name.clone(), entry.value.clone());
            }
        }
        let config: Config =
            serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| Error::Config {
                place: self.place(&error.path().to_string()),
                problem: error.inner().message().trim_end().to_owned(),
                remedy: "correct it there".into(),
            })?;
        config.check().map_err(|(key, problem, remedy)| Error::Config {
            place: self.place(key),
            problem,
            remedy: remedy.into(),
        })?;
        Ok(config)
    }

    fn set(
        &mut self,
        key: &str,
        value: impl FnOnce(&Value) -> Result<Value, String>,
        origin: Origin,
    ) -> Result<()> {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key() == key) else {
            return Err(self.unknown(key, &origin.to_string()));
        };
        entry.value = value(&entry.value).map_err(|problem| Error::Config {
            place: format!("{key} (from {origin})"),
            problem,
            remedy: "correct it there".into(),
        })?;
        entry.origin = origin;
        Ok(())
    }

    fn unknown(&self, key: &str, origin: &str) -> Error {
        let known = nearest(key, self.entries.iter().map(Entry::key));
        Error::Config {
            place: format!("{key} (from {origin})"),
            problem: "is no setting".into(),
            remedy: format!("remove it, or set {known}"),
        }
    }

    /// A key with its origin.
    fn place(&self, key: &str) -> String {
        match self.entries.iter().find(|entry| entry.key() == key) {
            Some(entry) => format!("{key} (from {})", entry.origin),
            None => key.into(),
        }
    }
}

impl Entry {
    fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for entry in &self.entries {
            if entry.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = &entry.section;
                writeln!(f, "{gap}[{section}]")?;
            }
            writeln!(f, "{} = {}  # {}", entry.name, entry.value, entry.origin)?;
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The values of a table's tables.
fn values(table: Table) -> impl Iterator<Item = (String, String, Value)> {
    table.into_iter().flat_map(|(section, value)| {
        let table = if let Value::Table(table) = value { table } else { Table::new() };
        table.into_iter().map(move |(name, value)| (section.clone(), name, value))
    })
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// A value of the type that `like` has, from text that isn't TOML: strings have no quotes.
fn read(text: &str, like: &Value) -> Result<Value, String> {
    let wrong = |kind: &str| format!("{text:?} isn't {kind}");
    let number = || text.parse().map(Value::Integer).or_else(|_| text.parse().map(Value::Float));
    match like {
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| wrong("true or false")),
        Value::Integer(_) | Value::Float(_) => number().map_err(|_| wrong("a number")),
        _ => Ok(Value::String(text.into())),
    }
}

/// The name among `known` that is most like `name`, which may lack its section.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let distance = |known: &str| strsim::damerau_levenshtein(known, name);
    known
        .min_by_key(|known| {
            known.split_once('.').map_or(usize::MAX, |(_, key)| distance(key)).min(distance(known))
        })
        .unwrap_or_default()
}
