//! What a service does when what it stands on gives way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use futures::StreamExt;
use rusqlite::Connection;
use tarjoman::client::{Access, Client};
use tarjoman::options::TranslateOptions;
use tarjoman::translation::Event;
use tempfile::TempDir;

use crate::process::{ARTICLE, Running, tarjoman, translate};

const GIVEN_UP: &str = "it isn't used any more";

/// The arguments of a service with a memory in this folder, and the memory's file.
fn with_memory(folder: &Path) -> (String, PathBuf) {
    let file = folder.join("memory.sqlite");
    (format!("memory.file={}", file.display()), file)
}

/// Translates articles of sentences that no other has.
async fn translate_others(client: &Client, articles: std::ops::Range<usize>) {
    for n in articles {
        let lines = (0..40).map(|m| format!("این جملهٔ شمارهٔ {n} از {m} است.\n"));
        let events = translate(client, &lines.collect::<Vec<_>>().concat()).await.unwrap();
        assert!(matches!(events.last(), Some(Event::Summary(summary)) if summary.sentences == 40));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_costs_the_memory_and_no_translation() {
    let folder = TempDir::new().unwrap();
    let (memory, _) = with_memory(folder.path());
    // No file may become larger than this many blocks of 512 bytes, and to write more is an error.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"]);
    command.args([env!("CARGO_BIN_EXE_tarjoman"), "serve", "--set", &memory]);
    let mut service = Running::start(&mut command);
    let client = service.client(&Access::default()).await.unwrap();
    translate_others(&client, 0..20).await;
    service.line_with("the translation memory's file fails", GIVEN_UP);
    translate_others(&client, 20..22).await;
    service.signal("TERM");
    assert!(service.wait().1.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_is_spoilt_is_refused_at_the_start_and_given_up_later() {
    let folder = TempDir::new().unwrap();
    let (memory, file) = with_memory(folder.path());
    let service = Running::start(&mut tarjoman(&["serve", "--set", &memory]));
    translate_others(&service.client(&Access::default()).await.unwrap(), 0..10).await;
    service.signal("TERM");
    assert!(service.wait().1.success());

    // All but its first page, by which a file is known.
    let mut bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 40_000);
    bytes[4096..].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let mut service = Running::start(&mut tarjoman(&["serve", "--set", &memory]));
    translate_others(&service.client(&Access::default()).await.unwrap(), 0..10).await;
    service.line_with("the translation memory's file fails", GIVEN_UP);
    service.signal("TERM");
    assert!(service.wait().1.success());

    fs::write(&file, [0xa5; 10_000]).unwrap();
    let output = tarjoman(&["serve", "--set", &memory]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&*file.to_string_lossy()) && told.contains("not a database"), "{told}");
}

#[test]
fn a_memory_that_can_only_be_read_is_refused_by_its_name() {
    let folder = TempDir::new().unwrap();
    let (memory, file) = with_memory(folder.path());
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let mut read_only = fs::metadata(&file).unwrap().permissions();
    read_only.set_readonly(true);
    fs::set_permissions(&file, read_only).unwrap();
    // Nobody's permissions stop root, unless it gives up the capability.
    let bare =
        Command::new("setpriv").args(["--bounding-set", "-all", "--inh-caps", "-all", "true"]).status();
    let mut command = if fs::OpenOptions::new().append(true).open(&file).is_err() {
        tarjoman(&[])
    } else if bare.is_ok_and(|ended| ended.success()) {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", env!("CARGO_BIN_EXE_tarjoman")]);
        command
    } else {
        // There is no file that this user can't write to.
        return;
    };
    let output = command.args(["serve", "--set", &memory]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&*file.to_string_lossy()) && told.contains("readonly"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_mid_stream_lets_an_article_end_and_a_second_one_cuts_it_off() {
    let long = (0..20_000).map(|n| format!("این جملهٔ شمارهٔ {n} است.\n")).collect::<Vec<_>>().concat();
    for (text, signals) in [(ARTICLE.repeat(20), 1), (long, 2)] {
        let mut service =
            Running::start(&mut tarjoman(&["serve", "--set", "server.drain_timeout_seconds=600"]));
        let client = service.client(&Access::default()).await.unwrap();
        let mut events = client.translate(text, &TranslateOptions::default()).await.unwrap();
        assert!(matches!(events.next().await, Some(Ok(Event::Start(_)))));
        service.signal("TERM");
        service.line_with("finishing the articles in progress", "");
        if signals == 2 {
            service.signal("TERM");
        }
        let rest: Vec<_> = events.collect().await;
        match rest.last().unwrap() {
            Ok(Event::Summary(_)) => assert_eq!(signals, 1),
            Err(_) => assert_eq!(signals, 2),
            Ok(other) => panic!("{other:?}"),
        }
        assert!(service.wait().1.success());
    }
}
