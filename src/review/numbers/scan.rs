//! A text as numbers in digits, words that matter to numbers, and breaks between them.

use super::super::text::{folded, is_arabic_mark};
use super::lexicon::{Word, meaning};
use super::value::Value;

/// A piece of text as far as numbers go.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(Numeral),
    Word(Word),
    /// A sign that ends a number: a comma, a full stop.
    Break,
}

/// A number in digits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Numeral {
    /// What it most likely is worth.
    pub(super) value: Value,
    /// What else it may be worth: 1.500 is 1500 too, and after "سال" 98 is 1398.
    pub(super) loose: Vec<Value>,
    /// What its parts are worth, if a sign within it may also lie between numbers: ۲/۵.
    pub(super) parts: Vec<Value>,
    /// Whether it may be missing on the other side: the minutes of 11:00, the 2 of CO2 and km2.
    pub(super) optional: bool,
}

/// The tokens of a text, and whether one of its numbers is a date in digits.
pub(super) fn scan(text: &str) -> (Vec<Token>, bool) {
    let chars = text.chars().filter(|c| !is_invisible(*c) && !is_arabic_mark(*c)).collect();
    let mut scanner = Scanner { chars, at: 0, tokens: Vec::new(), has_date: false };
    while let Some(&c) = scanner.chars.get(scanner.at) {
        if digit(c).is_some() || scanner.is_leading_point() {
            scanner.number();
        } else if c.is_alphabetic() {
            let word;
            (word, scanner.at) = read_word(&scanner.chars, scanner.at);
            meaning(&word, |meaning| scanner.tokens.push(Token::Word(meaning)));
        } else {
            scanner.tokens.extend(sign(c));
            scanner.at += 1;
        }
    }
    (scanner.tokens, scanner.has_date)
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    tokens: Vec<Token>,
    has_date: bool,
}

impl Scanner {
    fn number(&mut self) {
        let before = self.at.checked_sub(1).map(|before| self.chars[before]);
        let cluster = Cluster::read(&self.chars, self.at);
        self.at = cluster.end;
        self.has_date |= cluster.is_date();
        let last = self.tokens.last();
        let plural = self.chars.get(self.at) == Some(&'s') && !self.is_alphabetic(1);
        let context = Context {
            after_letter: before.filter(char::is_ascii_alphabetic),
            year: last == Some(&Token::Word(Word::Year)) || matches!(before, Some('\'' | '’' | '‘')),
            decade: last == Some(&Token::Word(Word::Decade)) || plural,
        };
        self.tokens.extend(cluster.numerals(context).into_iter().map(Token::Number));
    }

    /// Whether a fraction without a whole number starts here: ".5".
    fn is_leading_point(&self) -> bool {
        let follows_nothing = self.at.checked_sub(1).is_none_or(|before| self.chars[before].is_whitespace());
        self.chars[self.at] == '.'
            && follows_nothing
            && self.chars.get(self.at + 1).is_some_and(|c| digit(*c).is_some())
    }

    fn is_alphabetic(&self, offset: usize) -> bool {
        self.chars.get(self.at + offset).is_some_and(|c| c.is_alphabetic())
    }
}

/// What a sign between numbers and words means, if anything.
fn sign(c: char) -> Option<Token> {
    match c {
        '½' => Some(Token::Word(Word::Half)),
        '¼' => Some(Token::Word(Word::Quarter)),
        '\u{200C}' => None,
        _ if c.is_whitespace() || is_dash(c) => None,
        // Normalisation makes a digit of a small one, which isn't invented then.
        _ => Some(superscript(c).map_or(Token::Break, |value| Token::Word(Word::Small(value)))),
    }
}

/// What stands around a cluster.
#[derive(Clone, Copy)]
struct Context {
    after_letter: Option<char>,
    year: bool,
    decade: bool,
}

/// Groups of digits with one sign between each two: 1,234.5, ۱۴۰۴/۵/۲۹, 12:30, 2010–11.
struct Cluster {
    /// ASCII digits; never empty.
    groups: Vec<String>,
    /// One fewer than groups.
    signs: Vec<char>,
    end: usize,
}

impl Cluster {
    fn read(chars: &[char], start: usize) -> Self {
        let mut cluster = Self { groups: Vec::new(), signs: Vec::new(), end: start };
        if chars[start] == '.' {
            cluster = Self { groups: vec!["0".into()], signs: vec!['.'], end: start + 1 };
        }
        loop {
            let digits: String = chars[cluster.end..].iter().map_while(|c| digit(*c)).collect();
            // Every digit is one ASCII character.
            cluster.end += digits.len();
            let short = (1..=3).contains(&digits.len());
            cluster.groups.push(digits);
            let is_digit = |offset: usize| chars.get(cluster.end + offset).copied().and_then(digit).is_some();
            let sign = match chars.get(cluster.end) {
                Some(&sign) if is_digit(1) => sign,
                _ => return cluster,
            };
            let three_follow = is_digit(2) && is_digit(3) && !is_digit(4);
            let joins = match sign {
                '.' | '٫' | '/' | '\u{2044}' | ',' | '،' | '٬' | ':' => true,
                ' ' | '\u{A0}' | '\u{202F}' | '\u{2009}' | '\'' | '’' => short && three_follow,
                _ => is_dash(sign),
            };
            if !joins {
                return cluster;
            }
            cluster.signs.push(sign);
            cluster.end += 1;
        }
    }

