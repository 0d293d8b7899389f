//! Word alignment and the scores of tokens: the numbers are those of Hugging Face transformers, as
//! `tests/golden/alignment.py` wrote them down, and the spans are what they are promised to be.

use std::path::{Path, PathBuf};

use candle_core::Device;
use futures::TryStreamExt;
use serde::Deserialize;
use tarjoman::article::Span;
use tarjoman::decode::inspect;
use tarjoman::hub::ModelChoice;
use tarjoman::model::{Transformer, Weights};
use tarjoman::options::TranslateOptions;
use tarjoman::translation::{Event, TranslatedParagraph, WordLink};
use tarjoman::translator::{LoadOptions, Translator};

#[test]
fn attention_and_scores_equal_those_of_the_reference() {
    #[derive(Deserialize)]
    struct Golden {
        log_probs: Vec<f32>,
        attention: Vec<Vec<f32>>,
    }

    for (folder, prefix) in [("models/fa-en-mini", "fa-en-mini"), ("tests/golden/tiny-marian", "tiny-marian")]
    {
        let folder = root().join(folder);
        let config = folder.join("config.json");
        let weights = Weights::open(&folder.join("model.safetensors"), &Device::Cpu).unwrap();
        let model = Transformer::marian(&std::fs::read(&config).unwrap(), &config, &weights, None).unwrap();
        let read = |kind: &str| {
            std::fs::read_to_string(root().join(format!("tests/golden/{prefix}.{kind}"))).unwrap()
        };
        let ids = |line: &str| line.split(' ').map(|id| id.parse().unwrap()).collect::<Vec<u32>>();
        let mut compared = 0;
        for ((golden, source), beam) in
            read("alignment.jsonl").lines().zip(read("source.txt").lines()).zip(read("beam4.txt").lines())
        {
            let golden: Golden = serde_json::from_str(golden).unwrap();
            let (score, target) = beam.split_once(' ').unwrap();
            let target = ids(target);
            let inspection = inspect(&model, &ids(source), &target).unwrap();
            close(&inspection.log_probs, &golden.log_probs, 2e-4);
            assert_eq!(inspection.attention.len(), golden.attention.len());
            for (ours, theirs) in inspection.attention.iter().zip(&golden.attention) {
                close(ours, theirs, 1e-4);
                assert!((ours.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            // What search and inspection make of a translation is the same, where the end wasn't forced.
            if target.len() < 47 {
                #[expect(clippy::cast_precision_loss)]
                let mean = inspection.log_probs.iter().sum::<f32>() / target.len() as f32;
                assert!((mean - score.parse::<f32>().unwrap()).abs() < 1e-4);
            }
            compared += 1;
        }
        assert!(compared > 1);
    }
}

#[tokio::test]
async fn spans_are_words_of_the_clients_text_and_of_the_translation() {
    let text = "\u{feff} می شود گفت كه وزیر خارجه‌ی ایران ۲۰ روز پیش به «پاریس» رفت.\r\n\r\nهوا خوب است. کتاب‌ها روی میز بود!\n";
    let asked = TranslateOptions { alignment: true, token_scores: true, ..TranslateOptions::default() };
    let paragraphs = translate(text, &asked).await;
    for paragraph in &paragraphs {
        for sentence in &paragraph.sentences {
            assert!(!sentence.alignment.is_empty());
            let order = |link: &WordLink| (link.target_span, link.source_span);
            assert!(sentence.alignment.is_sorted_by_key(order));
            for link in &sentence.alignment {
                assert!(
                    within(link.source_span, sentence.source_span)
                        && within(link.target_span, sentence.target_span)
                );
                let source = text.get(link.source_span.start..link.source_span.end).unwrap();
                let target = paragraph.text.get(link.target_span.start..link.target_span.end).unwrap();
                assert!(!source.is_empty() && !source.contains(char::is_whitespace), "{source:?}");
                assert!(!target.is_empty() && !target.contains(char::is_whitespace), "{target:?}");
                assert!((WordLink::LEAST_WEIGHT..=1.0).contains(&link.weight));
            }
            let scores = &sentence.token_scores;
            assert!(scores.is_sorted_by_key(|score| (score.target_span.start, score.target_span.end)));
            assert!(
                scores
                    .iter()
                    .all(|score| score.log_prob <= 0.0 && within(score.target_span, sentence.target_span))
            );
            assert!(scores.last().unwrap().target_span.is_empty(), "the end mark has no text");
            let spelled: String = scores.iter().map(|score| score.target_span.of(&paragraph.text)).collect();
            let expected = sentence.target_span.of(&paragraph.text).replace(' ', "");
            assert_eq!(spelled.replace(' ', ""), expected);
        }
    }
    // Asking changes nothing else.
    let mut plain = translate(text, &TranslateOptions::default()).await;
    for (plain, with) in plain.iter_mut().zip(&paragraphs) {
        for (plain, with) in plain.sentences.iter_mut().zip(&with.sentences) {
            assert!(plain.alignment.is_empty() && plain.token_scores.is_empty());
            plain.alignment.clone_from(&with.alignment);
            plain.token_scores.clone_from(&with.token_scores);
        }
    }
    assert_eq!(plain, paragraphs);
}

#[tokio::test]
async fn a_sentence_in_several_pieces_is_aligned_throughout() {
    let text = "او گفت که هوا خوب است، ".repeat(60) + "و رفت.";
    let asked = TranslateOptions {
        alignment: true,
        token_scores: true,
        max_attempts: 1,
        ..TranslateOptions::default()
    };
    let paragraphs = translate(&text, &asked).await;
    let sentence = &paragraphs[0].sentences[0];
    let last = sentence.alignment.last().unwrap();
    assert!(last.target_span.end + 8 > paragraphs[0].text.len() && last.source_span.start > text.len() / 2);
    let ends = sentence.token_scores.iter().filter(|score| score.target_span.is_empty()).count();
    assert!(ends > 1, "an end mark for each piece");
}

#[tokio::test]
async fn a_line_has_the_spans_of_its_own() {
    let translator = Translator::built_in(&LoadOptions::default()).unwrap();
    let options = TranslateOptions { alignment: true, ..TranslateOptions::default() };
    let line = "  \u{3000}هوا خوب است.";
    let translated: Vec<_> =
        translator.translate_lines(vec![line.into()], options, 1).unwrap().try_collect().await.unwrap();
    let words: Vec<&str> = translated[0].alignment.iter().map(|link| link.source_span.of(line)).collect();
    assert!(words.contains(&"هوا") && translated[0].token_scores.is_empty(), "{words:?}");
}

#[tokio::test]
async fn every_token_has_a_score_in_t5_too() {
    let folder = ModelChoice::Folder(root().join("tests/golden/tiny-t5"));
    let translator = Translator::open(&folder, &LoadOptions::default()).unwrap();
    let options = TranslateOptions {
        alignment: true,
        token_scores: true,
        max_tokens: 9,
        max_attempts: 1,
        ..TranslateOptions::default()
    };
    let lines = translator.translate_lines(vec!["سلام.".into()], options, 1).unwrap();
    let lines: Vec<_> = lines.try_collect().await.unwrap();
    assert_eq!(lines[0].token_scores.len(), lines[0].target_tokens);
    assert!(!lines[0].alignment.is_empty());
}

async fn translate(text: &str, options: &TranslateOptions) -> Vec<TranslatedParagraph> {
    let translator = Translator::built_in(&LoadOptions::default()).unwrap();
    let events: Vec<Event> =
        translator.translate(text, options.clone()).unwrap().try_collect().await.unwrap();
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Paragraph(paragraph) => Some(paragraph),
            _ => None,
        })
        .collect()
}

fn within(inner: Span, outer: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn close(ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < tolerance, "{ours} {theirs}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
