//! Clients that don't speak gRPC: JSON, server-sent events, gRPC-Web, pages of other origins, compression.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use futures::StreamExt;
use prost::Message;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tarjoman::client::Client;
use tarjoman::config::Config;
use tarjoman::options::TranslateOptions;
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::proto::{ListModelsResponse, TranslateArticleRequest, TranslateTextRequest};
use tarjoman::server::{NewKey, Settings};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tonic::codec::CompressionEncoding;

use crate::common::{SHORT, TestServer, endless, limited, within};

const SOON: Duration = Duration::from_millis(200);
const TEXT: &str = "/v1/text:translate";
const ARTICLE: &str = "/v1/articles:translate";

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn send(
    server: &TestServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request = http().request(method, format!("{}{path}", server.url)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    within(request.send()).await.unwrap()
}

async fn post(server: &TestServer, path: &str, body: &Value) -> Response {
    send(server, Method::POST, path, &[("content-type", "application/json")], &body.to_string()).await
}

async fn json(response: Response) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(&within(response.bytes()).await.unwrap()).unwrap()
}

/// The events of a stream that has ended: names and data.
fn events(text: &str) -> Vec<(String, Value)> {
    let event = |block: &str| {
        let (name, data) = block.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        (name.to_owned(), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
    };
    text.split_terminator("\n\n").filter(|block| !block.starts_with(':')).map(event).collect()
}

/// A message as a client reads it.
fn as_json(message: &impl serde::Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(message).unwrap()).unwrap()
}

/// The same without the time that it took.
fn timeless(mut message: Value) -> Value {
    if let Some(summary) = message.get_mut("summary") {
        summary["elapsed"] = Value::Null;
    }
    message
}

