//! The expected sentences of a row are separated by `␞` where the text has a space, and by `|` where it has
//! nothing.

use std::time::{Duration, Instant};

use super::*;

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/segment_cases.tsv"));
const SERAJI: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/segment_seraji_dev.txt"));

fn split(text: &str) -> Vec<&str> {
    sentences(text, Span::new(0, text.len())).into_iter().map(|span| span.of(text)).collect()
}

fn check(rows: &[&str]) {
    for row in rows {
        let text = row.replace('␞', " ").replace('|', "");
        assert_eq!(split(&text).join("␞"), row.replace('|', "␞"));
    }
}

#[test]
fn every_row_of_the_case_file() {
    for row in CASES.lines().skip(1) {
        let mut columns = row.split('\t').map(|column| column.replace("\\n", "\n"));
        let (text, expected) = (columns.next().unwrap(), columns.next().unwrap());
        assert_eq!(split(&text).join("␞"), expected, "{row}");
    }
}

#[test]
fn f1_on_the_treebank() {
    let text = SERAJI.lines().collect::<Vec<_>>().join(" ");
    let gold = ends(SERAJI.lines());
    let found = ends(split(&text).into_iter());
    let right = found.iter().filter(|end| gold.contains(end)).count();
    // F1 = 2 right / (gold + found) of at least 0.995, without fractions.
    assert!(
        2000 * right >= 995 * (gold.len() + found.len()),
        "{right} of {}, {} found",
        gold.len(),
        found.len()
    );
}

/// Where each of the sentences ends, with one space between two; the end of the text is no boundary to find.
fn ends<'a>(sentences: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut at = 0;
    let mut ends: Vec<usize> = sentences
        .map(|sentence| {
            at += sentence.len() + 1;
            at
        })
        .collect();
    ends.pop();
    ends
}

#[test]
fn abbreviations_and_initials() {
    check(&[
        "در سال ۱۳۲۰ ه.ش. به دنیا آمد.␞او شاعر بود.",
        "در سال ۱۳۲۰ هـ.ش. به دنیا آمد.␞او شاعر بود.",
        "در سال ۶۱ هـ. ق. کشته شد.␞او امام بود.",
        "در سال ۱۹۰۰ م. به ایران آمد.␞بعد رفت.",
        "دکتر ع. کریمی آمد.␞او جراح است.",
        "دکتر ع . کریمی آمد.␞او جراح است.",
        "شبکه بی.بی.سی. گزارش داد.␞خبر تازه بود.",
        "مأموران اف.بی.آی رسیدند.␞او رفت.",
        "حزب پ.ک.ک. بیانیه داد.␞دولت پاسخ داد.",
        "ر.ک. فصل دوم.␞پایان.",
        "نک. فصل دوم.␞پایان.",
        "صص. ۲۰ تا ۳۰ را ببینید.␞پایان.",
        "او در U.S. زندگی می‌کند.␞کارش خوب است.",
        "آقای J. K. Rowling نوشت.␞کتاب چاپ شد.",
        "Mr. Smith آمد.␞Dr. Brown رفت.",
        "رنگ‌ها (e.g. قرمز) زیبا هستند.␞پایان.",
        "پرونده Roe v. Wade مهم است.␞دادگاه رأی داد.",
        "شرکت Apple Inc. محصول تازه داد.␞قیمت بالاست.",
        "راننده Piquet Jr. پس از مسابقه رفت.␞پایان.",
        "در No. 5 زندگی می‌کند.␞پایان.",
        "Hello world.␞This is a test.␞متن فارسی.",
    ]);
}

#[test]
fn items_of_a_list_and_datelines() {
    check(&[
        "تهران - ایرنا:␞رئیس‌جمهور گفت: خوب است.",
        "نکته - مهم: این را بخوانید.",
        "۱. مقدمه نوشته شد.␞۲. متن آمد.",
        "1. مقدمه نوشته شد.␞2. متن آمد.",
        "الف. خرید کرد.␞ب. فروخت.",
        "۲.۱. روش کار",
        "۱-۲. روش کار",
        "IV. نتیجه",
        "فصل ۱. مقدمه",
        "او رفت.␞جدول دوم. نتایج آزمون",
        "او در فصل ۱.␞مقدمه نوشت.",
        "کارها: ۱. خرید ۲. فروش ۳. اجاره",
        "کارها عبارتند از: ۱. خرید.␞۲. فروش.",
        "او در سال ۱۳۵۷ آمد.␞در سال ۱۳۶۰ رفت.",
        "آن اتفاق در سال ۱۳۵۷.␞بعد از آن جنگ شد.",
    ]);
}

