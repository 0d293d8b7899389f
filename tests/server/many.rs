//! Many articles over one stream.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt, stream};
use tarjoman::client::NamedArticle;
use tarjoman::config::Config;
use tarjoman::options::TranslateOptions;
use tarjoman::proto::translate_articles_response::Event as Said;
use tarjoman::proto::{Options, TranslateArticleRequest, TranslateArticlesRequest};
use tonic::Code;

use crate::common::{SHORT, TestServer, endless, limited, within};

fn named(id: &str, text: &str, options: Option<Options>) -> TranslateArticlesRequest {
    let article = TranslateArticleRequest { text: text.into(), mime_type: String::new(), options };
    TranslateArticlesRequest { id: id.into(), article: Some(article) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_article_is_answered_and_the_bad_ones_stop_no_other() {
    let server = TestServer::start(Config::default()).await;
    let unknown_model = Options { model: "gpt".into(), ..Default::default() };
    let wide = Options { beam_size: 17, ..Default::default() };
    let long_id = "x".repeat(257);
    let mut requests = vec![
        named("", SHORT, None),
        named("blank", " \n", None),
        named("unknown model", SHORT, Some(unknown_model)),
        named("too wide", SHORT, Some(wide)),
        named(&long_id, SHORT, None),
        TranslateArticlesRequest { id: "no article".into(), article: None },
    ];
    let failures = HashMap::from([
        ("", (Code::InvalidArgument, "id: ")),
        ("blank", (Code::InvalidArgument, "text: ")),
        ("unknown model", (Code::NotFound, "model: ")),
        ("too wide", (Code::InvalidArgument, "options.beam_size: ")),
        (long_id.as_str(), (Code::InvalidArgument, "id: ")),
        ("no article", (Code::InvalidArgument, "article: ")),
    ]);
    for n in 0..12 {
        requests.insert(n, named(&format!("good {n}"), SHORT, None));
    }

    // The client closes its half once it has sent them all; the answers keep coming.
    let responses = server.raw().await.translate_articles(stream::iter(requests.clone())).await.unwrap();
    let responses: Vec<_> = within(responses.into_inner().map(Result::unwrap).collect()).await;

    for request in &requests {
        let said: Vec<_> = responses.iter().filter(|response| response.id == request.id).collect();
        let said: Vec<_> = said.into_iter().map(|response| response.event.as_ref().unwrap()).collect();
        match (failures.get(request.id.as_str()), &*said) {
            (Some((code, words)), [Said::Error(error)]) => {
                assert_eq!(Code::from(error.code), *code);
                assert!(error.message.starts_with(words), "{error:?}");
            }
            (None, [Said::Start(_), Said::Paragraph(first), Said::Paragraph(second), Said::Summary(_)]) => {
                assert_eq!((first.index, second.index), (0, 1));
            }
            (_, other) => panic!("{:?}: {other:?}", request.id),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_are_translated_side_by_side() {
    let server = TestServer::start(Config::default()).await;
    let text = endless();
    let requests = ["a", "b"].map(|id| named(id, &text, None));
    let responses = server.raw().await.translate_articles(stream::iter(requests)).await.unwrap();
    let paragraphs = responses.into_inner().filter_map(async |response| {
        let response = response.unwrap();
        matches!(response.event, Some(Said::Paragraph(_))).then_some(response.id)
    });
    let mut paragraphs = std::pin::pin!(paragraphs);
    let mut seen = HashSet::new();
    while seen.len() < 2 {
        seen.insert(within(paragraphs.next()).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_still_in_use_is_refused_and_free_again_afterwards() {
    let server = TestServer::start(Config::default()).await;
    let (mut requests, sent) = mpsc::channel(1);
    let mut responses = server.raw().await.translate_articles(sent).await.unwrap().into_inner();
    let mut next = async || within(responses.next()).await.unwrap().unwrap();

    requests.send(named("long", &endless(), None)).await.unwrap();
    assert!(matches!(next().await.event, Some(Said::Start(_))));
    requests.send(named("long", SHORT, None)).await.unwrap();
    loop {
        let response = next().await;
        assert_eq!(response.id, "long");
        match response.event {
            Some(Said::Paragraph(_)) => {}
            Some(Said::Error(error)) => {
                assert_eq!(Code::from(error.code), Code::InvalidArgument);
                assert!(error.message.starts_with("id: "), "{error:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }

    for _ in 0..2 {
        requests.send(named("short", SHORT, None)).await.unwrap();
        loop {
            let response = next().await;
            match (response.id.as_str(), response.event) {
                ("short", Some(Said::Summary(_))) => break,
                (_, Some(Said::Error(error))) => panic!("{error:?}"),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_faster_than_it_is_served_is_held_back() {
    let server = TestServer::start(Config::default()).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let text = endless();
    let requests = stream::iter(0..).map({
        let taken = Arc::clone(&taken);
        move |n| {
            taken.fetch_add(1, Ordering::Relaxed);
            named(&n.to_string(), &text, None)
        }
    });
    let mut responses = server.raw().await.translate_articles(requests).await.unwrap().into_inner();
    let mut ids = HashSet::new();
    for _ in 0..40 {
        ids.insert(within(responses.next()).await.unwrap().unwrap().id);
    }
    assert!(ids.len() <= 4, "{ids:?}");
    // Four in progress and at most as much on the way as the connection buffers: each is over a megabyte.
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken <= 8, "{taken} articles taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_waits_its_turn_and_one_that_is_dropped_frees_its_place() {
    let server = TestServer::start(limited(|limits| limits.characters_in_progress = 1)).await;
    let article = NamedArticle { id: "a".into(), text: endless() };
    // The client could still send more.
    let articles = stream::iter([article]).chain(stream::pending());
    let mut events =
        server.client().await.translate_articles(articles, &TranslateOptions::default()).await.unwrap();
    within(events.next()).await.unwrap().unwrap();

    let request = TranslateArticleRequest { text: SHORT.into(), ..Default::default() };
    let refused = within(server.raw().await.translate_article(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);

    let requests = ["e", "f", "g", "h"].map(|id| named(id, SHORT, None));
    let others = server.raw().await.translate_articles(stream::iter(requests)).await.unwrap().into_inner();
    drop(events);
    let others: Vec<_> = within(others.map(Result::unwrap).collect()).await;
    let summaries = others.iter().filter(|response| matches!(response.event, Some(Said::Summary(_))));
    assert_eq!(summaries.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_ends_the_stream_after_the_articles_before_it() {
    let server = TestServer::start(limited(|limits| limits.message_bytes = 1000)).await;
    let requests = [
        named("good", SHORT, None),
        named("large", &SHORT.repeat(50), None),
        named("never read", SHORT, None),
    ];
    let responses = server.raw().await.translate_articles(stream::iter(requests)).await.unwrap();
    let mut responses: Vec<_> = within(responses.into_inner().collect()).await;
    assert_eq!(responses.pop().unwrap().unwrap_err().code(), Code::OutOfRange);
    let good: Vec<_> = responses.into_iter().map(Result::unwrap).collect();
    assert!(good.iter().all(|response| response.id == "good"));
    assert!(matches!(good.last().unwrap().event, Some(Said::Summary(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typed_client_checks_options_before_it_sends_anything() {
    let server = TestServer::start(Config::default()).await;
    let options = TranslateOptions { beam_size: 0, ..TranslateOptions::default() };
    let client = server.client().await;
    let refused = client.translate_articles(stream::pending(), &options).await.err();
    assert!(matches!(refused, Some(tarjoman::Error::InvalidArgument { field: "options.beam_size", .. })));
    let refused = client.translate(SHORT, &options).await.err();
    assert!(matches!(refused, Some(tarjoman::Error::InvalidArgument { field: "options.beam_size", .. })));
}
