//! What text with markup shares: blocks of text between markup, and their translations in the same places.
//!
//! A block is a unit for a reader: a heading, a paragraph, a subtitle. Markup within it (a link, emphasis, a line end)
//! cuts it into pieces. Its translation is cut into as many pieces, so that the markup stays as it is and nothing but
//! text changes. A cut at a sentence's end is exact. One within a sentence is put at the same part of the sentence's
//! translation, at the nearest word: Persian and English order their words differently, so it's a guess.

use std::ops::Range;

use crate::archive::record::{Anchor, Segment, Text};

/// The blocks of a document, in order.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    open: Block,
}

#[derive(Debug, Default)]
struct Block {
    /// The text of all pieces, with each run of white space as one space.
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    /// Where it is in the document, in bytes.
    place: Range<usize>,
    /// Where it starts in the block's text.
    start: usize,
    /// Whether a line ends behind it.
    ends_line: bool,
}

/// Something in a document to put in the place of something else.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) place: Range<usize>,
    pub(super) text: String,
}

impl Blocks {
    /// Adds a piece to the present block: `text` is what a reader sees of what stands in `place`.
    pub(super) fn piece(&mut self, place: Range<usize>, text: &str) {
        let block = &mut self.open;
        let start = block.text.len();
        for c in text.chars() {
            let c = if breaks(c) { ' ' } else { c };
            if c != ' ' || !(block.text.is_empty() || block.text.ends_with(' ')) {
                block.text.push(c);
            }
        }
        block.pieces.push(Piece { place, start, ends_line: false });
    }

    /// Notes markup that separates words, such as the end of a line.
    pub(super) fn line_end(&mut self) {
        if let Some(piece) = self.open.pieces.last_mut() {
            piece.ends_line = true;
            if !self.open.text.ends_with(' ') && !self.open.text.is_empty() {
                self.open.text.push(' ');
            }
        }
    }