#[test]
fn numbers_links_and_names() {
    check(&[
        "فایل main.c.␞بعد ببینید.",
        "او رفت.|در راه ماند.",
        "گزارش شد.|«خوب است.»",
        "سال ۱۳۵۷.|بعد از آن.",
        "نرخ ۲٫۱ درصد و ۲.۱ درصد است.␞قیمت ۱۲,۵۰۰ و ۱۲.۵۰۰ است.",
        "نسخه 1.2.3 آمد.␞نسخه ۲.۰ هم آمد.",
        "فایل گزارش.pdf و main.rs را ببینید.␞ممنون.",
        "به ali.reza@example.com بنویسید.␞ممنون.",
        "سایت www.example.ir است.␞ببینید.",
        "به https://fa.wikipedia.org/wiki/ایران.متن?a=ب بروید.␞ممنون.",
        "نشانی https://example.com/a.␞بعد بروید.",
        "سایت example.com را ببینید!␞خوب است.",
        "زبان .NET خوب است.␞پایان.",
        "شرکت Yahoo! mail را بست.␞پایان.",
    ]);
}

#[test]
fn an_ellipsis_ends_a_sentence_after_a_verb() {
    check(&[
        "نمی دانم...␞شاید فردا.",
        "سیب و... را خرید.␞رفت.",
        "سیب، گلابی و ... خریدیم.␞رفتیم.",
        "نمی‌دانم...␞شاید فردا بیاید.",
        "تمام شد...␞او رفت.",
        "تمام شد....␞او رفت.",
        "من... من نمی‌دانم.␞برو.",
        "خب... بعد چه شد؟␞هیچ.",
        "رفت... و دیگر نیامد.",
        "نامه را نوشت...␞بعد خوابید.",
        "نامه رسيد...␞بعد خوابيد.",
        "نگفت...␞بعد رفت.",
        "خسته‌ام…␞باید بروم.",
        "گفت: «شاید فردا...»␞او رفت.",
        "... عشق به مطالعه",
        "فصل اول.......... ۱۲",
        "چه؟...␞نمی‌دانم.",
    ]);
}

#[test]
fn marks() {
    check(&[
        "او آمد.␞بعد رفت.",
        "جملهٔ نخست。|دوم",
        "چرا رفتی؟!␞نمی‌دانم.",
        "چه خوب!!␞آفرین!!!␞برو.",
        "واقعا ؟␞بله !␞خوب .␞برو.",
        "آمدی؟|بله.␞برو.",
        "یہ کتاب ہے۔␞وہ گیا۔",
        "او آمد؛ بعد رفت.␞پایان.",
        "چرا؟، او گفت.",
        "نفت گران شد . . .␞پایان.",
        "رفت .␞او آمد.",
    ]);
}

#[test]
fn quotations() {
    check(&[
        "گفت: «می‌آیم.»␞نمی‌دانم چرا.",
        "گفت: «برو.»␞گفت: «نه.»",
        "گفت: «آمد.»|بعد رفت.",
        "«او رفت.» و همه گریستند.",
        "او گفت «برو!» و رفت.",
        "گفت: «آمدم.␞رفتم.»␞او خندید.",
        "«می‌آیم.» گفت مادر.",
        "«برو!» را شنید.",
        "او گفت: \"بیا.\"␞او آمد.",
        "او گفت: \"بیا.\" و رفت.",
        "او گفت: “بیا.”␞او آمد.",
        "او گفت.␞\"بیا\"",
        "کتاب «چرا؟» منتشر شد.␞خوب بود.",
        "فیلم «کجا می‌روی؟» ساخته او است.␞ببینید.",
        "وی با بیان اینکه «ایران قوی است.» افزود: ما هم.",
        "او نوشت: «خوب است.‌»\u{200F}␞بعد رفت.",
        "گفت: «خوب است. »␞او رفت.",
        "گفت: « خوب است. »␞او رفت.",
        "پرسید: «چرا؟»␞کسی پاسخ نداد.",
        "گفت «چرا؟»␞کسی پاسخ نداد.",
    ]);
}

