//! Health, reflection, and how a server stops.

use std::time::Duration;

use futures::{StreamExt, stream};
use tarjoman::Error;
use tarjoman::client::Client;
use tarjoman::config::Config;
use tarjoman::proto::translate_article_response::Event as Said;
use tarjoman::proto::translate_articles_response::Event as SaidOfOne;
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::proto::{TranslateArticleRequest, TranslateArticlesRequest};
use tarjoman::server::{Server, Settings};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::common::{SHORT, TestServer, endless, padded, translator, within};

const SERVICE: &str = "tarjoman.v1.TranslationService";

#[tokio::test(flavor = "multi_thread")]
async fn liveness_and_readiness_are_told_apart_from_unknown_services() {
    let server = TestServer::start(Config::default()).await;
    let channel = server.channel().await;
    assert_eq!(health(&channel, "").await.unwrap(), ServingStatus::Serving);
    assert_eq!(health(&channel, SERVICE).await.unwrap(), ServingStatus::Serving);
    assert_eq!(health(&channel, "tarjoman.v2.TranslationService").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_answers_while_its_model_is_loaded_and_serves_once_it_is() {
    let (load, loaded) = oneshot::channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::new(listener, Settings::new(&Config::default()).unwrap());
    let ready = server.ready();
    let loading = async { Ok(loaded.await.unwrap()) };
    let task = tokio::spawn(server.run(loading, std::future::pending()));
    let channel = within(Channel::from_shared(url).unwrap().connect()).await.unwrap();
    assert_eq!(health(&channel, "").await.unwrap(), ServingStatus::Serving);
    assert_eq!(health(&channel, SERVICE).await.unwrap(), ServingStatus::NotServing);
    let mut client = TranslationServiceClient::new(channel.clone());
    let request = TranslateArticleRequest { text: SHORT.into(), ..Default::default() };
    let refused = within(client.translate_article(request.clone())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);

    assert!(load.send(translator()).is_ok());
    within(ready).await;
    assert_eq!(health(&channel, SERVICE).await.unwrap(), ServingStatus::Serving);
    within(client.translate_article(request)).await.unwrap();
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_loaded_ends_the_server_with_its_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::new(listener, Settings::new(&Config::default()).unwrap());
    let loading = async { Err(Error::model_file("m", "is gone", "put it back")) };
    let ended = within(server.run(loading, std::future::pending())).await;
    assert!(matches!(ended, Err(Error::ModelFile { .. })), "{ended:?}");
}

/// A test for each version of the reflection service, which have the same messages in different packages.
macro_rules! reflection_lists_the_services {
    ($test:ident, $version:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version::{ListServiceResponse, ServerReflectionRequest};

            let server = TestServer::start(Config::default()).await;
            let mut client = ServerReflectionClient::new(server.channel().await);
            let requests = [
                MessageRequest::ListServices(String::new()),
                MessageRequest::FileContainingSymbol(format!("{SERVICE}.TranslateArticles")),
            ];
            let requests = stream::iter(requests.map(|request| ServerReflectionRequest {
                message_request: Some(request),
                ..Default::default()
            }));
            let responses = within(client.server_reflection_info(requests)).await.unwrap().into_inner();
            let responses: Vec<_> =
                within(responses.map(|r| r.unwrap().message_response.unwrap()).collect()).await;
            let [
                MessageResponse::ListServicesResponse(ListServiceResponse { service }),
                MessageResponse::FileDescriptorResponse(files),
            ] = &*responses
            else {
                panic!("{responses:?}");
            };
            let names: Vec<&str> = service.iter().map(|service| service.name.as_str()).collect();
            assert!(names.contains(&SERVICE) && names.contains(&"grpc.health.v1.Health"), "{names:?}");
            assert_eq!(files.file_descriptor_proto.len(), 1);
        }
    };
}

reflection_lists_the_services!(reflection_v1_lists_the_services, v1);
reflection_lists_the_services!(reflection_v1alpha_lists_the_services, v1alpha);

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_is_in_progress_end_and_takes_nothing_new() {
    let mut server = TestServer::start(Config::default()).await;
    let request = TranslateArticleRequest { text: padded(), ..Default::default() };
    // The server can't get to the end of this article before the client reads on.
    let mut slow = TranslationServiceClient::new(server.slow_channel().await);
    let mut article = within(slow.translate_article(request)).await.unwrap().into_inner();
    assert!(matches!(within(article.next()).await.unwrap().unwrap().event, Some(Said::Start(_))));
    let many = server.raw().await.translate_articles(stream::pending()).await.unwrap().into_inner();
    let channel = server.channel().await;
    let mut health_client = HealthClient::new(channel.clone());
    let watched = health_client.watch(HealthCheckRequest { service: SERVICE.into() });
    let mut watched = within(watched).await.unwrap().into_inner();
    assert_eq!(within(watched.next()).await.unwrap().unwrap().status(), ServingStatus::Serving);

    server.stop();
    assert_eq!(within(watched.next()).await.unwrap().unwrap().status(), ServingStatus::NotServing);
    // A stream of articles that waits for more is ended.
    let many: Vec<_> = within(many.collect()).await;
    assert!(matches!(&*many, [Err(status)] if status.code() == Code::Unavailable), "{many:?}");
    // The server still answers, on old connections and on new ones.
    for channel in [channel, server.channel().await] {
        assert_eq!(health(&channel, SERVICE).await.unwrap(), ServingStatus::NotServing);
        assert_eq!(health(&channel, "").await.unwrap(), ServingStatus::Serving);
        let request = TranslateArticleRequest { text: SHORT.into(), ..Default::default() };
        let refused =
            within(TranslationServiceClient::new(channel).translate_article(request)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.message().contains("shutting down"), "{refused}");
    }

    let rest: Vec<_> = within(article.map(|said| said.unwrap().event.unwrap()).collect()).await;
    assert!(matches!(rest.last(), Some(Said::Summary(_))));
    assert_eq!(rest.iter().filter(|said| matches!(said, Said::Paragraph(_))).count(), 8);
    // The watch ends too, or the server would wait for it.
    assert!(within(watched.next()).await.is_none());
    let url = server.url.clone();
    server.stopped().await;
    assert!(within(Client::connect(&url)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_of_a_stream_are_finished_before_it_is_ended() {
    let mut server = TestServer::start(Config::default()).await;
    let article = Some(TranslateArticleRequest { text: padded(), ..Default::default() });
    let requests =
        stream::iter([TranslateArticlesRequest { id: "a".into(), article }]).chain(stream::pending());
    let mut client = TranslationServiceClient::new(server.slow_channel().await);
    let mut responses = within(client.translate_articles(requests)).await.unwrap().into_inner();
    within(responses.next()).await.unwrap().unwrap();

    server.stop();
    let mut rest: Vec<_> = within(responses.collect()).await;
    assert_eq!(rest.pop().unwrap().unwrap_err().code(), Code::Unavailable);
    let last = rest.pop().unwrap().unwrap();
    assert!(matches!(last.event, Some(SaidOfOne::Summary(_))));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_cut_off() {
    let mut config = Config::default();
    config.server.drain_timeout = Duration::ZERO;
    let mut server = TestServer::start(config).await;
    let request = TranslateArticleRequest { text: endless(), ..Default::default() };
    let mut article = within(server.raw().await.translate_article(request)).await.unwrap().into_inner();
    within(article.next()).await.unwrap().unwrap();

    server.stop();
    // Though nobody reads the answer.
    server.stopped().await;
    let rest: Vec<_> = within(article.collect()).await;
    assert!(rest.last().unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_takes_its_connections_with_it() {
    let server = TestServer::start(Config::default()).await;
    let request = TranslateArticleRequest { text: endless(), ..Default::default() };
    let mut article = within(server.raw().await.translate_article(request)).await.unwrap().into_inner();
    within(article.next()).await.unwrap().unwrap();

    server.task.abort();
    let rest: Vec<_> = within(article.collect()).await;
    assert!(rest.last().unwrap().is_err());
}

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.into() };
    let response = within(HealthClient::new(channel.clone()).check(request)).await?;
    Ok(response.into_inner().status())
}
