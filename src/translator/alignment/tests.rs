use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::hub::BUILT_IN_FILES;
use crate::tokenizer::{MarianFiles, MarianTokenizer};

fn tokenizer() -> MarianTokenizer {
    let files = MarianFiles {
        source: BUILT_IN_FILES.source,
        target: None,
        vocabulary: BUILT_IN_FILES.vocabulary,
        target_vocabulary: None,
        config: None,
        folder: Path::new("(built in)"),
    };
    MarianTokenizer::from_bytes(files).unwrap()
}

/// Texts with what normalisers and tokenisers stumble on.
fn text() -> impl Strategy<Value = String> {
    let character = prop::sample::select(
        vec![
            'ا', 'ب', 'س', 'ل', 'م', 'ه', 'ی', 'ك', '\u{200C}', ' ', ' ', '،', '.', '۱', 'ﷺ', '\u{653}', 'a',
            'Z', '…', '\n', '👍', '½',
        ]
        .into_iter()
        .map(String::from)
        .collect::<Vec<_>>(),
    );
    prop::collection::vec(character, 0..40).prop_map(|characters| characters.concat())
}

#[test]
fn words_are_words_and_marks() {
    let of = |text: &str| words(text).into_iter().map(|word| word.of(text).to_owned()).collect::<Vec<_>>();
    assert_eq!(of("او می‌شود، 3.5 بار!"), ["او", "می‌شود", "،", "3.5", "بار", "!"]);
    assert_eq!(of("It's Ali\u{a0}(12)."), ["It's", "Ali", "(", "12", ")", "."]);
    assert!(of(" \n").is_empty());
}

#[test]
fn a_word_of_several_tokens_has_the_mean_of_their_weights() {
    let span = |start, end| Span::new(start, end);
    // "ab cd" and "xyz w": the first target word is two tokens, and the first source token is the end of one word and
    // the start of the other.
    let words = [vec![span(0, 2), span(3, 5)], vec![span(0, 3), span(4, 5)]];
    let sources = [span(0, 1), span(1, 4), span(4, 5), span(5, 5)];
    let targets = [span(0, 2), span(2, 3), span(4, 5), span(5, 5)];
    let attention = [
        vec![1.0, 0.0, 0.0, 0.0],
        vec![0.0, 0.6, 0.4, 0.0],
        vec![0.0, 0.0, 0.04, 0.96],
        vec![1.0, 0.0, 0.0, 0.0],
    ];
    let found = links(&words, [&sources, &targets], &attention);
    let found: Vec<_> = found.iter().map(|link| (link.source_span, link.target_span, link.weight)).collect();
    let (first, second) = (found[0], found[1]);
    assert_eq!((first.0, first.1, second.0, second.1), (span(0, 2), span(0, 3), span(3, 5), span(0, 3)));
    assert!((first.2 - 0.65).abs() < 1e-6 && (second.2 - 0.35).abs() < 1e-6, "{found:?}");
    assert_eq!(found.len(), 2, "what looks at the end mark is linked to nothing");
}

proptest! {
    #[test]
    fn source_spans_tile_the_text_in_order(text in text()) {
        let tokenizer = tokenizer();
        let spans = tokenizer.source_spans(&text);
        prop_assert_eq!(spans.len(), tokenizer.encode_text(&text).len());
        for pair in spans.windows(2) {
            prop_assert!(pair[0].start <= pair[1].start && pair[0].end <= pair[1].end, "{:?}", pair);
        }
        for span in &spans {
            prop_assert!(text.get(span.start..span.end).is_some(), "{:?} in {:?}", span, text);
        }
        // Whatever is no space is in some token.
        for (at, c) in text.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            prop_assert!(spans.iter().any(|span| span.start <= at && at < span.end), "{:?} in {:?}", c, text);
        }
    }

    #[test]
    fn target_spans_cover_the_words_in_order(text in text()) {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode_target(&text);
        let (decoded, spans) = target_spans(&tokenizer, &ids);
        prop_assert_eq!(&decoded, &tokenizer.decode(&ids));
        let mut end = 0;
        for span in &spans {
            prop_assert!(decoded.get(span.start..span.end).is_some() && span.start >= end, "{:?} in {:?}", span, decoded);
            prop_assert!(decoded[end..span.start].trim().is_empty());
            end = span.end;
        }
        prop_assert_eq!(end, decoded.len());
    }

    #[test]
    fn links_join_words_and_weights_stay_shares(source in text(), target in text()) {
        let tokenizer = tokenizer();
        let sources = tokenizer.source_spans(&source);
        let (decoded, targets) = target_spans(&tokenizer, &tokenizer.encode_target(&target));
        #[expect(clippy::cast_precision_loss)]
        let even = vec![vec![1.0 / sources.len() as f32; sources.len()]; targets.len()];
        let words = [words(&source), words(&decoded)];
        for link in links(&words, [&sources, &targets], &even) {
            prop_assert!(words[0].contains(&link.source_span) && words[1].contains(&link.target_span));
            prop_assert!((WordLink::LEAST_WEIGHT..=1.0).contains(&link.weight));
        }
    }
}
