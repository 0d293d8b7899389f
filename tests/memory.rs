//! The translation memory, over the whole way of an article.

use futures::TryStreamExt;
use tarjoman::options::TranslateOptions;
use tarjoman::translation::Event;
use tarjoman::translator::{LoadOptions, Memory, MemoryOptions, MemoryStats, Translator};

const ARTICLE: &str = "سلام دنیا. هوا خوب است.\n\nکتاب روی میز است. سلام دنیا.\n***\n";
/// Its sentences that are unlike each other and have something to translate.
const UNLIKE: u64 = 3;

fn translator(options: &MemoryOptions) -> Translator {
    let translator = Translator::built_in(&LoadOptions::default()).unwrap();
    translator.with_memory(Memory::open(options).unwrap())
}

/// All that there is to say of an article, but for the time that it took.
async fn translate(translator: &Translator, text: &str, options: &TranslateOptions) -> Vec<Event> {
    let events = translator.translate(text, options.clone()).unwrap();
    let mut events: Vec<Event> = events.try_collect().await.unwrap();
    if let Some(Event::Summary(summary)) = events.last_mut() {
        summary.elapsed = std::time::Duration::ZERO;
    }
    events
}

#[tokio::test]
async fn what_is_remembered_is_what_would_be_translated() {
    let options = TranslateOptions { n_best: 2, alignment: true, token_scores: true, ..Default::default() };
    let fresh = Translator::built_in(&LoadOptions::default()).unwrap();
    let wanted = translate(&fresh, ARTICLE, &options).await;
    let translator = translator(&MemoryOptions::default());
    assert_eq!(translate(&translator, ARTICLE, &options).await, wanted);
    let steps = translator.stats().steps;
    assert_eq!(translate(&translator, ARTICLE, &options).await, wanted);
    assert_eq!(translator.stats().steps, steps);
    let stats = translator.memory_stats().unwrap();
    assert_eq!((stats.missed, stats.recent + stats.joined), (UNLIKE, UNLIKE + 2));
}

#[tokio::test]
async fn the_same_sentence_many_times_is_translated_once() {
    let translator = translator(&MemoryOptions::default());
    translate(&translator, &"سلام دنیا. ".repeat(50), &TranslateOptions::default()).await;
    let stats = translator.memory_stats().unwrap();
    assert_eq!((stats.missed, stats.recent + stats.joined), (1, 49));
    // Spelled otherwise, it is the same sentence to the model.
    translate(&translator, "سلام  دنیا.", &TranslateOptions::default()).await;
    assert_eq!(translator.memory_stats().unwrap().missed, 1);
}

#[tokio::test]
async fn who_wants_to_is_neither_answered_from_memory_nor_remembered() {
    let translator = translator(&MemoryOptions::default());
    let anew = TranslateOptions { no_cache: true, ..Default::default() };
    for _ in 0..2 {
        let before = translator.stats().steps;
        translate(&translator, ARTICLE, &anew).await;
        assert!(translator.stats().steps > before);
    }
    assert_eq!(translator.memory_stats().unwrap(), MemoryStats::default());
}

#[tokio::test]
async fn an_article_that_is_given_up_leaves_nothing_half_done() {
    let translator = translator(&MemoryOptions::default());
    let mut events = translator.translate(ARTICLE, TranslateOptions::default()).unwrap();
    assert!(matches!(events.try_next().await.unwrap(), Some(Event::Start(_))));
    assert!(futures::poll!(events.try_next()).is_pending());
    drop(events);
    assert_eq!(translator.memory_stats().unwrap().bytes, 0);
    let wanted = Translator::built_in(&LoadOptions::default()).unwrap();
    let wanted = translate(&wanted, ARTICLE, &TranslateOptions::default()).await;
    assert_eq!(translate(&translator, ARTICLE, &TranslateOptions::default()).await, wanted);
}

#[tokio::test]
async fn a_file_answers_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        MemoryOptions { file: Some(folder.path().join("memory.sqlite")), ..MemoryOptions::default() };
    let first = translate(&translator(&options), ARTICLE, &TranslateOptions::default()).await;
    let again = translator(&options);
    assert_eq!(translate(&again, ARTICLE, &TranslateOptions::default()).await, first);
    assert_eq!((again.stats().steps, again.memory_stats().unwrap().stored), (0, UNLIKE));
}
