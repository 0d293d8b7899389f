//! A server as the one who translates.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;

use crate::archive::Backend;
use crate::client::{Access, Client};
use crate::model::ModelInfo;
use crate::options::TranslateOptions;
use crate::translation::Event;
use crate::{Error, Result};

pub(super) struct Remote {
    client: Client,
    model: Arc<ModelInfo>,
}

impl Remote {
    /// Connects to the server and asks it for the model, its default if none is named.
    pub(super) async fn connect(url: &str, access: &Access, model: Option<&str>) -> Result<Self> {
        let client = Client::connect_with(url, access).await?;
        let models = client.list_models().await?;
        let wanted = |info: &&ModelInfo| model.is_none_or(|name| info.name == name);
        let found = models.iter().find(wanted).ok_or_else(|| Error::UnknownModel {
            name: model.unwrap_or_default().into(),
            known: models.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        Ok(Self { model: Arc::new(found.clone()), client })
    }
}

impl Backend for Remote {
    fn model(&self) -> Arc<ModelInfo> {
        self.model.clone()
    }

    fn translate(
        &self,
        text: String,
        options: TranslateOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Event>>>> {
        let client = self.client.clone();
        async move { client.translate(text, &options).await }.boxed()
    }
}
