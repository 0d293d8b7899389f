//! Numbers put together from digits and words: ۲ میلیون و ۵۰۰ هزار, "two and a half billion".

use std::collections::HashSet;

use super::lexicon::Word;
use super::scan::{Token, scan};
use super::value::Value;

/// The numbers of a text.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Those with digits in them, in order.
    pub(super) quantities: Vec<Quantity>,
    /// What number words and their combinations may be worth.
    pub(super) words: HashSet<Value>,
    /// The numbers of the months that the text names.
    pub(super) months: HashSet<Value>,
    /// Whether a date stands in digits.
    pub(super) has_date: bool,
}

/// A number with digits in it. The fields mean what they mean in [`super::scan::Numeral`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    pub(super) value: Value,
    pub(super) loose: Vec<Value>,
    pub(super) parts: Vec<Value>,
    pub(super) optional: bool,
}

impl Numbers {
    /// Reads the numbers of a Persian or an English text, in time linear in its length.
    pub(super) fn of(text: &str) -> Self {
        let (tokens, has_date) = scan(text);
        let mut numbers = Self { has_date, ..Self::default() };
        let mut sums: Vec<Sum> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if let Some(sum) = Sum::read(&tokens, at, &mut numbers.words) {
                at = sum.end;
                sums.push(sum);
            } else {
                numbers.note(&tokens[at]);
                at += 1;
            }
        }
        for (index, sum) in sums.iter().enumerate() {
            numbers.add(sum, sums.get(index + 1), &tokens);
        }
        numbers
    }

    /// Notes a word that stands for a number by itself.
    fn note(&mut self, token: &Token) {
        match token {
            Token::Word(Word::Article) => self.words.extend([Value::whole(1)]),
            // Of one, of a hundred, of an hour.
            Token::Word(Word::Quarter) => self
                .words
                .extend([Value::of_digits("", "25")].into_iter().chain([4, 15, 25].map(Value::whole))),
            Token::Word(Word::Collective(count)) => self.words.extend([Value::whole(*count)]),
            Token::Word(Word::Month(month)) => self.months.extend([Value::whole(*month)]),
            _ => {}
        }
    }

    /// Adds a number, with what the words behind it say about it.
    fn add(&mut self, sum: &Sum, next: Option<&Sum>, tokens: &[Token]) {
        let mut loose = sum.part.loose.clone();
        let behind = &tokens[sum.end..];
        let words = behind.iter().take(3).map(|token| match token {
            Token::Word(word) => *word,
            _ => Word::Other,
        });
        let words: Vec<Word> = words.collect();
        // "۲ تا ۳ میلیون": the first is in millions too.
        if let Some(next) = next.filter(|next| sum.part.scale == 0 && next.part.scale > 0)
            && matches!(&tokens[sum.end..next.start], [] | [Token::Word(Word::And | Word::To)])
        {
            loose.push(sum.part.value.times_ten_to(next.part.scale));
        }
        match words.first() {
            Some(Word::Collective(count)) => loose.push(sum.part.value.times(u128::from(*count))),
            // "دو دهه" is 20 years, while "دهه ۹۰" is a name.
            Some(Word::Decade) => loose.push(sum.part.value.times(10)),
            _ => {}
        }
        // "۲ ساعت و نیم" is 2.5 hours.
        if let [_, Word::And, Word::Half] = words[..] {
            loose.push(sum.part.value.plus(&Value::half()));
        }
        match sum.part.value.small() {
            Some(hour @ 1..=11) if words.contains(&Word::AfterNoon) => loose.push(Value::whole(hour + 12)),
            Some(12) if words.iter().any(|word| matches!(word, Word::AfterNoon | Word::BeforeNoon)) => {
                loose.extend([Value::whole(0), Value::whole(24)]);
            }
            _ => {}
        }
        if sum.part.has_digits {
            let Part { value, parts, optional, .. } = sum.part.clone();
            self.quantities.push(Quantity { value, loose, parts, optional });
        } else {
            self.words.extend(loose);
            self.words.insert(sum.part.value.clone());
        }
    }
}

/// A number and the tokens that it is made of.
struct Sum {
    part: Part,
    start: usize,
    end: usize,
}

impl Sum {
    /// The number that starts at a token, if one does. The words in it are noted one by one too.
    fn read(tokens: &[Token], start: usize, words: &mut HashSet<Value>) -> Option<Self> {
        let (mut part, mut end) = Part::read(tokens, start, words)?;
        let mut last_scale = part.scale;
        while last_scale >= 3 {
            let next = if is_word(tokens, end, Word::And) { end + 1 } else { end };
            let Some((other, other_end)) = Part::read(tokens, next, words) else { break };
            if !other.value.is_below_ten_to(last_scale) {
                break;
            }
            last_scale = other.scale;
            end = other_end;
            part = part.and(&other);
        }
        Some(Self { part, start, end })
    }
}

