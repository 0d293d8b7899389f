//! What `evaluate` found, as JSON and for a reader.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::metrics::{Interval, Metric, Score};
use crate::model::ModelInfo;
use crate::translation::{ArticleSummary, FlagCount};

/// What was found. Its text is a table with notes below.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) source: String,
    pub(super) reference: String,
    pub(super) sentences: usize,
    /// Never empty.
    pub(super) systems: Vec<System>,
}

/// A system's scores, and what the checks found in its translations.
#[derive(Serialize)]
pub(super) struct System {
    /// The model's name, or the file that its translations were read from.
    pub(super) name: String,
    /// In the order of [`Metric::ALL`].
    pub(super) scores: Vec<MetricScore>,
    pub(super) flagged_sentences: usize,
    pub(super) flag_counts: Vec<FlagCount>,
    /// Null for translations that were read from a file.
    pub(super) model: Option<Arc<ModelInfo>>,
    /// Null for translations that were read from a file.
    pub(super) speed: Option<Speed>,
}

/// A score by one metric.
#[derive(Serialize)]
pub(super) struct MetricScore {
    metric: &'static str,
    score: f64,
    /// 95 %.
    confidence: Interval,
    /// Against the first system, whose own is null.
    p_value: Option<f64>,
    signature: String,
}

/// How fast the model translated, without loading it.
#[derive(Serialize)]
pub(super) struct Speed {
    seconds: f64,
    sentences_per_second: f64,
    target_tokens_per_second: f64,
}

impl MetricScore {
    pub(super) fn new(metric: Metric, score: &Score, baseline: Option<&Score>) -> Self {
        Self {
            metric: metric.name(),
            score: score.value(),
            confidence: score.interval(),
            p_value: baseline.map(|baseline| score.p_value(baseline)),
            signature: metric.signature(),
        }
    }
}

impl Speed {
    pub(super) fn new(summary: &ArticleSummary, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵²")]
        let rate = |count: usize| count as f64 / seconds.max(f64::MIN_POSITIVE);
        Self {
            seconds,
            sentences_per_second: rate(summary.sentences),
            target_tokens_per_second: rate(summary.target_tokens),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} sentences of {} against {}\n", self.sentences, self.source, self.reference)?;
        self.write_table(f)?;
        for system in &self.systems {
            system.write_notes(f)?;
        }
        writeln!(f)?;
        for score in &self.systems[0].scores {
            writeln!(f, "{:<8} {}", score.metric, score.signature)?;
        }
        write!(f, "±        half of the 95 % confidence interval")?;
        if self.systems.len() > 1 {
            write!(f, "; p against the first system, by paired bootstrap")?;
        }
        writeln!(f)
    }
}

impl Report {
    fn write_table(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let metrics = self.systems[0].scores.iter().map(|score| score.metric.to_owned());
        let head: Vec<String> =
            ["SYSTEM".to_owned()].into_iter().chain(metrics).chain(["FLAGGED".to_owned()]).collect();
        let rows: Vec<Vec<String>> = [head].into_iter().chain(self.systems.iter().map(System::row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl System {
    /// Its line of the table, cell by cell.
    fn row(&self) -> Vec<String> {
        let scores = self.scores.iter().map(ToString::to_string);
        [self.name.clone()].into_iter().chain(scores).chain([self.flagged_sentences.to_string()]).collect()
    }

    fn write_notes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.flag_counts.is_empty() {
            writeln!(f, "\n{}, flags:", self.name)?;
        }
        for count in &self.flag_counts {
            let name = count.flag.name().replace('_', " ");
            writeln!(f, "  {:>4}  {name}: {}", count.sentences, count.flag.describe())?;
        }
        if let Some(model) = &self.model {
            let ModelInfo { name, family, precision, digest, .. } = model.as_ref();
            writeln!(f, "\n{name}, {family}, {precision}, SHA-256 {digest}")?;
        }
        if let Some(speed) = &self.speed {
            let Speed { seconds, sentences_per_second, target_tokens_per_second } = speed;
            writeln!(
                f,
                "{seconds:.1} s: {sentences_per_second:.1} sentences/s, {target_tokens_per_second:.0} target tokens/s"
            )?;
        }
        Ok(())
    }
}

impl Display for MetricScore {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ± {:.2}", self.score, self.confidence.half_width)?;
        self.p_value.map_or(Ok(()), |p| write!(f, " (p {p:.3})"))
    }
}
