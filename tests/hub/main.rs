//! Models from a server that answers as the Hugging Face Hub and Mozilla's Remote Settings do.

mod failures;
mod mozilla;
mod server;
mod store;
mod whole_path;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use tarjoman::hub::{HubSettings, ModelName, PullEvent, Pulled, Retries, pull};
use tempfile::TempDir;

use server::Server;

/// The files of a made-up model: two that the Hub keeps on its CDN, and two small ones.
fn files() -> Vec<(String, Vec<u8>)> {
    let weights = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    [
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", weights),
        ("source.spm", b"pieces".to_vec()),
        ("vocab.json", b"{\"a\": 0}".to_vec()),
        ("README.md", b"what it is".to_vec()),
    ]
    .map(|(name, contents)| (name.to_owned(), contents))
    .into()
}

/// A server and a store of a test's own.
struct Case {
    server: Server,
    home: TempDir,
    settings: HubSettings,
    told: Mutex<Vec<String>>,
}

impl Case {
    async fn new() -> Self {
        Self::with(files(), Some("apache-2.0")).await
    }

    async fn with(files: Vec<(String, Vec<u8>)>, licence: Option<&'static str>) -> Self {
        let server = Server::start(files, licence).await;
        let home = TempDir::new().expect("a temporary folder");
        let settings = HubSettings {
            store: home.path().join("store"),
            offline: None,
            hugging_face: server.hub.clone(),
            token: None,
            hugging_face_cache: home.path().join("cache"),
            remote_settings: format!("{}/v1", server.hub),
            retries: Retries {
                attempts: 3,
                first_pause: Duration::from_millis(1),
                longest_pause: Duration::from_secs(2),
            },
            free_space: |_| Ok(1 << 40),
        };
        Self { server, home, settings, told: Mutex::default() }
    }

    async fn pull(&self, name: &str) -> tarjoman::Result<Pulled> {
        self.pull_with(name, false).await
    }

    async fn pull_with(&self, name: &str, accept: bool) -> tarjoman::Result<Pulled> {
        let tell = |event: PullEvent<'_>| {
            if !matches!(event, PullEvent::Advanced(_)) {
                self.told.lock().expect("nobody panics").push(format!("{event:?}"));
            }
        };
        pull(&self.settings, &ModelName::parse(name)?, accept, &tell).await
    }

    /// What a pull that fails says.
    async fn refusal(&self, name: &str) -> String {
        let error = self.pull(name).await.expect_err("it fails").to_string();
        assert!(!self.settings.store.join(name.replace('/', "--")).exists(), "half a model is in the store");
        error
    }

    fn stored(&self, name: &str) -> std::path::PathBuf {
        self.settings.store.join(name)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}
