//! The number words of Persian and English.

use super::super::text::is_arabic_letter;

/// What a word means for a number. Everything but [`Word::Other`] may be part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A number below a thousand, cardinal or ordinal, written as one word.
    Small(u32),
    /// "Hundred", which multiplies what stands before it; Persian has a word for each of the hundreds.
    Hundred,
    /// Ten to that power, from a thousand on.
    Scale(u32),
    /// A scale in a letter, which may also be a unit: "5 m".
    Letter(u32),
    /// A number of years or things that is a noun: decade, century, dozen.
    Collective(u32),
    Half,
    Quarter,
    And,
    /// Between the ends of a range.
    To,
    /// "A", which may stand for one.
    Article,
    /// A month's name, with its number in its own calendar.
    Month(u32),
    /// The number behind it may be a year in two digits.
    Year,
    /// The number behind it is a decade's first year, in two digits or four.
    Decade,
    /// The hours before count from noon.
    AfterNoon,
    /// The hours before count from midnight.
    BeforeNoon,
    Other,
}

/// What a folded word means. Persian words that are written together, as دوهزار, mean several things.
pub(super) fn meaning(word: &str, mut found: impl FnMut(Word)) {
    if !word.starts_with(is_arabic_letter) {
        return found(english(word));
    }
    // Endings behind a half-space belong to the word before.
    if matches!(word, "ها" | "های" | "هایی" | "ی" | "ای") {
        return;
    }
    match persian(word) {
        Some(known) => found(known),
        None => match glued(word) {
            Some((first, rest)) => {
                found(first);
                rest.into_iter().for_each(found);
            }
            None => found(Word::Other),
        },
    }
}

/// A Persian word as it is, or without an ordinal's or plural's ending.
fn persian(word: &str) -> Option<Word> {
    let endings = ["مین", "م", "هایی", "های", "ها", "ان", "گانه", "ی"];
    let bare = |ending| word.strip_suffix(ending).filter(|bare| bare.chars().nth(1).is_some());
    persian_exactly(word).or_else(|| endings.into_iter().filter_map(bare).find_map(persian_exactly))
}

#[rustfmt::skip] // a table
fn persian_exactly(word: &str) -> Option<Word> {
    Some(match word {
        "صفر" => Word::Small(0),
        "یک" | "اول" | "اولین" | "نخست" | "نخستین" | "یکبار" => Word::Small(1),
        "دو" | "دوم" | "دومین" | "هردو" | "هردوی" | "جفت" | "زوج" | "دوبار" | "دوباره" | "ثانی" => Word::Small(2),
        "سه" | "سوم" | "سومین" | "ثلث" => Word::Small(3),
        "چهار" | "چار" => Word::Small(4),
        "پنج" => Word::Small(5), "شش" | "شیش" => Word::Small(6), "هفت" => Word::Small(7), "هشت" => Word::Small(8),
        "نه" => Word::Small(9), "ده" => Word::Small(10), "یازده" => Word::Small(11), "دوازده" => Word::Small(12),
        "سیزده" => Word::Small(13), "چهارده" => Word::Small(14), "پانزده" | "پونزده" => Word::Small(15),
        "شانزده" | "شونزده" => Word::Small(16), "هفده" | "هیفده" => Word::Small(17),
        "هجده" | "هیجده" | "هژده" => Word::Small(18), "نوزده" => Word::Small(19), "بیست" => Word::Small(20),
        "سی" => Word::Small(30), "چهل" => Word::Small(40), "پنجاه" => Word::Small(50), "شصت" => Word::Small(60),
        "هفتاد" => Word::Small(70), "هشتاد" => Word::Small(80), "نود" => Word::Small(90),
        "صد" | "یکصد" | "سد" => Word::Small(100), "دویست" => Word::Small(200), "سیصد" => Word::Small(300),
        "چهارصد" => Word::Small(400), "پانصد" | "پونصد" => Word::Small(500), "ششصد" => Word::Small(600),
        "هفتصد" => Word::Small(700), "هشتصد" => Word::Small(800), "نهصد" => Word::Small(900),
        "هزار" | "یکهزار" => Word::Scale(3), "میلیون" | "ملیون" => Word::Scale(6),
        "میلیارد" | "ملیارد" | "بیلیون" => Word::Scale(9), "تریلیون" => Word::Scale(12),
        "نیم" | "نصف" | "نیمه" => Word::Half,
        "ربع" => Word::Quarter,
        "قرن" | "سده" => Word::Collective(100), "هزاره" => Word::Collective(1000), "دوجین" => Word::Collective(12),
        "دهه" | "دههی" | "دهههای" => Word::Decade, "سال" | "سالهای" => Word::Year,
        "و" => Word::And,
        "تا" | "الی" | "یا" => Word::To,
        "بعدازظهر" | "ظهر" | "عصر" | "شب" | "غروب" => Word::AfterNoon,
        "صبح" | "بامداد" => Word::BeforeNoon,
        "فروردین" | "ژانویه" => Word::Month(1), "اردیبهشت" | "فوریه" => Word::Month(2),
        "خرداد" | "مارس" => Word::Month(3), "تیر" | "آوریل" | "اوریل" => Word::Month(4),
        "مرداد" | "امرداد" | "مه" | "می" => Word::Month(5), "شهریور" | "ژوین" => Word::Month(6),
        "مهر" | "ژوییه" | "جولای" => Word::Month(7), "ابان" | "اوت" | "اگوست" => Word::Month(8),
        "اذر" | "سپتامبر" => Word::Month(9), "دی" | "اکتبر" => Word::Month(10),
        "بهمن" | "نوامبر" => Word::Month(11), "اسفند" | "دسامبر" => Word::Month(12),
        _ => return None,
    })
}

