//! Letters and words as the checks see them.

/// Whether the character carries meaning: a letter or a digit, but no vowel sign or other mark on a letter.
pub(super) fn is_letter_or_digit(c: char) -> bool {
    c.is_alphanumeric() && !is_arabic_mark(c)
}

/// Whether the character is a letter of the Arabic script. Its digits, punctuation and marks aren't.
pub(super) fn is_arabic_letter(c: char) -> bool {
    let in_a_block = matches!(c,
        '\u{0600}'..='\u{06FF}' | '\u{0750}'..='\u{077F}' | '\u{0870}'..='\u{08FF}'
        | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{1EE00}'..='\u{1EEFF}');
    in_a_block && c.is_alphabetic() && !is_arabic_mark(c)
}

/// A Persian letter for an Arabic one that looks the same, and the lower case of others.
pub(super) fn folded(c: char) -> char {
    match c {
        'ي' | 'ى' | 'ئ' => 'ی',
        'ك' => 'ک',
        'ة' | 'ۀ' | 'ە' => 'ه',
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ؤ' => 'و',
        _ => c.to_lowercase().next().unwrap_or(c),
    }
}

/// The words of a text, folded: what lies between anything but letters and digits. A half-space ends a word.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars().filter(|c| !is_arabic_mark(*c)).chain([' ']) {
        if c.is_alphanumeric() {
            word.push(folded(c));
        } else if !matches!(c, '\'' | '’') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    words
}

/// Vowel signs and the like, and the stretcher, which is no sound of its own.
pub(super) fn is_arabic_mark(c: char) -> bool {
    matches!(c,
        '\u{0610}'..='\u{061A}' | '\u{0640}' | '\u{064B}'..='\u{065F}' | '\u{0670}'
        | '\u{06D6}'..='\u{06DC}' | '\u{06DF}'..='\u{06E8}' | '\u{06EA}'..='\u{06ED}'
        | '\u{0897}'..='\u{089F}' | '\u{08CA}'..='\u{08FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_arabic_script_is_told_from_its_signs() {
        assert!("یيکكآءئۀپگژڤڕەﷺﻻ".chars().all(is_arabic_letter));
        assert!(!"،؛؟٪٫٬۰۹٠٩ـ\u{64B}\u{651}\u{670}﷼«»abc\u{200C}۔".chars().any(is_arabic_letter));
    }

    #[test]
    fn words_are_folded_and_split_at_half_spaces() {
        assert_eq!(words("كِتاب‌هاي «من»، ۱۲ Days"), ["کتاب", "های", "من", "۱۲", "days"]);
        assert_eq!(words("Don't — don’t."), ["dont", "dont"]);
        assert_eq!(words(" ... "), [""; 0]);
    }
}
