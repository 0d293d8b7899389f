//! `shortlist`: which target tokens each source token becomes, learnt from a model's translations.

use super::args::{HubArgs, ShortlistArgs};
use super::failure::{Failure, Outcome, tell};
use super::input;
use super::progress::Progress;
use crate::translation::ArticleSummary;
use crate::translator::{ListLengths, Translator};

/// Learns a shortlist from a text and writes its file.
pub(super) async fn run(args: ShortlistArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let text = input::read(&args.text)?;
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Failure::Failed("the text has no lines; write one sentence a line".into()));
    }
    let chosen = args.model.choose(hub)?;
    let progress = Progress::new(quiet, true);
    progress.note(&chosen.notice.unwrap_or_default());
    let translator = Translator::open(&chosen.model, &args.model.load_options()?)?;
    let count = lines.len();
    progress.start(count);
    let lengths = ListLengths { frequent: args.frequent, best: args.best };
    let shortlist = translator.learn_shortlist(lines, lengths, || progress.advance(1)).await?;
    progress.finish(&ArticleSummary::default());
    std::fs::write(&args.output, shortlist.to_bytes())
        .map_err(|error| Failure::Failed(format!("{}: {error}", args.output.display())))?;
    if !quiet {
        tell(&format!("{}: learnt from {count} lines", args.output.display()));
    }
    Ok(Outcome::Done)
}
