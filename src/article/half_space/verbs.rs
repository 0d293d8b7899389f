//! Verb forms, conjugated from the stems of `verbs.txt`.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Personal endings of the present; the past has them too, but none in the third person singular.
const PERSONS: [&str; 6] = ["م", "ی", "د", "یم", "ید", "ند"];
/// Object pronouns behind a verb: می‌خواهمت.
const OBJECTS: [&str; 5] = ["ش", "ت", "شان", "تان", "مان"];
/// What a verb may have before its می.
const PREVERBS: [&str; 7] = ["بر", "در", "باز", "فرا", "فرو", "وا", "ور"];
/// Forms without a present ending, and those of spoken Persian that are no other words.
const IRREGULAR: &str = "باید بایست بایستی شاید توان خوام خوای خواد خوایم خواین خوان تونم تونی تونه تونیم تونین تونن \
                         دونم دونی دونه دونیم دونین دونن گم گی گه گیم گین گن شه شیم شین شن رم ره ریم رین رن کنه کنن \
                         زنه زنن گیره گیرن ذارم ذاره ذارن دن مونم مونه مونن خوره خورن یاد یام یان";

/// Where the half-space of `word` belongs, if it is a verb's form with می.
pub(super) fn after_mi(word: &str) -> Option<usize> {
    let with = |preverb: &str| {
        let rest = word.strip_prefix(preverb)?;
        let rest = rest.strip_prefix('ن').unwrap_or(rest).strip_prefix("می")?;
        follows_mi(rest).then(|| word.len() - rest.len())
    };
    with("").or_else(|| PREVERBS.iter().find_map(|preverb| with(preverb)))
}

/// Whether `word` can stand before a verb form as its می, by itself or with a preverb.
pub(super) fn is_mi(word: &str) -> bool {
    let bare = |word: &str| word == "می" || word == "نمی";
    bare(word) || PREVERBS.iter().any(|preverb| word.strip_prefix(preverb).is_some_and(bare))
}

/// Whether می can stand before `word`.
pub(super) fn follows_mi(word: &str) -> bool {
    // گوئیم for گوییم, آئی for آیی.
    let word = word.replace('ئ', "ی");
    let is_form = |form: &str| FORMS.after_mi.contains(form);
    is_form(&word)
        || FORMS.participles.contains(word.as_str())
        || OBJECTS
            .iter()
            .any(|object| word.strip_suffix(object).is_some_and(|form| form.len() > 4 && is_form(form)))
}

/// Whether `word` is a past participle, perhaps negated or with a preverb: کرده, نشده, برداشته.
pub(super) fn is_participle(word: &str) -> bool {
    let known = |word: &str| FORMS.participles.contains(word);
    known(word) || PREVERBS.iter().any(|preverb| word.strip_prefix(preverb).is_some_and(known))
}

struct Forms {
    /// Forms that stand behind می.
    after_mi: HashSet<String>,
    /// Past participles and their negations.
    participles: HashSet<String>,
}

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let mut after_mi: HashSet<String> = IRREGULAR.split_whitespace().map(str::to_owned).collect();
    let mut participles = HashSet::new();
    for line in include_str!("verbs.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut stems = line.split_whitespace();
        let Some(past) = stems.next() else { continue };
        after_mi.insert(past.to_owned());
        after_mi
            .extend(PERSONS.iter().filter(|ending| **ending != "د").map(|ending| format!("{past}{ending}")));
        after_mi
            .extend(stems.flat_map(|present| PERSONS.iter().map(move |ending| format!("{present}{ending}"))));
        participles.insert(format!("{past}ه"));
        participles.insert(format!("{}ه", negated(past)));
    }
    Forms { after_mi, participles }
});

/// The negative of a past stem: نکرد, نیامد, نینداخت.
fn negated(past: &str) -> String {
    if let Some(rest) = past.strip_prefix('آ') {
        format!("نیا{rest}")
    } else if let Some(rest) = past.strip_prefix('ا').filter(|rest| !rest.starts_with('ی')) {
        format!("نی{rest}")
    } else {
        format!("ن{past}")
    }
}
