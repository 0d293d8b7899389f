//! `translate`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::args::{Format, TranslateArgs};
use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::stats::Stats;
use super::{format, input, lines};
use crate::client::Client;
use crate::hub::ModelChoice;
use crate::translation::{ArticleSummary, Event};
use crate::translator::Translator;

/// Translates a file or standard input, in this process or with a server.
pub(super) async fn run(args: TranslateArgs) -> Result<Outcome, Failure> {
    let mut options = args.options.options(args.format != Format::Text);
    options.validate()?;
    let text = input::read(&args.input)?;
    if !args.lines && text.trim().is_empty() {
        return Err(Failure::Failed(format!("{}: there is nothing to translate", args.input.display())));
    }
    let progress = Progress::new(args.quiet, args.output.is_some());
    let begun = Instant::now();
    let translator = if args.server.is_some() { None } else { Some(local(&args, &progress)?) };
    let load = begun.elapsed();
    let begun = Instant::now();
    let mut output = Output::create(args.output.as_deref())?;
    let summary = match (&translator, &args.server) {
        (Some(translator), _) if args.lines => {
            lines::translate(translator, &text, options, args.format, output.writer(), &progress).await?
        }
        (Some(translator), _) => {
            let events = translator.translate(text, options)?;
            write(events, args.format, output.writer(), &progress).await?
        }
        (None, server) => {
            options.model.clone_from(&args.model.model);
            let client = Client::connect(server.as_deref().unwrap_or_default()).await?;
            write(client.translate(text, &options).await?, args.format, output.writer(), &progress).await?
        }
    };
    output.finish()?;
    progress.finish(&summary);
    if let Some(path) = &args.stats {
        let engine = translator.as_ref().map(Translator::stats);
        Stats::new(&summary, load, begun.elapsed(), engine).write(path)?;
    }
    Ok(if args.strict && summary.flagged_sentences > 0 { Outcome::Flagged } else { Outcome::Done })
}

/// The translator in this process, with a notice of what its model is good for.
fn local(args: &TranslateArgs, progress: &Progress) -> Result<Translator, Failure> {
    let choice = ModelChoice::resolve(args.model.model.as_deref())?;
    let translator = Translator::open(&choice, &args.model.engine())?;
    for model in translator.models() {
        progress.note(&model.note);
    }
    Ok(translator)
}

async fn write(
    mut events: BoxStream<'static, crate::Result<Event>>,
    format: Format,
    output: &mut dyn Write,
    progress: &Progress,
) -> Result<ArticleSummary, Failure> {
    let mut summary = None;
    while let Some(event) = events.try_next().await? {
        format::write(output, format, &event)?;
        match event {
            Event::Start(start) => progress.start(start.sentences),
            Event::Paragraph(paragraph) => progress.advance(paragraph.sentences.len()),
            Event::Summary(last) => summary = Some(last),
        }
    }
    summary.ok_or_else(|| Failure::Failed("the translation ended early".into()))
}

/// Where the translation goes. A file appears whole or not at all.
enum Output<'a> {
    Standard(io::Stdout),
    File { path: &'a Path, temporary: std::path::PathBuf, file: BufWriter<File> },
}

impl<'a> Output<'a> {
    fn create(path: Option<&'a Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Standard(io::stdout())) };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = File::create(&temporary).map_err(|error| Failure::file(path, &error))?;
        Ok(Self::File { path, temporary, file: BufWriter::new(file) })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Standard(output) => output,
            Self::File { file, .. } => file,
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.writer().flush()?;
        match &self {
            Self::Standard(_) => Ok(()),
            Self::File { path, temporary, .. } => {
                std::fs::rename(temporary, path).map_err(|error| Failure::file(path, &error))
            }
        }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if let Self::File { temporary, .. } = self {
            // Gone already where the translation was finished.
            let _ = std::fs::remove_file(temporary);
        }
    }
}
