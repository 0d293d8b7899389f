use std::collections::BTreeMap;

use super::{ZWNJ, restore};

const ARTICLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/pezeshkian-belarus.fa.txt"));
const GOLD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/seed_zwnj_gold.tsv"));
const TREEBANK: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/segment_seraji_dev.txt"));

fn restored(text: &str) -> String {
    let mut result = String::new();
    let mut done = 0;
    for half_space in restore(text) {
        result.push_str(&text[done..half_space.at]);
        result.push(ZWNJ);
        done = half_space.at + usize::from(half_space.replaces_space);
    }
    result + &text[done..]
}

/// Offsets in bytes at which the half-spaces of `text` would have to be put into it without them.
fn positions(text: &str) -> Vec<usize> {
    text.match_indices(ZWNJ).enumerate().map(|(earlier, (at, _))| at - earlier * ZWNJ.len_utf8()).collect()
}

/// Where `text` without its half-spaces, joined, gets which back: right, wrong and missed ones.
fn compare(text: &str) -> (usize, BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let (mut right, mut wrong, mut missed) = (0, BTreeMap::new(), BTreeMap::new());
    for spelled in text.split_whitespace() {
        let lost = spelled.replace(ZWNJ, "");
        let (expected, found) = (positions(spelled), restore(&lost));
        let is_found = |at: &usize| found.iter().any(|half_space| half_space.at == *at);
        right += expected.iter().filter(|at| is_found(at)).count();
        let excess = found.iter().filter(|half_space| !expected.contains(&half_space.at)).count();
        let absent = expected.iter().filter(|at| !is_found(at)).count();
        if excess > 0 {
            *wrong.entry(restored(&lost)).or_insert(0) += excess;
        }
        if absent > 0 {
            *missed.entry(spelled.to_owned()).or_insert(0) += absent;
        }
    }
    (right, wrong, missed)
}

#[test]
fn the_sample_article_gets_back_what_it_lost_and_nothing_else() {
    let mut expected = BTreeMap::new();
    for row in GOLD.lines().filter(|row| row.starts_with(|c: char| c.is_ascii_digit())) {
        let columns: Vec<&str> = row.split('\t').collect();
        let start: usize = columns[3].parse().expect("a byte offset");
        expected.insert(start + columns[6].find(ZWNJ).expect("a half-space"), columns[6]);
    }
    let found: Vec<usize> = restore(ARTICLE).iter().map(|half_space| half_space.at).collect();
    let wrong: Vec<_> =
        found.iter().filter(|at| !expected.contains_key(at)).map(|at| &ARTICLE[at - 6..*at]).collect();
    let missed: Vec<_> =
        expected.iter().filter(|(at, _)| !found.contains(at)).map(|(_, word)| *word).collect();
    assert!(wrong.is_empty(), "precision must be 1: {wrong:?}");
    assert!(missed.is_empty(), "recall must be 1: {missed:?}");
    for row in GOLD.lines().filter(|row| row.starts_with("NEG")) {
        let word = row.split('\t').nth(5).expect("a word");
        assert_eq!(restored(word), word);
    }
}

#[test]
fn running_text_gets_its_half_spaces_back() {
    let (right, wrong, missed) = compare(TREEBANK);
    let share = |others: &BTreeMap<String, usize>| {
        let others: usize = others.values().sum();
        f64::from(u32::try_from(right).unwrap()) / f64::from(u32::try_from(right + others).unwrap())
    };
    let (precision, recall) = (share(&wrong), share(&missed));
    println!("precision {precision:.3}, recall {recall:.3}\nwrong: {wrong:?}\nmissed: {missed:?}");
    // Most of what counts as wrong are plurals that the treebank itself spells both ways.
    assert!(precision >= 0.9 && recall >= 0.8, "precision {precision:.3}, recall {recall:.3}");
}

