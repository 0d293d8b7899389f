//! The models that `serve` has besides its default.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::hub::Store;
use crate::translator::{LoadOptions, Translator};
use crate::{Error, Result};

/// Loads and unloads models until the sender of their names is gone, one after the other. What fails is told in the log,
/// and tried again when the names change or are sent again.
pub(super) async fn follow(
    translator: Translator,
    store: Store,
    options: LoadOptions,
    mut wanted: watch::Receiver<Vec<String>>,
) {
    // What the settings call a model, and its own name.
    let mut loaded = BTreeMap::new();
    loop {
        let names = wanted.borrow_and_update().clone();
        loaded.retain(|asked, name: &mut String| {
            names.contains(asked) || {
                match translator.unload(name) {
                    Ok(()) => tracing::info!(model = name, "unloaded"),
                    Err(error) => tracing::error!(%error, "a model wasn't unloaded"),
                }
                false
            }
        });
        for asked in names {
            if loaded.contains_key(&asked) {
                continue;
            }
            match load(&translator, &store, &options, &asked).await {
                Ok(name) => {
                    tracing::info!(model = name, "loaded");
                    loaded.insert(asked, name);
                }
                Err(error) => tracing::error!(model = asked, %error, "a model wasn't loaded"),
            }
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn load(translator: &Translator, store: &Store, options: &LoadOptions, name: &str) -> Result<String> {
    let model = store.choose(Some(name))?.model;
    let (translator, options) = (translator.clone(), LoadOptions { shortlist: None, ..options.clone() });
    let loaded = tokio::task::spawn_blocking(move || translator.load(&model, &options)).await;
    let info = loaded.map_err(|error| Error::Inference(format!("loading failed: {error}")))??;
    Ok(info.name.clone())
}
