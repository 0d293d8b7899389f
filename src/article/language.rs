//! Which language a text is in, as far as a Persian translator needs to know.
//!
//! The neighbours of Persian that share its script are told by letters that Persian doesn't have (Pashto,
//! Urdu, Sorani Kurdish) and by function words and word forms (Arabic, whose letters are nearly all Persian
//! too). Where nothing speaks against Persian, a text in Arabic script is Persian: that is what callers send.

#[cfg(test)]
mod tests;

/// What [`detect`] tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Persian, also when typed with the Arabic ي and ك.
    Persian,
    /// Arabic.
    Arabic,
    /// Pashto.
    Pashto,
    /// Urdu.
    Urdu,
    /// Sorani, or Central Kurdish.
    Sorani,
    /// Any language in Latin script.
    Latin,
    /// Any other script, or another language in Arabic script (Uyghur, Sindhi).
    Other,
    /// Too little evidence: fewer than two letters, only digits, punctuation or emoji.
    Undetermined,
}

/// The language that most of `text` is in. One pass, no allocation beyond one word.
///
/// Quotations, names and terms of another language don't change the outcome as long as the text around them
/// prevails; Latin letters count less, for a Persian sentence may hold long Latin names.
pub fn detect(text: &str) -> Language {
    let mut evidence = Evidence::default();
    let mut word = String::new();
    for c in text.chars() {
        if is_arabic_script(c) || (matches!(c, '\u{200C}' | '\u{200D}') && !word.is_empty()) {
            word.push(c);
            if word.len() > LONGEST_WORD {
                evidence.weigh(&word);
                word.clear();
            }
            continue;
        }
        // One letter and a full stop is an initial or `د.` for doctor, not the Pashto word.
        if c != '.' || word.chars().count() > 1 {
            evidence.weigh(&word);
        }
        word.clear();
        if is_latin(c) {
            evidence.latin += 1;
        } else if c.is_alphabetic() {
            evidence.other += 1;
        }
    }
    evidence.weigh(&word);
    evidence.verdict()
}

/// Bytes after which a run of letters is weighed as it stands, so that memory stays bounded.
const LONGEST_WORD: usize = 64;

/// What has been seen of each script, in letters, and of each language, in words (those that tell less count
/// less).
#[derive(Debug, Default)]
struct Evidence {
    latin: usize,
    other: usize,
    letters: usize,
    words: f64,
    /// Persian as against Arabic.
    persian: f64,
    /// Function words that of all these languages only Persian has.
    only_persian: f64,
    arabic: f64,
    pashto: f64,
    urdu: f64,
    sorani: f64,
    foreign: f64,
}

impl Evidence {
    /// Share of words that must speak for a language with letters of its own. Running text has more than
    /// twice as many; Persian text that quotes a name has fewer.
    const LEAST_SHARE: f64 = 0.18;
    /// Least evidence for them: one word that is spelled their way.
    const LEAST_NEIGHBOUR: f64 = 0.5;
    /// Least evidence for Arabic: one sure word, or two words with an article.
    const LEAST_ARABIC: f64 = 1.0;
    /// By how much it must outweigh the Persian evidence; a quotation shouldn't.
    const LEAST_ODDS: f64 = 3.0;

    fn verdict(&self) -> Language {
        if self.letters + self.latin + self.other < 2 {
            return Language::Undetermined;
        }
        if self.other > self.letters + self.latin {
            return Language::Other;
        }
        if 4 * self.letters < self.latin {
            return Language::Latin;
        }
        let neighbours = [
            (self.pashto, Language::Pashto),
            (self.urdu, Language::Urdu),
            (self.sorani, Language::Sorani),
            (self.foreign, Language::Other),
        ];
        let (most, language) = neighbours
            .into_iter()
            .fold((0.0, Language::Persian), |best, next| if next.0 > best.0 { next } else { best });
        if most >= Self::LEAST_NEIGHBOUR && most >= Self::LEAST_SHARE * self.words && most > self.only_persian
        {
            language
        } else if self.arabic >= Self::LEAST_ARABIC && self.arabic > Self::LEAST_ODDS * self.persian {
            Language::Arabic
        } else {
            Language::Persian
        }
    }

