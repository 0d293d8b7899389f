//! Names that the model spelled in different ways.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

/// The shortest name that is looked at. Shorter ones are too often different names.
const SHORTEST: usize = 5;
/// How many letters two spellings of one name may differ in.
const EDITS: usize = 2;
/// Different words that are remembered; what comes after them isn't looked at.
const WORDS: usize = 500_000;

/// Spellings of what seems to be one name, the most frequent first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NameVariants {
    /// Each spelling and how often it is used.
    pub spellings: Vec<(String, u64)>,
}

/// Counts words of English texts.
#[derive(Debug, Default)]
pub(super) struct Names {
    words: HashMap<String, Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// Uses with a capital letter within a sentence.
    capital: u64,
    /// Whether the word is used without one, and so is no name.
    small: bool,
}

impl Names {
    /// Counts the words of a sentence. Its first one says nothing by its capital letter.
    pub(super) fn sentence(&mut self, sentence: &str) {
        for word in sentence.unicode_words().skip(1).filter(|word| word.chars().count() >= SHORTEST) {
            let key = word.to_lowercase();
            if !self.words.contains_key(&key) && self.words.len() == WORDS {
                continue;
            }
            let count = self.words.entry(key).or_default();
            if word.starts_with(char::is_uppercase) {
                count.capital += 1;
            } else {
                count.small = true;
            }
        }
    }

    /// Groups of similar names, those first whose rarer spellings are most frequent; at most `longest`.
    pub(super) fn variants(self, longest: usize) -> Vec<NameVariants> {
        let mut alike = BTreeMap::<String, Vec<(String, u64)>>::new();
        for (word, count) in self.words.into_iter().filter(|(_, count)| !count.small && count.capital > 0) {
            alike.entry(skeleton(&word)).or_default().push((word, count.capital));
        }
        let mut found = Vec::new();
        for mut words in alike.into_values() {
            words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            // The most frequent spelling gathers those close to it; what is left may be another name.
            while words.len() > 1 {
                let first = words[0].0.clone();
                let (close, rest) = words.into_iter().partition(|(word, _)| distance(&first, word) <= EDITS);
                words = rest;
                found.push(close);
            }
        }
        found.retain(|spellings: &Vec<_>| spellings.len() > 1);
        found.sort_by_key(|spellings| {
            std::cmp::Reverse(spellings[1..].iter().map(|(_, count)| count).sum::<u64>())
        });
        found.truncate(longest);
        let capital = |word: String| {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
        };
        let variants = |spellings: Vec<(String, u64)>| NameVariants {
            spellings: spellings.into_iter().map(|(word, count)| (capital(word), count)).collect(),
        };
        found.into_iter().map(variants).collect()
    }
}

/// The consonants of a word, one for those that transliterations of Persian mix up.
fn skeleton(word: &str) -> String {
    let word =
        word.replace("sh", "s").replace("zh", "j").replace("kh", "h").replace("ph", "f").replace("gh", "q");
    let mut skeleton = String::new();
    for c in word.chars() {
        let c = match c {
            'a' | 'e' | 'i' | 'o' | 'u' | 'y' | '\'' | '’' => continue,
            'w' => 'v',
            'z' | 'c' => 's',
            'g' => 'q',
            other => other,
        };
        if !skeleton.ends_with(c) {
            skeleton.push(c);
        }
    }
    skeleton
}

/// Levenshtein's distance in letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_found_and_common_words_are_not() {
        let mut names = Names::default();
        for sentence in [
            "Yesterday Lukashenko met the Minister and the Ministry.",
            "Then Lukasenko spoke to Pezeshkian, Lukashenko added.",
            "Now Lekasenko and Pezeshkian left the minister.",
            "The ministry said that Tehran and Tabriz agreed.",
            "Lukachenko is a first word.",
            "He saw Élodie, then Éloudie.",
        ] {
            names.sentence(sentence);
        }
        let variants = names.variants(10);
        let variant = |spellings: &[(&str, u64)]| NameVariants {
            spellings: spellings.iter().map(|&(name, count)| (name.into(), count)).collect(),
        };
        let president = [("Lukashenko", 2), ("Lekasenko", 1), ("Lukasenko", 1)];
        assert_eq!(variants, [variant(&president), variant(&[("Élodie", 1), ("Éloudie", 1)])]);
    }

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, expected) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("saad", "sad", 1)] {
            assert_eq!(distance(a, b), expected);
            assert_eq!(distance(b, a), expected);
        }
    }
}
