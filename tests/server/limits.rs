//! Bounds to what clients can take: size, time, connections.

use std::time::Duration;

use futures::{StreamExt, stream};
use tarjoman::client::NamedArticle;
use tarjoman::config::Config;
use tarjoman::options::TranslateOptions;
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::proto::{
    ListModelsRequest, TranslateArticleRequest, TranslateTextRequest, TranslateTextResponse,
};
use tarjoman::translation::Event;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::common::{SHORT, TestServer, endless, limited, within};

const SOON: Duration = Duration::from_millis(200);

/// An article is translated to its end, however long it has to wait for its turn.
async fn waits_and_is_translated(server: &TestServer) {
    let client = server.client().await;
    let article = NamedArticle { id: "next".into(), text: SHORT.into() };
    let events = client.translate_articles(stream::iter([article]), &TranslateOptions::default()).await;
    let last = within(events.unwrap().map(Result::unwrap).collect::<Vec<_>>()).await.pop().unwrap();
    assert!(matches!(last.event, Ok(Event::Summary(_))));
}

fn article(text: impl Into<String>) -> TranslateArticleRequest {
    TranslateArticleRequest { text: text.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_and_paragraphs_above_their_limits_are_refused_by_the_field() {
    let config = limited(|limits| {
        limits.article_bytes = 1000;
        limits.paragraph_bytes = 100;
    });
    let server = TestServer::start(config).await;
    let mut client = server.raw().await;
    let line = "س".repeat(50);
    for (text, words) in [
        (format!("{}\n{line}.", "سلام\n".repeat(2)), "paragraph 3 has 101 bytes"),
        (format!("{line}\n").repeat(10), "1010 bytes"),
    ] {
        let refused = within(client.translate_article(article(text))).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with("text: ") && refused.message().contains(words), "{refused}");
        let violations = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "text");
    }
    within(client.translate_article(article(format!("{line}\n").repeat(9)))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_when_to_come_back() {
    let server = TestServer::start(limited(|limits| limits.characters_in_progress = 1)).await;
    let mut client = server.raw().await;
    let mut running = within(client.translate_article(article(endless()))).await.unwrap().into_inner();
    within(running.next()).await.unwrap().unwrap();
    let refused = within(client.translate_article(article(SHORT))).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let delay = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!((Duration::from_secs(1)..=Duration::from_mins(1)).contains(&delay), "{delay:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_past_its_deadline_is_dropped() {
    let server = TestServer::start(limited(|limits| limits.characters_in_progress = 1)).await;
    let mut client = server.raw().await;
    let mut request = Request::new(article(endless()));
    request.set_timeout(SOON);
    // The client's own clock runs until the answer begins.
    let ended = match within(client.translate_article(request)).await {
        Ok(reply) => within(reply.into_inner().collect::<Vec<_>>()).await.pop().unwrap().unwrap_err(),
        Err(status) => status,
    };
    assert!(matches!(ended.code(), Code::DeadlineExceeded | Code::Cancelled), "{ended}");
    waits_and_is_translated(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_cannot_be_read_is_refused() {
    let server = TestServer::start(Config::default()).await;
    let mut request = Request::new(ListModelsRequest::default());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let refused = within(server.raw().await.list_models(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("grpc-timeout"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_loses_its_work_and_is_told() {
    let config = limited(|limits| {
        limits.characters_in_progress = 1;
        limits.stall_timeout = SOON;
    });
    let server = TestServer::start(config).await;
    let mut slow = TranslationServiceClient::new(server.slow_channel().await);
    let reply = within(slow.translate_article(article(endless()))).await.unwrap().into_inner();
    // Nobody reads, and yet there is room again.
    waits_and_is_translated(&server).await;
    let last = within(reply.collect::<Vec<_>>()).await.pop().unwrap().unwrap_err();
    assert_eq!(last.code(), Code::DeadlineExceeded);
    assert!(last.message().contains("stopped reading"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_sending_is_not_waited_for() {
    let config = limited(|limits| {
        limits.stall_timeout = SOON;
        limits.idle_timeout = SOON;
    });
    let server = TestServer::start(config).await;
    let mut client = tonic::client::Grpc::new(server.channel().await);
    within(client.ready()).await.unwrap();
    let codec = tonic_prost::ProstCodec::<TranslateTextRequest, TranslateTextResponse>::default();
    let path = "/tarjoman.v1.TranslationService/TranslateText".parse().unwrap();
    // The headers, and then nothing.
    let unary = client.streaming(Request::new(stream::pending()), path, codec);
    let ended = within(unary).await.unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
    assert!(ended.message().contains("stopped sending"), "{ended}");

    let many = server.raw().await.translate_articles(stream::pending()).await.unwrap().into_inner();
    let ended = within(many.collect::<Vec<_>>()).await.pop().unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_at_once_is_bounded() {
    let server = TestServer::start(limited(|limits| limits.receiving_bytes = 3000)).await;
    let mut client = server.raw().await;
    // Each gives back what it took.
    for _ in 0..4 {
        within(client.translate_article(article("سلام ".repeat(200)))).await.unwrap();
    }
    let refused = within(client.translate_article(article("سلام ".repeat(400)))).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_closed_at_once() {
    let server = TestServer::start(limited(|limits| limits.connections = 1)).await;
    let mut first = server.raw().await;
    within(first.list_models(ListModelsRequest::default())).await.unwrap();
    let mut second = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    assert_eq!(within(second.read(&mut [0])).await.unwrap_or(0), 0);
    within(first.list_models(ListModelsRequest::default())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_calls_is_closed_and_one_with_a_call_is_not() {
    let config = limited(|limits| {
        limits.idle_timeout = SOON;
        limits.stall_timeout = SOON;
    });
    let server = TestServer::start(config).await;
    let mut busy = server.raw().await;
    let mut reply = within(busy.translate_article(article(endless()))).await.unwrap().into_inner();
    let mut silent = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    let mut said = Vec::new();
    let closed = async { tokio::join!(silent.read_to_end(&mut said), reply.next()) };
    within(closed).await.1.unwrap().unwrap();
    for _ in 0..10 {
        within(reply.next()).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_above_their_limit_are_refused() {
    let server = TestServer::start(limited(|limits| limits.header_bytes = 4096)).await;
    let mut client = server.raw().await;
    let mut request = Request::new(ListModelsRequest::default());
    request.metadata_mut().insert("x-large", "x".repeat(8000).parse().unwrap());
    within(client.list_models(request)).await.unwrap_err();
    within(client.list_models(ListModelsRequest::default())).await.unwrap();
}
