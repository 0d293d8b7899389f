//! A service among clients of all kinds, good, bad and gone, for as long as one likes: half a minute unless the
//! environment variable `TARJOMAN_SOAK_SECONDS` says otherwise.
//!
//! The clients come in rounds. Between two of them there is nobody, so that what a service holds of those who were there
//! can be seen.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tarjoman::client::{Client, NamedArticle};
use tarjoman::options::TranslateOptions;
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::proto::{Options, TranslateArticleRequest, TranslateTextRequest};
use tarjoman::translation::Event;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::authority::Authority;
use crate::frames::*;
use crate::process::{Running, tarjoman};

const SECONDS: &str = "TARJOMAN_SOAK_SECONDS";
const USUAL: Duration = Duration::from_secs(30);
/// Clients in a round: several of each kind.
const CLIENTS: usize = 192;
/// How much the resident memory of the last rounds may be above that of those in the middle.
const GROWTH_PERCENT: u64 = 5;
const SLACK: u64 = 8 << 20;
/// The connections on which pages have been read, of which one or two may still be closing.
const PAGES: u64 = 2;
/// How long anything may take. Nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a bad client waits for the service to be rid of it.
const ENOUGH: Duration = Duration::from_secs(4);
const ARTICLE_PATH: &str = "/tarjoman.v1.TranslationService/TranslateArticle";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_outlives_all_its_clients_and_is_none_the_larger() {
    let time = std::env::var(SECONDS).map_or(USUAL, |text| Duration::from_secs(text.parse().expect(SECONDS)));
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let [memory, certificate, key] =
        [("memory.file", "memory.sqlite"), ("tls.certificate", "certificate.pem"), ("tls.key", "key.pem")]
            .map(|(setting, name)| format!("{setting}={}", folder.path().join(name).display()));
    let open = Running::start(&mut service(&[&memory]));
    let closed = Running::start(&mut service(&[&certificate, &key]));
    let [at, encrypted_at] = [&open, &closed].map(|service| service.address.clone());
    let place = Arc::new(Place { open: at, closed: encrypted_at, authority });

    let mut rng = Rng::with_seed(7);
    let mut levels = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time || levels.len() < 6 {
        let clients = (0..CLIENTS).map(|number| {
            let (place, rng) = (Arc::clone(&place), rng.fork());
            tokio::spawn(async move {
                let ended = timeout(PATIENCE, place.visit(number, rng)).await;
                ended.unwrap_or_else(|_| panic!("{number} takes for ever"));
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        levels.push([&open, &closed].map(quiet));
    }

    let third = levels.len() / 3;
    for service in 0..2 {
        let most = |rounds: &[[Level; 2]], of: fn(&Level) -> u64| {
            rounds.iter().map(|levels| of(&levels[service])).max().unwrap()
        };
        let (middle, last) = (&levels[third..2 * third], &levels[2 * third..]);
        let [files, memory] = [(|level: &Level| level.files) as fn(&Level) -> u64, |level| level.memory];
        assert!(most(last, files) <= most(middle, files) + PAGES, "{levels:?}");
        let bound = most(middle, memory) / 100 * (100 + GROWTH_PERCENT) + SLACK;
        assert!(most(last, memory) <= bound, "{levels:?}");
    }
    for service in [open, closed] {
        service.signal("TERM");
        let (told, ended) = service.wait();
        assert!(ended.success() && !told.contains("panicked"), "{told}");
    }
    println!("{} rounds of {CLIENTS} clients, {:?} at the end", levels.len(), levels.last());
}

/// A service that doesn't wait long for those who stop reading, and whose memory is soon full.
fn service(settings: &[&str]) -> std::process::Command {
    let mut command = tarjoman(&["serve"]);
    let common = ["limits.stall_timeout_seconds=3", "memory.bytes=200000"];
    for setting in common.iter().chain(&["memory.file_bytes=1000000"]).chain(settings) {
        command.args(["--set", setting]);
    }
    command
}

/// What a service holds when nobody is there.
#[derive(Debug, Clone, Copy)]
struct Level {
    memory: u64,
    files: u64,
}

/// The level once all that the clients left behind is gone.
fn quiet(service: &Running) -> Level {
    let gone = ["connections", "requests_in_progress", "characters_in_progress", "engine_queue_depth"];
    let gone = gone.map(|name| format!("\ntarjoman_{name} 0\n"));
    let page = service.metrics_with(&gone.each_ref().map(String::as_str));
    let value = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().parse().unwrap()
    };
    Level { memory: value("process_resident_memory_bytes "), files: value("process_open_fds ") }
}

/// Where clients go.
struct Place {
    open: String,
    /// Encrypted.
    closed: String,
    authority: Authority,
}

impl Place {
    async fn visit(&self, number: usize, mut rng: Rng) {
        match number % 14 {
            0 | 1 => self.reads(&mut rng).await,
            2 => self.reads_many(&mut rng).await,
            3 => self.reads_json(&mut rng).await,
            4 => self.vanishes(&mut rng).await,
            5 => self.changes_its_mind(&mut rng).await,
            6 => self.stops_reading(&mut rng).await,
            7 => self.stops_sending(&mut rng).await,
            8 => self.sends_garbage(&mut rng).await,
            9 => self.sends_garbled_frames(&mut rng).await,
            10 => self.sends_too_much(&mut rng).await,
            11 => self.has_no_time(&mut rng).await,
            12 => self.trusts_another(&mut rng).await,
            _ => self.asks_for_what_there_is_not(&mut rng).await,
        }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.open).await.unwrap()
    }

    async fn raw(&self) -> TranslationServiceClient<Channel> {
        TranslationServiceClient::connect(format!("http://{}", self.open)).await.unwrap()
    }

    async fn socket(&self) -> TcpStream {
        TcpStream::connect(&self.open).await.unwrap()
    }

    async fn reads(&self, rng: &mut Rng) {
        let text = article(rng, 6);
        let events = self.client().await.translate(text.clone(), &TranslateOptions::default()).await.unwrap();
        whole(&text, &events.map(Result::unwrap).collect::<Vec<_>>().await);
    }

    async fn reads_many(&self, rng: &mut Rng) {
        let texts: Vec<String> = (0..6).map(|_| article(rng, 3)).collect();
        let named = |(id, text): (usize, &String)| NamedArticle { id: id.to_string(), text: text.clone() };
        let articles: Vec<_> = texts.iter().enumerate().map(named).collect();
        let client = self.client().await;
        let events = client.translate_articles(stream::iter(articles), &TranslateOptions::default()).await;
        let events: Vec<_> = events.unwrap().map(Result::unwrap).collect().await;
        for (id, text) in texts.iter().enumerate() {
            let of_it = events.iter().filter(|event| event.id == id.to_string());
            whole(text, &of_it.map(|event| event.event.clone().unwrap()).collect::<Vec<_>>());
        }
    }

    async fn reads_json(&self, rng: &mut Rng) {
        let text = article(rng, 3);
        let body = json!({ "text": text }).to_string();
        let request = format!(
            "POST /v1/text:translate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.exchange(request.as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["summary"]["sentences"], body["start"]["sentences"]);
        assert_eq!(body["paragraphs"].as_array().unwrap().len(), text.lines().count());
    }

    /// Goes away with its connection in the middle of an answer.
    async fn vanishes(&self, rng: &mut Rng) {
        let client = self.client().await;
        let mut events = client.translate(article(rng, 80), &TranslateOptions::default()).await.unwrap();
        for _ in 0..rng.usize(0..4) {
            events.next().await.unwrap().unwrap();
        }
    }

    /// Gives up one call of a connection and goes on with another.
    async fn changes_its_mind(&self, rng: &mut Rng) {
        let client = self.client().await;
        let events = client.translate(article(rng, 80), &TranslateOptions::default()).await.unwrap();
        drop(events);
        client.list_models().await.unwrap();
    }

    /// Asks, and reads nothing of the answer.
    async fn stops_reading(&self, rng: &mut Rng) {
        let mut socket = self.socket().await;
        let text = article(rng, 80);
        let body = prost::Message::encode_to_vec(&TranslateArticleRequest { text, ..Default::default() });
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[0], &length[..], &body].concat();
        let mut headers = request("POST", ARTICLE_PATH);
        headers.extend([("content-type", "application/grpc"), ("te", "trailers")]);
        let mut sent =
            [PREFACE, &settings(&[(4, 0)]), &frame(HEADERS, END_HEADERS, 1, &block(&headers))].concat();
        for chunk in message.chunks(16_000) {
            sent.extend(frame(DATA, 0, 1, chunk));
        }
        sent.extend(frame(DATA, END_STREAM, 1, &[]));
        socket.write_all(&sent).await.unwrap();
        sleep(Duration::from_millis(rng.u64(0..4000))).await;
    }

    /// Begins a request, or less than that.
    async fn stops_sending(&self, rng: &mut Rng) {
        let begun = [
            Vec::new(),
            PREFACE[..12].to_vec(),
            PREFACE.to_vec(),
            [PREFACE, &settings(&[]), &post(1, "/v1/text:translate")].concat(),
            b"POST /v1/text:translate HTTP/1.1\r\nHost: x\r\n".to_vec(),
            b"POST /v1/text:translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{".to_vec(),
        ];
        self.annoy(&begun[rng.usize(..begun.len())]).await;
    }

    async fn sends_garbage(&self, rng: &mut Rng) {
        let sent: Vec<u8> = (0..rng.usize(1..10_000)).map(|_| rng.u8(..)).collect();
        self.annoy(&sent).await;
    }

    async fn sends_garbled_frames(&self, rng: &mut Rng) {
        let mut sent = [PREFACE, &settings(&[])].concat();
        for _ in 0..rng.usize(1..30) {
            let payload: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
            sent.extend(frame(rng.u8(..12), rng.u8(..), rng.u32(..8), &payload));
        }
        self.annoy(&sent).await;
    }

    /// A frame, headers, or a message beyond what the service takes.
    async fn sends_too_much(&self, rng: &mut Rng) {
        match rng.u8(..3) {
            0 => {
                let large = frame(DATA, 0, 1, &vec![0; 1 << 20]);
                self.annoy(&[PREFACE, &settings(&[]), &post(1, "/v1/text:translate"), &large].concat()).await;
            }
            1 => {
                let mut request =
                    Request::new(TranslateTextRequest { text: "سلام".into(), ..Default::default() });
                request.metadata_mut().insert("x-large", "x".repeat(100_000).parse().unwrap());
                self.raw().await.translate_text(request).await.unwrap_err();
            }
            _ => {
                let request = TranslateArticleRequest { text: "x".repeat(17 << 20), ..Default::default() };
                let refused = self.raw().await.translate_article(request).await.unwrap_err();
                // The client may still be sending when the answer comes, and see only that nobody reads on.
                assert!(matches!(refused.code(), Code::OutOfRange | Code::Internal), "{refused}");
            }
        }
    }

    async fn has_no_time(&self, rng: &mut Rng) {
        let mut request = Request::new(TranslateTextRequest { text: article(rng, 20), ..Default::default() });
        request.set_timeout(Duration::from_micros(rng.u64(1..3000)));
        if let Err(status) = self.raw().await.translate_text(request).await {
            // The client's own clock may be ahead.
            assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status}");
        }
    }

    /// Knows the wrong authority, or speaks without encryption; the right one gets in all the same.
    async fn trusts_another(&self, rng: &mut Rng) {
        let url = self.closed.replace("127.0.0.1", "https://localhost");
        if rng.bool() {
            Client::connect_with(&url, &Authority::new().trusted()).await.unwrap_err();
        } else {
            let plain = Client::connect(&self.closed).await;
            if let Ok(client) = plain {
                client.list_models().await.unwrap_err();
            }
        }
        let client = Client::connect_with(&url, &self.authority.trusted()).await.unwrap();
        let text = article(rng, 2);
        let events = client.translate(text.clone(), &TranslateOptions::default()).await.unwrap();
        whole(&text, &events.map(Result::unwrap).collect::<Vec<_>>().await);
    }

    async fn asks_for_what_there_is_not(&self, rng: &mut Rng) {
        let mut client = self.raw().await;
        let request =
            |text: &str, options| TranslateTextRequest { text: text.into(), options, ..Default::default() };
        let (request, code) = match rng.u8(..4) {
            0 => (request(" ", None), Code::InvalidArgument),
            1 => {
                (request("سلام", Some(Options { beam_size: 99, ..Default::default() })), Code::InvalidArgument)
            }
            2 => (request("سلام", Some(Options { priority: 9, ..Default::default() })), Code::InvalidArgument),
            _ => {
                (request("سلام", Some(Options { model: "none".into(), ..Default::default() })), Code::NotFound)
            }
        };
        ended(client.translate_text(request).await, code);
    }

    /// Sends this and reads until the service ends the connection, or until both have had enough of it.
    async fn annoy(&self, sent: &[u8]) {
        let _ = timeout(ENOUGH, self.exchange(sent)).await;
    }

    /// Sends this and reads up to the end of the connection, which the service ends.
    async fn exchange(&self, sent: &[u8]) -> Vec<u8> {
        let mut socket = self.socket().await;
        // It may have ended before all was sent, and may end by a reset.
        let _ = socket.write_all(sent).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        answer
    }
}

fn ended<T: Debug>(answer: Result<T, tonic::Status>, code: Code) {
    assert_eq!(answer.unwrap_err().code(), code);
}

/// An article of lines of two sentences, some of them known to the service's memory and most not.
fn article(rng: &mut Rng, most_lines: usize) -> String {
    let lines = (0..rng.usize(1..=most_lines))
        .map(|_| format!("این جملهٔ شمارهٔ {} است. هوا خوب است.\n", rng.u32(..100_000)));
    lines.collect::<Vec<_>>().concat()
}

/// Every sentence of the text is there, once.
fn whole(text: &str, events: &[Event]) {
    let [Event::Start(start), paragraphs @ .., Event::Summary(summary)] = events else {
        panic!("{events:?}")
    };
    let mut sentences = 0;
    let mut end = 0;
    for paragraph in paragraphs {
        let Event::Paragraph(paragraph) = paragraph else { panic!("{events:?}") };
        for sentence in &paragraph.sentences {
            let between = text.get(end..sentence.source_span.start).expect("spans in order");
            assert!(between.trim().is_empty(), "{between} is nowhere");
            end = sentence.source_span.end;
            sentences += 1;
        }
    }
    assert!(text[end..].trim().is_empty(), "{} is nowhere", &text[end..]);
    assert_eq!((sentences, sentences), (start.sentences, summary.sentences));
}
