//! The word lists that the rules ask; `README.md` says where they come from.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The lists of `words.txt`, by its section names, and of `compounds.txt`.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    sections: HashMap<&'static str, HashSet<&'static str>>,
    /// Second parts of compounds and the fewest letters before them.
    tails: HashMap<&'static str, usize>,
    /// Compounds without their half-spaces, and where these belong, in bytes.
    compounds: HashMap<String, Vec<usize>>,
}

/// Which list to ask.
#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    Whole,
    NotPlural,
    SilentHe,
    PluralFirst,
    Either,
    Adjective,
    AfterBi,
    AfterBe,
    TailHe,
    TailYe,
    SilentHeEnd,
    Number,
    AfterNumber,
    Al,
    NotBeforeAl,
    AfterHich,
    AfterDemonstrative,
}

impl List {
    /// The list's heading in the file.
    fn heading(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::NotPlural => "not_plural",
            Self::SilentHe => "silent_he",
            Self::PluralFirst => "plural_first",
            Self::Either => "either",
            Self::Adjective => "adjective",
            Self::AfterBi => "after_bi",
            Self::AfterBe => "after_be",
            Self::TailHe => "tail_he",
            Self::TailYe => "tail_ye",
            Self::SilentHeEnd => "silent_he_end",
            Self::Number => "number",
            Self::AfterNumber => "after_number",
            Self::Al => "al",
            Self::NotBeforeAl => "not_before_al",
            Self::AfterHich => "after_hich",
            Self::AfterDemonstrative => "after_demonstrative",
        }
    }

    /// Whether `word` is in the list.
    pub(super) fn has(self, word: &str) -> bool {
        LEXICON.sections.get(self.heading()).is_some_and(|words| words.contains(word))
    }
}

/// Where the half-spaces of a known compound belong, in bytes of the word without them.
pub(super) fn compound(word: &str) -> Option<&'static [usize]> {
    LEXICON.compounds.get(word).map(Vec::as_slice)
}

/// The fewest letters that a compound's second part wants before it, if it is one.
pub(super) fn letters_before_tail(tail: &str) -> Option<usize> {
    LEXICON.tails.get(tail).copied()
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut lexicon = Lexicon::default();
    let mut section = "";
    for line in lines(include_str!("words.txt")) {
        if let Some(heading) = line.strip_prefix('[') {
            section = heading.trim_end_matches(']');
        } else if let Some(letters) = section.strip_prefix("tail ").and_then(|letters| letters.parse().ok()) {
            lexicon.tails.extend(line.split_whitespace().map(|tail| (tail, letters)));
        } else {
            lexicon.sections.entry(section).or_default().extend(line.split_whitespace());
        }
    }
    for compound in lines(include_str!("compounds.txt")).flat_map(str::split_whitespace) {
        let bars = compound.match_indices('|').enumerate();
        let cuts = bars.map(|(earlier, (at, _))| at - earlier).collect();
        lexicon.compounds.insert(compound.replace('|', ""), cuts);
    }
    lexicon
});

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}
