//! A dry run: counts what a run would find, and estimates how long it would take.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::attempt::{Backend, whole};
use super::format::{Context, Found, Input, Outcome, Output, ReadOptions, Stop, Visitor, rewrite};
use super::job::BatchConfig;
use super::journal::Journal;
use super::plan::{Inputs, Unusable};
use super::record::Segment;
use crate::article::Article;
use crate::{Error, Result};

/// Sentences that are translated for an estimate.
const SAMPLE: usize = 48;
/// Problems that are told.
const PROBLEMS: usize = 10;

/// What a run would find.
#[derive(Debug, Default)]
pub struct Census {
    /// Files of the input, those in unknown formats too.
    pub files: u64,
    /// Articles in them.
    pub articles: u64,
    /// Different texts among them.
    pub texts: u64,
    /// Sentences of these texts.
    pub sentences: u64,
    /// Documents in unknown formats, which are copied.
    pub copied: u64,
    /// What can't be used.
    pub problems: u64,
    /// The first of those.
    pub first_problems: Vec<String>,
    /// Bytes of the sentences.
    bytes: u64,
    /// Some of the sentences, each as likely as any other.
    sample: Vec<String>,
    dice: Dice,
}

impl Census {
    /// Goes over the input as a run does, in memory and a temporary folder alone. It blocks.
    pub fn take(config: &BatchConfig) -> Result<Self> {
        let temporary =
            |error: io::Error| Error::Io { path: std::env::temp_dir(), message: error.to_string() };
        let scratch = tempfile::tempdir().map_err(temporary)?;
        let seen = Journal::open(scratch.path())?;
        let mut census = Self::default();
        for file in Inputs::new(&config.inputs, &config.output)?.files() {
            census.files += 1;
            match file {
                Ok(source) => {
                    let mut count = Count { census: &mut census, seen: &seen };
                    match count.file(&source.path, &source.name, &config.read, scratch.path()) {
                        Err(Stop::Unusable(reason)) => census.problem(&source.name, &reason),
                        Err(Stop::Failed(error)) => return Err(error),
                        Err(Stop::NoRoom(message)) => {
                            return Err(Error::Io { path: scratch.path().to_owned(), message });
                        }
                        Ok(()) | Err(Stop::Interrupted) => {}
                    }
                }
                Err(Unusable { name, reason }) => census.problem(&name, &reason),
            }
        }
        Ok(census)
    }

    /// How long the translation would take, from that of a sample.
    pub async fn estimate(&self, backend: &dyn Backend, config: &BatchConfig) -> Result<Duration> {
        let sampled: usize = self.sample.iter().map(String::len).sum();
        if sampled == 0 {
            return Ok(Duration::ZERO);
        }
        let begun = Instant::now();
        whole(backend, self.sample.join("\n"), config.options.clone()).await?;
        #[expect(clippy::cast_precision_loss, reason = "an estimate for readers")]
        let factor = self.bytes as f64 / sampled as f64;
        Ok(Duration::from_secs_f64(begun.elapsed().as_secs_f64() * factor))
    }

    fn problem(&mut self, locator: &str, reason: &str) {
        self.problems += 1;
        if self.first_problems.len() < PROBLEMS {
            self.first_problems.push(format!("{locator}: {reason}"));
        }
    }

    /// Counts a sentence, which takes a random place in the full sample (Vitter's algorithm R).
    fn sentence(&mut self, sentence: &str) {
        self.sentences += 1;
        self.bytes += sentence.len() as u64;
        if self.sample.len() < SAMPLE {
            self.sample.push(sentence.to_owned());
        } else if let Some(place) =
            usize::try_from(self.dice.below(self.sentences)).ok().and_then(|place| self.sample.get_mut(place))
        {
            sentence.clone_into(place);
        }
    }
}

/// Pseudo-random numbers that are the same every time (Steele and Vigna's SplitMix64).
#[derive(Debug, Default)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

struct Count<'a> {
    census: &'a mut Census,
    seen: &'a Journal,
}

impl Count<'_> {
    fn file(&mut self, path: &Path, name: &str, read: &ReadOptions, scratch: &Path) -> Outcome {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut context = Context::new(read, self, scratch, size);
        rewrite(name, Input::File(&mut file), Output::Nowhere(io::empty()), &mut context).map(drop)
    }
}

impl Visitor for Count<'_> {
    fn article(&mut self, article: Found) -> Outcome<Option<Vec<Segment>>> {
        self.census.articles += 1;
        if self.seen.claim(&article.text.hash(), 1)? {
            self.census.texts += 1;
            let article = Article::parse(article.text.into_string());
            for sentence in article.paragraphs().iter().flat_map(|paragraph| &paragraph.sentences) {
                self.census.sentence(sentence.of(article.source()));
            }
        }
        Ok(None)
    }

    fn unusable(&mut self, locator: &str, reason: String) -> Outcome {
        self.census.problem(locator, &reason);
        Ok(())
    }

    fn copied(&mut self) {
        self.census.copied += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_drawn_from_all_sentences() {
        let mut census = Census::default();
        (0..10_000).for_each(|n| census.sentence(&n.to_string()));
        assert_eq!((census.sentences, census.sample.len()), (10_000, SAMPLE));
        let late = census.sample.iter().filter(|n| n.parse::<u32>().unwrap() >= 5_000).count();
        assert!((12..=36).contains(&late), "{late} of {SAMPLE} are from the second half");
    }
}