/// A number word with what is written onto it: a scale, "and a half", or a noun whose half-space was lost.
fn glued(word: &str) -> Option<(Word, Option<Word>)> {
    const NUMBERS: [&str; 19] = [
        "یازده",
        "دوازده",
        "چهارده",
        "پانزده",
        "هفتاد",
        "هشتاد",
        "پنجاه",
        "بیست",
        "چهل",
        "هفت",
        "هشت",
        "پنج",
        "چهار",
        "یک",
        "دو",
        "سه",
        "شش",
        "ده",
        "نه",
    ];
    const NOUNS: [&str; 18] = [
        "ساله",
        "سالگی",
        "روزه",
        "ماهه",
        "نفره",
        "نفر",
        "بعدی",
        "برابر",
        "بار",
        "باره",
        "مرحله",
        "جانبه",
        "ساعته",
        "درصد",
        "طرفه",
        "تن",
        "هفته",
        "دقیقه",
    ];
    if let Some(rest) = word.strip_prefix('و')
        && matches!(rest, "نیم")
    {
        return Some((Word::And, Some(Word::Half)));
    }
    NUMBERS.into_iter().find_map(|number| {
        let rest = word.strip_prefix(number)?;
        let scale = persian(rest).filter(|rest| matches!(rest, Word::Scale(_)));
        let is_noun = NOUNS.iter().any(|noun| rest.starts_with(noun));
        (scale.is_some() || is_noun).then(|| Some((persian_exactly(number)?, scale)))?
    })
}

