//! One article at a time.

use futures::StreamExt;
use tarjoman::Error;
use tarjoman::client::NamedArticle;
use tarjoman::config::Config;
use tarjoman::options::TranslateOptions;
use tarjoman::proto::TranslateTextRequest;
use tarjoman::translation::Event;

use crate::common::{SHORT, TestServer, endless, limited, within};

#[tokio::test(flavor = "multi_thread")]
async fn an_article_streams_in_order_and_gives_the_source_back_byte_for_byte() {
    let server = TestServer::start(Config::default()).await;
    let options = TranslateOptions { return_source: true, ..TranslateOptions::default() };
    let events = server.client().await.translate(SHORT, &options).await.unwrap();
    let events: Vec<Event> = within(events.map(Result::unwrap).collect()).await;

    let [Event::Start(start), Event::Paragraph(first), Event::Paragraph(second), Event::Summary(summary)] =
        &*events
    else {
        panic!("{events:?}");
    };
    assert_eq!((start.paragraphs, summary.paragraphs), (2, 2));
    assert_eq!(start.options.beam_size, options.beam_size);
    let mut rebuilt = String::new();
    for (index, paragraph) in [first, second].into_iter().enumerate() {
        assert_eq!(paragraph.index, index);
        rebuilt += &paragraph.separator;
        assert_eq!(rebuilt.len(), paragraph.source_span.start);
        assert_eq!(paragraph.source_text.as_deref(), Some(paragraph.source_span.of(SHORT)));
        rebuilt += paragraph.source_span.of(SHORT);
        for sentence in &paragraph.sentences {
            assert_eq!(sentence.source_text.as_deref(), Some(sentence.source_span.of(SHORT)));
            assert!(paragraph.text.get(sentence.target_span.start..sentence.target_span.end).is_some());
        }
    }
    assert_eq!(rebuilt + &summary.trailing_separator, SHORT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_text_comes_back_whole() {
    let server = TestServer::start(Config::default()).await;
    let request = TranslateTextRequest { text: SHORT.into(), ..Default::default() };
    let response = within(server.raw().await.translate_text(request)).await.unwrap().into_inner();

    let mut text = String::new();
    for paragraph in &response.paragraphs {
        text += &paragraph.separator;
        text += &paragraph.text;
    }
    let summary = response.summary.unwrap();
    assert_eq!(response.text, text + &summary.trailing_separator);
    assert_eq!(response.paragraphs.len(), 2);
    let start = response.start.unwrap();
    assert_eq!(start.sentences, summary.sentences);
    // The defaults are filled in.
    let options = start.options.unwrap();
    assert_eq!((options.beam_size, options.n_best, options.restore_half_spaces), (4, 1, Some(true)));
    assert_ne!(start.version, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_paragraph_arrives_while_most_of_the_article_is_still_to_be_translated() {
    let server = TestServer::start(Config::default()).await;
    let client = server.client().await;
    // If the server gathered the paragraphs, this would run out of patience.
    let mut events = within(client.translate(endless(), &TranslateOptions::default())).await.unwrap();
    let start = within(events.next()).await;
    assert!(matches!(start, Some(Ok(Event::Start(start))) if start.paragraphs == 20_000));
    let first = within(events.next()).await;
    assert!(matches!(first, Some(Ok(Event::Paragraph(first))) if first.index == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_makes_room_for_others() {
    let server = TestServer::start(limited(|limits| limits.characters_in_progress = 1)).await;
    let client = server.client().await;
    let options = TranslateOptions::default();
    let mut events = within(client.translate(endless(), &options)).await.unwrap();
    within(events.next()).await.unwrap().unwrap();

    // The only place is taken, which is said at once.
    let refused = within(client.translate(SHORT, &options)).await.err();
    assert!(matches!(refused, Some(Error::Remote { code, .. }) if code == "RESOURCE_EXHAUSTED"));

    drop(events);
    // A stream of articles waits its turn, so this ends when the place is free again.
    let article = NamedArticle { id: "next".into(), text: SHORT.into() };
    let articles = client.translate_articles(futures::stream::iter([article]), &options).await.unwrap();
    let last = within(articles.map(Result::unwrap).collect::<Vec<_>>()).await.pop().unwrap();
    assert!(matches!(last.event, Ok(Event::Summary(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paragraph_of_five_megabytes_is_taken() {
    let server = TestServer::start(Config::default()).await;
    let sentence = "این جمله‌ای از بندی بسیار بلند است. ";
    let text = sentence.repeat(5_000_000 / sentence.len() + 1);
    let client = server.client().await;
    let mut events = within(client.translate(text, &TranslateOptions::default())).await.unwrap();
    let start = within(events.next()).await;
    assert!(matches!(start, Some(Ok(Event::Start(start))) if start.paragraphs == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_lists_the_models() {
    let server = TestServer::start(Config::default()).await;
    let models = within(server.client().await.list_models()).await.unwrap();
    assert_eq!((models[0].source_language.as_str(), models[0].target_language.as_str()), ("fa", "en"));
}
