//! Many workers on one queue: a real NATS server, real workers, one of them killed.
//!
//! The server is `nats-server` on the path, or what `NATS_SERVER` names. Where there is none and nothing is
//! named, these tests say that they test nothing.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::archive::{fill, texts};
use crate::common::{MODEL, Workplace, article, words};

/// A NATS server with JetStream on a free port of this machine. It ends with the value.
struct Nats {
    server: Child,
    url: String,
    folder: TempDir,
}

impl Nats {
    fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// Starts one with more configuration. `None`, which it says, where this machine has no server and nobody said
    /// that it has.
    fn start_with(configuration: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().to_str().unwrap();
        let general = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{path}\"\njetstream: {{ store_dir: \"{path}\" }}\n"
        );
        std::fs::write(folder.path().join("nats.conf"), general + configuration).unwrap();
        let server = match Self::command(&folder).spawn() {
            Ok(server) => server,
            Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os(PROGRAM).is_none() => {
                // Not by a macro, whose output is only shown for tests that fail.
                let note = "tests/batch/queue.rs: not tested, as there is no nats-server; install it (Debian has it), \
                    or name it in NATS_SERVER\n";
                std::io::stderr().write_all(note.as_bytes()).unwrap();
                return None;
            }
            Err(error) => panic!("{}: {error}", program()),
        };
        let mut nats = Self { server, url: String::new(), folder };
        nats.url = nats.told();
        Some(nats)
    }

    fn command(folder: &TempDir) -> Command {
        let mut command = Command::new(program());
        command.arg("--config").arg(folder.path().join("nats.conf"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The address that the server tells, once it does.
    fn told(&mut self) -> String {
        let name = Path::new(&program()).file_name().unwrap().to_str().unwrap().to_owned();
        let ports = self.folder.path().join(format!("{name}_{}.ports", self.server.id()));
        loop {
            assert!(self.server.try_wait().unwrap().is_none(), "the server ended");
            let told =
                std::fs::read(&ports).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
            match told.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
                Some(url) => return url.to_owned(),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn end(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Starts it again where it was.
    fn restart(&mut self) {
        let port = self.url.rsplit_once(':').unwrap().1;
        self.server = Self::command(&self.folder).args(["--port", port]).spawn().unwrap();
        assert_eq!(self.told(), self.url);
    }

    /// What a stream has at the moment, and its only consumer.
    fn stream(&self, name: &str) -> Stream {
        Runtime::new().unwrap().block_on(async {
            let context = jetstream::new(async_nats::connect(&self.url).await.unwrap());
            let stream = context.get_stream(name).await.unwrap();
            let consumer = stream.consumers().next().await.map(Result::unwrap);
            let first = stream.get_raw_message(1).await.map(|message| message.subject.to_string());
            Stream { messages: stream.cached_info().state.messages, consumer, first: first.ok() }
        })
    }

    fn publish(&self, subject: &str, payload: &'static str) {
        Runtime::new().unwrap().block_on(async {
            let context = jetstream::new(async_nats::connect(&self.url).await.unwrap());
            context.publish(subject.to_owned(), payload.into()).await.unwrap().await.unwrap();
        });
    }
}

struct Stream {
    messages: u64,
    consumer: Option<jetstream::consumer::Info>,
    /// The subject of the first message, while it is there.
    first: Option<String>,
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The variable that names the server, and thereby says that there is one.
const PROGRAM: &str = "NATS_SERVER";

fn program() -> String {
    std::env::var(PROGRAM).unwrap_or_else(|_| "nats-server".into())
}

/// A queue, and a store named as the command line names it.
struct Place<'a> {
    queue: &'a str,
    store: &'a str,
    environment: &'a [(&'a str, &'a str)],
}

impl Place<'_> {
    fn submit(&self, workplace: &Workplace, output: &str, arguments: &[&str]) -> Output {
        let mut command = workplace.command_of(&["batch", "submit"], output, arguments);
        command
            .args(["--queue", self.queue, "--queue-store", self.store])
            .envs(self.environment.iter().copied());
        command.output().unwrap()
    }

    fn worker(&self, workplace: &Workplace, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
        command.args(["worker", "--queue", self.queue, "--queue-store", self.store, "--threads", "1"]);
        command.args(["--until-empty", "--model", MODEL]).args(arguments);
        command.envs(self.environment.iter().copied()).current_dir(workplace.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn collect(&self, workplace: &Workplace, output: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
        command.args(["batch", "collect", output, "--queue-store", self.store]);
        command.envs(self.environment.iter().copied()).current_dir(workplace.folder.path());
        command.stdin(Stdio::null()).output().unwrap()
    }
}

/// The outputs of a run without what only a submitted one has.
fn translated(workplace: &Workplace, output: &str) -> BTreeMap<String, Vec<u8>> {
    let mut outputs = workplace.outputs(output);
    outputs.remove("submitted.json");
    outputs
}

fn wait_for(mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ended(worker: Child) -> String {
    let output = worker.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    words(&output)
}

/// The number of outcomes in the store.
fn outcomes(workplace: &Workplace) -> u64 {
    let files = walkdir::WalkDir::new(workplace.path("store/outcomes")).into_iter().filter_map(Result::ok);
    // Others are being written.
    files.filter(|entry| entry.file_type().is_file() && entry.file_name().len() == 64).count() as u64
}

#[test]
fn every_article_comes_out_once_though_a_worker_is_killed() {
    let Some(nats) = Nats::start() else { return };
    let workplace = Workplace::new();
    fill(&workplace, 20);
    let exports = ["--export", "jsonl"];
    assert!(workplace.run("alone", &exports).status.success());

    let place = Place { queue: &nats.url, store: "store", environment: &[] };
    for _ in 0..2 {
        // The second time asks for everything once more.
        let output = place.submit(&workplace, "out", &exports);
        assert!(output.status.success(), "{}", words(&output));
    }
    assert_eq!(nats.stream("TARJOMAN_TASKS").messages, 2 * texts(20));
    let arguments = ["--in-flight", "8", "--patience", "3"];
    let mut first = place.worker(&workplace, &arguments);
    wait_for(|| outcomes(&workplace) > 0);
    let others = [0; 2].map(|_| place.worker(&workplace, &arguments));
    wait_for(|| outcomes(&workplace) > 40);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(outcomes(&workplace) < texts(20), "it was killed in the midst of it");
    let told = others.map(ended);
    assert_eq!(outcomes(&workplace), texts(20), "{told:?}");
    let tasks = nats.stream("TARJOMAN_TASKS");
    assert_eq!(tasks.messages, 0, "all are acknowledged");
    let delivered = tasks.consumer.unwrap().delivered;
    assert!(delivered.consumer_sequence > delivered.stream_sequence, "the killed one's were delivered again");

    let output = place.collect(&workplace, "out");
    assert!(output.status.success(), "{}", words(&output));
    assert!(translated(&workplace, "out") == translated(&workplace, "alone"));
    assert_eq!(workplace.report("out")["totals"]["texts"], texts(20));

    // What is in the store isn't translated again, whoever asks.
    assert!(place.submit(&workplace, "other", &exports).status.success());
    assert_eq!(nats.stream("TARJOMAN_TASKS").messages, 0);
    assert!(place.collect(&workplace, "other").status.success());
    assert!(translated(&workplace, "other") == translated(&workplace, "alone"));
}

#[test]
fn a_queue_may_be_gone_for_a_while() {
    let Some(mut nats) = Nats::start() else { return };
    let workplace = Workplace::new();
    fill(&workplace, 20);
    let url = nats.url.clone();
    let place = Place { queue: &url, store: "store", environment: &[] };
    assert!(place.submit(&workplace, "out", &[]).status.success());
    let worker = place.worker(&workplace, &["--in-flight", "8", "--patience", "3"]);
    wait_for(|| outcomes(&workplace) > 20);
    nats.end();
    assert!(outcomes(&workplace) < texts(20), "it went away in the midst of it");
    nats.restart();
    ended(worker);
    assert_eq!(outcomes(&workplace), texts(20));
    assert!(place.collect(&workplace, "out").status.success());
}

#[test]
fn an_article_that_its_workers_die_of_is_given_up() {
    let Some(nats) = Nats::start() else { return };
    let workplace = Workplace::new();
    workplace.input("a.txt", article(1));
    workplace.input("poison.txt", (0..3000).map(article).collect::<String>());
    let place = Place { queue: &nats.url, store: "store", environment: &[] };
    assert!(place.submit(&workplace, "out", &[]).status.success());
    let subject = nats.stream("TARJOMAN_TASKS").first.unwrap();
    nats.publish(&subject, "no task");

    let arguments = ["--patience", "3", "--max-deliveries", "1"];
    let mut worker = place.worker(&workplace, &arguments);
    // The good one is acknowledged, the unreadable one given up, the other under way.
    wait_for(|| nats.stream("TARJOMAN_TASKS").messages == 1);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(nats.stream("TARJOMAN_DEAD").messages, 1);
    let told = ended(place.worker(&workplace, &arguments));
    assert!(told.contains("0 articles translated, 0 failed, 0 known, 1 given up"), "{told}");
    let dead = nats.stream("TARJOMAN_DEAD");
    assert_eq!(dead.messages, 2);
    assert_eq!(dead.first.unwrap(), subject.replace(".tasks.", ".dead."));

    let output = place.collect(&workplace, "out");
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let errors = workplace.errors("out");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].0 == "in/poison.txt" && errors[0].1.contains("was given up"), "{errors:?}");
    assert!(workplace.path("out/translated/in/a.txt").exists());

    // Asked for again, it gets another chance.
    assert!(place.submit(&workplace, "out", &["--retry-failed"]).status.success());
    let told = ended(place.worker(&workplace, &["--max-deliveries", "1"]));
    assert!(told.contains("1 articles translated"), "{told}");
    assert!(place.collect(&workplace, "out").status.success());
    assert!(workplace.path("out/translated/in/poison.txt").exists());
}

#[test]
fn what_nobody_will_translate_is_not_waited_for() {
    let Some(nats) = Nats::start() else { return };
    let workplace = Workplace::new();
    workplace.input("a.txt", article(1));
    let place = Place { queue: &nats.url, store: "store", environment: &[] };
    let refused = |output: Output, expected: &str| {
        assert_eq!(output.status.code(), Some(1), "{}", words(&output));
        assert!(words(&output).contains(expected), "{}", words(&output));
    };
    refused(place.collect(&workplace, "out"), "wasn't submitted to the end");
    assert!(place.submit(&workplace, "out", &[]).status.success());
    workplace.input("b.txt", article(2));
    refused(place.collect(&workplace, "out"), "store lacks an article of the input");
    let elsewhere = Place { store: "elsewhere", ..place };
    refused(elsewhere.collect(&workplace, "out"), "name the store that it used");
}

#[test]
fn a_queue_may_want_a_password_and_have_a_certificate() {
    let workplace = Workplace::new();
    let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(workplace.path("queue.pem"), signed.cert.pem()).unwrap();
    std::fs::write(workplace.path("queue.key"), signed.signing_key.serialize_pem()).unwrap();
    let configuration = format!(
        "tls: {{ cert_file: {:?}, key_file: {:?} }}\nauthorization: {{ user: reader, password: secret }}\n",
        workplace.path("queue.pem"),
        workplace.path("queue.key")
    );
    let Some(nats) = Nats::start_with(&configuration) else { return };
    let host = nats.url.rsplit_once('/').unwrap().1;
    workplace.input("a.txt", article(1));

    let url = format!("tls://{host}");
    let password_is = |password| {
        [
            ("TARJOMAN_QUEUE_USER", "reader"),
            ("TARJOMAN_QUEUE_PASSWORD", password),
            ("TARJOMAN_QUEUE_CA", "queue.pem"),
        ]
    };
    let [guessed, known] = ["guessed", "secret"].map(password_is);
    for (environment, reason) in [(&guessed[..], "authorization violation"), (&known[..2], "certificate")] {
        let output = Place { queue: &url, store: "store", environment }.submit(&workplace, "out", &[]);
        assert_eq!(output.status.code(), Some(1), "{}", words(&output));
        assert!(words(&output).contains(reason), "{}", words(&output));
    }
    let with_password = format!("tls://reader:secret@{host}");
    let output =
        Place { queue: &with_password, store: "store", environment: &known }.submit(&workplace, "out", &[]);
    assert!(words(&output).contains("queue: the address has a name or a password"), "{}", words(&output));

    let place = Place { queue: &url, store: "store", environment: &known };
    let output = place.submit(&workplace, "out", &[]);
    assert!(output.status.success(), "{}", words(&output));
    ended(place.worker(&workplace, &[]));
    assert!(place.collect(&workplace, "out").status.success());
    assert!(workplace.path("out/translated/in/a.txt").exists());
}

type Objects = Arc<Mutex<HashMap<String, Bytes>>>;

/// As much of S3 as a store needs.
async fn bucket(State(objects): State<Objects>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut objects = objects.lock().unwrap();
    let found = objects.get(uri.path()).cloned();
    match (method, found) {
        (Method::PUT, _) => {
            objects.insert(uri.path().into(), body);
            [("etag", "\"1\"")].into_response()
        }
        (Method::GET, Some(object)) => {
            ([("etag", "\"1\""), ("last-modified", "Tue, 02 Jan 2024 03:04:05 GMT")], object).into_response()
        }
        (Method::DELETE, _) => {
            objects.remove(uri.path());
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[test]
fn a_bucket_is_as_good_as_a_folder() {
    let Some(nats) = Nats::start() else { return };
    let runtime = Runtime::new().unwrap();
    let objects = Objects::default();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(bucket).with_state(objects.clone());
    runtime.spawn(async { axum::serve(listener, app).await.unwrap() });

    let workplace = Workplace::new();
    fill(&workplace, 2);
    let environment = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "here"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let place = Place { queue: &nats.url, store: "s3://news/2024", environment: &environment };
    let output = place.submit(&workplace, "out", &[]);
    assert!(output.status.success(), "{}", words(&output));
    ended(place.worker(&workplace, &[]));
    let output = place.collect(&workplace, "out");
    assert!(output.status.success(), "{}", words(&output));
    assert!(workplace.run("alone", &[]).status.success());
    assert!(translated(&workplace, "out") == translated(&workplace, "alone"));
    assert!(objects.lock().unwrap().keys().all(|path| path.starts_with("/news/2024/")));
}
