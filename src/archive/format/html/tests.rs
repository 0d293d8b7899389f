use proptest::prelude::*;

use super::*;
use crate::archive::format::ReadOptions;
use crate::archive::format::testing::{Shout, rewritten};

const PAGE: &str = "<!DOCTYPE html>\n<html lang=fa-IR dir=\"rtl\"><head><meta charset='utf-8'><title>تیتر a</title>\n\
    <style>p { color: red }</style><script>var x = \"سلام y\";</script></head>\n<body class=fa>\n\
    <p>سلام <a href=\"/x?a=1&amp;b=2\">دنیا b</a> و\n   بقیه&zwnj;ها &laquo;c&raquo;.<br>خط دو d\n<p>سه e &lt;\n\
    <div>چهار f<ul><li>پنج <b>g</b></ul></div><pre>شش h</pre><p translate=no>هفت i</p>\n<!-- هشت j -->\
    <p>English <i>k</i> only</p></body></html>\n";

fn page(source: &str) -> (String, Shout) {
    let (output, visitor) = rewritten("a.html", source.as_bytes(), &ReadOptions::default());
    (String::from_utf8(output.unwrap()).unwrap(), visitor)
}

/// Everything but text: tags, comments, scripts.
fn markup(page: &str) -> Vec<String> {
    let pieces = page.split_inclusive('>').map(|piece| &piece[piece.find('<').unwrap_or(piece.len())..]);
    pieces.map(str::to_owned).collect()
}

#[test]
fn blocks_are_translated_and_markup_stays() {
    let (output, visitor) = page(PAGE);
    let texts = ["تیتر a", "سلام دنیا b و بقیه\u{200C}ها «c».", "خط دو d", "سه e <", "چهار f", "پنج g"];
    assert_eq!(visitor.texts, [texts.join("\n")]);
    let expected = PAGE.replace("lang=fa-IR dir=\"rtl\"", "lang=en dir=\"ltr\"");
    assert_eq!(markup(&output), markup(&expected));
    for kept in ["var x = \"سلام y\";", "<pre>شش h</pre>", "هفت i", "<!-- هشت j -->", "English <i>k</i> only"]
    {
        assert!(output.contains(kept), "{kept}: {output}");
    }
    for translated in ["<title>تیتر A</title>", "خط دو D", "سه E &lt;\n", "چهار F<ul>"] {
        assert!(output.contains(translated), "{translated}: {output}");
    }
}

#[test]
fn pages_in_other_encodings_become_utf_8_and_say_so() {
    let source = "<html><head><META http-equiv=Content-Type content=\"text/html; charset=windows-1256\"></head>\
        <body><p>سلام دنيا x</p></body></html>";
    let bytes = encoding_rs::WINDOWS_1256.encode(source).0;
    let (output, visitor) = rewritten("a.htm", &bytes, &ReadOptions::default());
    assert_eq!(visitor.encodings, [Some("windows-1256")]);
    let output = String::from_utf8(output.unwrap()).unwrap();
    assert!(output.contains("charset=utf-8") && output.contains("<p>سلام دنيا X</p>"), "{output}");
}

#[test]
fn the_main_article_becomes_a_page_of_its_own() {
    let paragraph =
        "این یک بند بلند از متن اصلی خبر است، با ویرگول، و جمله‌های دیگر که آن را بلندتر می‌کند. ".repeat(5);
    let menu = "<li><a href='/x'>فهرست</a></li>".repeat(20);
    let source = format!(
        "<html><head><title>تیتر خبر</title></head><body><nav><ul>{menu}</ul></nav><article><h1>تیتر خبر</h1>\
         <p>{paragraph}</p><p>{paragraph}</p><p>{paragraph}</p></article><footer>پاورقی</footer></body></html>"
    );
    let options = ReadOptions { html: HtmlMode::Article, ..ReadOptions::default() };
    let (output, visitor) = rewritten("a.html", source.as_bytes(), &options);
    let output = String::from_utf8(output.unwrap()).unwrap();
    assert!(output.starts_with("<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">"), "{output:.100}");
    assert!(visitor.texts[0].matches("متن اصلی").count() >= 15 && !visitor.texts[0].contains("فهرست"));
    let (output, visitor) = rewritten("a.html", b"", &options);
    assert!(output.is_none() && visitor.problems[0].contains("--html page"), "{:?}", visitor.problems);
}

proptest! {
    #[test]
    fn nothing_but_text_ever_changes(pieces in proptest::collection::vec(prop::sample::select(vec![
        "سلام ", "x", "\n", "<p>", "</p>", "<b>", "</b>", "<a href='ب'>", "</a>", "<br>", "&amp;", "&zwnj;", "&", "<", "<!-- ا -->",
        "<script>", "</script>", "<div dir=rtl>", "</div>", "<pre>", "</pre>", "<td>", "😂",
    ]), 0..40)) {
        let source = pieces.concat();
        let parts = parts(&source).unwrap();
        let mut places: Vec<_> = parts.edits.iter().map(|edit| edit.place.clone()).collect();
        prop_assert!(places.iter().all(|place| source[place.clone()] == *"rtl"));
        let mut visitor = Shout::default();
        if let Some(output) = visitor.rewrite("a.html", source.as_bytes(), &ReadOptions::default()) {
            let output = String::from_utf8(output).unwrap();
            let tags = |page: &str| ["<p>", "<b>", "<a href='ب'>", "<br>", "<script>", "</div>", "<!-- ا -->"].map(|tag| page.matches(tag).count());
            prop_assert_eq!(tags(&output), tags(&source));
        }
        places.sort_by_key(|place| place.start);
        prop_assert!(places.is_sorted_by(|a, b| a.end <= b.start));
    }
}