    /// Adds what one word in Arabic script tells.
    fn weigh(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        let vowels = word.chars().filter(|&c| is_vowel_mark(c)).count();
        let bare: String = word.chars().filter(|&c| !is_vowel_mark(c) && c != 'ـ').collect();
        let letters = bare.chars().filter(|c| c.is_alphabetic()).count();
        if letters == 0 {
            return;
        }
        self.letters += letters;
        self.words += 1.0;
        let has = |set: &[char]| bare.contains(set);
        let folded = bare.replace(['ي', 'ى'], "ی").replace('ك', "ک");

        self.pashto += weight(&[
            (has(&PASHTO), 1.0),
            (PASHTO_WORDS.contains(&folded.as_str()), 1.0),
            (PASHTO_WEAK.contains(&folded.as_str()), WEAK),
        ]);
        self.urdu += weight(&[
            (has(&URDU), 1.0),
            (has(&['ہ', 'ھ']), 0.6),
            (URDU_WORDS.contains(&bare.as_str()), 1.0),
            (URDU_WEAK.contains(&bare.as_str()), WEAK),
        ]);
        self.sorani += weight(&[
            (has(&SORANI), 1.0),
            (has(&['ە']), 0.6),
            (bare.ends_with("ه\u{200C}"), WEAK),
            (bare.starts_with('ئ'), 0.8),
            (SORANI_WORDS.contains(&bare.as_str()), 1.0),
        ]);
        self.foreign += weight(&[(has(&FOREIGN), 1.0)]);

        let is_arabic_word = ARABIC_WORDS.contains(&bare.as_str());
        let is_weak_arabic = ARABIC_WEAK.contains(&bare.as_str());
        let function_word = PERSIAN_WORDS.contains(&folded.as_str());
        self.only_persian += weight(&[(function_word, 1.0), (SHARED_WORDS.contains(&folded.as_str()), 0.5)]);
        self.persian += weight(&[
            // The Arabic `يا` calls somebody.
            (function_word || (SHARED_WORDS.contains(&folded.as_str()) && bare != "يا"), 1.0),
            (has(&['پ', 'چ', 'ژ', 'گ']), 1.0),
            (bare.trim_end_matches('\u{200C}').contains('\u{200C}'), 0.8),
            (has(&['ی', 'ک']), 0.5),
            (
                letters >= 4
                    && !is_weak_arabic
                    && PERSIAN_ENDINGS.iter().any(|ending| folded.ends_with(ending)),
                0.5,
            ),
        ]);
        let article =
            ["ال", "وال", "بال", "فال", "كال", "لل"].iter().any(|article| bare.starts_with(article));
        self.arabic += weight(&[
            (is_arabic_word, 1.0),
            (is_weak_arabic, 0.6),
            (bare.ends_with('ة'), 0.8),
            (article && bare.ends_with('ة'), 1.0),
            (bare.starts_with(['أ', 'إ']), 0.8),
            (article && letters >= 5 && !has(&['ی', 'ک', 'پ', 'چ', 'ژ', 'گ']), 0.6),
            (bare.ends_with('ى') && letters >= 3, 0.3),
            (vowels >= 3, 0.5),
        ]);
    }
}

/// The most telling of the signs that hold.
fn weight(signs: &[(bool, f64)]) -> f64 {
    signs.iter().filter(|(holds, _)| *holds).map(|(_, weight)| *weight).fold(0.0, f64::max)
}

