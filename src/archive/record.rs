//! An article and its translation, as the journal keeps them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::article::Span;
use crate::translation::TranslatedParagraph;

/// SHA-256 of an article's text, by which the journal knows it.
pub(super) type Hash = [u8; 32];

pub(super) fn hash_of(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// An article's text: one or more segments, such as a document's headings and paragraphs or a record's fields. They
/// stand on lines of their own, so that no sentence goes from one to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    whole: String,
    segments: Vec<Span>,
}

impl Text {
    pub(super) fn new<T: AsRef<str>>(segments: impl IntoIterator<Item = T>) -> Self {
        let mut text = Self { whole: String::new(), segments: Vec::new() };
        for segment in segments {
            if !text.segments.is_empty() {
                text.whole.push('\n');
            }
            let start = text.whole.len();
            text.whole.push_str(segment.as_ref());
            text.segments.push(Span::new(start, text.whole.len()));
        }
        text
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|span| span.of(&self.whole))
    }

    pub(super) fn into_string(self) -> String {
        self.whole
    }

    pub(super) fn hash(&self) -> Hash {
        hash_of(&self.whole)
    }

    /// The translation of each segment. White space around and between paragraphs stays the source's.
    pub(super) fn translated(&self, translation: &Translation) -> Vec<Segment> {
        self.segments.iter().map(|span| self.segment(*span, translation)).collect()
    }

    fn segment(&self, span: Span, translation: &Translation) -> Segment {
        let mut segment = Segment::default();
        let mut at = span.start;
        let first =
            translation.paragraphs.partition_point(|paragraph| paragraph.source_span.start < span.start);
        for paragraph in &translation.paragraphs[first..] {
            if paragraph.source_span.end > span.end {
                break;
            }
            segment.text.push_str(&self.whole[at..paragraph.source_span.start]);
            for sentence in &paragraph.sentences {
                let (source, target) = (sentence.source_span, sentence.target_span);
                let anchor = |source: usize, target: usize| Anchor {
                    source: source - span.start,
                    target: target + segment.text.len(),
                };
                segment.anchors.push(anchor(source.start, target.start));
                segment.anchors.push(anchor(source.end, target.end));
            }
            segment.text.push_str(&paragraph.text);
            at = paragraph.source_span.end;
        }
        segment.text.push_str(&self.whole[at..span.end]);
        segment
    }
}

/// The translation of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Segment {
    pub(super) text: String,
    /// Where sentences begin and end, in order.
    pub(super) anchors: Vec<Anchor>,
}

/// Two places that belong together, in bytes of a segment and of its translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) source: usize,
    pub(super) target: usize,
}

/// An article's translation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Translation {
    pub(super) paragraphs: Vec<TranslatedParagraph>,
}

impl Translation {
    /// Whether all spans are places in `source` and in the paragraphs, as they are unless the journal was tampered with.
    pub(super) fn fits(&self, source: &str) -> bool {
        let in_text = |span: &Span, text: &str| text.get(span.start..span.end).is_some();
        let ends = self.paragraphs.iter().map(|paragraph| paragraph.source_span);
        ends.is_sorted_by(|a, b| a.end <= b.start)
            && self.paragraphs.iter().all(|paragraph| {
                in_text(&paragraph.source_span, source)
                    && paragraph.sentences.iter().all(|sentence| {
                        sentence.source_span.start >= paragraph.source_span.start
                            && in_text(&sentence.source_span, source)
                            && in_text(&sentence.target_span, &paragraph.text)
                    })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::Flags;
    use crate::translation::TranslatedSentence;

    /// A paragraph of one sentence.
    fn paragraph(source: (usize, usize), text: &str) -> TranslatedParagraph {
        let source_span = Span::new(source.0, source.1);
        let sentence = TranslatedSentence {
            source_span,
            target_span: Span::new(0, text.len()),
            score: -0.5,
            flags: Flags::default(),
            attempts: 1,
            alternatives: vec![],
            alignment: vec![],
            token_scores: vec![],
            source_text: None,
        };
        TranslatedParagraph {
            index: 0,
            source_span,
            separator: String::new(),
            text: text.into(),
            sentences: vec![sentence],
            source_text: None,
        }
    }

    #[test]
    fn segments_get_their_own_paragraphs_and_keep_their_white_space() {
        let text = Text::new([" ab\r\n\ncd ", "", "\t", "ef"]);
        assert_eq!(text.as_str(), " ab\r\n\ncd \n\n\t\nef");
        let translation = Translation {
            paragraphs: vec![
                paragraph((1, 3), "One."),
                paragraph((6, 8), "Second."),
                paragraph((13, 15), "3"),
            ],
        };
        let segments = text.translated(&translation);
        let texts: Vec<_> = segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(texts, [" One.\r\n\nSecond. ", "", "\t", "3"]);
        assert!(translation.fits(text.as_str()) && !translation.fits("ab"));
        let anchors: Vec<_> =
            segments[0].anchors.iter().map(|anchor| (anchor.source, anchor.target)).collect();
        assert_eq!(anchors, [(1, 1), (3, 5), (6, 8), (8, 15)]);
    }

    #[test]
    fn a_translation_comes_back_from_json_as_it_was() {
        let mut one = paragraph((1, 3), "One.");
        one.sentences[0].flags.insert(crate::review::Flag::Truncated);
        let translation = Translation { paragraphs: vec![one] };
        let json = serde_json::to_string(&translation).unwrap();
        assert_eq!(serde_json::from_str::<Translation>(&json).unwrap(), translation);
    }
}
