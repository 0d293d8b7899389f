//! A server whose model takes a step only when it is allowed to, so that what happens in which order is known.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::*;
use crate::config::{Config, Limits};
use crate::proto::translation_service_client::TranslationServiceClient;
use crate::proto::{
    Options, Priority, TranslateArticleRequest, TranslateArticlesRequest, TranslateTextRequest,
    TranslateTextResponse,
};
use crate::translator::testing::{ENDLESS, POISON, STEPS, Steps, translator};

const TEXT: &str = "سلام دنیا.";

/// A running server. Its model stands still until the test allows it a step.
struct Gated {
    address: String,
    pages: String,
    translator: Translator,
    steps: Steps,
    server: JoinHandle<Result<()>>,
}

impl Gated {
    async fn start(max_rows: usize, limits: Limits) -> Self {
        let [listener, pages] = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let (address, page) = (address(&listener), address(&pages));
        let (translator, steps) = translator(max_rows);
        let config = Config { limits, ..Config::default() };
        let server = Server::new(listener, Settings::new(&config).unwrap()).with_metrics(pages);
        let ready = server.ready();
        let loaded = translator.clone();
        let server = tokio::spawn(server.run(async { Ok(loaded) }, std::future::pending()));
        within(ready).await;
        Self { address, pages: page, translator, steps, server }
    }

    async fn client(&self) -> TranslationServiceClient<Channel> {
        within(TranslationServiceClient::connect(format!("http://{}", self.address))).await.unwrap()
    }

    /// Begins to translate a text.
    async fn begin(&self, text: TranslateTextRequest) -> JoinHandle<Result<TranslateTextResponse, Status>> {
        let mut client = self.client().await;
        tokio::spawn(async move { Ok(client.translate_text(text).await?.into_inner()) })
    }

    /// Waits until the model is about to take its first step.
    async fn stepping(&self) {
        within_turns(|| self.translator.stats().steps == 1).await;
    }

    async fn queued(&self, sentences: usize) {
        within_turns(|| self.translator.stats().queued == sentences).await;
    }

