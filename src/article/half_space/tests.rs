use std::collections::BTreeMap;

use super::*;

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

#[test]
fn the_sample_article_gets_back_what_it_lost_and_nothing_else() {
    let article = include_str!("../../../seeds/pezeshkian-belarus.fa.txt");
    let gold = include_str!("../../../tests/data/seed_zwnj_gold.tsv");
    let mut expected = BTreeMap::new();
    for row in gold.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (start, gold): (usize, &str) = (columns[3].parse().unwrap(), columns[6]);
        expected.insert(start + gold.find(ZWNJ).unwrap(), gold);
    }
    let found: Vec<usize> = restore(article).iter().map(|half_space| half_space.at).collect();
    let wrong: Vec<_> = found
        .iter()
        .filter(|at| !expected.contains_key(at))
        .map(|at| article[*at..].chars().take(9).collect::<String>())
        .collect();
    assert!(wrong.is_empty(), "precision must be 1.0: {wrong:?}");
    let missed: Vec<_> =
        expected.iter().filter(|(at, _)| !found.contains(at)).map(|(_, word)| *word).collect();
    println!("recall {} of {}, missed {missed:?}", expected.len() - missed.len(), expected.len());
    assert!(missed.len() * 10 <= expected.len(), "recall must be at least 0.9: {missed:?}");
}

#[test]
fn half_spaces_of_running_text_are_found_again() {
    let text = include_str!("../../../tests/data/segment_seraji_dev.txt");
    let (mut right, mut wrong, mut missed) = (0, BTreeMap::new(), BTreeMap::new());
    for word in text.split_whitespace() {
        let lost = word.replace(ZWNJ, "");
        let expected = positions(word);
        let found = positions(&restored(&lost));
        right += found.iter().filter(|at| expected.contains(at)).count();
        if found.iter().any(|at| !expected.contains(at)) {
            *wrong.entry(restored(&lost)).or_insert(0) += 1;
        }
        if expected.iter().any(|at| !found.contains(at)) {
            *missed.entry(word).or_insert(0) += 1;
        }
    }
    let (false_alarms, lost): (i32, i32) = (wrong.values().sum(), missed.values().sum());
    let precision =
        f64::from(i32::try_from(right).unwrap()) / f64::from(i32::try_from(right).unwrap() + false_alarms);
    let recall = f64::from(i32::try_from(right).unwrap()) / f64::from(i32::try_from(right).unwrap() + lost);
    println!("precision {precision:.3}, recall {recall:.3}\nwrong: {wrong:?}\nmissed: {missed:?}");
    assert!(precision >= 0.8, "{precision}");
    assert!(recall >= 0.6, "{recall}");
}

/// Offsets of the half-spaces in letters, them not counted.
fn positions(word: &str) -> Vec<usize> {
    word.char_indices()
        .filter(|(_, c)| *c == ZWNJ)
        .enumerate()
        .map(|(index, (at, _))| at - index * 3)
        .collect()
}

#[test]
fn rules_hold_and_words_that_only_look_alike_stay() {
    for (lost, expected) in [
        ("میشود", "می‌شود"),
        ("می شود", "می‌شود"),
        ("نمیتوانند", "نمی‌توانند"),
        ("برمیدارند", "برمی‌دارند"),
        ("تحریم های", "تحریم‌های"),
        ("کتابهایشان", "کتاب‌هایشان"),
        ("رفتهاند", "رفته‌اند"),
        ("نکرده اند", "نکرده‌اند"),
        ("هستهای", "هسته‌ای"),
        ("مهمترین", "مهم‌ترین"),
        ("بیسابقه", "بی‌سابقه"),
        ("خصوصیسازی", "خصوصی‌سازی"),
        ("علاقهمند", "علاقه‌مند"),
    ] {
        assert_eq!(restored(lost), expected);
        assert_eq!(restored(expected), expected);
    }
    for word in [
        "شانگهای",
        "تنها",
        "کشورهای",
        "بعدها",
        "گفتگوها",
        "میسنک",
        "مینسک",
        "میدان",
        "میزان",
        "میان",
        "میگو",
        "میدانی",
        "بیمار",
        "بیان",
        "بیرون",
        "دکترین",
        "دختر",
        "بیشتر",
        "مشتری",
        "دیگر",
        "پیگیری",
        "رفتارهای",
        "اشتهای",
        "می خواهر",
        "جهانی",
        "سلام",
    ] {
        assert_eq!(restored(word), word);
    }
}
