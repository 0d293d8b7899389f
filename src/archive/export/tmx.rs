//! TMX 1.4b: each sentence is a translation unit.

use std::io::{self, Write};

use super::xml::escaped;
use super::{Exporter, Pair, Target};

pub(super) struct Tmx {
    target: Target,
    begun: bool,
}

impl Tmx {
    pub(super) fn new(target: Target) -> Self {
        Self { target, begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            let version = env!("CARGO_PKG_VERSION");
            write!(
                self.target,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tmx version=\"1.4\">\n<header creationtool=\"tarjoman\" \
                 creationtoolversion=\"{version}\" segtype=\"sentence\" o-tmf=\"tarjoman\" adminlang=\"en\" \
                 srclang=\"fa\" datatype=\"plaintext\"/>\n<body>\n"
            )?;
        }
        Ok(())
    }
}

impl Exporter for Tmx {
    fn article(&mut self, article: &Pair<'_>) -> io::Result<()> {
        self.begin()?;
        for aligned in article.paragraphs().flatten() {
            let (locator, score) = (escaped(article.locator), aligned.sentence.score);
            write!(
                self.target,
                "<tu><prop type=\"article\">{locator}</prop><prop type=\"score\">{score}</prop>"
            )?;
            for flag in aligned.sentence.flags.iter() {
                write!(self.target, "<prop type=\"flag\">{}</prop>", flag.name())?;
            }
            writeln!(
                self.target,
                "<tuv xml:lang=\"fa\"><seg>{}</seg></tuv><tuv xml:lang=\"en\"><seg>{}</seg></tuv></tu>",
                escaped(aligned.source),
                escaped(aligned.target),
            )?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Target> {
        self.begin()?;
        self.target.write_all(b"</body>\n</tmx>\n")?;
        Ok(self.target)
    }
}
