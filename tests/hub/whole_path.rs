//! The real binary with a small model's files on the server, under the name of a model of the catalogue.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::server::{Fault, Gate, Server};

const MODEL: &str = "opus-mt-tc-bible-big-iir-en";
const STUDENT: &str = "mozilla-faen-tiny";

struct Machine {
    server: Server,
    home: TempDir,
}

impl Machine {
    async fn new() -> Self {
        let names = ["config.json", "model.safetensors", "source.spm", "target.spm", "vocab.json"];
        Self::serving("models/fa-en-mini", names).await
    }

    /// With the files of a folder of this project on the server.
    async fn serving<const COUNT: usize>(folder: &str, names: [&str; COUNT]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files =
            names.map(|name| (name.to_owned(), std::fs::read(folder.join(name)).expect("it is there")));
        let server = Server::start(files, Some("apache-2.0")).await;
        Self { server, home: TempDir::new().expect("a temporary folder") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
        command.args(arguments).env("TARJOMAN_HOME", self.home.path()).env("HF_ENDPOINT", &self.server.hub);
        command.env("TARJOMAN_REMOTE_SETTINGS", format!("{}/v1", self.server.hub));
        command.env("HF_HOME", self.home.path().join("hf")).env("NO_PROXY", "127.0.0.1,localhost");
        for variable in ["HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, away from the threads that the server needs.
    async fn run(&self, arguments: &[&str], input: &'static str) -> Output {
        let mut command = self.command(arguments);
        let run = move || {
            let mut child = command.spawn()?;
            // A command that fails early doesn't read its input.
            let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
            child.wait_with_output()
        };
        tokio::task::spawn_blocking(run).await.expect("it doesn't panic").expect("it runs")
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn state(machine: &Machine) -> Value {
    let output = machine.run(&["models", "list", "--json"], "").await;
    let models: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    models.into_iter().find(|model| model["name"] == MODEL).expect("it is listed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_fetched_listed_checked_used_and_removed() {
    let machine = Machine::new().await;
    assert_eq!(state(&machine).await["state"], "not fetched");
    let output = machine.run(&["models", "pull", MODEL], "").await;
    assert!(output.status.success() && output.stdout.is_empty(), "{}", words(&output));
    assert!(words(&output).contains("model.safetensors: 14.66 MB to fetch"), "{}", words(&output));

    let listed = state(&machine).await;
    assert_eq!((&listed["state"], &listed["licence"]), (&"in the store".into(), &"Apache-2.0".into()));
    let path = machine.run(&["models", "path", MODEL], "").await;
    let folder = machine.home.path().join("models").join(MODEL);
    assert_eq!(String::from_utf8_lossy(&path.stdout), format!("{}\n", folder.display()));
    assert_eq!(listed["path"], folder.to_str().unwrap());
    let verified = machine.run(&["models", "verify"], "").await;
    assert_eq!((verified.status.code(), words(&verified)), (Some(0), format!("{MODEL}: sound\n")));

    let sentence = "هوا خوب است.\n";
    let built_in = machine.run(&["translate", "-q", "--beam", "1", "--model", "fa-en-mini"], sentence).await;
    for name in [MODEL, folder.to_str().unwrap(), "Helsinki-NLP/opus-mt-tc-bible-big-iir-en"] {
        let output =
            machine.run(&["translate", "-q", "--offline", "--beam", "1", "--model", name], sentence).await;
        assert!(output.status.success(), "{name}: {}", words(&output));
        assert_eq!(output.stdout, built_in.stdout, "{name}");
    }

    let vocabulary = folder.join("vocab.json");
    let mut bytes = std::fs::read(&vocabulary).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&vocabulary, bytes).unwrap();
    let verified = machine.run(&["models", "verify", MODEL], "").await;
    assert_eq!(verified.status.code(), Some(1));
    assert!(words(&verified).contains("vocab.json has the SHA-256"), "{}", words(&verified));
    let output = machine.run(&["translate", "--model", MODEL], sentence).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains(&format!("models pull {MODEL}")), "{}", words(&output));

    assert!(machine.run(&["models", "remove", MODEL], "").await.status.success());
    assert!(!folder.exists());
    let output = machine.run(&["models", "path", MODEL], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("isn't in the store"), "{}", words(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_student_is_fetched_as_mozilla_serves_it_and_is_then_the_model_that_translates() {
    let files = ["model.faen.intgemm.alphas.bin.zst", "vocab.faen.spm.gz", "lex.50.50.faen.s2t.bin.zst"];
    let machine = Machine::serving("tests/golden/student-alphas", files).await;
    machine.server.list_records(|_| {});
    let output = machine.run(&["models", "pull", STUDENT], "").await;
    assert!(output.status.success(), "{}", words(&output));
    let verified = machine.run(&["models", "verify"], "").await;
    assert_eq!((verified.status.code(), words(&verified)), (Some(0), format!("{STUDENT}: sound\n")));

    let sentences = "هوا خوب است.\nکتاب روی میز است.\n";
    let translate = ["translate", "--lines", "--beam", "1"];
    let by_default = machine.run(&translate, sentences).await;
    assert!(by_default.status.success(), "{}", words(&by_default));
    assert!(!words(&by_default).contains("far better"), "{}", words(&by_default));
    assert_eq!(by_default.stdout.lines().count(), 2);
    for name in [STUDENT, "tests/golden/student-alphas"] {
        let named = machine.run(&[&translate[..], &["--model", name]].concat(), sentences).await;
        assert!(named.status.success(), "{name}: {}", words(&named));
        assert_eq!(named.stdout, by_default.stdout, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_at_once_fetch_a_model_once() {
    let machine = Machine::new().await;
    let gate = Arc::new(Gate::default());
    machine.server.fault("model.safetensors", Fault::Held(gate.clone()));
    let first = machine.command(&["models", "pull", MODEL]).spawn().unwrap();
    gate.reached.notified().await;
    let mut second = machine.command(&["models", "pull", MODEL]).spawn().unwrap();
    let mut told = BufReader::new(second.stderr.take().unwrap());
    let waits = move || {
        let mut line = String::new();
        told.read_line(&mut line).map(|_| (line, told))
    };
    let (line, mut told) = tokio::task::spawn_blocking(waits).await.unwrap().unwrap();
    assert!(line.contains("waiting for another process"), "{line}");
    gate.opened.notify_one();
    let ends = move || {
        let mut rest = String::new();
        told.read_to_string(&mut rest)?;
        Ok::<_, std::io::Error>((first.wait_with_output()?.status, second.wait()?, rest))
    };
    let (first, second, rest) = tokio::task::spawn_blocking(ends).await.unwrap().unwrap();
    assert!(first.success() && second.success(), "{rest}");
    assert!(rest.contains("is in the store already"), "{rest}");
    assert_eq!(machine.server.served("model.safetensors"), 1);
    assert_eq!(machine.server.served("config.json"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_fetched_unasked() {
    let machine = Machine::new().await;
    let sentence = "هوا خوب است.\n";
    let output = machine.run(&["translate", "--model", "o/n"], sentence).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("`tarjoman models pull o/n`"), "{}", words(&output));
    let output = machine.run(&["--offline", "models", "pull", "o/n"], sentence).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("leave --offline off"), "{}", words(&output));

    let output = machine.run(&["translate", "--beam", "1"], sentence).await;
    assert!(output.status.success());
    let notice = "note: using the built-in model; mozilla-faen-tiny is far better";
    assert!(String::from_utf8_lossy(&output.stderr).contains(notice), "{}", words(&output));
    let quiet = machine.run(&["translate", "-q", "--beam", "1"], sentence).await;
    assert!(quiet.stderr.is_empty());
    assert_eq!(machine.server.seen("").len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_can_be_elsewhere() {
    let machine = Machine::new().await;
    let elsewhere = machine.home.path().join("elsewhere");
    let store = elsewhere.to_str().unwrap();
    assert!(machine.run(&["models", "pull", "-q", MODEL, "--store", store], "").await.status.success());
    assert!(elsewhere.join(MODEL).join("manifest.json").is_file());
    assert_eq!(state(&machine).await["state"], "not fetched");
}
