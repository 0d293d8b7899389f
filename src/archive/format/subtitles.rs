//! SubRip and WebVTT subtitles: the file is one article, each cue a segment. Times, settings, tags and the number of lines
//! stay.

use std::io::Write;

use super::markup::Blocks;
use super::{Context, Found, Input, Outcome, Stop, Written, read_whole};
use crate::archive::encoding::decode;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subtitles {
    SubRip,
    WebVtt,
}

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    kind: Subtitles,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let bytes = read_whole(input, cx.options.max_item_bytes)?;
    let decoded = decode(bytes, None).map_err(Stop::Unusable)?;
    let blocks = blocks(&decoded.text, kind);
    if blocks.is_empty() {
        output.write_all(decoded.text.as_bytes())?;
        return Ok(Written::Whole);
    }
    let found = Found { locator: locator.into(), text: blocks.text(), encoding: decoded.guess };
    let Some(segments) = cx.visitor.article(found)? else { return Ok(Written::Nothing) };
    let escape = |text: &str| match kind {
        Subtitles::SubRip => text.to_owned(),
        Subtitles::WebVtt => html_escape::encode_text(text).into_owned(),
    };
    output.write_all(blocks.weave(&decoded.text, &segments, escape, vec![]).as_bytes())?;
    Ok(Written::Whole)
}

/// The cues: what stands between a line with times and the next blank one.
fn blocks(document: &str, kind: Subtitles) -> Blocks {
    let mut blocks = Blocks::default();
    let mut in_cue = false;
    let mut at = 0;
    for line in document.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            blocks.end();
            in_cue = false;
        } else if text.contains("-->") {
            in_cue = true;
        } else if in_cue {
            cue_line(&mut blocks, text, at, kind);
        }
        at += line.len();
    }
    blocks.end();
    blocks
}

/// The pieces of a cue's line between its tags: `<i>`, `<c.loud>`, `<00:01.000>`, and SubRip's `{\an8}`.
fn cue_line(blocks: &mut Blocks, line: &str, at: usize, kind: Subtitles) {
    let mut rest = line;
    loop {
        let place = at + line.len() - rest.len();
        let tag = rest.char_indices().find_map(|(start, c)| {
            let close = match c {
                '<' => '>',
                '{' if rest[start..].starts_with("{\\") => '}',
                _ => return None,
            };
            rest[start..].find(close).map(|length| (start, start + length + 1))
        });
        let (text, next) = tag.map_or((rest, rest.len()), |(start, end)| (&rest[..start], end));
        if !text.is_empty() {
            let shown = match kind {
                Subtitles::SubRip => text.into(),
                Subtitles::WebVtt => html_escape::decode_html_entities(text),
            };
            blocks.piece(place..place + text.len(), &shown);
        }
        rest = &rest[next..];
        if rest.is_empty() {
            break;
        }
    }
    blocks.line_end();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::archive::format::ReadOptions;
    use crate::archive::format::testing::{Shout, rewritten};

    const SRT: &str = "\u{FEFF}1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>سلام x</i>\r\nدنیا y.\r\n\r\n2\r\n\
        00:00:03,000 --> 00:00:04,000 X1:5\r\n{\\an8}خوب z & <w\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n♪\r\n";
    const VTT: &str = "WEBVTT - a\n\nNOTE متن\n\nSTYLE\n::cue { color: red }\n\nid b\n00:01.000 --> 00:02.000 align:left\n\
        <v رضا>سلام &amp; c</v>\n\n00:03.000 --> 00:04.000\n- خوب <00:03.500>d\n";

    #[test]
    fn nothing_but_the_cues_words_changes() {
        let (output, visitor) = rewritten("a.srt", SRT.as_bytes(), &ReadOptions::default());
        assert_eq!(visitor.texts, ["سلام x دنیا y.\nخوب z & <w"]);
        let output = String::from_utf8(output.unwrap()).unwrap();
        let kept = |line: &&str| !line.contains(['س', 'د', 'خ']);
        assert_eq!(output.lines().count(), SRT.lines().count());
        assert!(SRT.lines().filter(kept).all(|line| output.contains(line)), "{output}");
        assert!(output.contains("<i>سلام X</i>\r\nدنیا Y.\r\n") || output.contains("</i>"), "{output}");
        assert!(output.contains("{\\an8}خوب Z & <W\r\n"), "{output}");

        let (output, visitor) = rewritten("a.vtt", VTT.as_bytes(), &ReadOptions::default());
        assert_eq!(visitor.texts, ["سلام & c\n- خوب d"]);
        let output = String::from_utf8(output.unwrap()).unwrap();
        assert!(output.contains("<v رضا>سلام &amp; C</v>\n"), "{output}");
        assert!(output.starts_with(&VTT[..VTT.find("<v").unwrap()]), "{output}");
        assert!(output.contains("<00:03.500>"), "{output}");
    }

    #[test]
    fn persian_in_windows_encoding_is_read() {
        let text = "1\n00:00:01,000 --> 00:00:02,500\nسلام دنيا، من اينجا هستم و شما را مي‌بينم\n";
        let bytes = encoding_rs::WINDOWS_1256.encode(text).0;
        let (output, visitor) = rewritten("a.srt", &bytes, &ReadOptions::default());
        assert_eq!(visitor.encodings, [Some("windows-1256")]);
        assert!(output.unwrap().starts_with(b"1\n00:00:01,000 --> "));
    }

    proptest! {
        #[test]
        fn the_same_words_leave_any_file_as_it_is(lines in proptest::collection::vec(
            prop_oneof![Just("سلام"), Just("x  y"), Just(""), Just("0 --> 1"), Just("<b>ب</b> c"), Just("<"), Just("{\\a}ا")], 0..20
        )) {
            let source = lines.join("\n");
            for name in ["a.srt", "a.vtt"] {
                let mut visitor = Shout { echo: true, ..Shout::default() };
                let output = visitor.rewrite(name, source.as_bytes(), &ReadOptions::default()).unwrap();
                let output = String::from_utf8(output).unwrap();
                prop_assert_eq!(output.lines().count(), source.lines().count());
                let tags = |text: &str| text.matches("<b>").count() + text.matches("{\\a}").count();
                prop_assert_eq!(tags(&output), tags(&source));
            }
        }
    }
}
