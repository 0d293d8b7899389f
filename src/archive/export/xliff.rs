//! XLIFF 2.0 (OASIS): each article is a `file`, each paragraph a `unit`, each sentence a `segment`.

use std::io::{self, Write};

use super::xml::{escaped, is_allowed};
use super::{Exporter, Pair, Target};

pub(super) struct Xliff {
    target: Target,
    articles: usize,
}

impl Xliff {
    pub(super) fn new(target: Target) -> Self {
        Self { target, articles: 0 }
    }

    fn begin(&mut self) -> io::Result<()> {
        self.target.write_all(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xliff xmlns=\"urn:oasis:names:tc:xliff:document:2.0\" \
              version=\"2.0\" srcLang=\"fa\" trgLang=\"en\">\n",
        )
    }
}

impl Exporter for Xliff {
    fn article(&mut self, article: &Pair<'_>) -> io::Result<()> {
        // A file must have a unit, so that an article without text has none.
        if article.translation.paragraphs.is_empty() {
            return Ok(());
        }
        if self.articles == 0 {
            self.begin()?;
        }
        self.articles += 1;
        writeln!(self.target, "<file id=\"f{}\" original=\"{}\">", self.articles, escaped(article.locator))?;
        for (index, sentences) in article.paragraphs().enumerate() {
            writeln!(self.target, "<unit id=\"u{}\">", index + 1)?;
            if sentences.iter().any(|aligned| !aligned.sentence.flags.is_empty()) {
                self.target.write_all(b"<notes>\n")?;
                for (number, aligned) in sentences.iter().enumerate() {
                    for flag in aligned.sentence.flags.iter() {
                        let number = number + 1;
                        writeln!(
                            self.target,
                            "<note>sentence {number}: {}</note>",
                            escaped(flag.describe())
                        )?;
                    }
                }
                self.target.write_all(b"</notes>\n")?;
            }
            for (number, aligned) in sentences.iter().enumerate() {
                writeln!(
                    self.target,
                    "<segment id=\"s{}\" state=\"translated\"><source>{}</source><target>{}</target></segment>",
                    number + 1,
                    content(aligned.source),
                    content(aligned.target),
                )?;
            }
            self.target.write_all(b"</unit>\n")?;
        }
        self.target.write_all(b"</file>\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<Target> {
        if self.articles == 0 {
            self.begin()?;
            // A document must have a file, and one of a file without text has an empty unit.
            let empty = b"<file id=\"f1\"><unit id=\"u1\"><segment><source/></segment></unit></file>\n";
            self.target.write_all(empty)?;
        }
        self.target.write_all(b"</xliff>\n")?;
        Ok(self.target)
    }
}

/// Escaped text; what XML can't say is written as XLIFF's own `<cp>`.
fn content(text: &str) -> String {
    text.split_inclusive(|c| !is_allowed(c))
        .map(|part| match part.chars().next_back().filter(|c| !is_allowed(*c)) {
            Some(last) => {
                let rest = &part[..part.len() - last.len_utf8()];
                format!("{}<cp hex=\"{:04X}\"/>", escaped(rest), u32::from(last))
            }
            None => escaped(part).into_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_say_is_a_code_point() {
        assert_eq!(content("a\u{7}<b\0"), "a<cp hex=\"0007\"/>&lt;b<cp hex=\"0000\"/>");
        assert_eq!(content("a & b"), "a &amp; b");
    }
}
