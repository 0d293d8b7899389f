use std::sync::atomic::AtomicUsize;

use futures::future::{join, pending};
use tokio::sync::oneshot;

use super::*;
use crate::Error;
use crate::engine::Priority::{Batch, Interactive};
use crate::options::TranslateOptions;
use crate::review::{Flag, Flags};
use crate::translation::Alternative;
use crate::translator::alignment::Details;

/// A model's identity.
const MODEL: [u8; 32] = [7; 32];

fn memory() -> Arc<Memory> {
    Arc::new(Memory::open(&MemoryOptions::default()).unwrap())
}

fn with_file(path: &std::path::Path, file_bytes: u64) -> Arc<Memory> {
    let options = MemoryOptions { file: Some(path.into()), file_bytes, ..MemoryOptions::default() };
    Arc::new(Memory::open(&options).unwrap())
}

fn key(text: &str) -> Key {
    Key::new(&MODEL, &TranslateOptions::default(), [text, text], Flags::default())
}

fn translation(text: &str) -> SentenceTranslation {
    SentenceTranslation {
        text: text.into(),
        score: -0.123_456_79,
        flags: [Flag::NumbersDiffer, Flag::Truncated].into_iter().collect(),
        attempts: 3,
        alternatives: vec![Alternative { text: "other".into(), score: -1.5 }],
        source_tokens: 7,
        target_tokens: 9,
        details: Details::default(),
    }
}

/// Remembers `text`, which takes no time to translate.
async fn ask(memory: &Arc<Memory>, text: &str) -> Arc<SentenceTranslation> {
    let translate = std::future::ready(Ok(translation(text)));
    memory.translation(key(text), Interactive, translate).await.unwrap()
}

#[tokio::test]
async fn a_sentence_is_translated_once() {
    let memory = memory();
    assert_eq!(ask(&memory, "a").await.text, "a");
    let again =
        memory.translation(key("a"), Interactive, async { panic!("translated again") }).await.unwrap();
    assert_eq!(*again, translation("a"));
    ask(&memory, "b").await;
    let stats = memory.stats();
    assert_eq!((stats.recent, stats.missed, stats.joined), (1, 2, 0));
}

#[tokio::test]
async fn those_who_ask_while_it_is_translated_wait_for_it() {
    let memory = memory();
    let (go, gone) = oneshot::channel();
    let first = memory.translation(key("a"), Interactive, async move {
        gone.await.unwrap();
        Ok(translation("a"))
    });
    let second = async {
        let second = memory.translation(key("a"), Interactive, async { panic!("translated twice") });
        go.send(()).unwrap();
        second.await
    };
    let (first, second) = join(first, second).await;
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    assert_eq!(memory.stats().joined, 1);
    assert!(memory.under_way().works.is_empty());
}

#[tokio::test]
async fn the_urgent_do_not_wait_for_what_the_patient_began_but_the_patient_do_for_the_urgent() {
    let memory = memory();
    let mut patient = Box::pin(memory.translation(key("a"), Batch, pending()));
    assert!(patient.as_mut().now_or_never().is_none());
    let mut too = Box::pin(memory.translation(key("a"), Batch, async { panic!("translated twice") }));
    assert!(too.as_mut().now_or_never().is_none());
    assert_eq!(ask(&memory, "a").await.text, "a");

    let (go, gone) = oneshot::channel();
    let mut urgent = Box::pin(memory.translation(key("b"), Interactive, async move {
        gone.await.unwrap();
        Ok(translation("b"))
    }));
    assert!(urgent.as_mut().now_or_never().is_none());
    let patient = memory.translation(key("b"), Batch, async { panic!("translated twice") });
    go.send(()).unwrap();
    assert_eq!(patient.await.unwrap().text, "b");
    assert_eq!((memory.stats().joined, memory.stats().missed), (2, 3));
}

#[tokio::test]
async fn one_who_stops_reading_or_goes_away_holds_nobody_back() {
    let memory = memory();
    let (go, gone) = oneshot::channel();
    let mut first = Box::pin(memory.translation(key("a"), Interactive, async move {
        gone.await.unwrap();
        Ok(translation("a"))
    }));
    assert!(first.as_mut().now_or_never().is_none());
    // From here on nobody polls the first, and yet the second gets what it began.
    let second = memory.translation(key("a"), Interactive, async { panic!("translated twice") });
    go.send(()).unwrap();
    assert_eq!(second.await.unwrap().text, "a");
    drop(first);
    assert_eq!(ask(&memory, "a").await.text, "a");
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_dropped_and_not_kept() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let memory = memory();
    let count = Arc::new(AtomicUsize::new(0));
    let dropped = Dropped(Arc::clone(&count));
    let begin = |dropped: Option<Dropped>| {
        let mut work = Box::pin(memory.translation(key("a"), Interactive, async move {
            let _dropped = dropped;
            pending().await
        }));
        assert!(work.as_mut().now_or_never().is_none());
        work
    };
    let (first, second) = (begin(Some(dropped)), begin(None));
    drop(first);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    drop(second);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(memory.under_way().works.is_empty());
    assert_eq!(ask(&memory, "a").await.text, "a");
    assert_eq!(memory.stats().bytes, memory.recent.weight());
}

