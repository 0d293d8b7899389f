//! Restores half-spaces (zero-width non-joiners) that a text has lost.
//!
//! Careless publishing prints `می‌شود` as `میشود` or `می شود`. The rules are those of Persian spelling: a verb's می,
//! plurals, the perfect, comparatives, what follows a silent ه, prefixes, compounds and Arabic phrases. They cut only
//! where the letter before joins the next one, since elsewhere the half-space can't be seen and readers, publishers
//! and training data do without it. A wrong half-space breaks a word and a missing one leaves it rare, so a rule that
//! isn't sure does nothing; words that are as common joined (`آنها`, `سخنگو`) stay joined.

mod endings;
mod joined;
mod lexicon;
mod parts;
mod spaced;
mod verbs;

/// A place where a half-space was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfSpace {
    /// Byte offset into the text where the half-space belongs.
    pub at: usize,
    /// Whether it takes the place of the one-byte space that stands at `at`, instead of being put between two letters.
    pub replaces_space: bool,
}

/// Where `text`, folded by [`normalize`](super::normalize), has lost half-spaces; in order of their offsets. Takes time
/// linear in the text.
pub fn restore(text: &str) -> Vec<HalfSpace> {
    let mut found = Vec::new();
    let mut before = Vec::<Word<'_>>::with_capacity(2);
    for word in words(text) {
        // A word that has a half-space already was spelled with care.
        let careful = word.gap == Gap::HalfSpace || text[word.end()..].starts_with(ZWNJ);
        let cuts = if careful { Vec::new() } else { joined::cuts(word.text) };
        // Neighbours are judged by the parts that face each other, as they would be if the cuts had stood in the text.
        let (first, last) = word.ends(&cuts);
        let attached = spaced::is_one_word(&before, &first);
        if attached {
            found.push(HalfSpace { at: word.start - 1, replaces_space: true });
        }
        found.extend(cuts.iter().map(|at| HalfSpace { at: word.start + at, replaces_space: false }));
        if before.len() == 2 {
            before.remove(0);
        }
        before.push(if attached && cuts.is_empty() { Word { gap: Gap::HalfSpace, ..last } } else { last });
    }
    found
}

const ZWNJ: char = '\u{200C}';

/// A run of Persian letters.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// Byte offset in the whole text.
    start: usize,
    /// What stands before it.
    gap: Gap,
}

/// What lies between a word and the word before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// One space.
    Space,
    /// A half-space.
    HalfSpace,
    /// Anything else: punctuation, digits, other scripts, the text's start.
    Other,
}

impl<'a> Word<'a> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The first and the last part of the word cut at `cuts`; itself twice if there are none.
    fn ends(&self, cuts: &[usize]) -> (Word<'a>, Word<'a>) {
        let (Some(&first), Some(&last)) = (cuts.first(), cuts.last()) else { return (*self, *self) };
        let behind = Word { text: &self.text[last..], start: self.start + last, gap: Gap::HalfSpace };
        (Word { text: &self.text[..first], ..*self }, behind)
    }
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    let mut last_end = None;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_word_letter)?;
        let end = text[start..].find(|c| !is_word_letter(c)).map_or(text.len(), |len| start + len);
        let gap = match last_end.map(|last| &text[last..start]) {
            Some(" ") => Gap::Space,
            _ if text[..start].ends_with(ZWNJ) => Gap::HalfSpace,
            _ => Gap::Other,
        };
        (at, last_end) = (end, Some(end));
        Some(Word { text: &text[start..end], start, gap })
    })
}

/// Letters of the Persian alphabet with their Arabic relatives, the hamza above ه and the tanwin.
fn is_word_letter(c: char) -> bool {
    matches!(c, '\u{621}'..='\u{63F}' | '\u{641}'..='\u{64B}' | '\u{654}' | '\u{66E}'..='\u{6D3}' | '\u{6D5}')
}

/// Whether `word` ends in a letter that joins the next one, so that a lost half-space there shows.
fn joins_next(word: &str) -> bool {
    const APART: &str = "اأإآٱدذرزژوؤةء\u{64B}\u{654}";
    word.chars().next_back().is_some_and(|c| !APART.contains(c))
}

#[cfg(test)]
mod tests;
