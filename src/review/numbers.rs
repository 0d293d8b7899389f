//! Numbers in Persian and English text, by value.

/// The English number words that may stand for digits of the source.
const WORDS: [(&str, u64); 60] = [
    ("zero", 0),
    ("one", 1),
    ("single", 1),
    ("once", 1),
    ("first", 1),
    ("two", 2),
    ("twice", 2),
    ("second", 2),
    ("both", 2),
    ("double", 2),
    ("pair", 2),
    ("three", 3),
    ("third", 3),
    ("triple", 3),
    ("four", 4),
    ("fourth", 4),
    ("five", 5),
    ("fifth", 5),
    ("six", 6),
    ("sixth", 6),
    ("seven", 7),
    ("seventh", 7),
    ("eight", 8),
    ("eighth", 8),
    ("nine", 9),
    ("ninth", 9),
    ("ten", 10),
    ("tenth", 10),
    ("eleven", 11),
    ("eleventh", 11),
    ("twelve", 12),
    ("twelfth", 12),
    ("dozen", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("hundred", 100),
    ("hundreds", 100),
    ("thousand", 1000),
    ("thousands", 1000),
    ("million", 1_000_000),
    ("millions", 1_000_000),
    ("billion", 1_000_000_000),
    ("billions", 1_000_000_000),
    ("thirteenth", 13),
    ("fourteenth", 14),
    ("fifteenth", 15),
    ("twentieth", 20),
];

/// Words that multiply the number before them.
const SCALES: [(&str, u32); 12] = [
    ("هزار", 3),
    ("میلیون", 6),
    ("میلیارد", 9),
    ("بیلیون", 12),
    ("تریلیون", 12),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
    ("m", 6),
    ("bn", 9),
    ("k", 3),
];

/// The numbers written in digits, each as its digits without leading and trailing zeros of a fraction, a decimal
/// point if it has one; a scale word that follows is worked in.
pub(super) fn in_digits(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().filter(|c| !is_invisible(*c)).collect();
    let mut numbers = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if digit(chars[at]).is_none() {
            at += 1;
            continue;
        }
        let (number, end) = scan(&chars, at);
        at = end;
        let rest: String = chars[at..]
            .iter()
            .skip_while(|c| c.is_whitespace())
            .take_while(|c| c.is_alphabetic())
            .take(12)
            .collect();
        let scale =
            SCALES.iter().find(|(word, _)| rest.eq_ignore_ascii_case(word)).map_or(0, |(_, scale)| *scale);
        numbers.push(canonical(&number, scale));
    }
    numbers
}

/// The values that number words of an English text have.
pub(super) fn in_words(text: &str) -> Vec<u64> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    let values: Vec<u64> = words
        .filter_map(|word| WORDS.iter().find(|(name, _)| *name == word))
        .map(|(_, value)| *value)
        .collect();
    // Tens and ones that stand together, "twenty" and "first", are one number too.
    let pairs = values
        .windows(2)
        .filter(|pair| (20..100).contains(&pair[0]) && pair[1] < 10)
        .map(|pair| pair[0] + pair[1]);
    let mut all: Vec<u64> = pairs.collect();
    all.extend(values);
    all
}

/// Digits with the separators among them, from `start` on, and where they end.
fn scan(chars: &[char], start: usize) -> (String, usize) {
    let mut number = String::new();
    let mut at = start;
    while at < chars.len() {
        if let Some(digit) = digit(chars[at]) {
            number.push(digit);
            at += 1;
            continue;
        }
        let next_is_digit = |offset: usize| chars.get(at + offset).copied().and_then(digit).is_some();
        let group_of_three = (1..=3).all(next_is_digit) && !next_is_digit(4);
        match chars[at] {
            // A thousands separator stands before exactly three digits.
            '٬' | ',' | '،' if group_of_three => at += 1,
            '.' | '٫' | '/' if next_is_digit(1) && !number.contains('.') => {
                number.push('.');
                at += 1;
            }
            _ => break,
        }
    }
    (number, at)
}

fn canonical(number: &str, scale: u32) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut fraction = fraction.to_owned();
    let mut whole = whole.to_owned();
    for _ in 0..scale {
        whole.push(if fraction.is_empty() { '0' } else { fraction.remove(0) });
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

fn digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => return Some(c),
        '۰'..='۹' => u32::from(c) - u32::from('۰'),
        '٠'..='٩' => u32::from(c) - u32::from('٠'),
        _ => return None,
    };
    char::from_digit(value, 10)
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_all_three_kinds_have_the_same_value() {
        for text in ["۱۲٬۵۰۰ تومان", "١٢٬٥٠٠", "12,500 tomans", "12500"] {
            assert_eq!(in_digits(text), ["12500"], "{text}");
        }
        assert_eq!(in_digits("۱٫۵ میلیارد"), in_digits("1.5 billion"));
        assert_eq!(in_digits("۱٫۵ میلیارد"), in_digits("1,500 million"));
        assert_eq!(in_digits("ساعت ۱۲:۳۰"), ["12", "30"]);
        assert_eq!(in_digits("on 29 Mordad, 1404."), ["29", "1404"]);
    }

    #[test]
    fn number_words_have_values() {
        assert_eq!(in_words("The twenty-first of three"), [21, 20, 1, 3]);
    }
}
