//! A typed client of the service: domain types in, domain types out. The command line and the tests use it.

use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use tokio::sync::oneshot;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::error::with_causes;
use crate::model::ModelInfo;
use crate::options::TranslateOptions;
use crate::proto::translation_service_client::TranslationServiceClient;
use crate::proto::{ListModelsRequest, TranslateArticleRequest, TranslateArticlesRequest};
use crate::server::convert;
use crate::translation::Event;
use crate::{Error, Result};

/// How long reaching a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent server is asked for a sign of life, and how long that may take. A server that works on a long
/// sentence is silent too but gives one.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// The largest answer, in bytes: a paragraph of the largest request (16 MiB by default) with its source twice and
/// several translations of each sentence.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// A connection to a server. Cheap to clone; clones share the connection, which mends itself after a failure.
#[derive(Debug, Clone)]
pub struct Client {
    service: TranslationServiceClient<InterceptedService<Channel, Bearer>>,
}

/// How to get into a server that doesn't let everyone in. PEM everywhere.
#[derive(Clone, Default)]
pub struct Access {
    /// The API key.
    pub key: Option<String>,
    /// The certificate of the server's authority; the system's authorities count without it.
    pub server_ca: Option<Vec<u8>>,
    /// The client's own certificate and its private key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Adds the API key to every call.
#[derive(Debug, Clone, Default)]
struct Bearer(Option<AsciiMetadataValue>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Bearer(Some(key)) = self {
            request.metadata_mut().insert("authorization", key.clone());
        }
        Ok(request)
    }
}

/// An article of many, with the caller's own name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedArticle {
    /// The name, which comes back with every event; at most 256 bytes and not empty.
    pub id: String,
    /// The Persian text.
    pub text: String,
}

/// What happened to an article of many.
#[derive(Debug, Clone)]
pub struct NamedEvent {
    /// The caller's name for the article.
    pub id: String,
    /// The article's next event; its last when it's an error or a summary.
    pub event: Result<Event>,
}

impl Client {
    /// Connects to the server at `url`, such as `http://127.0.0.1:50051` or `https://translate.example:443`; the
    /// `http://` may be left out.
    ///
    /// # Errors
    /// [`Error::Connect`] when `url` can't be used or nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, &Access::default()).await
    }

    /// Connects to the server at `url` as one whom it lets in.
    ///
    /// # Errors
    /// [`Error::Connect`] when `url` or `access` can't be used or nothing answers there.
    pub async fn connect_with(url: &str, access: &Access) -> Result<Self> {
        let failed = |problem: String| Error::Connect { url: url.to_owned(), problem };
        let because = |words: &str, error: &dyn std::error::Error| failed(with_causes(words, error));
        let address = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let mut endpoint = Endpoint::from_shared(address)
            .map_err(|error| because("it isn't a URL such as http://host:50051", &error))?;
        match endpoint.uri().scheme_str() {
            Some("http") => {}
            Some("https") => {
                endpoint =
                    endpoint.tls_config(access.tls()).map_err(|error| because("no encryption", &error))?;
            }
            _ => return Err(failed("only http:// and https:// are supported".into())),
        }
        let channel = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .connect()
            .await
            .map_err(|error| because("no server answers", &error))?;
        let service = TranslationServiceClient::with_interceptor(channel, access.bearer().map_err(failed)?)
            .max_decoding_message_size(MAX_ANSWER_BYTES);
        Ok(Self { service })
    }

    /// Translates one article. The stream is a start, each paragraph in order and a summary, or ends with an error;
    /// dropping it makes the server stop.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for options out of range; [`Error::Remote`] when the server refuses the article.
    pub async fn translate(
        &self,
        source: impl Into<String>,
        options: &TranslateOptions,
    ) -> Result<BoxStream<'static, Result<Event>>> {
        options.validate()?;
        let request = article(source.into(), options);
        let responses = self.service.clone().translate_article(request).await.map_err(remote)?.into_inner();
        let events = responses.map(|response| convert::article_event(response.map_err(remote)?));
        Ok(complete(events))
    }

    /// Translates many articles over one stream, several at once. Events of different articles interleave; those of
    /// one article come in order. An article that fails is one [`NamedEvent`] with an error, and the others go on; an
    /// error of the stream itself ends it.
    ///
    /// `articles` is read only as fast as the server takes them. Dropping the stream makes the server stop.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for options out of range; [`Error::Remote`] when the server refuses the call.
    pub async fn translate_articles(
        &self,
        articles: impl Stream<Item = NamedArticle> + Send + 'static,
        options: &TranslateOptions,
    ) -> Result<BoxStream<'static, Result<NamedEvent>>> {
        options.validate()?;
        let options = options.clone();
        // A call is only given up once both its halves are: without this, dropping the answers would leave the
        // server at work for as long as `articles` has no end.
        let (wanted, unwanted) = oneshot::channel::<()>();
        let requests = articles.take_until(unwanted).map(move |NamedArticle { id, text }| {
            TranslateArticlesRequest { id, article: Some(article(text, &options)) }
        });
        let responses = self.service.clone().translate_articles(requests).await.map_err(remote)?.into_inner();
        let events = responses.map(move |response| {
            let _wanted = &wanted;
            let (id, event) = convert::named_article_event(response.map_err(remote)?);
            Ok(NamedEvent { id, event })
        });
        Ok(events.boxed())
    }

    /// The models that the server can translate with, the default first.
    ///
    /// # Errors
    /// [`Error::Remote`] when the server doesn't answer.
    pub async fn list_models(&self) -> Result<Vec<ModelInfo>> {
        let (mut models, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListModelsRequest { page_size: 0, page_token };
            let page = self.service.clone().list_models(request).await.map_err(remote)?.into_inner();
            models.extend(page.models.into_iter().map(convert::model_info));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(models);
            }
        }
    }
}

