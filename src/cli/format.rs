//! How a translation is written.

use std::io::{self, Write};

use super::args::Format;
use crate::article::Span;
use crate::review::Flags;
use crate::translation::{Event, TranslatedParagraph};

/// Writes one step of a translation.
pub(super) fn write(output: &mut dyn Write, format: Format, event: &Event) -> io::Result<()> {
    match (format, event) {
        (Format::Jsonl, event) => {
            serde_json::to_writer(&mut *output, event)?;
            writeln!(output)?;
        }
        (Format::Text, Event::Paragraph(paragraph)) => {
            write!(output, "{}{}", paragraph.separator, paragraph.text)?;
        }
        (Format::Text, Event::Summary(summary)) => {
            write!(output, "{}", summary.trailing_separator)?;
            if !summary.trailing_separator.ends_with('\n') {
                writeln!(output)?;
            }
        }
        (Format::Bilingual, Event::Paragraph(paragraph)) => bilingual(output, paragraph)?,
        (Format::Text, Event::Start(_)) | (Format::Bilingual, _) => {}
    }
    output.flush()
}

fn bilingual(output: &mut dyn Write, paragraph: &TranslatedParagraph) -> io::Result<()> {
    if paragraph.index > 0 {
        writeln!(output)?;
    }
    for sentence in &paragraph.sentences {
        writeln!(output, "{}", sentence.source_text.as_deref().unwrap_or_default())?;
        writeln!(output, "    {}{}", target(paragraph, sentence.target_span), notes(sentence.flags))?;
        for alternative in &sentence.alternatives {
            writeln!(output, "    or {} ({:.3})", alternative.text, alternative.score)?;
        }
    }
    Ok(())
}

fn target(paragraph: &TranslatedParagraph, span: Span) -> &str {
    paragraph.text.get(span.start..span.end).unwrap_or_default()
}

/// What the checks found, in brackets.
pub(super) fn notes(flags: Flags) -> String {
    if flags.is_empty() {
        return String::new();
    }
    let names: Vec<_> = flags.iter().map(|flag| flag.name().replace('_', " ")).collect();
    format!(" [{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::options::TranslateOptions;
    use crate::review::Flag;
    use crate::translation::{Alternative, ArticleStart, ArticleSummary, TranslatedSentence};

    /// Two paragraphs; the first has two sentences, and the second of those a flag and another translation.
    fn events() -> Vec<Event> {
        let sentence = |target: (usize, usize), source: &str| TranslatedSentence {
            source_span: Span::default(),
            target_span: Span::new(target.0, target.1),
            score: -0.5,
            flags: Flags::default(),
            attempts: 1,
            alternatives: vec![],
            alignment: vec![],
            token_scores: vec![],
            source_text: Some(source.into()),
        };
        let doubtful = TranslatedSentence {
            flags: [Flag::NumbersDiffer, Flag::Truncated].into_iter().collect(),
            alternatives: vec![Alternative { text: "Second.".into(), score: -1.25 }],
            ..sentence((5, 9), "دو.")
        };
        let paragraph = |index, separator: &str, text: &str, sentences| {
            Event::Paragraph(TranslatedParagraph {
                index,
                source_span: Span::default(),
                separator: separator.into(),
                text: text.into(),
                sentences,
                source_text: None,
            })
        };
        vec![
            Event::Start(ArticleStart {
                paragraphs: 2,
                sentences: 3,
                model: Arc::default(),
                options: TranslateOptions::default(),
                version: "1".into(),
            }),
            paragraph(0, "\u{FEFF}", "One. Two.", vec![sentence((0, 4), "یک."), doubtful]),
            paragraph(1, "\r\n \n", "Three.", vec![sentence((0, 6), "سه.")]),
            Event::Summary(ArticleSummary { trailing_separator: " ".into(), ..ArticleSummary::default() }),
        ]
    }

    fn written(format: Format, events: &[Event]) -> String {
        let mut output = Vec::new();
        for event in events {
            write(&mut output, format, event).unwrap();
        }
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn text_has_the_separators_of_the_source_and_ends_its_last_line() {
        assert_eq!(written(Format::Text, &events()), "\u{FEFF}One. Two.\r\n \nThree. \n");
        let mut events = events();
        let Some(Event::Summary(summary)) = events.last_mut() else { panic!("it ends with a summary") };
        summary.trailing_separator = "\r\n".into();
        assert!(written(Format::Text, &events).ends_with("Three.\r\n"));
    }

    #[test]
    fn bilingual_shows_each_sentence_with_what_there_is_to_know() {
        let expected = "یک.\n    One.\nدو.\n    Two. [numbers differ, truncated]\n    or Second. (-1.250)\n\n\
                        سه.\n    Three.\n";
        assert_eq!(written(Format::Bilingual, &events()), expected);
    }

    #[test]
    fn jsonl_is_one_object_a_line_for_each_event() {
        let text = written(Format::Jsonl, &events());
        let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> = objects.iter().map(|object| object["event"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["start", "paragraph", "paragraph", "summary"]);
        assert_eq!(objects[1]["sentences"][1]["flags"], serde_json::json!(["numbers_differ", "truncated"]));
        assert_eq!(objects[1]["sentences"][1]["alternatives"][0]["text"], "Second.");
        assert_eq!(objects[2]["separator"], "\r\n \n");
    }
}
