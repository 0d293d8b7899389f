//! What each character of a source text is to a translation model, taken by itself.

use std::sync::LazyLock;

/// The zero-width non-joiner, Persian's half-space.
pub(super) const ZWNJ: char = '\u{200C}';
/// Hamza above: over ه it writes the ezafe, over other letters it composes with them.
pub(super) const HAMZA_ABOVE: char = '\u{654}';
/// Tanwin, the one vowel sign of everyday Persian spelling: لطفاً.
const FATHATAN: char = '\u{64B}';
const ALEF: char = 'ا';

/// A character's part in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Stands in the text, perhaps as another letter than the source has.
    Letter(char),
    /// Stands for several letters: a ligature.
    Letters(&'static str),
    /// A sign that may compose with the letter before it.
    Mark(char),
    /// White space.
    Space,
    /// Something between two letters that only the letters on both sides give a meaning.
    Joint(Joint),
    /// Nothing that a model should see.
    Nothing,
}

/// Characters that mean something only between two others, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Joint {
    /// U+0640, a stretched line; typed for a dash where it stretches nothing. More than one in a row always stretch.
    Tatweel,
    /// Two or more of them.
    LongTatweel,
    /// U+200D: in emoji sequences it joins, in Persian it says nothing.
    Joiner,
    /// U+00AD, U+200B: hidden break opportunities. Persian isn't hyphenated, so between its letters they are the
    /// half-spaces of old word processors.
    HiddenBreak,
    /// U+00AC, which the same processors show for a half-space; elsewhere the logical sign.
    NotSign,
    /// U+200C.
    HalfSpace,
}

/// The part of `c` in a text.
pub(super) fn role(c: char) -> Role {
    match c {
        // The Latin texts' fast way.
        '!'..='~' => Role::Letter(c),
        c if c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c) => Role::Space,
        '\u{640}' => Role::Joint(Joint::Tatweel),
        '\u{200D}' => Role::Joint(Joint::Joiner),
        '\u{AD}' | '\u{200B}' => Role::Joint(Joint::HiddenBreak),
        '\u{AC}' => Role::Joint(Joint::NotSign),
        ZWNJ => Role::Joint(Joint::HalfSpace),
        FATHATAN | '\u{653}'..='\u{655}' => Role::Mark(c),
        c if is_sign(c) || c.is_control() || is_format(c) => Role::Nothing,
        'ۀ' | 'ۂ' => Role::Letters("ه\u{654}"),
        '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' => presentation_form(c),
        c => Role::Letter(fold(c)),
    }
}

/// The letter that `last` and the sign `mark` after it make together, if they make one.
pub(super) fn compose(last: char, mark: char) -> Option<char> {
    Some(match (last, mark) {
        (ALEF, '\u{653}') => 'آ',
        (ALEF, HAMZA_ABOVE) => 'أ',
        (ALEF, '\u{655}') => 'إ',
        ('و', HAMZA_ABOVE) => 'ؤ',
        ('ی', HAMZA_ABOVE) => 'ئ',
        _ => return None,
    })
}

/// Whether `mark` is kept after `last` as a character of its own.
pub(super) fn keeps_mark(last: char, mark: char) -> bool {
    matches!((last, mark), ('ه', HAMZA_ABOVE) | (ALEF, FATHATAN))
}

/// Whether `c` is a letter of the Arabic script.
pub(super) fn is_arabic_letter(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{63F}' | '\u{641}'..='\u{64A}' | '\u{66E}'..='\u{6D3}' | '\u{6D5}' | '\u{6FA}'..='\u{6FF}' | '\u{750}'..='\u{77F}')
}

/// Whether a half-space may stand beside `c`: letters, digits, and the signs that belong to the letter before them.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == HAMZA_ABOVE || c == FATHATAN || ('\u{900}'..='\u{1FFF}').contains(&c)
}

/// Letters and digits typed on keyboards for other languages, for those that a Persian keyboard types.
fn fold(c: char) -> char {
    match c {
        // Arabic, Urdu, Pashto and Kurdish forms of ye.
        'ي' | 'ى' | 'ے' | 'ې' | 'ۍ' | 'ێ' => 'ی',
        'ۓ' => 'ئ',
        'ك' | 'ڪ' => 'ک',
        'ګ' => 'گ',
        'ە' | 'ہ' | 'ھ' | 'ۿ' => 'ه',
        'ۃ' => 'ة',
        'ٱ' => ALEF,
        'ٲ' => 'أ',
        'ٳ' => 'إ',
        // The same digits from an Arabic keyboard; only 4, 5 and 6 look different.
        '٠'..='٩' => char::from_u32(c as u32 - '٠' as u32 + '۰' as u32).unwrap_or(c),
        c => c,
    }
}

/// Vowel and recitation signs of the Arabic script.
fn is_sign(c: char) -> bool {
    matches!(c,
        '\u{610}'..='\u{61A}' | '\u{64C}'..='\u{652}' | '\u{656}'..='\u{65F}' | '\u{670}'
        | '\u{6D6}'..='\u{6DC}' | '\u{6DF}'..='\u{6E8}' | '\u{6EA}'..='\u{6ED}' | '\u{8D3}'..='\u{8FF}')
}

/// Invisible format characters that carry no text.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{605}' | '\u{61C}' | '\u{180E}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// The letters of a character from the blocks of Arabic presentation forms.
fn presentation_form(c: char) -> Role {
    match FORMS.binary_search_by_key(&c, |(form, _)| *form) {
        Ok(index) => FORMS[index].1,
        Err(_) => Role::Letter(c),
    }
}

/// Presentation forms and what they stand for, in order of the forms.
static FORMS: LazyLock<Vec<(char, Role)>> = LazyLock::new(|| {
    include_str!("presentation_forms.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(form, letters)| {
            let form = char::from_u32(u32::from_str_radix(form, 16).ok()?)?;
            let mut each = letters.chars();
            let role = match (each.next(), each.next()) {
                (None, _) => Role::Nothing,
                (Some(only), None) => Role::Letter(fold(only)),
                _ => Role::Letters(letters),
            };
            Some((form, role))
        })
        .collect()
});
