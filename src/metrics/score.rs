//! A corpus' score, and how sure it is.

use serde::Serialize;

use super::Metric;
use super::ngrams::ratio;

/// Bootstrap resamples behind a confidence interval, as many as sacreBLEU takes.
pub(super) const RESAMPLES: usize = 1000;
/// Where their generator starts.
pub(super) const SEED: u64 = 12345;

/// A translation and what a person wrote for the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What a system translated.
    pub hypothesis: &'a str,
    /// What a person translated.
    pub reference: &'a str,
}

/// A corpus' score by one metric, and the scores of its bootstrap resamples: corpora of the same size, drawn from its
/// segments with replacement (Koehn 2004).
///
/// Corpora with the same number of segments have the same resamples, whatever the system and the metric, so that
/// their scores can be compared pair by pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    value: f64,
    resampled: Vec<f64>,
}

/// A 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The mean score of the resamples.
    pub mean: f64,
    /// Half the distance between the bounds that 2.5 % of the resamples lie below and above.
    pub half_width: f64,
}

impl Score {
    /// Scores a corpus. One without segments scores 0.
    pub fn new<'a>(metric: Metric, segments: impl IntoIterator<Item = Segment<'a>>) -> Self {
        let counts: Vec<Vec<usize>> = segments.into_iter().map(|segment| metric.count(segment)).collect();
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut resample = || sum((0..counts.len()).map(|_| &counts[random.usize(..counts.len())]));
        let resampled = (0..RESAMPLES).map(|_| metric.score(&resample())).collect();
        Self { value: metric.score(&sum(&counts)), resampled }
    }

    /// The score, 0 to 100.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// How far the score would vary over other segments of the same kind.
    pub fn interval(&self) -> Interval {
        let mut sorted = self.resampled.clone();
        sorted.sort_by(f64::total_cmp);
        let tail = RESAMPLES / 40;
        let half_width = (sorted[RESAMPLES - 1 - tail] - sorted[tail]) / 2.0;
        Interval { mean: mean(&sorted), half_width }
    }

    /// How likely at least this difference from the baseline's score would be by chance if both systems were equally
    /// good: sacreBLEU's paired bootstrap test (`sacrebleu/significance.py`), except that scores that are the same get
    /// 1, where it calls their difference significant. Both must be scores of the same segments by the same metric.
    pub fn p_value(&self, baseline: &Self) -> f64 {
        let pairs = self.resampled.iter().zip(&baseline.resampled);
        let differences: Vec<f64> = pairs.map(|(system, baseline)| (system - baseline).abs()).collect();
        let expected = mean(&differences);
        let observed = (self.value - baseline.value).abs();
        let beyond = differences.iter().filter(|&difference| difference - expected >= observed).count();
        ratio(beyond + 1, RESAMPLES + 1)
    }
}

pub(super) fn sum<'a>(counts: impl IntoIterator<Item = &'a Vec<usize>>) -> Vec<usize> {
    let mut total = Vec::new();
    for counts in counts {
        total.resize(counts.len(), 0);
        for (total, count) in total.iter_mut().zip(counts) {
            *total += count;
        }
    }
    total
}

/// The mean of one score for each resample.
fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / ratio(RESAMPLES, 1)
}
