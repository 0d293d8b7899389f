//! The four methods of `TranslationService`.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tonic::{Request, Response, Status, Streaming};

use super::admission::Admission;
use super::articles::{self, ArticleStream};
use super::{convert, models};
use crate::proto::{
    ListModelsRequest, ListModelsResponse, TranslateArticleRequest, TranslateArticleResponse,
    TranslateArticlesRequest, TranslateArticlesResponse, TranslateTextRequest, TranslateTextResponse,
    translation_service_server::TranslationService,
};
use crate::translator::Translator;

/// What all calls share.
#[derive(Clone)]
pub(super) struct Service {
    translator: Translator,
    admission: Admission,
}

impl Service {
    pub(super) fn new(translator: Translator, admission: Admission) -> Self {
        Self { translator, admission }
    }
}

// The streams below are polled by the connection when the client has room for more, so the client's own pace is
// what holds an article back; nothing is queued in between.
#[tonic::async_trait]
impl TranslationService for Service {
    type TranslateArticleStream = BoxStream<'static, Result<TranslateArticleResponse, Status>>;
    type TranslateArticlesStream = BoxStream<'static, Result<TranslateArticlesResponse, Status>>;

    async fn translate_text(
        &self,
        request: Request<TranslateTextRequest>,
    ) -> Result<Response<TranslateTextResponse>, Status> {
        let _call = self.admission.call()?;
        let article = convert::text_request(request.into_inner())?;
        let permit = self.admission.permit()?;
        let mut events = ArticleStream::start(&self.translator, article, permit).await?;
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
        let call = self.admission.call()?;
        let article = convert::article_request(request.into_inner())?;
        let permit = self.admission.permit()?;
        let events = ArticleStream::start(&self.translator, article, permit).await?;
        let responses = events.map(move |event| {
            let _in_progress = &call;
            Ok(convert::article_response(event?))
        });
        Ok(Response::new(responses.boxed()))
    }

    async fn translate_articles(
        &self,
        request: Request<Streaming<TranslateArticlesRequest>>,
    ) -> Result<Response<Self::TranslateArticlesStream>, Status> {
        let call = self.admission.call()?;
        let many =
            articles::Many::new(request.into_inner(), self.translator.clone(), self.admission.clone(), call);
        let responses = stream::unfold(many, |mut many| async move {
            let response = many.next().await?;
            Some((response, many))
        });
        Ok(Response::new(responses.boxed()))
    }

    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let ListModelsRequest { page_size, page_token } = request.into_inner();
        let models = self.translator.models();
        let page = models::page(&models, page_size, &page_token)?;
        Ok(Response::new(ListModelsResponse {
            models: page.models.iter().map(Arc::as_ref).map(convert::model).collect(),
            next_page_token: page.next_token,
        }))
    }
}
