//! `translate`.

use std::io::Write;
use std::time::Instant;

use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::args::{Format, HubArgs, TranslateArgs};
use super::failure::{Failure, Outcome};
use super::output::Output;
use super::progress::Progress;
use super::stats::Stats;
use super::{format, input, lines};
use crate::article::paragraphs::paragraphs;
use crate::client::Client;
use crate::hub::Chosen;
use crate::translation::{ArticleSummary, Event};
use crate::translator::{Memory, MemoryOptions, Translator};

/// Translates a file or standard input, in this process or with a server.
pub(super) async fn run(args: TranslateArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let mut options = args.options.options(args.format != Format::Text);
    options.priority = args.priority;
    options.validate()?;
    let engine = match &args.server {
        None => Engine::Local(args.model.choose(hub)?),
        Some(url) => Engine::Server(url),
    };
    let progress = Progress::new(quiet, args.output.is_some());
    if input::is_typed(&args.input) {
        progress.note("reading standard input up to its end (Ctrl-D)");
    }
    let text = input::read(&args.input)?;
    if !args.lines && paragraphs(&text).is_empty() {
        let name = input::name(&args.input);
        return Err(Failure::Failed(format!("{name}: there is nothing to translate in it")));
    }
    let mut output = Output::create(args.output.as_deref())?;

    let mut begun = Instant::now();
    let (summary, stats) = match engine {
        Engine::Local(chosen) => {
            progress.note(&chosen.notice.unwrap_or_default());
            let translator = Translator::open(&chosen.model, &args.model.load_options()?)?
                .with_memory(Memory::open(&MemoryOptions::default())?);
            let load = begun.elapsed();
            begun = Instant::now();
            let summary = if args.lines {
                let at_once = args.at_once.into();
                let job = lines::Job { text: &text, options, at_once, format: args.format };
                lines::translate(&translator, job, output.writer(), &progress).await?
            } else {
                write(translator.translate(text, options)?, args.format, output.writer(), &progress).await?
            };
            let stats = Stats::new(&summary, Some(load), begun.elapsed(), Some(translator.stats()));
            (summary, stats)
        }
        Engine::Server(url) => {
            options.model.clone_from(&args.model.model);
            let events =
                Client::connect_with(url, &args.access.read()?).await?.translate(text, &options).await?;
            let summary = write(events, args.format, output.writer(), &progress).await?;
            let stats = Stats::new(&summary, None, begun.elapsed(), None);
            (summary, stats)
        }
    };
    output.finish()?;
    progress.finish(&summary);
    if let Some(path) = &args.stats {
        stats.write(path)?;
    }
    Ok(if args.strict && summary.flagged_sentences > 0 { Outcome::Flagged } else { Outcome::Done })
}

/// Who translates.
enum Engine<'a> {
    Local(Chosen),
    Server(&'a str),
}

/// Writes each event of an article as soon as it comes.
async fn write(
    mut events: BoxStream<'static, crate::Result<Event>>,
    format: Format,
    output: &mut dyn Write,
    progress: &Progress,
) -> Result<ArticleSummary, Failure> {
    let mut summary = None;
    while let Some(event) = events.try_next().await? {
        if let Event::Start(start) = &event {
            progress.note(&start.model.note);
            progress.start(start.sentences);
        }
        format::write(output, format, &event)?;
        match event {
            Event::Start(_) => {}
            Event::Paragraph(paragraph) => progress.advance(paragraph.sentences.len()),
            Event::Summary(last) => summary = Some(last),
        }
    }
    summary.ok_or_else(|| Failure::Failed("the translation ended early".into()))
}
