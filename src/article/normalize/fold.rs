//! First step: every character by itself, white space and invisible characters.

use super::letters::{HAMZA_ABOVE, Joint, Role, ZWNJ, compose, is_arabic_letter, is_word, keeps_mark, role};
use super::map::{Builder, Map};

/// `source` in the letters of a Persian keyboard, with single spaces and without anything invisible but half-spaces.
pub(super) fn fold(source: &str) -> (String, Map) {
    let mut folder = Folder { out: Builder::with_capacity(source.len()), space: None, joint: None };
    for (at, c) in source.char_indices() {
        match role(c) {
            Role::Letter(letter) => folder.letter(letter, c, at),
            Role::Letters(letters) => folder.letters(letters, at),
            Role::Mark(mark) => folder.mark(mark, at),
            Role::Space => folder.space(c, at),
            Role::Joint(joint) => folder.joint(joint, at),
            Role::Nothing => {}
        }
    }
    folder.word_end();
    folder.out.finish(source.len())
}

/// What has been written, and what waits for the next visible character.
struct Folder {
    out: Builder,
    /// The white space before the next character: its first character and where that stands.
    space: Option<(char, usize)>,
    /// What stands between the last character, or the space, and the next character.
    joint: Option<(Joint, usize)>,
}

impl Folder {
    fn letter(&mut self, letter: char, source: char, at: usize) {
        self.reach(letter);
        let mut buffer = [0; 4];
        let text = letter.encode_utf8(&mut buffer);
        if letter == source { self.out.keep(text, at) } else { self.out.replace(text, at) }
    }

    fn letters(&mut self, letters: &str, at: usize) {
        if let Some(first) = letters.chars().next() {
            self.reach(first);
            self.out.replace(letters, at);
        }
    }

    /// A sign composes with the letter before it, is kept after some letters, and says nothing after the others.
    fn mark(&mut self, mark: char, at: usize) {
        let Some(last) = self.out.last().filter(|_| self.space.is_none()) else { return };
        if let Some(composed) = compose(last, mark) {
            self.joint = None;
            self.out.amend_last(composed);
        } else if keeps_mark(last, mark) {
            self.joint = None;
            self.out.keep(mark.encode_utf8(&mut [0; 4]), at);
        }
    }

    fn space(&mut self, source: char, at: usize) {
        self.word_end();
        if self.space.is_none() && self.out.last().is_some() {
            self.space = Some((source, at));
        }
    }

    fn joint(&mut self, joint: Joint, at: usize) {
        self.joint = Some(match self.joint {
            None => (joint, at),
            Some((Joint::Tatweel, at)) if joint == Joint::Tatweel => (Joint::LongTatweel, at),
            Some((waiting, at)) => (waiting.max(joint), at),
        });
    }

    /// Writes what waits before the visible character `next`.
    fn reach(&mut self, next: char) {
        let last = self.out.last().filter(|_| self.space.is_none());
        self.write_space();
        let Some((joint, at)) = self.joint.take() else { return };
        let both = |test: fn(char) -> bool| last.is_some_and(test) && test(next);
        match joint {
            Joint::HalfSpace if both(is_word) => self.out.keep("\u{200C}", at),
            Joint::HiddenBreak | Joint::NotSign if both(is_arabic_letter) => self.out.replace("\u{200C}", at),
            Joint::NotSign => self.out.keep("\u{AC}", at),
            Joint::Joiner if both(joins) => self.out.keep("\u{200D}", at),
            // A range of numbers, or a dash before a word.
            Joint::Tatweel if both(char::is_numeric) => self.out.replace("–", at),
            Joint::Tatweel if last.is_none() && is_arabic_letter(next) => self.out.replace("–", at),
            _ => {}
        }
    }

    /// Writes what waits at the end of a word, white space or the text's end following.
    fn word_end(&mut self) {
        let Some((joint, at)) = self.joint.take() else { return };
        let stands_alone = self.space.is_some() || self.out.last().is_none();
        match joint {
            Joint::NotSign => {
                self.write_space();
                self.out.keep("\u{AC}", at);
            }
            Joint::Tatweel | Joint::LongTatweel if stands_alone => {
                self.write_space();
                self.out.replace("–", at);
            }
            // A dash after a word; after a single letter it is that letter's initial form: هـ.
            Joint::Tatweel if self.ends_in_word() => self.out.replace("–", at),
            _ => {}
        }
    }

    /// Whether at least two letters or digits end the text so far.
    fn ends_in_word(&self) -> bool {
        let mut back = self.out.text().chars().rev();
        let last = back.next();
        last.is_some_and(char::is_numeric)
            || last.is_some_and(is_arabic_letter)
                && back.next().is_some_and(|c| is_arabic_letter(c) || c == ZWNJ)
    }

    fn write_space(&mut self) {
        match self.space.take() {
            Some((' ', at)) => self.out.keep(" ", at),
            Some((_, at)) => self.out.replace(" ", at),
            None => {}
        }
    }
}

/// Whether a zero-width joiner may mean something beside `c`, as between emoji.
fn joins(c: char) -> bool {
    !(c.is_ascii() || is_arabic_letter(c) || c == HAMZA_ABOVE)
}