fn is_arabic_script(c: char) -> bool {
    (c.is_alphabetic() || is_vowel_mark(c) || c == 'ـ')
        && matches!(c, '\u{610}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{8A0}'..='\u{8FF}'
            | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

fn is_latin(c: char) -> bool {
    c.is_alphabetic()
        && matches!(c, 'A'..='z' | '\u{AA}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' | '\u{FF21}'..='\u{FF5A}')
}

/// Short vowels, doubling and the like, which Persian seldom writes. The nunation of `اً` is no such mark:
/// Persian does.
fn is_vowel_mark(c: char) -> bool {
    matches!(c, '\u{64B}'..='\u{65F}' | '\u{670}')
}

const PASHTO: [char; 11] = ['ټ', 'ډ', 'ړ', 'ږ', 'ښ', 'ګ', 'ڼ', 'ې', 'ۍ', 'ځ', 'څ'];
const URDU: [char; 7] = ['ٹ', 'ڈ', 'ڑ', 'ں', 'ے', 'ۓ', 'ۂ'];
/// `ە` is left out: careless typists set it for the Persian ه.
const SORANI: [char; 5] = ['ڕ', 'ڵ', 'ۆ', 'ێ', 'ڤ'];
/// Uyghur and Sindhi.
const FOREIGN: [char; 18] =
    ['ڭ', 'ۇ', 'ۈ', 'ۋ', 'ٻ', 'ڀ', 'ٺ', 'ٽ', 'ڄ', 'ڃ', 'ڇ', 'ڏ', 'ڌ', 'ڙ', 'ڦ', 'ڳ', 'ڱ', 'ڻ'];

/// What a word counts that Persian has too, in another meaning: `دی`, `ده`, `کی`.
const WEAK: f64 = 0.4;

const PASHTO_WORDS: [&str; 10] = ["د", "په", "زما", "هغه", "موږ", "نن", "راغی", "لپاره", "وایی", "ستاسو"];
const PASHTO_WEAK: [&str; 10] = ["دا", "دی", "ده", "ته", "زه", "ستا", "وو", "یم", "سره", "شوی"];
const URDU_WORDS: [&str; 4] = ["اور", "تھا", "تھی", "ایک"];
const URDU_WEAK: [&str; 6] = ["کا", "کی", "کو", "اس", "جو", "ان"];
const SORANI_WORDS: [&str; 8] = ["لە", "بە", "کە", "ئەو", "ئەم", "دەکات", "له\u{200C}", "ئه\u{200C}و"];

/// Persian function words that none of the neighbours has.
#[rustfmt::skip]
const PERSIAN_WORDS: [&str; 46] = [
    "از", "است", "این", "آن", "برای", "شد", "بود", "کرد", "می", "نمی", "های", "شده", "کرده", "نیست", "هست",
    "با", "خواهد", "شود", "کند", "باید", "آنها", "ایشان", "وی", "چرا", "چه", "کجا", "کجاست", "چیست", "اگر",
    "اما", "ولی", "نیز", "هستند", "بودند", "شدند", "کردند", "دارد", "دارند", "گفت", "رفت", "آمد", "داد",
    "هیچ", "همه", "البته", "اینکه",
];
/// Persian function words that Pashto, Urdu or Kurdish has too, but not Arabic.
const SHARED_WORDS: [&str; 10] = ["در", "به", "که", "را", "یا", "تا", "هر", "بر", "یک", "خود"];
/// Endings of Persian plurals, superlatives and verbs.
const PERSIAN_ENDINGS: [&str; 5] = ["های", "هایی", "ترین", "ند", "ست"];

/// Arabic function words that Persian doesn't use as words of its own.
#[rustfmt::skip]
const ARABIC_WORDS: [&str; 46] = [
    "في", "فى", "على", "إلى", "الى", "عن", "أن", "إن", "التي", "الذي", "الذين", "هذا", "هذه", "ذلك", "تلك",
    "كانت", "لن", "ليس", "كما", "أو", "حيث", "منذ", "عند", "وقال", "وقد", "وفي", "ومن", "هي", "أنا", "أنت",
    "فإن", "لأن", "حتى", "أي", "كيف", "ماذا", "لماذا", "أين", "شكرا", "مرحبا", "الآن", "وكان", "عليها",
    "فيها", "منها", "لكن",
];
/// Arabic function words that are Persian words too: `بین`, `علیه`, `لیست`.
const ARABIC_WEAK: [&str; 15] =
    ["بين", "عليه", "كان", "جدا", "ليست", "هل", "لم", "قد", "هو", "لا", "ثم", "قال", "متى", "نحن", "اليوم"];