/// A short text is translated as soon as there is room.
async fn gets_its_turn(client: &Client) {
    loop {
        if let Ok(events) = within(client.translate(SHORT, &TranslateOptions::default())).await {
            let events: Vec<_> = within(events.collect()).await;
            if events.iter().all(Result::is_ok) {
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_what_grpc_has() {
    let server = TestServer::start(Config::default()).await;
    let mut grpc = server.raw().await;
    let body =
        json!({ "text": SHORT, "options": { "beamSize": 2, "returnSource": true, "lengthPenalty": 0.5 } });

    let request: TranslateTextRequest = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(request.options.as_ref().unwrap().beam_size, 2);
    let wanted = within(grpc.translate_text(request)).await.unwrap().into_inner();
    let response = post(&server, TEXT, &body).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().contains_key("x-request-id"));
    let got = json(response).await;
    assert_eq!(timeless(got.clone()), timeless(as_json(&wanted)));
    assert_eq!(got["paragraphs"][1]["sentences"][0]["sourceSpan"], json!({ "start": "26", "end": "47" }));

    let request: TranslateArticleRequest = serde_json::from_value(body.clone()).unwrap();
    let wanted = within(grpc.translate_article(request)).await.unwrap().into_inner();
    let wanted: Vec<_> = within(wanted.collect()).await;
    let response = post(&server, ARTICLE, &body).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let got = events(&within(response.text()).await.unwrap());
    let names: Vec<_> = got.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["start", "paragraph", "paragraph", "summary"]);
    for ((_, got), wanted) in got.into_iter().zip(wanted) {
        assert_eq!(timeless(got), timeless(as_json(&wanted.unwrap())));
    }

    let wanted = within(grpc.list_models(tarjoman::proto::ListModelsRequest::default())).await.unwrap();
    let response = send(&server, Method::GET, "/v1/models?pageSize=7", &[], "").await;
    assert_eq!(json(response).await, as_json(wanted.get_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let server = TestServer::start(Config::default()).await;
    let typed = ("content-type", "application/json");
    for (method, path, header, body, status, code, words) in [
        (Method::POST, TEXT, typed, "{\"text\": ", 400, 3, "body: "),
        (Method::POST, TEXT, typed, "", 400, 3, "body: "),
        (Method::POST, TEXT, typed, "[]", 400, 3, "body: "),
        (Method::POST, TEXT, typed, "{\"text\": \"x\"} {}", 400, 3, "trailing characters"),
        (Method::POST, TEXT, typed, "{\"txt\": \"x\"}", 400, 3, "unknown field `txt`"),
        (Method::POST, ARTICLE, typed, "{\"options\": {\"beamSiz\": 3}}", 400, 3, "unknown field `beamSiz`"),
        (Method::POST, TEXT, typed, "{\"options\": {\"beamSize\": \"wide\"}}", 400, 3, "options.beamSize: "),
        (Method::POST, TEXT, typed, "{\"text\": \"\"}", 400, 3, "text: is empty"),
        (
            Method::POST,
            ARTICLE,
            typed,
            "{\"text\": \"x\", \"options\": {\"beamSize\": 99}}",
            400,
            3,
            "options.beam_size",
        ),
        (Method::POST, TEXT, typed, "{\"text\": \"x\", \"options\": {\"model\": \"none\"}}", 404, 5, "none"),
        (Method::POST, TEXT, ("content-type", "text/plain"), "سلام", 415, 3, "application/json"),
        (Method::POST, TEXT, ("content-encoding", "gzip"), "{}", 415, 3, "application/json"),
        (Method::POST, "/v1/text", typed, "{}", 404, 5, "/v1/text"),
        (Method::GET, TEXT, typed, "", 405, 12, "GET"),
        (Method::GET, "/v1/models?pageSize=many", typed, "", 400, 3, "query: "),
        (Method::GET, "/v1/models?size=1", typed, "", 400, 3, "unknown field `size`"),
        (Method::POST, TEXT, ("grpc-timeout", "soon"), "{}", 400, 3, "grpc-timeout"),
    ] {
        let response = send(&server, method.clone(), path, &[header], body).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        let error = json(response).await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    let response = post(&server, TEXT, &json!({ "text": "" })).await;
    let details = json(response).await["details"].take();
    assert_eq!(details[0]["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert_eq!(details[0]["fieldViolations"][0]["field"], "text");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_refused() {
    let server = TestServer::start(limited(|limits| limits.message_bytes = 1000)).await;
    let response = post(&server, TEXT, &json!({ "text": "x".repeat(2000) })).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json(response).await["code"], 11);
    let response = post(&server, TEXT, &json!({ "text": "سلام." })).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_deadlines_hold_here_too() {
    let [known, other] = ["a", "b"].map(|name| NewKey::new(name).unwrap());
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}:requests=1", known.line)).unwrap();
    let mut config = Config::default();
    config.auth.keys_file = Some(file.path().into());
    let server = TestServer::start_with(Settings::new(&config).unwrap()).await;
    let bearer = format!("Bearer {}", known.key);
    let call = async |path, header: (&str, &str)| {
        let headers = [("content-type", "application/json"), header];
        send(&server, Method::POST, path, &headers, &json!({ "text": SHORT }).to_string()).await
    };
    for header in [("x-none", ""), ("x-api-key", &*other.key), ("authorization", &*known.key)] {
        let response = call(TEXT, header).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{header:?}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(json(response).await["code"], 16);
    }
    for path in ["/docs", "/openapi.json"] {
        assert_eq!(send(&server, Method::GET, path, &[], "").await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(call(TEXT, ("x-api-key", &known.key)).await.status(), StatusCode::OK);
    let full = call(ARTICLE, ("authorization", &bearer)).await;
    assert_eq!(full.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = full.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");

    let open = TestServer::start(Config::default()).await;
    let headers = [("content-type", "application/json"), ("grpc-timeout", "100m")];
    let body = json!({ "text": endless() }).to_string();
    let response = send(&open, Method::POST, ARTICLE, &headers, &body).await;
    let begun = response.status() == StatusCode::OK;
    let text = within(response.text()).await.unwrap();
    // It passes before the first event or after.
    let error = if begun { events(&text).pop().unwrap().1 } else { serde_json::from_str(&text).unwrap() };
    assert_eq!(error["code"], 4, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_client_that_goes_away_or_stops_reading_is_dropped() {
    let server = TestServer::start(limited(|limits| {
        limits.characters_in_progress = 1;
        limits.stall_timeout = Duration::from_secs(1);
    }))
    .await;
    let client = server.client().await;

    let mut response = post(&server, ARTICLE, &json!({ "text": endless() })).await;
    assert!(within(response.chunk()).await.unwrap().is_some());
    let refused = post(&server, ARTICLE, &json!({ "text": SHORT })).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(response);
    gets_its_turn(&client).await;

    // Its separators come back as they were, and are more than the connection holds.
    let gap = "\n".repeat(512 * 1024);
    let body = json!({ "text": format!("سلام.{gap}").repeat(10) }).to_string();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = server.url.trim_start_matches("http://").parse().unwrap();
    let mut silent = within(socket.connect(address)).await.unwrap();
    let head = format!(
        "POST {ARTICLE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    within(silent.write_all(head.as_bytes())).await.unwrap();
    within(silent.write_all(body.as_bytes())).await.unwrap();
    let mut first = [0; 15];
    within(silent.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    gets_its_turn(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_never_end_end_the_connection() {
    let server = TestServer::start(limited(|limits| limits.stall_timeout = SOON)).await;
    let mut slow = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    slow.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-").await.unwrap();
    let mut said = Vec::new();
    within(slow.read_to_end(&mut said)).await.unwrap();
    assert!(!said.starts_with(b"HTTP/1.1 200"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_origins_that_are_allowed_may_call() {
    let mut config = Config::default();
    config.web.allowed_origins = "https://reader.example http://localhost:8080".into();
    let server = TestServer::start(config).await;
    let preflight = async |server: &TestServer, origin: &str| -> HeaderMap {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-grpc-web"),
        ];
        let response = send(server, Method::OPTIONS, TEXT, &headers, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        response.headers().clone()
    };
    let allowed = preflight(&server, "https://reader.example").await;
    assert_eq!(allowed["access-control-allow-origin"], "https://reader.example");
    assert!(allowed["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    let names = allowed["access-control-allow-headers"].to_str().unwrap().to_ascii_lowercase();
    for name in ["content-type", "authorization", "x-api-key", "x-grpc-web", "grpc-timeout"] {
        assert!(names.contains(name), "{names}");
    }
    let headers = [("origin", "http://localhost:8080")];
    let response = send(&server, Method::GET, "/v1/models", &headers, "").await;
    assert_eq!(response.headers()["access-control-allow-origin"], "http://localhost:8080");
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap().to_owned();
    assert!(exposed.contains("grpc-status") && exposed.contains("x-request-id"), "{exposed}");

    let none = |headers: HeaderMap| !headers.contains_key("access-control-allow-origin");
    assert!(none(preflight(&server, "https://other.example").await));
    let closed = TestServer::start(Config::default()).await;
    assert!(none(preflight(&closed, "https://reader.example").await));
    config = Config::default();
    config.web.allowed_origins = "*".into();
    let open = TestServer::start(config).await;
    assert_eq!(preflight(&open, "https://other.example").await["access-control-allow-origin"], "*");
}

/// The frames of a gRPC-Web answer: flags and content.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let size = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let (content, rest) = rest.split_at(size);
        frames.push((head[0], content));
        bytes = rest;
    }
    assert!(bytes.is_empty());
    frames
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_web_is_spoken() {
    let server = TestServer::start(Config::default()).await;
    let call = async |method: &str, message: Vec<u8>| {
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
        let url = format!("{}/tarjoman.v1.TranslationService/{method}", server.url);
        let request = http().post(url).header("content-type", "application/grpc-web+proto").body(body);
        let response = within(request.send()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response
    };
    let response = call("ListModels", Vec::new()).await;
    assert_eq!(response.headers()["content-type"], "application/grpc-web+proto");
    let body = within(response.bytes()).await.unwrap();
    let [(0, message), (0x80, trailers)] = *frames(&body) else { panic!("{body:?}") };
    assert_eq!(ListModelsResponse::decode(message).unwrap().models.len(), 1);
    assert!(String::from_utf8_lossy(trailers).to_lowercase().contains("grpc-status:0"));

    let request = TranslateArticleRequest { text: SHORT.into(), ..Default::default() };
    let body = within(call("TranslateArticle", request.encode_to_vec()).await.bytes()).await.unwrap();
    assert_eq!(frames(&body).len(), 5, "a start, two paragraphs, a summary and trailers");

    let refused = call("TranslateText", Vec::new()).await;
    assert_eq!(refused.headers()["grpc-status"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_for_those_who_ask() {
    let server = TestServer::start(Config::default()).await;
    let body = json!({ "text": SHORT.repeat(5) }).to_string();
    let call = async |encoding: &str| {
        let headers = [("content-type", "application/json"), ("accept-encoding", encoding)];
        let response = send(&server, Method::POST, TEXT, &headers, &body).await;
        let named = response.headers().get("content-encoding").cloned();
        (named, within(response.bytes()).await.unwrap())
    };
    let (named, plain) = call("identity").await;
    assert_eq!(named, None);
    let parsed = |bytes: &[u8]| timeless(serde_json::from_slice(bytes).unwrap());
    let (named, zipped) = call("gzip").await;
    assert_eq!(named.unwrap(), "gzip");
    assert!(zipped.len() < plain.len() / 2, "{} of {}", zipped.len(), plain.len());
    let mut unzipped = Vec::new();
    GzDecoder::new(&*zipped).read_to_end(&mut unzipped).unwrap();
    assert_eq!(parsed(&unzipped), parsed(&plain));
    let (named, zipped) = call("zstd").await;
    assert_eq!(named.unwrap(), "zstd");
    assert_eq!(parsed(&zstd::decode_all(&*zipped).unwrap()), parsed(&plain));

    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = TranslationServiceClient::new(server.channel().await)
            .accept_compressed(encoding)
            .send_compressed(encoding);
        let request = TranslateTextRequest { text: SHORT.repeat(5), ..Default::default() };
        let answer = within(client.translate_text(request)).await.unwrap();
        let named = answer.metadata().get("grpc-encoding").unwrap().clone();
        assert!(["gzip", "zstd"].contains(&named.to_str().unwrap()), "{named:?}");
        assert_eq!(answer.get_ref().paragraphs.len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_can_be_read() {
    let server = TestServer::start(Config::default()).await;
    let document = send(&server, Method::GET, "/openapi.json", &[], "").await;
    let document = oas3::from_json(within(document.text()).await.unwrap()).unwrap();
    let paths: Vec<_> = document.paths.unwrap().keys().cloned().collect();
    assert_eq!(paths, [ARTICLE, "/v1/models", TEXT]);
    let page = send(&server, Method::GET, "/docs", &[], "").await;
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let page = within(page.text()).await.unwrap();
    assert!(!page.contains("<script") && !page.contains("https://"), "{page}");
}
