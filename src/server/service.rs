//! The four methods of `TranslationService`.

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tonic::{Request, Response, Status, Streaming};

use super::admission::Admission;
use super::articles::{self, ArticleStream};
use super::calls::Caller;
use super::convert::ArticleRequest;
use super::metrics::{Metrics, Now};
use super::reply::{Patience, reply};
use super::settings::Settings;
use super::{convert, models};
use crate::config::Limits;
use crate::proto::{
    ListModelsRequest, ListModelsResponse, TranslateArticleRequest, TranslateArticleResponse,
    TranslateArticlesRequest, TranslateArticlesResponse, TranslateTextRequest, TranslateTextResponse,
    translation_service_server::TranslationService,
};
use crate::translator::Translator;
use crate::{Error, Result};

/// What the calls of one connection share, and most of it with those of all others.
#[derive(Clone)]
pub(super) struct Service {
    shared: Arc<Shared>,
    limits: Arc<Limits>,
}

struct Shared {
    /// Empty while the model is being loaded.
    translator: OnceLock<Translator>,
    admission: Admission,
    metrics: Arc<Metrics>,
    log_texts: bool,
}

impl Service {
    pub(super) fn new(settings: &Settings, metrics: Arc<Metrics>) -> Self {
        let limits = settings.limits();
        let admission = Admission::new(limits.characters_in_progress);
        let log_texts = settings.log_texts;
        Self {
            shared: Arc::new(Shared { translator: OnceLock::new(), admission, metrics, log_texts }),
            limits,
        }
    }

    /// The same under other limits.
    pub(super) fn with(self, limits: Arc<Limits>) -> Self {
        Self { limits, ..self }
    }

    /// From now on, calls are answered with `translator`. Only the first one counts.
    pub(super) fn start(&self, translator: Translator) {
        let _ = self.shared.translator.set(translator);
    }

    pub(super) fn translator(&self) -> Result<&Translator> {
        self.shared.translator.get().ok_or(Error::Starting)
    }

    pub(super) fn admission(&self) -> &Admission {
        &self.shared.admission
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn log_texts(&self) -> bool {
        self.shared.log_texts
    }

    /// What is only known now.
    pub(super) fn now(&self) -> Now {
        let translator = self.shared.translator.get();
        Now {
            characters: self.admission().in_progress(),
            engine: translator.map(Translator::stats).unwrap_or_default(),
            memory: translator.and_then(Translator::memory_stats),
            models: translator.map(Translator::models).unwrap_or_default(),
        }
    }

    /// Checks an article's size. Its paragraphs are looked at later.
    pub(super) fn check(&self, article: &ArticleRequest) -> Result<()> {
        let (bytes, most) = (article.text.len(), self.limits.article_bytes);
        if bytes <= most {
            return Ok(());
        }
        let problem = format!("{bytes} bytes are more than the {most} that the service takes");
        Err(Error::invalid("text", problem, "send it in parts"))
    }

    /// Starts to translate an article, now or not at all.
    async fn begin(&self, caller: &Caller, article: ArticleRequest) -> Result<ArticleStream> {
        self.check(&article)?;
        let permit = self.admission().permit(&caller.demand(&article))?;
        ArticleStream::start(self, caller, article, permit).await
    }

    fn patience(&self, caller: &Caller) -> Patience {
        Patience { deadline: caller.deadline, stall: self.limits.stall_timeout }
    }
}

/// The message of a request, and who sent it.
fn opened<T>(request: Request<T>) -> Result<(Caller, T)> {
    let (_, mut extensions, message) = request.into_parts();
    let caller = extensions.remove().ok_or_else(|| Error::Serve("a call came past the gate".into()))?;
    Ok((caller, message))
}

#[tonic::async_trait]
impl TranslationService for Service {
    type TranslateArticleStream = BoxStream<'static, Result<TranslateArticleResponse, Status>>;
    type TranslateArticlesStream = BoxStream<'static, Result<TranslateArticlesResponse, Status>>;

    async fn translate_text(
        &self,
        request: Request<TranslateTextRequest>,
    ) -> Result<Response<TranslateTextResponse>, Status> {
        let _call = self.admission().call()?;
        let (caller, message) = opened(request)?;
        let mut events = self.begin(&caller, convert::text_request(message)?).await?;
        let mut response = TranslateTextResponse::default();
        while let Some(event) = events.next().await {
            convert::extend_text_response(&mut response, event?);
        }
        Ok(Response::new(response))
    }

    async fn translate_article(
        &self,
        request: Request<TranslateArticleRequest>,
    ) -> Result<Response<Self::TranslateArticleStream>, Status> {
        let call = self.admission().call()?;
        let (caller, message) = opened(request)?;
        let events = self.begin(&caller, convert::article_request(message)?).await?;
        let responses = events.map(move |event| {
            let _in_progress = &call;
            Ok(convert::article_response(event?))
        });
        Ok(Response::new(reply(responses, self.patience(&caller), Arc::clone(self.metrics()))))
    }

    async fn translate_articles(
        &self,
        request: Request<Streaming<TranslateArticlesRequest>>,
    ) -> Result<Response<Self::TranslateArticlesStream>, Status> {
        let call = self.admission().call()?;
        self.translator()?;
        let (caller, requests) = opened(request)?;
        let patience = self.patience(&caller);
        let many = articles::Many::new(requests, self.clone(), caller, call);
        let responses = stream::unfold(many, |mut many| async move {
            let response = many.next().await?;
            Some((response, many))
        });
        Ok(Response::new(reply(responses, patience, Arc::clone(self.metrics()))))
    }

    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let ListModelsRequest { page_size, page_token } = request.into_inner();
        let models = self.translator()?.models();
        let page = models::page(&models, page_size, &page_token)?;
        Ok(Response::new(ListModelsResponse {
            models: page.models.iter().map(Arc::as_ref).map(convert::model).collect(),
            next_page_token: page.next_token,
        }))
    }
}
