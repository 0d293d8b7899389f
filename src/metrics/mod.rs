//! Scores of translations against a reference: BLEU, chrF2 and chrF2++, equal to those of sacreBLEU 2.6 with its
//! default settings, and how sure they are.
//!
//! Pure functions. A metric counts n-grams segment by segment, and scores a corpus from the sum of the counts; the sums
//! of resampled segments give the confidence interval.

mod bleu;
mod chrf;
mod ngrams;
mod score;
mod tokens;

pub use score::{Interval, Score, Segment};

use score::{RESAMPLES, SEED};

/// A metric of translation quality, from 0 to 100, the higher the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// BLEU (Papineni et al. 2002): word n-grams up to 4, tokenizer 13a, exponential smoothing, case kept.
    Bleu,
    /// chrF2 (Popović 2015): character n-grams up to 6 without white space, recall weighing twice.
    Chrf2,
    /// chrF2++ (Popović 2017): chrF2 with words and pairs of words.
    Chrf2PlusPlus,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Bleu, Self::Chrf2, Self::Chrf2PlusPlus];

    /// Its name, as sacreBLEU writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bleu => "BLEU",
            Self::Chrf2 => "chrF2",
            Self::Chrf2PlusPlus => "chrF2++",
        }
    }

    /// Its settings in the form of sacreBLEU's signatures. The version is this program's: the scores are sacreBLEU's,
    /// but the resamples behind the confidence interval are drawn by another generator than `NumPy`'s.
    pub fn signature(self) -> String {
        let settings = match self {
            Self::Bleu => "eff:no|tok:13a|smooth:exp".to_owned(),
            Self::Chrf2 | Self::Chrf2PlusPlus => {
                format!("eff:yes|nc:{}|nw:{}|space:no", chrf::CHAR_ORDER, self.word_order())
            }
        };
        let version = env!("CARGO_PKG_VERSION");
        format!("nrefs:1|bs:{RESAMPLES}|seed:{SEED}|case:mixed|{settings}|version:tarjoman-{version}")
    }

    /// What the metric counts in a segment. Counts of segments add up to those of their corpus.
    fn count(self, segment: Segment<'_>) -> Vec<usize> {
        match self {
            Self::Bleu => bleu::count(segment),
            Self::Chrf2 | Self::Chrf2PlusPlus => chrf::count(segment, self.word_order()),
        }
    }

    /// The score of a corpus from its counts; 0 where there are none.
    fn score(self, counts: &[usize]) -> f64 {
        let score = match self {
            Self::Bleu => bleu::score(counts),
            Self::Chrf2 | Self::Chrf2PlusPlus => chrf::score(counts),
        };
        // Rounding takes a perfect BLEU to a little more than 100.
        score.min(100.0)
    }

    fn word_order(self) -> usize {
        if self == Self::Chrf2PlusPlus { 2 } else { 0 }
    }
}

#[cfg(test)]
mod tests;
