//! API keys and what each may take.

use std::time::Duration;

use futures::{StreamExt, stream};
use tarjoman::Error;
use tarjoman::client::{Access, Client, NamedArticle};
use tarjoman::config::{Config, Limits};
use tarjoman::options::TranslateOptions;
use tarjoman::proto::TranslateTextRequest;
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::server::{NewKey, Settings};
use tarjoman::translation::Event;
use tempfile::NamedTempFile;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_types::StatusExt;

use crate::common::{SHORT, TestServer, within};

/// A file of keys, and the settings of a server that reads it.
fn guarded(lines: &[String]) -> (NamedTempFile, Settings) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    let mut config = Config::default();
    config.auth.keys_file = Some(file.path().into());
    let settings = Settings::new(&config).unwrap();
    (file, settings)
}

async fn client(server: &TestServer, key: Option<&str>) -> Client {
    let access = Access { key: key.map(Into::into), ..Access::default() };
    within(Client::connect_with(&server.url, &access)).await.unwrap()
}

async fn code(client: &Client) -> String {
    match within(client.list_models()).await {
        Ok(_) => "OK".into(),
        Err(Error::Remote { code, .. }) => code,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_known_key_gets_in_and_probes_need_none() {
    let [known, other] = ["a", "b"].map(|name| NewKey::new(name).unwrap());
    let (_file, settings) = guarded(std::slice::from_ref(&known.line));
    let server = TestServer::start_with(settings).await;
    assert_eq!(code(&client(&server, Some(&known.key)).await).await, "OK");
    let hash = known.line.split_once(':').unwrap().1;
    for key in [None, Some(other.key.as_str()), Some(&known.line), Some(hash), Some("")] {
        assert_eq!(code(&client(&server, key).await).await, "UNAUTHENTICATED", "{key:?}");
    }

    let mut health = HealthClient::new(server.channel().await);
    within(health.check(HealthCheckRequest::default())).await.unwrap();
    let mut reflection = ServerReflectionClient::new(server.channel().await);
    let refused = within(reflection.server_reflection_info(stream::pending())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_and_goes_with_its_line_on_connections_that_are_open() {
    let [a, b] = ["a", "b"].map(|name| NewKey::new(name).unwrap());
    let (file, settings) = guarded(std::slice::from_ref(&a.line));
    let server = TestServer::start_with(settings.clone()).await;
    let (with_a, with_b) = (client(&server, Some(&a.key)).await, client(&server, Some(&b.key)).await);
    assert_eq!((code(&with_a).await.as_str(), code(&with_b).await.as_str()), ("OK", "UNAUTHENTICATED"));

    std::fs::write(file.path(), &b.line).unwrap();
    settings.reload(Limits::default());
    assert_eq!((code(&with_a).await.as_str(), code(&with_b).await.as_str()), ("UNAUTHENTICATED", "OK"));
    // A line that is none changes nothing.
    std::fs::write(file.path(), "spoilt").unwrap();
    settings.reload(Limits::default());
    assert_eq!((code(&with_a).await.as_str(), code(&with_b).await.as_str()), ("UNAUTHENTICATED", "OK"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_key_is_told_when_to_come_back_and_others_are_none_the_worse() {
    let [a, b] = ["a", "b"].map(|name| NewKey::new(name).unwrap());
    let (_file, settings) = guarded(&[format!("{}:requests=2", a.line), b.line]);
    let server = TestServer::start_with(settings).await;
    let mut raw = TranslationServiceClient::new(server.channel().await);
    let mut translate = async |key: &str, id: Option<&'static str>| {
        let mut request =
            Request::new(TranslateTextRequest { text: "سلام.".into(), ..Default::default() });
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        if let Some(id) = id {
            request.metadata_mut().insert("x-request-id", MetadataValue::from_static(id));
        }
        within(raw.translate_text(request)).await
    };
    for _ in 0..2 {
        translate(&a.key, None).await.unwrap();
    }
    let refused = translate(&a.key, Some("third")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.metadata().get("x-request-id").unwrap(), "third");
    let delay = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::from_secs(20) && delay <= Duration::from_secs(30), "{delay:?}");
    translate(&b.key, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_of_a_stream_wait_for_their_key_and_one_too_large_for_it_is_refused() {
    let key = NewKey::new("a").unwrap();
    // One character is back after ten milliseconds.
    let (_file, settings) = guarded(&[format!("{}:characters=6000", key.line)]);
    let server = TestServer::start_with(settings).await;
    let client = client(&server, Some(&key.key)).await;
    let text = |characters: usize| format!("{SHORT}{}", "\n".repeat(characters - SHORT.chars().count()));
    let articles = [("all of it", 6000), ("a little more", 60), ("too large", 6001)]
        .map(|(id, characters)| NamedArticle { id: id.into(), text: text(characters) });
    let options = TranslateOptions::default();
    let events = within(client.translate_articles(stream::iter(articles), &options)).await.unwrap();
    let events: Vec<_> = within(events.map(Result::unwrap).collect()).await;
    let last = |id: &str| events.iter().rfind(|event| event.id == id).unwrap().event.clone();
    assert!(matches!(last("all of it"), Ok(Event::Summary(_))));
    assert!(matches!(last("a little more"), Ok(Event::Summary(_))));
    assert!(matches!(last("too large"), Err(Error::Remote { code, .. }) if code == "INVALID_ARGUMENT"));
}
