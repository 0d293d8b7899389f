//! An article and its parts: paragraphs, the gaps between them, and sentences, all as byte spans into one
//! source.
//!
//! Pure functions: nothing here does I/O, and no input makes them panic.

mod abbreviations;
pub mod clauses;
pub mod half_space;
pub mod language;
pub mod normalize;
pub mod paragraphs;
pub mod sentences;
pub mod span;

use std::sync::Arc;

pub use span::Span;

/// A source text, cut into paragraphs and sentences.
///
/// Concatenating gap, paragraph, gap, …, paragraph, gap gives the source back byte for byte.
#[derive(Debug, Clone)]
pub struct Article {
    source: Arc<str>,
    paragraphs: Vec<Paragraph>,
}

/// One paragraph of an [`Article`]: a line of text with something visible on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paragraph {
    /// The paragraph without the white space around it, in bytes of the article's source.
    pub span: Span,
    /// Its sentences in order, in bytes of the article's source. Only white space lies between and around
    /// them.
    pub sentences: Vec<Span>,
}

impl Article {
    /// Cuts `source` into paragraphs and sentences, in time linear in its length.
    pub fn parse(source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        let paragraphs = paragraphs::paragraphs(&source)
            .into_iter()
            .map(|span| Paragraph { span, sentences: sentences::sentences(&source, span) })
            .collect();
        Self { source, paragraphs }
    }

    /// The text that all spans point into.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The paragraphs in order.
    pub fn paragraphs(&self) -> &[Paragraph] {
        &self.paragraphs
    }

    /// What lies before, between and after the paragraphs: one gap more than there are paragraphs, some of
    /// them empty.
    pub fn gaps(&self) -> impl Iterator<Item = Span> + '_ {
        let starts = std::iter::once(0).chain(self.paragraphs.iter().map(|paragraph| paragraph.span.end));
        let ends = self.paragraphs.iter().map(|paragraph| paragraph.span.start).chain([self.source.len()]);
        starts.zip(ends).map(|(start, end)| Span::new(start, end))
    }

    /// Number of sentences in all paragraphs.
    pub fn sentence_count(&self) -> usize {
        self.paragraphs.iter().map(|paragraph| paragraph.sentences.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::paragraphs::is_visible;
    use super::*;

    /// The pieces that rules look for, and any other character.
    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            "سلام",
            "ع",
            "می‌روم",
            "رفت",
            "است",
            "و",
            "که",
            "گفت",
            "Mr",
            "a",
            "U.S",
            "۱",
            "12",
            "۱۴۰۴",
            ".",
            ".",
            "...",
            "…",
            "؟",
            "!",
            "۔",
            "،",
            ":",
            "؛",
            "«",
            "»",
            "\"",
            "'",
            "“",
            "”",
            "(",
            ")",
            "[۱]",
            "[",
            "]",
            " ",
            " ",
            " ",
            "\u{A0}",
            "\t",
            "\n",
            "\r\n",
            "\u{2028}",
            "\u{200C}",
            "\u{200F}",
            "\u{200E}",
            "\u{FEFF}",
            "\0",
            "😂",
            "👨\u{200D}👩",
            "🔴",
            "https://a.ir/b?c",
            "تهران - ایرنا:",
            "e\u{301}",
            "-",
        ];
        let piece = prop_oneof![
            9 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn gaps_and_paragraphs_rebuild_the_source(text in text()) {
            let article = Article::parse(text.as_str());
            let gaps: Vec<_> = article.gaps().collect();
            prop_assert_eq!(gaps.len(), article.paragraphs().len() + 1);
            let mut rebuilt = gaps[0].of(&text).to_owned();
            for (paragraph, gap) in article.paragraphs().iter().zip(&gaps[1..]) {
                rebuilt += paragraph.span.of(&text);
                rebuilt += gap.of(&text);
            }
            prop_assert_eq!(rebuilt, text.as_str());
            prop_assert!(gaps.iter().all(|gap| !gap.of(&text).contains(is_visible)));
        }

        #[test]
        fn sentences_cover_their_paragraph(text in text()) {
            let article = Article::parse(text.as_str());
            for paragraph in article.paragraphs() {
                let mut at = paragraph.span.start;
                for sentence in &paragraph.sentences {
                    prop_assert!(text[at..sentence.start].chars().all(char::is_whitespace));
                    prop_assert!(sentence.of(&text).contains(is_visible));
                    prop_assert_eq!(sentence.of(&text).trim(), sentence.of(&text));
                    at = sentence.end;
                }
                prop_assert_eq!(at, paragraph.span.end);
            }
            let counted: usize = article.paragraphs().iter().map(|paragraph| paragraph.sentences.len()).sum();
            prop_assert_eq!(article.sentence_count(), counted);
        }
    }

    #[test]
    fn an_article_with_a_headline() {
        let article = Article::parse("\nتیتر خبر\n\nاو آمد. او رفت.\n");
        let sentences: Vec<_> = article
            .paragraphs()
            .iter()
            .flat_map(|p| &p.sentences)
            .map(|span| span.of(article.source()))
            .collect();
        assert_eq!(sentences, ["تیتر خبر", "او آمد.", "او رفت."]);
        assert_eq!(article.gaps().map(Span::len).collect::<Vec<_>>(), [1, 2, 1]);
    }

    #[test]
    fn a_blank_article_is_one_gap() {
        for text in ["", " \n \u{200C}\n"] {
            let article = Article::parse(text);
            assert_eq!(article.sentence_count(), 0);
            assert_eq!(article.gaps().collect::<Vec<_>>(), [Span::new(0, text.len())]);
        }
    }
}