#[test]
fn words_with_a_lost_half_space_get_it_back() {
    for expected in [
        // می before a verb, with negation, preverb, perfect, object; old spelling with ئ.
        "می‌شود",
        "نمی‌توانند",
        "برمی‌دارند",
        "بازمی‌گشت",
        "می‌کرده‌اند",
        "نمی‌خواهمت",
        "می‌گوئیم",
        "می‌آید",
        "می‌بایست",
        // Plurals and their endings.
        "تحریم‌های",
        "حوزه‌ها",
        "گروه‌هایی",
        "کتاب‌هایشان",
        "نشست‌های",
        "شکست‌های",
        "خبرگزاری‌ها",
        "سال‌هاست",
        // The perfect, and other endings after a silent ه.
        "رفته‌اند",
        "نکرده‌اند",
        "برداشته‌ایم",
        "شده‌است",
        "نماینده‌ام",
        "خانواده‌اش",
        "همه‌ی",
        "زندگی‌اش",
        "داشته‌ایم",
        "هسته‌ای",
        "رسانه‌ای",
        "منطقه‌ای",
        "چهره‌ای",
        "هسته‌ای‌ها",
        "تعیین‌کننده‌ای",
        "سه‌مرحله‌ای",
        "بی‌سابقه‌ای",
        // Comparatives.
        "مهم‌ترین",
        "سخت‌تری",
        "ساده‌تر",
        "گسترده‌ترین",
        "بزرگ‌ترین‌ها",
        "امکان‌پذیرتر",
        // Compounds, prefixes, Arabic phrases, abbreviations.
        "خصوصی‌سازی",
        "علاقه‌مند",
        "اجتناب‌ناپذیر",
        "سیاست‌گذاری‌های",
        "پیش‌بینی",
        "چشم‌انداز",
        "بهره‌برداری",
        "روزنامه‌نگار",
        "بی‌اساس",
        "به‌عنوان",
        "هیچ‌گونه",
        "این‌گونه",
        "سه‌شنبه",
        "رئیس‌جمهوری",
        "بین‌المللی",
        "آیت‌الله",
        "شمس‌الدین",
        "جمع‌آوری",
        "بی‌بی‌سی",
        "نیمه‌نهایی",
    ] {
        assert_eq!(restored(&expected.replace(ZWNJ, "")), expected);
        assert_eq!(restored(expected), expected);
    }
}

#[test]
fn spaces_that_were_half_spaces_become_them() {
    for (lost, expected) in [
        ("می شود", "می‌شود"),
        ("آن را نمی خواهند", "آن را نمی‌خواهند"),
        ("بر می دارند", "بر می‌دارند"),
        ("تحریم های غرب", "تحریم‌های غرب"),
        ("کشور ها", "کشور‌ها"),
        ("خواب های تان", "خواب‌های‌تان"),
        ("شده اند", "شده‌اند"),
        ("سلاح هسته ای", "سلاح هسته‌ای"),
        ("مهم ترین", "مهم‌ترین"),
        ("بزرگ تر", "بزرگ‌تر"),
        ("بی دلیل", "بی‌دلیل"),
        ("بین المللی", "بین‌المللی"),
    ] {
        assert_eq!(restored(lost), expected);
        assert_eq!(restored(expected), expected);
    }
    for text in [
        "ماه می سال",
        "ماه می شد",
        "در ها",
        "چشم تر",
        "ای دوست",
        "گروه القاعده",
        "می خواهر",
        "لطف الهی",
        "می  شود",
    ] {
        assert_eq!(restored(text), text);
    }
}

#[test]
fn words_that_only_look_alike_stay() {
    let words = "شانگهای تنها تنهایی انتها انتهای نهایی بهای گران‌بها کشورهای شهرهای خبرهای روزهای دورهای بعدها گفتگوها فقها منهای \
         میسنک مینسک میدان میدانی میزان میزبان میان میانه میگو میلاد میراث میکروب میانمار میلیون نمیرد اسلامی نظامی تهاجمی \
         بیمار بیمارستان بیان بیرون بیست بیکار بیگانه بیشتر بیشتری بهتر بهبود بهشت بهنام بهره دکترین ویترین دختر دختری دفتر مشتری لیتر توییتر \
         دیگر دیگری پیگیری رفتارهای پیوندهای فرزندهای قراردادهای بازدیدهای درآمدهای نهادهای برندهای روندهای بارهای کارهای کردهای \
         سیزده پانزده تبریزی پسندیده خندیده فرمانده فرماندهی دستیابی جانشین استخوان همکاری دانشجویی بازپرسان گردشگری سخنگو سخنگوی \
         آنها اینها آنهایی اینکه آنچه قرآن الآن سلام والدین القاعده انقلابی جهانی خیلی زبان جمهوری پیشرفته حرفهای عبدالله";
    for word in words.split_whitespace() {
        assert_eq!(restored(word), word);
    }
}
