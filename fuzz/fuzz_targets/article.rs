//! Any text is rebuilt byte for byte from its paragraphs and gaps, and every sentence can be normalised.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman::article::{Article, normalize};

fuzz_target!(|text: &str| {
    let article = Article::parse(text);
    let mut rebuilt = String::new();
    let mut gaps = article.gaps();
    for paragraph in article.paragraphs() {
        rebuilt += gaps.next().map_or("", |gap| gap.of(text));
        rebuilt += paragraph.span.of(text);
        for sentence in &paragraph.sentences {
            let normalized = normalize::normalize(sentence.of(text), normalize::Options { restore_half_spaces: true });
            let whole = tarjoman::article::Span::new(0, normalized.text().len());
            assert_eq!(normalized.source_span(whole), tarjoman::article::Span::new(0, sentence.len()));
        }
    }
    rebuilt += gaps.next().map_or("", |gap| gap.of(text));
    assert_eq!(rebuilt, text);
});
