use std::collections::HashSet;

use proptest::prelude::*;

use super::{Options, normalize};
use crate::article::Span;

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/normalise_cases.tsv"));
const DECISIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/normalise_decisions.md"));

const FOLD: Options = Options { restore_half_spaces: false };
const RESTORE: Options = Options { restore_half_spaces: true };

fn folded(source: &str) -> String {
    normalize(source, FOLD).text().to_owned()
}

/// What the source has where the normalised text has `part`.
fn origin<'a>(source: &'a str, options: Options, part: &str) -> &'a str {
    let normalized = normalize(source, options);
    let start = normalized.text().find(part).expect("the part is in the text");
    normalized.source_span(Span::new(start, start + part.len())).of(source)
}

#[test]
fn letters_of_other_keyboards_become_persian() {
    assert_eq!(folded("علي كتاب موسى"), "علی کتاب موسی");
    assert_eq!(folded("دیر آمدے کہ"), "دیر آمدی که");
    assert_eq!(folded("ﻻ ﷲ ﷼ ﻣﯽ‌ﺷﻮﺩ"), "لا الله ریال می‌شود");
    assert_eq!(folded("٤٥٦ 456 ۴۵۶"), "۴۵۶ 456 ۴۵۶");
}

#[test]
fn marks_compose_or_go() {
    assert_eq!(folded("ا\u{653}ب"), "آب");
    assert_eq!(folded("ا\u{200D}\u{653}ب"), "آب");
    assert_eq!(folded("مسي\u{654}له"), "مسئله");
    assert_eq!(folded("مُحَمَّد"), "محمد");
    assert_eq!(folded("لطفاًً"), "لطفاً");
    assert_eq!(folded("خانۀ ما، خانهٔ ما، خانهء ما، خانه ی ما"), "خانهٔ ما، خانهٔ ما، خانهٔ ما، خانهٔ ما");
    assert_eq!(folded("\u{654}\u{653}"), "");
}

#[test]
fn invisible_characters_go() {
    assert_eq!(folded("\u{FEFF}سل\0ام\u{200F} \u{202B}دنیا\u{202C}"), "سلام دنیا");
    assert_eq!(folded("سلام\u{A0}\u{2003}\t\r\nدنیا \u{1F}"), "سلام دنیا");
}

#[test]
fn half_spaces_stay_inside_words_only() {
    assert_eq!(folded("می\u{200C}\u{200C}شود"), "می‌شود");
    assert_eq!(folded("\u{200C}سلام \u{200C}دنیا\u{200C}، خوب\u{200C}"), "سلام دنیا، خوب");
    // Old word processors' half-spaces.
    assert_eq!(folded("حرف\u{AD}ها حرف\u{AC}ها حرف\u{200B}ها"), "حرف‌ها حرف‌ها حرف‌ها");
    assert_eq!(folded("hy\u{AD}phen a\u{200B}b \u{AC}p"), "hyphen ab \u{AC}p");
}

#[test]
fn a_tatweel_that_stretches_nothing_is_a_dash() {
    assert_eq!(folded("سلامـــت"), "سلامت");
    assert_eq!(folded("۱۱ـ۲۳"), "۱۱–۲۳");
    assert_eq!(folded("تهران ـ ایرنا"), "تهران – ایرنا");
    assert_eq!(folded("سال ۱۴۰۰ هـ . ش"), "سال ۱۴۰۰ ه. ش");
}

#[test]
fn other_scripts_are_left_alone() {
    for text in ["👨‍👩‍👧 ok", "naïve façade", "क्‍ष", "日本語", "a…b «c» \"d\"", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
    {
        assert_eq!(folded(text), text);
    }
}

#[test]
fn spaces_leave_brackets_and_stops() {
    assert_eq!(folded("سلام ، ( دنیا ) ؟!"), "سلام، (دنیا)؟!");
    assert_eq!(folded("« سلام » گفت ."), "«سلام» گفت.");
    for text in ["a .NET app", "smile :) ok", "wait ... now", "x := 1"] {
        assert_eq!(folded(text), text);
    }
}

#[test]
fn spans_lead_back_to_the_source() {
    let source = "  علي\u{200F}  مُحَمَّد ا\u{653}مد  ";
    assert_eq!(origin(source, FOLD, "محمد"), "مُحَمَّد");
    assert_eq!(origin(source, FOLD, "آ"), "ا\u{653}");
    // What was dropped belongs to what came before it.
    assert_eq!(origin(source, FOLD, "ی"), "ي\u{200F}");
    assert_eq!(origin(source, FOLD, " م"), "  مُ");
    assert_eq!(normalize(source, FOLD).source_span(Span::new(0, 999)), Span::new(0, source.len()));
    // Half a ligature is the whole ligature.
    assert_eq!(origin("ﻻ", FOLD, "ا"), "ﻻ");
    assert_eq!(normalize(" \u{200C} ", FOLD).source_span(Span::new(0, 0)), Span::new(0, 5));
}

#[test]
fn restored_half_spaces_came_from_nothing_or_a_space() {
    assert_eq!(origin("او ميشود و", RESTORE, "می‌شود"), "ميشود");
    assert_eq!(origin("او ميشود و", RESTORE, "\u{200C}"), "");
    assert_eq!(origin("او می شود و", RESTORE, "\u{200C}"), " ");
}

#[test]
fn every_known_case_passes_or_is_argued() {
    let argued: HashSet<&str> = DECISIONS
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| {
            word.len() == 4 && word.starts_with('N') && word[1..].bytes().all(|b| b.is_ascii_digit())
        })
        .collect();
    let mut wrong = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, _, _, _, policy, input, expected, ..] = fields[..] else { panic!("bad row {line:?}") };
        let options = Options { restore_half_spaces: policy == "zwnj" };
        // A line end is a sentence end, so the normaliser sees a line at a time.
        let lines: Vec<String> =
            unescape(input).split('\n').map(|line| normalize(line, options).text().to_owned()).collect();
        let got = lines.join("\n");
        if (got == unescape(expected)) == argued.contains(id) {
            wrong.push(format!("{id} {policy} argued={} {got:?} {expected:?}", argued.contains(id)));
        }
    }
    assert!(wrong.is_empty(), "pass but are argued, or fail and aren't:\n{}", wrong.join("\n"));
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
}

