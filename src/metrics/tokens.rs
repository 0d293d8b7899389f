//! The tokenizer 13a of BLEU, as sacreBLEU has it (`sacrebleu/tokenizers/tokenizer_13a.py` and `tokenizer_re.py`,
//! after NIST's `mteval-v13a.pl`).

/// Sets a segment's tokens apart with white space.
pub(super) fn tokenize(segment: &str) -> String {
    let text = segment
        .trim_end_matches(is_space)
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    let mut apart = String::from(" ");
    for character in text.chars() {
        if character.is_ascii_punctuation() && !['\'', '-', '.', ','].contains(&character) {
            apart.extend([' ', character, ' ']);
        } else {
            apart.push(character);
        }
    }
    apart.push(' ');
    // A stop or a comma between digits belongs to a number.
    let is_stop = |c| c == '.' || c == ',';
    let apart = split_pairs(&apart, |a, b| !a.is_ascii_digit() && is_stop(b), ["", " ", " "]);
    let apart = split_pairs(&apart, |a, b| is_stop(a) && !b.is_ascii_digit(), [" ", " ", ""]);
    split_pairs(&apart, |a, b| a.is_ascii_digit() && b == '-', ["", " ", " "])
}

/// The words between white space.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// What Python takes for white space: Unicode's, and four control characters.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Puts something before, between and after the two characters of each pair, from left to right. A character that
/// belongs to one pair is not looked at as part of another, as with regular expressions.
fn split_pairs(text: &str, is_pair: impl Fn(char, char) -> bool, around: [&str; 3]) -> String {
    let [before, between, after] = around;
    let mut split = String::with_capacity(text.len() * 2);
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        if let Some(second) = characters.next_if(|&second| is_pair(first, second)) {
            split.push_str(before);
            split.push(first);
            split.push_str(between);
            split.push(second);
            split.push_str(after);
        } else {
            split.push(first);
        }
    }
    split
}