impl Access {
    fn tls(&self) -> ClientTlsConfig {
        let tls = match &self.server_ca {
            Some(authority) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match &self.identity {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        }
    }

    fn bearer(&self) -> Result<Bearer, String> {
        let header = self.key.as_ref().map(|key| {
            // What is wrong with it isn't shown, as that would show the key.
            let mut value = AsciiMetadataValue::try_from(format!("Bearer {key}"))
                .map_err(|_| "the API key has characters that no key has".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        Ok(Bearer(header.transpose()?))
    }
}

fn article(text: String, options: &TranslateOptions) -> TranslateArticleRequest {
    let options = Some(convert::options_message(options));
    TranslateArticleRequest { text, mime_type: String::new(), options }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn remote(status: Status) -> Error {
    convert::from_status(&status)
}

/// The events of one article, with an error in place of a missing summary, by which a stream that was cut short is
/// told from a whole one.
fn complete(
    events: impl Stream<Item = Result<Event>> + Send + Unpin + 'static,
) -> BoxStream<'static, Result<Event>> {
    #[derive(PartialEq)]
    enum Seen {
        Part,
        Summary,
        Error,
    }
    let state = (events, Seen::Part);
    let events = stream::unfold(state, |(mut events, seen)| async move {
        match events.next().await {
            _ if seen == Seen::Error => None,
            Some(Ok(event @ Event::Summary(_))) => Some((Ok(event), (events, Seen::Summary))),
            Some(Ok(event)) => Some((Ok(event), (events, seen))),
            Some(Err(error)) => Some((Err(error), (events, Seen::Error))),
            None if seen == Seen::Summary => None,
            None => {
                let cut =
                    Status::unavailable("the answer ended before its summary; translate the article again");
                Some((Err(remote(cut)), (events, Seen::Error)))
            }
        }
    });
    events.boxed()
}

#[cfg(test)]
mod tests {
    use crate::translation::ArticleSummary;

    use super::*;

    fn summary() -> Event {
        Event::Summary(ArticleSummary::default())
    }

    async fn outcomes(events: Vec<Result<Event>>) -> Vec<bool> {
        complete(stream::iter(events)).map(|event| event.is_ok()).collect().await
    }

    #[tokio::test]
    async fn a_stream_without_a_summary_ends_with_an_error() {
        assert_eq!(outcomes(vec![Ok(summary())]).await, [true]);
        assert_eq!(outcomes(vec![]).await, [false]);
        assert_eq!(outcomes(vec![Err(Error::ShuttingDown)]).await, [false]);
        assert_eq!(outcomes(vec![Ok(summary()), Err(Error::ShuttingDown)]).await, [true, false]);
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_used_is_named() {
        for url in ["", "http://", "ftp://localhost", "a b"] {
            match Client::connect(url).await {
                Err(Error::Connect { url: named, .. }) => assert_eq!(named, url),
                other => panic!("{url:?}: {other:?}"),
            }
        }
    }
}
