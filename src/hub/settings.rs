//! Where models are kept and fetched from.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;

use crate::{Error, Result};

const HUGGING_FACE: &str = "https://huggingface.co";
const REMOTE_SETTINGS: &str = "https://firefox.settings.services.mozilla.com/v1";

/// Where models are kept and fetched from.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// The folder that holds the store.
    pub store: PathBuf,
    /// Whether nothing may be fetched, and who says so.
    pub offline: Option<&'static str>,
    /// The Hugging Face Hub's address.
    pub hugging_face: String,
    /// The token to show it.
    pub token: Option<String>,
    /// The folder where Hugging Face's own tools keep repositories; files that are there aren't fetched again.
    pub hugging_face_cache: PathBuf,
    /// The address of Mozilla's Remote Settings, or of a copy.
    pub remote_settings: String,
    /// How long to keep trying.
    pub retries: Retries,
    /// Bytes free on the disk of a folder.
    pub free_space: fn(&Path) -> std::io::Result<u64>,
}

/// How long to keep trying when a server is overloaded or a connection breaks.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// Attempts without progress before giving up.
    pub attempts: u32,
    /// The pause after the first one; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause; a server that asks for a longer one isn't waited for.
    pub longest_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_mins(2) }
    }
}

impl HubSettings {
    /// Settings from the command line and the environment.
    ///
    /// The store is `store`, or else `$TARJOMAN_HOME/models`, or else `tarjoman/models` in the platform's folder for
    /// data. `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN` and
    /// `HF_HUB_OFFLINE` mean what they mean to Hugging Face's own tools; `TARJOMAN_REMOTE_SETTINGS` is the address of
    /// a copy of Mozilla's Remote Settings.
    ///
    /// # Errors
    /// [`Error::Hub`] when no folder for data is known, and for an address that is none.
    pub fn from_environment(store: Option<PathBuf>, offline: bool) -> Result<Self> {
        Self::new(store, offline, |name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn new(
        store: Option<PathBuf>,
        offline: bool,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let switch = |name: &str| {
            text(name).is_some_and(|value| {
                matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
            })
        };
        let folders = etcetera::choose_base_strategy().ok();
        let store = store
            .or_else(|| path("TARJOMAN_HOME").map(|home| home.join("models")))
            .or_else(|| folders.as_ref().map(|folders| folders.data_dir().join("tarjoman/models")))
            .ok_or_else(|| {
                let remedy = "say where with --store or the variable TARJOMAN_HOME";
                Error::hub("the store", "there is no folder for it, as no home folder is known", remedy)
            })?;
        let home = path("HF_HOME")
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| folders.as_ref().map(|folders| folders.home_dir().join(".cache/huggingface")))
            .unwrap_or_else(|| store.join("huggingface"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = || text("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file).ok());
        let offline = match (offline, switch("HF_HUB_OFFLINE")) {
            (true, _) => Some("--offline"),
            (false, true) => Some("HF_HUB_OFFLINE"),
            (false, false) => None,
        };
        Ok(Self {
            store,
            offline,
            hugging_face: address("HF_ENDPOINT", text("HF_ENDPOINT"), HUGGING_FACE)?,
            token: Some(switch("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
                .filter(|disabled| !disabled)
                .and_then(|_| token())
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty()),
            hugging_face_cache: path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            remote_settings: address(
                "TARJOMAN_REMOTE_SETTINGS",
                text("TARJOMAN_REMOTE_SETTINGS"),
                REMOTE_SETTINGS,
            )?,
            retries: Retries::default(),
            free_space,
        })
    }
}

fn address(variable: &'static str, value: Option<String>, default: &str) -> Result<String> {
    let value = value.unwrap_or_else(|| default.to_owned());
    match reqwest::Url::parse(&value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(value.trim_end_matches('/').to_owned()),
        _ => Err(Error::hub(
            variable,
            format!("{value:?} is no web address"),
            format!("set it to e.g. {default}"),
        )),
    }
}

fn free_space(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> HubSettings {
        let find = |name: &str| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value))
        };
        HubSettings::new(None, false, find).unwrap()
    }

    #[test]
    fn the_store_is_where_the_user_says() {
        assert_eq!(settings(&[("TARJOMAN_HOME", "/t")]).store, Path::new("/t/models"));
        let by_flag = HubSettings::new(Some("/s".into()), false, |_| Some("/t".into()).filter(|_| false));
        assert_eq!(by_flag.unwrap().store, Path::new("/s"));
        assert!(settings(&[]).store.ends_with("tarjoman/models"));
    }

    #[test]
    fn variables_of_hugging_face_mean_what_they_mean_to_its_own_tools() {
        let all = [
            ("HF_HOME", "/h"),
            ("HF_TOKEN", " hf_x\n"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_HUB_OFFLINE", "True"),
        ];
        let found = settings(&all);
        assert_eq!(found.hugging_face, "http://mirror");
        assert_eq!(found.token.as_deref(), Some("hf_x"));
        assert_eq!(found.hugging_face_cache, Path::new("/h/hub"));
        assert_eq!(found.offline, Some("HF_HUB_OFFLINE"));
        let no_token = settings(&[("HF_TOKEN", "hf_x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]);
        assert_eq!(no_token.token, None);
        assert_eq!(settings(&[("HF_HUB_OFFLINE", "0")]).offline, None);
    }

    #[test]
    fn the_token_may_be_in_a_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let home = home.path().to_str().unwrap();
        assert_eq!(settings(&[("HF_HOME", home)]).token.as_deref(), Some("hf_file"));
        assert_eq!(settings(&[("HF_HOME", home), ("HF_TOKEN", "hf_x")]).token.as_deref(), Some("hf_x"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_by_its_variable() {
        let error = HubSettings::new(None, false, |name| (name == "HF_ENDPOINT").then(|| "hub".into()));
        assert!(error.unwrap_err().to_string().starts_with("HF_ENDPOINT: "));
    }

    #[test]
    fn free_space_is_that_of_the_disk() {
        let free = free_space(&std::env::temp_dir()).unwrap();
        assert!(free > 0 && free < 1 << 60, "{free}");
    }
}
