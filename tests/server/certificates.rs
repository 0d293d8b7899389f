//! Encryption: who gets in with which certificate, and when certificates change.

use std::path::Path;

use reqwest::{StatusCode, Version};
use serde_json::Value;
use tarjoman::Error;
use tarjoman::client::{Access, Client};
use tarjoman::config::{Config, Limits};
use tarjoman::server::Settings;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::Authority;
use crate::common::{SHORT, TestServer, within};

fn encrypted(folder: &Path, client_ca: Option<&Authority>) -> Config {
    let mut config = Config::default();
    config.tls.certificate = Some(folder.join("certificate.pem"));
    config.tls.key = Some(folder.join("key.pem"));
    if let Some(authority) = client_ca {
        let path = folder.join("clients.pem");
        std::fs::write(&path, &authority.pem).unwrap();
        config.tls.client_ca = Some(path);
    }
    config
}

/// Whether a client gets an answer over a connection of its own.
async fn enters(server: &TestServer, access: &Access) -> Result<(), Error> {
    let url = server.url.replace("http://127.0.0.1", "https://localhost");
    let client = within(Client::connect_with(&url, access)).await?;
    within(client.list_models()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_known_by_its_authority() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let server = TestServer::start(encrypted(folder.path(), None)).await;

    enters(&server, &authority.trusted()).await.unwrap();
    enters(&server, &Authority::new().trusted()).await.unwrap_err();
    enters(&server, &Access::default()).await.unwrap_err();
    let plain = async { within(Client::connect(&server.url)).await?.list_models().await };
    within(plain).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_authorities_for_clients_only_theirs_get_in() {
    let folder = TempDir::new().unwrap();
    let (authority, clients) = (Authority::new(), Authority::new());
    authority.write(folder.path());
    let server = TestServer::start(encrypted(folder.path(), Some(&clients))).await;

    let with = |authority: &Authority, of: &Authority| {
        let (certificate, key) = of.issue();
        Access { identity: Some((certificate.into(), key.into())), ..authority.trusted() }
    };
    enters(&server, &with(&authority, &clients)).await.unwrap();
    enters(&server, &authority.trusted()).await.unwrap_err();
    enters(&server, &with(&authority, &Authority::new())).await.unwrap_err();
    enters(&server, &with(&authority, &authority)).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_for_new_connections_and_spoilt_ones_for_none() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    old.write(folder.path());
    let settings = Settings::new(&encrypted(folder.path(), None)).unwrap();
    let server = TestServer::start_with(settings.clone()).await;
    let url = server.url.replace("http://127.0.0.1", "https://localhost");
    let early = within(Client::connect_with(&url, &old.trusted())).await.unwrap();
    within(early.list_models()).await.unwrap();

    std::fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
    settings.reload(Limits::default());
    enters(&server, &old.trusted()).await.unwrap();

    new.write(folder.path());
    settings.reload(Limits::default());
    enters(&server, &new.trusted()).await.unwrap();
    enters(&server, &old.trusted()).await.unwrap_err();
    within(early.list_models()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_are_noticed() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    old.write(folder.path());
    let settings = Settings::new(&encrypted(folder.path(), None)).unwrap();
    let server = TestServer::start_with(settings.clone()).await;
    let following = tokio::spawn(settings.follow_files(std::time::Duration::from_millis(5)));
    enters(&server, &old.trusted()).await.unwrap();

    new.write(folder.path());
    within(async {
        while enters(&server, &new.trusted()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    following.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_greets_is_hung_up_on() {
    let folder = TempDir::new().unwrap();
    Authority::new().write(folder.path());
    let mut config = encrypted(folder.path(), None);
    config.limits.handshake_timeout = std::time::Duration::from_millis(50);
    let server = TestServer::start(config).await;
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    // The start of a greeting that never goes on.
    stream.write_all(&[22, 3, 1]).await.unwrap();
    let mut end = Vec::new();
    let _ = within(stream.read_to_end(&mut end)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_http1_speak_it_encrypted_too() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let server = TestServer::start(encrypted(folder.path(), None)).await;
    let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let client =
        reqwest::Client::builder().no_proxy().http1_only().tls_certs_only([trusted]).build().unwrap();
    let url = server.url.replace("http://127.0.0.1", "https://localhost");

    let text = client.post(format!("{url}/v1/text:translate")).header("content-type", "application/json");
    let answer = within(text.body(serde_json::json!({ "text": SHORT }).to_string()).send()).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_11));
    let translated: Value = serde_json::from_slice(&within(answer.bytes()).await.unwrap()).unwrap();
    assert_eq!(translated["paragraphs"].as_array().unwrap().len(), 2, "{translated}");

    let article =
        client.post(format!("{url}/v1/articles:translate")).header("content-type", "application/json");
    let answer = within(article.body(r#"{"text": "سلام دنیا."}"#).send()).await.unwrap();
    let events = within(answer.text()).await.unwrap();
    assert!(events.contains("event: paragraph\n") && events.contains("event: summary\n"), "{events}");
}