#[tokio::test]
async fn what_failed_is_not_kept() {
    let memory = memory();
    let failing = async { Err(Error::ReplicaFailed("it panicked".into())) };
    assert!(memory.translation(key("a"), Interactive, failing).await.is_err());
    assert_eq!(ask(&memory, "a").await.text, "a");
}

#[tokio::test]
async fn memory_stays_within_its_budget() {
    let options = MemoryOptions { bytes: 20_000, ..MemoryOptions::default() };
    let memory = Arc::new(Memory::open(&options).unwrap());
    for n in 0..500 {
        ask(&memory, &format!("{n} {}", "x".repeat(n))).await;
        assert!(memory.stats().bytes <= 20_000);
    }
    assert!(memory.stats().bytes > 5000, "{:?}", memory.stats());
}

#[tokio::test]
async fn a_file_outlasts_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.sqlite");
    let memory = with_file(&path, u64::MAX);
    ask(&memory, "a").await;
    drop(memory);
    let memory = with_file(&path, u64::MAX);
    let again =
        memory.translation(key("a"), Interactive, async { panic!("translated again") }).await.unwrap();
    assert_eq!(*again, translation("a"));
    assert_eq!((memory.stats().stored, memory.stats().missed), (1, 0));
    ask(&memory, "b").await;
    assert_eq!(memory.stats().missed, 1);
}

#[tokio::test]
async fn a_file_of_another_layout_is_begun_anew_and_one_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.sqlite");
    drop(with_file(&path, u64::MAX));
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("DROP TABLE sentences; CREATE TABLE sentences (x); PRAGMA user_version = 99")
        .unwrap();
    drop(other);
    ask(&with_file(&path, u64::MAX), "a").await;

    std::fs::write(folder.path().join("text"), "this is no database, however long it is ".repeat(100))
        .unwrap();
    for name in ["text", "no/folder"] {
        let path = folder.path().join(name);
        let options = MemoryOptions { file: Some(path.clone()), ..MemoryOptions::default() };
        let error = Memory::open(&options).err().unwrap().to_string();
        assert!(error.contains(&*path.to_string_lossy()), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.sqlite");
    let most = 200_000;
    let memory = with_file(&path, most);
    for n in 0..1000 {
        ask(&memory, &format!("{n} {}", "x".repeat(1000))).await;
    }
    drop(memory);
    let memory = with_file(&path, most);
    // The newest are there, the oldest are not.
    ask(&memory, &format!("0 {}", "x".repeat(1000))).await;
    ask(&memory, &format!("999 {}", "x".repeat(1000))).await;
    assert_eq!((memory.stats().missed, memory.stats().stored), (1, 1));
    assert!(std::fs::metadata(&path).unwrap().len() < 3 * most);
}

#[test]
fn a_key_has_all_that_a_translation_depends_on_and_nothing_else() {
    type Change = fn(&mut TranslateOptions);
    let changed = |change: Change| {
        let mut options = TranslateOptions::default();
        change(&mut options);
        Key::new(&MODEL, &options, ["a", "b"], Flags::default())
    };
    let plain = changed(|_| {});
    let depends: [Change; 5] = [
        |options| options.beam_size = 5,
        |options| options.n_best = 2,
        |options| options.length_penalty = 0.5,
        |options| options.max_attempts = 1,
        |options| options.allow_unknown = true,
    ];
    for (index, change) in depends.into_iter().enumerate() {
        assert_ne!(changed(change), plain, "{index}");
    }
    let other: [Change; 4] = [
        |options| options.model = Some("m".into()),
        |options| options.return_source = true,
        |options| options.require_persian = true,
        |options| options.priority = Batch,
    ];
    for (index, change) in other.into_iter().enumerate() {
        assert_eq!(changed(change), plain, "{index}");
    }
    let of = |model, texts, given: &[Flag]| {
        Key::new(model, &TranslateOptions::default(), texts, given.iter().copied().collect())
    };
    assert_ne!(of(&[8; 32], ["a", "b"], &[]), plain);
    assert_ne!(of(&MODEL, ["ab", "c"], &[]), of(&MODEL, ["a", "bc"], &[]));
    assert_ne!(of(&MODEL, ["a", "b"], &[Flag::WrongLanguage]), plain);
}
