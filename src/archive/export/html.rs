//! HTML side by side: Persian, right to left, beside English. Pointing at a sentence shows its other half; style sheets do
//! that, and no script.

use std::fmt::Write as _;
use std::io::{self, Write};

use html_escape::{encode_double_quoted_attribute, encode_text};

use super::{Aligned, Exporter, Pair, Target};
use crate::review::Flag;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Translations side by side</title>
<style>
body { font: 1rem/1.6 serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h2 { font-size: 1rem; border-bottom: 1px solid #ccc; }
.p { display: grid; grid-template-columns: 1fr 1fr; gap: 2rem; direction: rtl; }
.p > p { margin: .5rem 0; }
[lang=en] { direction: ltr; }
.flag { text-decoration: underline wavy #c60; }
"#;

pub(super) struct SideBySide {
    target: Target,
    begun: bool,
}

/// Sentences of a paragraph whose halves are shown; what is beyond them shows its flags alone.
const PAIRED: usize = 200;

impl SideBySide {
    pub(super) fn new(target: Target) -> Self {
        Self { target, begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let selectors: Vec<_> =
            (0..PAIRED).map(|number| format!(".p:has(.s{number}:hover) .s{number}")).collect();
        write!(
            self.target,
            "{HEAD}{} {{ background: #fe9; }}\n</style>\n</head>\n<body>\n",
            selectors.join(",\n")
        )
    }
}

impl Exporter for SideBySide {
    fn article(&mut self, article: &Pair<'_>) -> io::Result<()> {
        self.begin()?;
        writeln!(self.target, "<h2 dir=\"auto\">{}</h2>", encode_text(article.locator))?;
        for sentences in article.paragraphs() {
            let half = |text: for<'a> fn(&Aligned<'a>) -> &'a str| {
                let spans = sentences
                    .iter()
                    .enumerate()
                    .map(|(number, aligned)| span(number, aligned, text(aligned)));
                spans.collect::<Vec<_>>().join(" ")
            };
            writeln!(
                self.target,
                "<div class=\"p\"><p lang=\"fa\" dir=\"rtl\">{}</p><p lang=\"en\" dir=\"ltr\">{}</p></div>",
                half(|aligned| aligned.source),
                half(|aligned| aligned.target),
            )?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Target> {
        self.begin()?;
        self.target.write_all(b"</body>\n</html>\n")?;
        Ok(self.target)
    }
}

fn span(number: usize, aligned: &Aligned<'_>, text: &str) -> String {
    let flags: Vec<_> = aligned.sentence.flags.iter().map(Flag::describe).collect();
    let mut span = format!("<span class=\"s{number}");
    if !flags.is_empty() {
        let title = flags.join("; ");
        let _ = write!(span, " flag\" title=\"{}", encode_double_quoted_attribute(&title));
    }
    let _ = write!(span, "\">{}</span>", encode_text(text));
    span
}
