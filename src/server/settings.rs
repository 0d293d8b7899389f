//! What a server runs with, and what of it can change while it runs.

use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use super::keys::Keys;
use super::tls::Tls;
use crate::Result;
use crate::config::{Config, Limits, Web};

/// What a server runs with, beside its listeners and its translator. Clones share what can change.
#[derive(Clone)]
pub struct Settings {
    limits: Arc<ArcSwap<Limits>>,
    pub(super) tls: Option<Tls>,
    pub(super) keys: Option<Keys>,
    pub(super) web: Web,
    pub(super) drain_timeout: Duration,
    /// Whether the texts of articles are logged.
    pub(super) log_texts: bool,
}

/// What tells a file from what it was before.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Settings {
    /// The settings of a configuration, with the files that it names.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) that names the file at fault.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            limits: Arc::new(ArcSwap::from_pointee(config.limits.clone())),
            tls: Tls::load(&config.tls)?,
            keys: config.auth.keys_file.as_ref().map(Keys::load).transpose()?,
            web: config.web.clone(),
            drain_timeout: config.server.drain_timeout,
            log_texts: config.log.article_text,
        })
    }

    /// Takes other limits for the connections to come, and reads certificates and keys again. What can't be read stays
    /// as it was, and is logged.
    pub fn reload(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
        self.reload_tls();
        self.reload_keys();
    }

    /// Reads certificates and keys again whenever their files have changed, looking every so often, without end.
    pub async fn follow_files(self, every: Duration) -> Infallible {
        let mut seen = self.stamps().await;
        loop {
            tokio::time::sleep(every).await;
            let stamps = self.stamps().await;
            if stamps.0 != seen.0 {
                self.reload_tls();
            }
            if stamps.1 != seen.1 {
                self.reload_keys();
            }
            seen = stamps;
        }
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    fn reload_tls(&self) {
        match self.tls.as_ref().map(Tls::reload) {
            Some(Ok(())) => tracing::info!("certificates read again"),
            Some(Err(error)) => tracing::error!(%error, "the certificates stay as they were"),
            None => {}
        }
    }

    fn reload_keys(&self) {
        match self.keys.as_ref().map(|keys| keys.reload().map(|()| keys.count())) {
            Some(Ok(keys)) => tracing::info!(keys, "API keys read again"),
            Some(Err(error)) => tracing::error!(%error, "the API keys stay as they were"),
            None => {}
        }
    }

    /// The stamps of the certificates' files and of the keys'.
    async fn stamps(&self) -> (Vec<Stamp>, Vec<Stamp>) {
        let settings = self.clone();
        let stamps = tokio::task::spawn_blocking(move || {
            let tls = settings.tls.iter().flat_map(Tls::files).map(stamp).collect();
            let keys = settings.keys.iter().map(Keys::path).map(stamp).collect();
            (tls, keys)
        });
        stamps.await.unwrap_or_default()
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}
