//! A sentence gets the same translation and the same score, to the bit, whatever else the engine is doing.

use futures::{StreamExt, TryStreamExt};
use tarjoman::engine::EngineConfig;
use tarjoman::nn::Precision;
use tarjoman::options::TranslateOptions;
use tarjoman::translation::TranslatedLine;
use tarjoman::translator::{LoadOptions, Translator};

const LINES: usize = 48;

#[tokio::test(flavor = "multi_thread")]
async fn translations_do_not_depend_on_what_is_translated_beside_them() {
    compare(Precision::F32).await;
    compare(Precision::Int8).await;
}

async fn compare(precision: Precision) {
    let load = |threads, queue| {
        let engine = EngineConfig { threads, queue, ..EngineConfig::default() };
        Translator::built_in(&LoadOptions { engine, precision, ..LoadOptions::default() }).unwrap()
    };
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/flores-dev.fa")).unwrap();
    let lines: Vec<String> = text.lines().take(LINES).map(str::to_owned).collect();
    let options =
        TranslateOptions { beam_size: 3, n_best: 2, max_attempts: 2, ..TranslateOptions::default() };
    let quiet = load(1, 256);
    let mut alone = Vec::new();
    for line in &lines {
        alone.extend(translate(&quiet, vec![line.clone()], &options).await);
    }

    let busy = load(2, 3);
    let readers = (0..4).map(|reader| {
        let (busy, options) = (busy.clone(), options.clone());
        let mut lines = lines.clone();
        lines.rotate_left(reader * 11);
        async move {
            let mut translated = translate(&busy, lines, &options).await;
            translated.rotate_right(reader * 11);
            translated
        }
    });
    // Others come with other beams, and leave in the middle of it.
    let passers_by = (0..20).map(|visit| {
        let (busy, lines) = (busy.clone(), lines.clone());
        async move {
            let options = TranslateOptions { beam_size: 1 + visit % 6, ..TranslateOptions::default() };
            drop(
                busy.translate_lines(lines, options, 100).unwrap().take(1 + visit).collect::<Vec<_>>().await,
            );
        }
    });
    let (read, _) = futures::join!(futures::future::join_all(readers), futures::future::join_all(passers_by));
    for translated in read {
        assert_eq!(translated, alone);
    }
}

async fn translate(
    translator: &Translator,
    lines: Vec<String>,
    options: &TranslateOptions,
) -> Vec<TranslatedLine> {
    translator.translate_lines(lines, options.clone(), 100).unwrap().try_collect().await.unwrap()
}
