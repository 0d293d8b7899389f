//! The word lists of `words.txt`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The lists that the rules look words up in.
#[derive(Default)]
pub(super) struct Words {
    pub(super) not_plural: HashSet<&'static str>,
    pub(super) adjective_nouns: HashSet<&'static str>,
    pub(super) adjectives: HashSet<&'static str>,
    pub(super) after_bi: HashSet<&'static str>,
    /// The word as it is printed without its half-space, and how many bytes stand before it.
    pub(super) lexical: HashMap<String, usize>,
}

pub(super) static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Words::default();
    let mut list = "";
    for line in include_str!("words.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_suffix(':') {
            list = name;
            continue;
        }
        for word in line.split_whitespace() {
            match list {
                "not_plural" => drop(words.not_plural.insert(word)),
                "adjective_nouns" => drop(words.adjective_nouns.insert(word)),
                "adjectives" => drop(words.adjectives.insert(word)),
                "after_bi" => drop(words.after_bi.insert(word)),
                _ => {
                    if let Some((first, second)) = word.split_once('|') {
                        words.lexical.insert(format!("{first}{second}"), first.len());
                    }
                }
            }
        }
    }
    words
});