/// A number up to its scale words.
#[derive(Clone)]
struct Part {
    value: Value,
    loose: Vec<Value>,
    parts: Vec<Value>,
    optional: bool,
    has_digits: bool,
    /// The power of ten that its scale words are.
    scale: u32,
}

impl Part {
    fn read(tokens: &[Token], start: usize, words: &mut HashSet<Value>) -> Option<(Self, usize)> {
        let mut end = start + 1;
        let mut part = match tokens.get(start)? {
            Token::Number(numeral) => Self {
                value: numeral.value.clone(),
                loose: numeral.loose.clone(),
                parts: numeral.parts.clone(),
                optional: numeral.optional,
                has_digits: true,
                scale: 0,
            },
            Token::Word(Word::Small(_) | Word::Hundred) => {
                let value;
                (value, end) = below_a_thousand(tokens, start, words);
                Self::of_words(Value::whole(value))
            }
            Token::Word(Word::Half) => {
                // Of one, of a hundred, of an hour.
                words.extend([Value::whole(50), Value::whole(30)]);
                if is_word(tokens, end, Word::Article) && is_scale(tokens, end + 1) {
                    end += 1;
                }
                Self::of_words(Value::half())
            }
            Token::Word(Word::Scale(_)) => {
                end = start;
                Self::of_words(Value::whole(1))
            }
            _ => return None,
        };
        if let Some(half_end) = and_a_half(tokens, end) {
            words.insert(Value::half());
            part = part.and(&Self::of_words(Value::half()));
            end = half_end;
        }
        while let Some(Token::Word(word)) = tokens.get(end) {
            match word {
                Word::Scale(exponent) => part.scale = part.scale.saturating_add(*exponent),
                Word::Hundred if part.has_digits => part.scale = part.scale.saturating_add(2),
                Word::Letter(exponent) if part.has_digits && part.scale == 0 => {
                    part.loose.push(part.value.times_ten_to(*exponent));
                }
                _ => break,
            }
            end += 1;
        }
        if part.scale > 0 {
            part.value = part.value.times_ten_to(part.scale);
            part.loose.iter_mut().for_each(|value| *value = value.times_ten_to(part.scale));
            part.parts.clear();
        }
        if !part.has_digits {
            words.insert(part.value.clone());
        }
        Some((part, end))
    }

    fn of_words(value: Value) -> Self {
        Self { value, loose: Vec::new(), parts: Vec::new(), optional: false, has_digits: false, scale: 0 }
    }

    /// Both together as one number. What has digits in it may still stand alone on the other side.
    fn and(&self, other: &Self) -> Self {
        let alone = |part: &Self| match &part.parts[..] {
            _ if !part.has_digits => Vec::new(),
            [] => vec![part.value.clone()],
            parts => parts.to_vec(),
        };
        Self {
            value: self.value.plus(&other.value),
            parts: [alone(self), alone(other)].concat(),
            loose: Vec::new(),
            optional: false,
            has_digits: self.has_digits || other.has_digits,
            scale: self.scale,
        }
    }
}

/// The number words from a token on that make up a number below a thousand, and where they end: "two hundred and
/// twenty-one", دویست و بیست و یک. The tens and ones count by themselves too.
fn below_a_thousand(tokens: &[Token], start: usize, words: &mut HashSet<Value>) -> (u32, usize) {
    let (mut value, mut room, mut end) = (0, 1000, start);
    loop {
        let next = if end > start && is_word(tokens, end, Word::And) { end + 1 } else { end };
        match tokens.get(next) {
            Some(Token::Word(Word::Small(more))) if *more < room && (*more > 0 || end == start) => {
                words.insert(Value::whole(*more));
                value += more;
                room = match more {
                    100.. if more % 100 == 0 => 100,
                    20..100 if more % 10 == 0 => 10,
                    _ => 1,
                };
                end = next + 1;
            }
            Some(Token::Word(Word::Hundred)) if next == end && value < 100 && room != 100 => {
                words.insert(Value::whole(100));
                value = value.max(1) * 100;
                room = 100;
                end = next + 1;
            }
            _ => return (value, end),
        }
    }
}

/// Where "and a half", و نیم, ends if it stands at a token.
fn and_a_half(tokens: &[Token], at: usize) -> Option<usize> {
    let half = if is_word(tokens, at + 1, Word::Article) { at + 2 } else { at + 1 };
    (is_word(tokens, at, Word::And) && is_word(tokens, half, Word::Half)).then_some(half + 1)
}

fn is_word(tokens: &[Token], at: usize, word: Word) -> bool {
    tokens.get(at) == Some(&Token::Word(word))
}

fn is_scale(tokens: &[Token], at: usize) -> bool {
    matches!(tokens.get(at), Some(Token::Word(Word::Scale(_))))
}
