//! A service at work: signals, log, pages.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tarjoman::client::Access;
use tarjoman::model::ModelState;
use tarjoman::options::TranslateOptions;
use tarjoman::review::Flag;
use tarjoman::translation::Event;
use tempfile::TempDir;

use crate::process::{ARTICLE, Running, tarjoman, translate};

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_are_objects_with_the_calls_id_and_without_the_articles_text() {
    let mut command = tarjoman(&["serve", "--log-format", "json"]);
    command.env("TARJOMAN_LOG", "debug,h2=info");
    let service = Running::start(&mut command);
    translate(&service.client(&Access::default()).await.unwrap(), ARTICLE).await.unwrap();
    service.signal("TERM");
    let (log, ended) = service.wait();
    assert!(ended.success(), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let done = lines.iter().find(|line| line["message"] == "article translated").expect(&log);
    assert_eq!(done["spans"][0]["request_id"].as_str().unwrap().len(), 32, "{done}");
    assert_eq!(done["spans"][0]["method"], "TranslateArticle", "{done}");
    let ended = lines.iter().find(|line| line["message"] == "call ended").expect(&log);
    assert_eq!(ended["code"], "OK", "{ended}");
    for word in ["محرمانه", "بیانیه", "مردم", "هوا"] {
        assert!(!log.contains(word), "{word} is in {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_logged_where_that_is_asked_for() {
    let mut command = tarjoman(&["serve", "-v", "--set", "log.article_text=true"]);
    let service = Running::start(&mut command);
    translate(&service.client(&Access::default()).await.unwrap(), ARTICLE).await.unwrap();
    service.signal("TERM");
    let (log, _) = service.wait();
    assert!(log.contains("محرمانه"), "{log}");
}

/// The page's values by their names and labels, all as they are written.
fn samples(page: &str) -> HashMap<&str, &str> {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').expect(line))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_prometheus_counts_what_was_done() {
    let service = Running::start(&mut tarjoman(&["serve"]));
    let client = service.client(&Access::default()).await.unwrap();
    let events = translate(&client, ARTICLE).await.unwrap();
    let Some(Event::Summary(summary)) = events.last() else { panic!("{events:?}") };
    client
        .translate("متن", &TranslateOptions { model: Some("none".into()), ..Default::default() })
        .await
        .err()
        .unwrap();
    let page = service.metrics_with(&["code=\"OK\"", "code=\"NOT_FOUND\""]);
    assert!(page.ends_with("# EOF\n"), "{page}");

    let samples = samples(&page);
    // The few words that the model was warmed up with are no request.
    for (name, value) in [
        ("tarjoman_sentences_total", summary.sentences),
        ("tarjoman_tokens_total{side=\"source\"}", summary.source_tokens),
        ("tarjoman_tokens_total{side=\"target\"}", summary.target_tokens),
        ("tarjoman_retries_total", summary.attempts - summary.sentences),
        ("tarjoman_articles_total{outcome=\"translated\"}", 1),
        ("tarjoman_requests_total{method=\"TranslateArticle\",code=\"OK\"}", 1),
        ("tarjoman_requests_total{method=\"TranslateArticle\",code=\"NOT_FOUND\"}", 1),
        ("tarjoman_request_duration_seconds_count{method=\"TranslateArticle\"}", 2),
        ("tarjoman_characters_in_progress", 0),
        ("tarjoman_models_ready", 1),
    ] {
        assert_eq!(samples.get(name), Some(&&*value.to_string()), "{name}: {page}");
    }
    for name in [
        "tarjoman_engine_steps_total",
        "tarjoman_engine_rows_total",
        "tarjoman_engine_decode_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(samples[name].parse::<f64>().unwrap() > 0.0, "{name}: {page}");
    }
    for flag in Flag::ALL {
        let flagged =
            summary.flag_counts.iter().find(|count| count.flag == flag).map_or(0, |count| count.sentences);
        let name = format!("tarjoman_flags_total{{flag=\"{}\"}}", flag.name());
        assert_eq!(samples.get(&*name), Some(&&*flagged.to_string()), "{name}: {page}");
    }
}

#[test]
fn probes_have_pages_of_their_own() {
    let service = Running::start(&mut tarjoman(&["serve"]));
    assert_eq!(service.page("/livez").0, 200);
    assert_eq!(service.page("/readyz").0, 200);
    assert_eq!(service.page("/").0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_keys_and_limits_again() {
    let folder = TempDir::new().unwrap();
    let (file, keys) = (folder.path().join("t.toml"), folder.path().join("keys"));
    let new = || {
        let output = tarjoman(&["keys", "new", "a"]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let (key, line) = printed.split_once('\n').unwrap();
        (Access { key: Some(key.into()), ..Access::default() }, line.to_owned())
    };
    let ((old_key, old_line), (new_key, new_line)) = (new(), new());
    std::fs::write(&keys, old_line).unwrap();
    std::fs::write(&file, format!("[auth]\nkeys_file = {keys:?}\n")).unwrap();
    let mut command = tarjoman(&["serve", "-v", "--config", file.to_str().unwrap()]);
    // Not before the signal.
    command.args(["--set", "server.reload_interval_seconds=3600"]);
    let mut service = Running::start(&mut command);
    translate(&service.client(&old_key).await.unwrap(), ARTICLE).await.unwrap();
    service.client(&new_key).await.unwrap().list_models().await.unwrap_err();

    std::fs::write(&keys, new_line).unwrap();
    std::fs::write(
        &file,
        format!("[auth]\nkeys_file = {keys:?}\n\n[limits]\narticle_bytes = 10\nreceiving_bytes = 99999999\n"),
    )
    .unwrap();
    service.signal("HUP");
    service.line_with("API keys read again", "");
    service.line_with("take a restart", "");
    service.client(&old_key).await.unwrap().list_models().await.unwrap_err();
    let refused = translate(&service.client(&new_key).await.unwrap(), ARTICLE).await.unwrap_err();
    assert!(refused.to_string().contains("more than the 10"), "{refused}");

    std::fs::write(&file, "nonsense").unwrap();
    service.signal("HUP");
    service.line_with("the settings stay as they were", "");
    service.client(&new_key).await.unwrap().list_models().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn models_come_and_go_at_sighup_while_others_serve() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("c.toml");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-nllb");
    let write = |others: &str| std::fs::write(&file, format!("[model]\nothers = {others:?}\n")).unwrap();
    write("");
    let mut command = tarjoman(&["serve", "-v", "--config", file.to_str().unwrap()]);
    let mut service = Running::start(&mut command);
    let client = service.client(&Access::default()).await.unwrap();
    let names = async || {
        let models = client.list_models().await.unwrap();
        assert!(models.iter().all(|model| model.state == ModelState::Ready), "{models:?}");
        models.into_iter().map(|model| model.name).collect::<Vec<_>>()
    };
    let with_other = TranslateOptions {
        model: Some("tiny-nllb".into()),
        max_tokens: 4,
        max_attempts: 1,
        ..TranslateOptions::default()
    };
    assert_eq!(names().await, ["fa-en-mini"]);
    assert!(client.translate(ARTICLE, &with_other).await.is_err());

    write(&format!("{other}, no-such-model"));
    service.signal("HUP");
    service.line_with("loaded", "tiny-nllb");
    service.line_with("wasn't loaded", "no-such-model");
    assert_eq!(names().await, ["fa-en-mini", "tiny-nllb"]);
    let mut events = client.translate(ARTICLE, &with_other).await.unwrap();
    let Event::Start(start) = events.next().await.unwrap().unwrap() else { panic!("a start comes first") };
    assert_eq!((&*start.model.name, &*start.model.family), ("tiny-nllb", "m2m100"));

    write("");
    service.signal("HUP");
    service.line_with("unloaded", "tiny-nllb");
    // What was under way goes on to its end.
    let rest: Vec<_> = events.collect().await;
    assert!(matches!(rest.last(), Some(Ok(Event::Summary(_)))), "{rest:?}");
    assert_eq!(names().await, ["fa-en-mini"]);
    translate(&client, ARTICLE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_an_article_end_and_takes_no_other() {
    let service = Running::start(&mut tarjoman(&["serve"]));
    let client = service.client(&Access::default()).await.unwrap();
    let text = format!("{ARTICLE}\n").repeat(10);
    let mut events = client.translate(&*text, &TranslateOptions::default()).await.unwrap();
    events.next().await.unwrap().unwrap();
    service.signal("TERM");
    let rest: Vec<_> = events.map(Result::unwrap).collect().await;
    assert!(matches!(rest.last(), Some(Event::Summary(summary)) if summary.paragraphs == 20));
    let (told, ended) = service.wait();
    assert!(ended.success(), "{told}");
}

#[test]
fn systemd_is_told_and_its_socket_taken() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let told = || {
        let mut bytes = [0; 256];
        let read = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // As systemd does it: the socket as the file descriptor 3 of the process that the variables name. The shell can tell
    // its own process before the service takes its place.
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "exec env LISTEN_PID=$$ LISTEN_FDS=1 \"$@\" 3<&0",
        "sh",
        env!("CARGO_BIN_EXE_tarjoman"),
        "serve",
    ]);
    command.env("NOTIFY_SOCKET", &path);
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    let service = Running::start(&mut command);
    assert_eq!(service.address, listener.local_addr().unwrap().to_string());
    assert_eq!(told().trim(), "READY=1");
    service.signal("HUP");
    let reloading = told();
    assert!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert_eq!(told().trim(), "READY=1");
    service.signal("TERM");
    assert_eq!(told().trim(), "STOPPING=1");
    assert!(service.wait().1.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_translated_is_remembered_across_a_restart() {
    let folder = TempDir::new().unwrap();
    let file = format!("memory.file={}", folder.path().join("memory.sqlite").display());
    let found = |from: &str| format!("tarjoman_memory_lookups_total{{result=\"{from}\"}} 3");
    let service = Running::start(&mut tarjoman(&["serve", "--set", &file]));
    let client = service.client(&Access::default()).await.unwrap();
    for from in ["missed", "recent"] {
        translate(&client, ARTICLE).await.unwrap();
        service.metrics_with(&[&found(from)]);
    }
    drop(client);
    service.signal("TERM");
    assert!(service.wait().1.success());
    let service = Running::start(&mut tarjoman(&["serve", "--set", &file]));
    translate(&service.client(&Access::default()).await.unwrap(), ARTICLE).await.unwrap();
    service.metrics_with(&[&found("stored")]);
}