    /// Waits until the metrics have these words.
    async fn tells(&self, words: &str) {
        within(async {
            let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            while !exchange(&self.pages, request).await.contains(words) {}
        })
        .await;
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        self.server.abort();
        // The model's thread can't end while it stands still.
        self.steps.allow(usize::MAX / 2);
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("this takes for ever")
}

async fn within_turns(holds: impl Fn() -> bool) {
    within(async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Sends `request` over a connection of its own and reads up to its end.
async fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A call over plain HTTP, whose client has no clock of its own.
fn post(text: &str, timeout: &str, length_more: usize) -> String {
    let body = format!(r#"{{"text": "{text}", "options": {{"maxAttempts": 1}}}}"#);
    format!(
        "POST /v1/text:translate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         grpc-timeout: {timeout}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len() + length_more
    )
}

fn text(text: &str, beam_size: u32, priority: Priority) -> TranslateTextRequest {
    let options = Options { beam_size, max_attempts: 1, priority: priority.into(), ..Options::default() };
    TranslateTextRequest { text: text.into(), options: Some(options), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interactive_text_is_not_held_behind_a_batch_backlog() {
    let gated = Gated::start(1, Limits::default()).await;
    let first = gated.begin(text(TEXT, 1, Priority::Batch)).await;
    gated.stepping().await;
    let mut backlog = Vec::new();
    for _ in 0..20 {
        backlog.push(gated.begin(text(TEXT, 1, Priority::Batch)).await);
    }
    gated.queued(20).await;
    let urgent = gated.begin(text(TEXT, 1, Priority::Interactive)).await;
    gated.queued(21).await;
    // Enough for two sentences: the one that had begun, and the next.
    gated.steps.allow(2 * STEPS);
    assert_eq!(within(urgent).await.unwrap().unwrap().text, "word");
    assert_eq!(within(first).await.unwrap().unwrap().text, "word");
    assert!(backlog.iter().all(|call| !call.is_finished()));
    gated.steps.allow(20 * STEPS);
    for call in backlog {
        assert_eq!(within(call).await.unwrap().unwrap().text, "word");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_frees_its_rows_within_one_step() {
    let gated = Gated::start(8, Limits::default()).await;
    let call = gated.begin(text(ENDLESS, 3, Priority::Interactive)).await;
    gated.stepping().await;
    call.abort();
    gated.tells(r#"tarjoman_requests_total{method="TranslateText",code="CANCELLED"} 1"#).await;
    gated.tells("tarjoman_engine_freed_rows_total 0").await;
    // The step that had begun comes to its end, and no other begins.
    gated.steps.allow(1);
    gated.tells("tarjoman_engine_freed_rows_total 3").await;
    assert_eq!(gated.translator.stats().steps, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_honoured_at_every_step_and_nothing_is_done_after_it() {
    let limits = Limits { characters_in_progress: 1, ..Limits::default() };
    for (place, rest, before) in
        [("while it arrives", 1, 0), ("in the engine's queue", 0, 1), ("while it is decoded", 0, 0)]
    {
        let gated = Gated::start(1, Limits::default()).await;
        let mut others = Vec::new();
        for _ in 0..before {
            others.push(gated.begin(text(TEXT, 1, Priority::Interactive)).await);
            gated.stepping().await;
        }
        let answer = within(exchange(&gated.address, &post(ENDLESS, "100m", rest))).await;
        assert!(
            answer.starts_with("HTTP/1.1 504 ") && answer.contains("deadline has passed"),
            "{place}: {answer}"
        );
        gated.steps.allow(STEPS);
        for other in others {
            within(other).await.unwrap().unwrap();
        }
        // What is asked next gets the room, and no step went to what had ended.
        let next = gated.begin(text(TEXT, 1, Priority::Interactive)).await;
        gated.steps.allow(STEPS);
        within(next).await.unwrap().unwrap();
        let rows = (STEPS * (before + 1)) as u64;
        // One step may have begun before.
        let most = rows + u64::from(place == "while it is decoded");
        let seen = gated.translator.stats().rows;
        assert!((rows..=most).contains(&seen), "{place}: {seen} rows");
    }

    // Where an article waits for the server to have room.
    let gated = Gated::start(1, limits).await;
    let running = gated.begin(text(TEXT, 1, Priority::Interactive)).await;
    gated.stepping().await;
    let article = TranslateArticleRequest { text: TEXT.into(), ..Default::default() };
    let mut waiting = Request::new(futures::stream::iter([TranslateArticlesRequest {
        id: "a".into(),
        article: Some(article),
    }]));
    waiting.set_timeout(Duration::from_millis(100));
    let mut client = gated.client().await;
    let ended = match within(client.translate_articles(waiting)).await {
        Ok(answers) => within(answers.into_inner().message()).await.unwrap_err(),
        Err(ended) => ended,
    };
    // The client's own clock may be ahead.
    assert!(matches!(ended.code(), Code::DeadlineExceeded | Code::Cancelled), "{ended}");
    gated.steps.allow(STEPS);
    within(running).await.unwrap().unwrap();
    gated.tells("tarjoman_characters_in_progress 0").await;
    assert_eq!(gated.translator.stats().rows, STEPS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_model_ends_the_calls_in_its_batch_and_none_after_them() {
    let gated = Gated::start(8, Limits::default()).await;
    let first = gated.begin(text(TEXT, 1, Priority::Interactive)).await;
    gated.stepping().await;
    let poisoned = gated.begin(text(POISON, 1, Priority::Interactive)).await;
    gated.queued(1).await;
    gated.steps.allow(2);
    for call in [first, poisoned] {
        let refused = within(call).await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
        assert!(refused.message().contains("poisoned"), "{refused}");
    }
    let next = gated.begin(text(TEXT, 1, Priority::Interactive)).await;
    gated.steps.allow(STEPS);
    assert_eq!(within(next).await.unwrap().unwrap().text, "word");
}