#[test]
fn remarks_in_brackets_and_footnotes() {
    check(&[
        "(نگاه کنید به فصل ۲.)␞بعد برگردید.",
        "او (چه عجب!) آمد.␞رفت.",
        "در سال ۵۰۰ (؟) مرد.␞پایان.",
        "او ده ساله (!) است.␞پایان.",
        "او گفت (و خندید. بعد گریست.) و رفت.␞پایان.",
        "این خوب است. [۱]␞آن بد است.",
        "این خوب است.[۱][۲]␞آن بد است.",
        "این خوب است.[نیازمند منبع]␞آن بد است.",
        "این خوب است[۱].␞آن بد است.",
        "پیامبر (ص) آمد.␞امام علی (ع) رفت.",
        "امام) ره (آمد.␞بعد امام) ره (رفت.",
    ]);
}

#[test]
fn emoji() {
    check(&["خوب بود.😂␞او رفت.", "خوب بود! 😂😂␞او رفت.", "خوب بود.␞🔴 تهران لرزید.", "خوب بود 😂.␞رفت."]);
}

#[test]
fn scripts_and_keyboards() {
    check(&[
        "رفت.␞iPhone خرید.␞پایان.",
        "او Python را دوست دارد.␞Rust هم خوب است.",
        "كتاب را خواندم.␞علي آمد.",
        "هوا ۵۰٪ گرم شد.␞۲۰ نفر رفتند.",
    ]);
}

#[test]
fn a_line_end_is_always_a_boundary() {
    for end in ["\n", "\r\n", "\r", "\u{B}", "\u{C}", "\u{85}", "\u{2028}", "\u{2029}", "\n \u{200F}\n"] {
        let text = format!("تیتر خبر (ناتمام{end}متن و {end} ادامه");
        assert_eq!(split(&text), ["تیتر خبر (ناتمام", "متن و", "ادامه"], "{end:?}");
    }
}

#[test]
fn spans_count_from_the_start_of_the_text() {
    let text = "پیش. او آمد. او رفت. پس.";
    let within = Span::new("پیش. ".len(), "پیش. او آمد. او رفت.".len());
    let found = sentences(text, within);
    assert_eq!(found.iter().map(|span| span.of(text)).collect::<Vec<_>>(), ["او آمد.", "او رفت."]);
}

#[test]
fn nothing_visible_is_no_sentence() {
    for text in ["", " ", "\n\n", "\u{200C}\u{FEFF}", "\0\t\u{200F}"] {
        assert!(split(text).is_empty(), "{text:?}");
    }
    assert_eq!(split(" ؟! "), ["؟!"]);
}

#[test]
fn time_is_linear_whatever_the_text() {
    let units = [
        ".",
        "\"",
        "«",
        "»",
        "(",
        "()",
        "بی.",
        "از.",
        "2.",
        ". ",
        ".[",
        "a.",
        "ا.",
        "ا",
        " ",
        "«ا.» ",
        "(ا. ",
        "۱. ",
        "!\u{200C}",
        ": ",
        "😂.",
        "a:// ",
        ".\u{200C} ",
        "و... ",
        "'.",
        "www.",
        ") ا (",
        "\"ا.\" ",
        "\u{200C}",
        "ا - ب: ",
        "می ...",
        "[",
        ".😂",
    ];
    for unit in units {
        let text = unit.repeat((1 << 20) / unit.len());
        let started = Instant::now();
        split(&text);
        let taken = started.elapsed();
        // What grows with the square of the length takes minutes, on a busy machine too.
        assert!(taken < Duration::from_secs(30), "{unit:?} took {taken:?}");
    }
}
