//! How a translation is written.

use std::io::{self, Write};

use super::args::Format;
use crate::article::Span;
use crate::review::Flags;
use crate::translation::{Event, TranslatedParagraph, TranslatedSentence};

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
        writeln!(output, "    {}{}", target(paragraph, sentence.target_span), notes(sentence))?;
        for alternative in &sentence.alternatives {
            writeln!(output, "    or {} ({:.3})", alternative.text, alternative.score)?;
        }
    }
    Ok(())
}

fn target(paragraph: &TranslatedParagraph, span: Span) -> &str {
    paragraph.text.get(span.start..span.end).unwrap_or_default()
}

fn notes(sentence: &TranslatedSentence) -> String {
    if sentence.flags.is_empty() { String::new() } else { format!(" [{}]", names(sentence.flags)) }
}

/// The flags' names, for a reader.
fn names(flags: Flags) -> String {
    flags.iter().map(|flag| flag.name().replace('_', " ")).collect::<Vec<_>>().join(", ")
}
