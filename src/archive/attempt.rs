//! One article: who translates it, and what is done about what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, TryStreamExt};

use super::journal::{Done, Outcome};
use super::record::{Hash, Translation};
use crate::model::ModelInfo;
use crate::options::TranslateOptions;
use crate::translation::{ArticleSummary, Event};
use crate::translator::Translator;
use crate::{Error, Result};

/// How often an article is sent again where that may help.
const ATTEMPTS: usize = 5;
/// How long to wait for a server that is busy or gone, doubled each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Who translates.
pub trait Backend: Send + Sync + 'static {
    /// The model that articles are translated with, with its digest.
    fn model(&self) -> Arc<ModelInfo>;

    /// Begins to translate an article.
    fn translate(
        &self,
        text: String,
        options: TranslateOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Event>>>>;
}

impl Backend for Translator {
    fn model(&self) -> Arc<ModelInfo> {
        self.models().swap_remove(0)
    }

    fn translate(
        &self,
        text: String,
        options: TranslateOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Event>>>> {
        let translator = self.clone();
        async move { translator.translate(text, options) }.boxed()
    }
}

/// Translates an article, again where that may help. What is wrong with it is its outcome; an error is one that nothing
/// can go on after.
pub(super) async fn outcome(
    backend: Arc<dyn Backend>,
    hash: Hash,
    text: String,
    options: TranslateOptions,
) -> Result<Outcome> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match whole(&*backend, text.clone(), options.clone()).await {
            Ok(done) => return Ok(Outcome { hash, attempts, result: Ok(done) }),
            Err(error) => error,
        };
        match Remedy::of(&error) {
            Remedy::Repeat if attempts < ATTEMPTS => {}
            Remedy::Wait if attempts < ATTEMPTS => {
                let doubled = 1 << attempts.min(8);
                tokio::time::sleep(PAUSE * doubled).await;
            }
            Remedy::Wait | Remedy::GiveUp => return Err(error),
            Remedy::Repeat | Remedy::Skip => {
                return Ok(Outcome { hash, attempts, result: Err(error.to_string()) });
            }
        }
    }
}

/// Translates an article to its end.
pub(super) async fn whole(backend: &dyn Backend, text: String, options: TranslateOptions) -> Result<Done> {
    let mut events = backend.translate(text, options).await?;
    let mut translation = Translation::default();
    let mut summary = None;
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Start(_) => {}
            Event::Paragraph(paragraph) => translation.paragraphs.push(paragraph),
            Event::Summary(last) => summary = Some(last),
        }
    }
    let summary: ArticleSummary =
        summary.ok_or_else(|| Error::Inference("the translation ended early".into()))?;
    Ok(Done { translation, summary })
}

/// What helps against an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// Nothing: it is the article's own.
    Skip,
    /// To try again at once.
    Repeat,
    /// To try again later.
    Wait,
    /// Nothing, for any article.
    GiveUp,
}

impl Remedy {
    fn of(error: &Error) -> Self {
        match error {
            Error::ReplicaFailed(_) => Self::Repeat,
            Error::Overloaded { .. } | Error::Starting | Error::Expired(_) | Error::Connect { .. } => {
                Self::Wait
            }
            Error::Remote { code, .. } => match code.as_str() {
                "UNAVAILABLE" | "RESOURCE_EXHAUSTED" | "ABORTED" | "DEADLINE_EXCEEDED" => Self::Wait,
                "UNAUTHENTICATED" | "PERMISSION_DENIED" | "UNIMPLEMENTED" | "NOT_FOUND" => Self::GiveUp,
                _ => Self::Skip,
            },
            Error::ShuttingDown
            | Error::UnknownModel { .. }
            | Error::Unauthenticated(_)
            | Error::Queue { .. } => Self::GiveUp,
            _ => Self::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_articles_own_error_is_its_outcome() {
        let remote = |code: &str| Error::Remote { code: code.into(), message: String::new() };
        for (error, remedy) in [
            (Error::invalid("text", "isn't Persian", "send Persian text"), Remedy::Skip),
            (Error::Inference("NaN".into()), Remedy::Skip),
            (remote("INVALID_ARGUMENT"), Remedy::Skip),
            (Error::ReplicaFailed("panic".into()), Remedy::Repeat),
            (remote("UNAVAILABLE"), Remedy::Wait),
            (remote("UNAUTHENTICATED"), Remedy::GiveUp),
            (Error::ShuttingDown, Remedy::GiveUp),
        ] {
            assert_eq!(Remedy::of(&error), remedy, "{error}");
        }
    }
}