    /// Ends the present block. One without a letter in Arabic script needs no translation.
    pub(super) fn end(&mut self) {
        let mut block = std::mem::take(&mut self.open);
        block.text.truncate(block.text.trim_end_matches(' ').len());
        let end = block.text.len();
        for piece in &mut block.pieces {
            piece.start = piece.start.min(end);
        }
        if block.text.contains(is_arabic_letter) {
            self.blocks.push(block);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The article: each block is a segment.
    pub(super) fn text(&self) -> Text {
        Text::new(self.blocks.iter().map(|block| &block.text))
    }

    /// The document with its blocks translated, `escape` having made text fit for it, and with `edits` made.
    pub(super) fn weave(
        &self,
        document: &str,
        segments: &[Segment],
        escape: impl Fn(&str) -> String,
        mut edits: Vec<Edit>,
    ) -> String {
        for (block, segment) in self.blocks.iter().zip(segments) {
            block.edit(document, segment, &escape, &mut edits);
        }
        edits.sort_by_key(|edit| edit.place.start);
        let mut woven = String::with_capacity(document.len());
        let mut at = 0;
        for edit in edits {
            woven.push_str(&document[at..edit.place.start]);
            woven.push_str(&edit.text);
            at = edit.place.end;
        }
        woven + &document[at..]
    }
}

impl Block {
    fn edit(
        &self,
        document: &str,
        segment: &Segment,
        escape: impl Fn(&str) -> String,
        edits: &mut Vec<Edit>,
    ) {
        let ends = self.pieces.iter().skip(1).map(|piece| piece.start).chain([self.text.len()]);
        let (mut from, mut edited) = (0, Vec::with_capacity(self.pieces.len()));
        for (index, (piece, end)) in self.pieces.iter().zip(ends).enumerate() {
            let last = index + 1 == self.pieces.len();
            let to = if last { segment.text.len() } else { self.cut(segment, end).max(from) };
            edited.push((piece, &self.text[piece.start..end], &segment.text[from..to]));
            from = to;
        }
        let changed = edited.iter().any(|(_, source, target)| source != target);
        for (index, (piece, _, target)) in edited.iter().enumerate().filter(|_| changed) {
            let source = &document[piece.place.clone()];
            let target = if piece.ends_line { target.trim_end_matches(' ') } else { target };
            let head = if index == 0 { source.len() - source.trim_start().len() } else { 0 };
            let tail =
                if index + 1 == edited.len() { source.trim_end().len().max(head) } else { source.len() };
            let text = format!("{}{}{}", &source[..head], escape(target), &source[tail..]);
            edits.push(Edit { place: piece.place.clone(), text });
        }
    }

    /// Where the translation is to be cut for a cut of the text at `at`.
    fn cut(&self, segment: &Segment, at: usize) -> usize {
        let target = segment.text.as_str();
        let (start, end) =
            (Anchor { source: 0, target: 0 }, Anchor { source: self.text.len(), target: target.len() });
        let next = segment.anchors.partition_point(|anchor| anchor.source < at);
        let after = segment.anchors.get(next).copied().unwrap_or(end);
        if after.source == at {
            return after.target;
        }
        let before = next.checked_sub(1).map_or(start, |index| segment.anchors[index]);
        let (whole, part) = (after.source - before.source, at - before.source);
        let guess = before.target + part * (after.target.saturating_sub(before.target)) / whole.max(1);
        // A space stays on the side of the markup where it is in the source.
        let behind = usize::from(!self.text[at..].starts_with(' '));
        let spaces = target.match_indices(' ').map(|(place, _)| place + behind);
        let words = spaces.filter(|place| (before.target..=after.target).contains(place));
        words.chain([before.target, after.target]).min_by_key(|place| place.abs_diff(guess)).unwrap_or(guess)
    }
}

/// Whether `c` is white space that a document may have anywhere between words, or would end a paragraph.
fn breaks(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_arabic_letter(c: char) -> bool {
    c.is_alphabetic()
        && matches!(c, '\u{600}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of a document, those at odd places being markup.
    fn woven(parts: &[&str], segment: &Segment) -> (String, String) {
        let mut blocks = Blocks::default();
        let mut at = 0;
        for (index, part) in parts.iter().enumerate() {
            if index % 2 == 0 {
                blocks.piece(at..at + part.len(), part);
            }
            at += part.len();
        }
        blocks.end();
        let text = blocks.text().into_string();
        (text, blocks.weave(&parts.concat(), std::slice::from_ref(segment), str::to_owned, vec![]))
    }

    fn segment(text: &str, anchors: &[(usize, usize)]) -> Segment {
        let anchors = anchors.iter().map(|&(source, target)| Anchor { source, target }).collect();
        Segment { text: text.into(), anchors }
    }

    #[test]
    fn a_cut_between_sentences_is_exact() {
        // Each sentence is five bytes long in the source.
        let target = segment("One one. Two.", &[(0, 0), (5, 8), (6, 9), (11, 13)]);
        let (text, output) = woven(&["\n  آب. ", "<b>", "نا.", "</b>", "\n"], &target);
        assert_eq!(text, "آب. نا.");
        assert_eq!(output, "\n  One one. <b>Two.</b>\n");
    }

    #[test]
    fn a_cut_within_a_sentence_is_at_a_word() {
        let target = segment("He said hello", &[(0, 0), (14, 13)]);
        let (text, output) = woven(&["او\n", "<a>", "گفت", "</a>", " بله"], &target);
        assert_eq!(text, "او گفت بله");
        assert_eq!(output, "He <a>said</a> hello");
    }

    #[test]
    fn words_that_stay_leave_the_document_as_it_is() {
        let parts = ["\r\n سلام\r\n  دنیا ", "<i>", " x ", "</i>", " خوب\n"];
        let (text, output) = woven(&parts, &segment("سلام دنیا x خوب", &[]));
        assert_eq!(text, "سلام دنیا x خوب");
        // Without anchors the cuts are guesses, which may fall elsewhere; the markup is all there.
        assert!(output.contains("<i>") && output.contains("</i>"));
        let whole = ["\r\n سلام\r\n  دنیا "];
        assert_eq!(woven(&whole, &segment("سلام دنیا", &[])).1, whole[0]);
    }

    #[test]
    fn a_block_without_persian_is_none() {
        let mut blocks = Blocks::default();
        for text in ["", " 12:30 ", "English", "؟ ۱۲"] {
            blocks.piece(0..text.len(), text);
            blocks.end();
        }
        assert!(blocks.is_empty());
    }
}