    /// Whether the shape is that of 1404/5/29, 2025-08-20 or 9/11.
    fn is_date(&self) -> bool {
        match self.signs[..] {
            [sign] => sign == '/',
            [one, other] => one == other && (matches!(one, '/' | '.') || is_dash(one)),
            _ => false,
        }
    }

    fn numerals(&self, context: Context) -> Vec<Numeral> {
        let mut numerals: Vec<Numeral> = Vec::new();
        let mut start = 0;
        for end in 1..=self.groups.len() {
            let sign = self.signs.get(end - 1);
            if sign.is_some_and(|sign| *sign != ':' && !is_dash(*sign)) {
                continue;
            }
            let first = numerals.len();
            numerals.extend(amount(&self.groups[start..end], &self.signs[start..end - 1]));
            if let Some(before) = start.checked_sub(1) {
                let (previous, this) = numerals.split_at_mut(first);
                if let ([.., previous], [this, ..]) = (previous, this) {
                    relate(previous, self.signs[before], this);
                }
            }
            start = end;
        }
        for numeral in &mut numerals {
            numeral.apply(context);
        }
        numerals
    }
}

/// The number that groups with signs other than colons and dashes are, or the several numbers.
fn amount(groups: &[String], signs: &[char]) -> Vec<Numeral> {
    let parts = || groups.iter().map(|group| Value::of_digits(group, "")).collect::<Vec<_>>();
    let thousands = |count: usize| {
        let first = groups[0].len();
        first <= 3
            && groups[0] != "0"
            && groups[1..=count].iter().all(|group| group.len() == 3)
            && signs[..count].iter().all(|sign| *sign == signs[0] && !matches!(sign, '/' | '\u{2044}' | '٫'))
    };
    match signs {
        [] => vec![Numeral::new(Value::of_digits(&groups[0], ""))],
        ['.'] if thousands(1) => vec![Numeral {
            loose: vec![Value::of_digits(&groups.concat(), "")],
            ..Numeral::new(Value::of_digits(&groups[0], &groups[1]))
        }],
        _ if thousands(signs.len()) => {
            let parts = if matches!(signs[0], '٬' | ',') { Vec::new() } else { parts() };
            vec![Numeral { parts, ..Numeral::new(Value::of_digits(&groups.concat(), "")) }]
        }
        [sign] if *sign != '٬' => {
            let is_half = matches!(sign, '/' | '\u{2044}') && groups[0] == "1" && groups[1] == "2";
            let loose = is_half.then(Value::half).into_iter().collect();
            let value = Value::of_digits(&groups[0], &groups[1]);
            vec![Numeral { loose, parts: parts(), ..Numeral::new(value) }]
        }
        [thousand @ .., sign]
            if thousand.first().is_some_and(|first| first != sign) && thousands(thousand.len()) =>
        {
            let (whole, fraction) = groups.split_at(signs.len());
            vec![Numeral::new(Value::of_digits(&whole.concat(), &fraction.concat()))]
        }
        _ => parts().into_iter().map(Numeral::new).collect(),
    }
}

/// What a number is worth because of the one before it: minutes of an hour, the second year of two.
fn relate(previous: &Numeral, sign: char, this: &mut Numeral) {
    if sign == ':' {
        this.optional = this.value.is_zero();
    } else if let (Some(year @ 1000..), Some(short @ ..100)) = (previous.value.small(), this.value.small()) {
        this.loose.push(Value::whole(year / 100 * 100 + short));
    }
}

impl Numeral {
    fn new(value: Value) -> Self {
        Self { value, loose: Vec::new(), parts: Vec::new(), optional: false }
    }

    fn apply(&mut self, context: Context) {
        match self.value.small() {
            Some(short @ ..100) if context.year || context.decade => {
                self.loose.extend([1300, 1400, 1900, 2000].map(|century| Value::whole(century + short)));
            }
            Some(year @ 1000..) if context.decade => self.loose.push(Value::whole(year % 100)),
            _ => {}
        }
        // CO2 is "carbon dioxide", km2 "square kilometres".
        self.optional |= match (context.after_letter, self.value.small()) {
            (Some('m'), Some(2 | 3)) => true,
            (Some(letter), Some(..10)) => letter.is_ascii_uppercase(),
            _ => false,
        };
    }
}

/// A word from `start` on, folded, and where it ends. "p.m." is one word.
fn read_word(chars: &[char], start: usize) -> (String, usize) {
    let mut word = String::new();
    let mut at = start;
    while let Some(&c) = chars.get(at) {
        if c.is_alphabetic() {
            word.push(folded(c));
        } else {
            let is_letter = |offset: usize| chars.get(at + offset).is_some_and(|c| c.is_alphabetic());
            let is_initial = c == '.' && at - start == 1 && is_letter(1) && !is_letter(2);
            if !is_initial {
                break;
            }
        }
        at += 1;
    }
    (word, at)
}

fn digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => return Some(c),
        '۰'..='۹' => u32::from(c) - u32::from('۰'),
        '٠'..='٩' => u32::from(c) - u32::from('٠'),
        '０'..='９' => u32::from(c) - u32::from('０'),
        _ => return None,
    };
    char::from_digit(value, 10)
}

fn superscript(c: char) -> Option<u32> {
    match c {
        '¹' => Some(1),
        '²' => Some(2),
        '³' => Some(3),
        '⁰' | '⁴'..='⁹' => Some(u32::from(c) - u32::from('⁰')),
        '₀'..='₉' => Some(u32::from(c) - u32::from('₀')),
        _ => None,
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '−')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{200D}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}
