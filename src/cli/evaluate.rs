//! `evaluate`.

mod report;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::{EvaluateArgs, Format, HubArgs};
use super::failure::{Failure, Outcome, print};
use super::output::Output;
use super::progress::Progress;
use super::{input, lines};
use crate::metrics::{Metric, Score, Segment};
use crate::model::ModelInfo;
use crate::review::check;
use crate::translation::ArticleSummary;
use crate::translator::{SENTENCES_AT_ONCE, Translator};

use report::{MetricScore, Report, Speed, System};

/// Scores translations of a file, by a model or read from files, against a reference.
pub(super) async fn run(args: EvaluateArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    args.options.options(false).validate()?;
    let source = Lines::read(&args.source)?;
    let reference = Lines::read(&args.reference)?;
    reference.check_as_many_as(&source)?;
    let translations = if args.hypotheses.is_empty() {
        vec![translate(&args, hub, &source, quiet).await?]
    } else {
        args.hypotheses.iter().map(|path| read(path, &source)).collect::<Result<_, _>>()?
    };
    let report = Report {
        sentences: source.iter().count(),
        systems: systems(translations, &reference),
        source: source.name,
        reference: reference.name,
    };
    let text = if args.json {
        serde_json::to_string_pretty(&report).map_err(std::io::Error::from)? + "\n"
    } else {
        report.to_string()
    };
    print(text.as_bytes())?;
    Ok(Outcome::Done)
}

/// A text of one sentence a line.
struct Lines {
    /// What messages call it.
    name: String,
    text: String,
}

impl Lines {
    fn read(path: &Path) -> Result<Self, Failure> {
        let (name, text) = (input::name(path), input::read(path)?);
        if text.is_empty() {
            return Err(Failure::Failed(format!("{name}: there is no line in it")));
        }
        Ok(Self { name, text })
    }

    fn check_as_many_as(&self, other: &Self) -> Result<(), Failure> {
        let (count, expected) = (self.iter().count(), other.iter().count());
        if count == expected {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "{} has {count} lines and {} has {expected}; give files whose lines are the same sentences in the same order",
            self.name, other.name
        )))
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }
}

/// A system's translations, one a line, and what is known of them before they are scored.
struct Translations {
    lines: Lines,
    summary: ArticleSummary,
    /// The model that made them just now, and the time it took.
    made_by: Option<(Arc<ModelInfo>, Duration)>,
}

/// Translates the source with the model.
async fn translate(
    args: &EvaluateArgs,
    hub: &HubArgs,
    source: &Lines,
    quiet: bool,
) -> Result<Translations, Failure> {
    let chosen = args.model.choose(hub)?;
    let output = args.output.as_deref().map(|path| Output::create(Some(path))).transpose()?;
    let translator = Translator::open(&chosen.model, &args.model.load_options()?)?;
    let model = translator.models().swap_remove(0);
    let progress = Progress::new(quiet, true);
    progress.note(&chosen.notice.unwrap_or_default());
    let options = args.options.options(false);
    let mut text = Vec::new();
    let begun = Instant::now();
    let job = lines::Job { text: &source.text, options, at_once: SENTENCES_AT_ONCE, format: Format::Text };
    let summary = lines::translate(&translator, job, &mut text, &progress).await?;
    let elapsed = begun.elapsed();
    if let Some(mut output) = output {
        output.writer().write_all(&text)?;
        output.finish()?;
    }
    // Translations are UTF-8: nothing is lost.
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Translations {
        lines: Lines { name: model.name.clone(), text },
        summary,
        made_by: Some((model, elapsed)),
    })
}

/// Reads a system's translations of the source, and checks them as a model's are checked.
fn read(path: &Path, source: &Lines) -> Result<Translations, Failure> {
    let lines = Lines::read(path)?;
    lines.check_as_many_as(source)?;
    let mut summary = ArticleSummary::default();
    for (source, hypothesis) in source.iter().zip(lines.iter()) {
        // Nothing tells whether a system has cut its translation off.
        summary.count_flags(check(source.trim(), hypothesis.trim(), false));
    }
    Ok(Translations { lines, summary, made_by: None })
}

/// Scores each system by every metric, and compares it with the first.
fn systems(translations: Vec<Translations>, reference: &Lines) -> Vec<System> {
    let score = |lines: &Lines, metric| {
        let segments = lines.iter().zip(reference.iter());
        Score::new(metric, segments.map(|(hypothesis, reference)| Segment { hypothesis, reference }))
    };
    let scores: Vec<_> =
        translations.iter().map(|system| Metric::ALL.map(|metric| score(&system.lines, metric))).collect();
    let of_metric = |system: usize, at: usize| {
        let baseline = (system > 0).then(|| &scores[0][at]);
        MetricScore::new(Metric::ALL[at], &scores[system][at], baseline)
    };
    let translations = translations.into_iter().enumerate();
    let systems = translations.map(|(index, Translations { lines, summary, made_by })| System {
        name: lines.name,
        scores: (0..Metric::ALL.len()).map(|at| of_metric(index, at)).collect(),
        speed: made_by.as_ref().map(|(_, elapsed)| Speed::new(&summary, *elapsed)),
        model: made_by.map(|(model, _)| model),
        flagged_sentences: summary.flagged_sentences,
        flag_counts: summary.flag_counts,
    });
    systems.collect()
}