#[rustfmt::skip] // a table
fn english(word: &str) -> Word {
    match word {
        "zero" | "no" | "none" | "nil" | "zeros" => Word::Small(0),
        "one" | "first" | "once" | "single" | "sole" | "only" | "ones" | "firstly" | "another" | "alone" => Word::Small(1),
        "two" | "second" | "twice" | "both" | "double" | "doubled" | "doubling" | "pair" | "pairs" | "couple"
        | "duo" | "twin" | "twins" | "twofold" | "seconds" | "secondly" => Word::Small(2),
        "three" | "third" | "thirds" | "triple" | "tripled" | "thrice" | "trio" | "threefold" | "triplets" => Word::Small(3),
        "four" | "fourth" | "fourths" | "quadruple" | "quadrupled" | "fourfold" => Word::Small(4),
        "five" | "fifth" | "fifths" | "fivefold" => Word::Small(5),
        "six" | "sixth" | "sixths" => Word::Small(6),
        "seven" | "seventh" | "sevenths" => Word::Small(7),
        "eight" | "eighth" | "eighths" => Word::Small(8),
        "nine" | "ninth" | "ninths" => Word::Small(9),
        "ten" | "tenth" | "tenths" | "tens" | "tenfold" => Word::Small(10),
        "eleven" | "eleventh" => Word::Small(11), "twelve" | "twelfth" | "noon" | "midday" => Word::Small(12),
        "thirteen" | "thirteenth" => Word::Small(13), "fourteen" | "fourteenth" => Word::Small(14),
        "fifteen" | "fifteenth" => Word::Small(15), "sixteen" | "sixteenth" => Word::Small(16),
        "seventeen" | "seventeenth" => Word::Small(17), "eighteen" | "eighteenth" => Word::Small(18),
        "nineteen" | "nineteenth" => Word::Small(19),
        "twenty" | "twentieth" | "twenties" => Word::Small(20),
        "thirty" | "thirtieth" | "thirties" => Word::Small(30),
        "forty" | "fortieth" | "forties" | "fourty" => Word::Small(40),
        "fifty" | "fiftieth" | "fifties" => Word::Small(50),
        "sixty" | "sixtieth" | "sixties" => Word::Small(60),
        "seventy" | "seventieth" | "seventies" => Word::Small(70),
        "eighty" | "eightieth" | "eighties" => Word::Small(80),
        "ninety" | "ninetieth" | "nineties" => Word::Small(90),
        "hundred" | "hundreds" | "hundredth" | "hundredths" => Word::Hundred,
        "thousand" | "thousands" | "thousandth" => Word::Scale(3),
        "million" | "millions" | "millionth" | "mn" | "mln" => Word::Scale(6),
        "billion" | "billions" | "billionth" | "bn" | "bln" => Word::Scale(9),
        "trillion" | "trillions" | "tn" | "trn" => Word::Scale(12),
        "k" => Word::Letter(3), "m" => Word::Letter(6), "b" => Word::Letter(9), "t" => Word::Letter(12),
        "dozen" | "dozens" => Word::Collective(12),
        "decade" | "decades" => Word::Collective(10),
        "century" | "centuries" | "centenary" | "centennial" => Word::Collective(100),
        "millennium" | "millennia" => Word::Collective(1000),
        "half" | "halves" | "halved" => Word::Half,
        "quarter" | "quarters" => Word::Quarter,
        "and" => Word::And,
        "to" | "or" | "through" | "until" | "till" => Word::To,
        "a" | "an" => Word::Article,
        "pm" | "afternoon" | "evening" | "night" => Word::AfterNoon,
        "am" | "midnight" => Word::BeforeNoon,
        "january" | "farvardin" => Word::Month(1), "february" | "ordibehesht" => Word::Month(2),
        "march" | "khordad" => Word::Month(3), "april" | "tir" => Word::Month(4),
        "may" | "mordad" => Word::Month(5), "june" | "shahrivar" => Word::Month(6),
        "july" | "mehr" => Word::Month(7), "august" | "aban" => Word::Month(8),
        "september" | "azar" => Word::Month(9), "october" | "dey" => Word::Month(10),
        "november" | "bahman" => Word::Month(11), "december" | "esfand" => Word::Month(12),
        _ => roman(word).map_or(Word::Other, Word::Small),
    }
}

/// A Roman numeral from II on. Words are folded by now, so that English words in those letters are left out.
fn roman(word: &str) -> Option<u32> {
    if word.len() > 8 || matches!(word, "i" | "c" | "l" | "v" | "x" | "mix" | "ill" | "civil" | "vi" | "li") {
        return None;
    }
    let digit = |c| match c {
        b'i' => Some(1_u32),
        b'v' => Some(5),
        b'x' => Some(10),
        b'l' => Some(50),
        b'c' => Some(100),
        _ => None,
    };
    let (mut value, mut highest) = (0, 0);
    for c in word.bytes().rev() {
        let digit = digit(c)?;
        if digit >= highest {
            value += digit;
            highest = digit;
        } else {
            value -= digit.min(value);
        }
    }
    Some(value).filter(|value| *value < 1000)
}