#[test]
fn five_megabytes_take_about_a_second() {
    for unit in ["ميشود كتابهای او، ", "ي", "می شود ", "ه ی ", "! ", "ـ", "\u{654}ه\u{200C}", "سلامهاها"]
    {
        let source = unit.repeat(5_000_000 / unit.len());
        let start = std::time::Instant::now();
        let normalized = normalize(&source, RESTORE);
        assert!(normalized.text().len() <= source.len() * 2);
        // Far above what it takes, so that a busy machine doesn't fail it, and far below quadratic.
        assert!(start.elapsed().as_secs() < 30, "{unit:?} took {:?}", start.elapsed());
    }
}

/// Text dense in what the steps react to, now and then any character at all.
fn hostile() -> impl Strategy<Value = String> {
    let special: Vec<char> =
        " \u{200C}\u{200D}\u{200B}\u{AD}\u{AC}\u{653}\u{654}\u{655}\u{64B}\u{64E}ـيىكەۀةﻻﷲﷺاهءیشدمنکورتب۱٢a.:!؟،()«»\n\u{A0}👩\0ﹰ"
            .chars()
            .collect();
    let words =
        ["می", "نمی", "شود", "ها", "های", "هایی", "خانه", "ای", "اند", "کرده", "تر", "ترین", "بی", " "];
    prop::collection::vec(
        prop_oneof![
            6 => prop::sample::select(special).prop_map(String::from),
            3 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalising_twice_changes_nothing(source in hostile(), restore in any::<bool>()) {
        let options = Options { restore_half_spaces: restore };
        let once = normalize(&source, options);
        let twice = normalize(once.text(), options);
        prop_assert_eq!(once.text(), twice.text());
    }

    #[test]
    fn spans_are_monotonic_and_on_boundaries(source in hostile(), restore in any::<bool>()) {
        let normalized = normalize(&source, Options { restore_half_spaces: restore });
        let text = normalized.text();
        prop_assert_eq!(normalized.source_span(Span::new(0, text.len())), Span::new(0, source.len()));
        let mut last = Span::new(0, 0);
        for (start, c) in text.char_indices() {
            let span = normalized.source_span(Span::new(start, start + c.len_utf8()));
            prop_assert!(source.is_char_boundary(span.start) && source.is_char_boundary(span.end));
            prop_assert!(last.start <= span.start && last.end <= span.end, "{:?} then {:?}", last, span);
            prop_assert!(span.start <= last.end, "a gap between {:?} and {:?}", last, span);
            last = span;
        }
    }

    #[test]
    fn restoring_only_adds_half_spaces_or_turns_spaces_into_them(source in hostile()) {
        let plain = folded(&source);
        let restored = normalize(&source, RESTORE);
        let mut left = plain.chars().peekable();
        for c in restored.text().chars() {
            match left.peek() {
                Some(&expected) if expected == c => { left.next(); }
                Some(' ') if c == '\u{200C}' => { left.next(); }
                _ => prop_assert_eq!(c, '\u{200C}'),
            }
        }
        prop_assert!(left.next().is_none());
    }

    #[test]
    fn any_span_of_any_text_is_answered(source in any::<String>(), start in 0usize..50, len in 0usize..50) {
        let normalized = normalize(&source, RESTORE);
        let span = normalized.source_span(Span::new(start, start + len));
        prop_assert!(span.end <= source.len() && span.start <= span.end);
        prop_assert!(source.is_char_boundary(span.start) && source.is_char_boundary(span.end));
    }
}
