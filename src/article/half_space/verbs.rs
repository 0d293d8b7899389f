//! Verb forms, built from stems.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Endings of the present, by person.
const PRESENT: [&str; 6] = ["م", "ی", "د", "یم", "ید", "ند"];
/// Endings of the past, by person.
const PAST: [&str; 6] = ["م", "ی", "", "یم", "ید", "ند"];

/// What can follow می: present and past stems with their endings.
static AFTER_MI: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut forms = HashSet::new();
    for line in stems() {
        let mut stems = line.split(' ');
        let past = stems.next().unwrap_or_default();
        forms.extend(PAST.iter().map(|ending| format!("{past}{ending}")));
        for present in stems {
            forms.extend(PRESENT.iter().map(|ending| format!("{present}{ending}")));
            if present.ends_with(['ا', 'و']) {
                forms.insert(format!("{present}یی"));
            }
        }
    }
    // The impersonal verbs, which take no ending.
    forms.extend(["باید", "بایست", "بایستی", "شاید", "توان"].map(str::to_owned));
    forms
});

/// Past participles: the past stem with ه.
static PARTICIPLES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    stems().filter_map(|line| line.split(' ').next()).map(|past| format!("{past}ه")).collect()
});

/// Whether a word can follow می.
pub(super) fn follows_mi(word: &str) -> bool {
    AFTER_MI.contains(word)
}

/// Whether a word is a past participle, perhaps with a negation or a prefix.
pub(super) fn is_participle(word: &str) -> bool {
    let known = |word: &str| PARTICIPLES.contains(word);
    let negated = |word: &str| known(word) || word.strip_prefix('ن').is_some_and(known);
    negated(word)
        || ["بر", "در", "باز", "فرا", "وا"]
            .iter()
            .any(|prefix| word.strip_prefix(prefix).is_some_and(negated))
}

fn stems() -> impl Iterator<Item = &'static str> {
    include_str!("verb_stems.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}
