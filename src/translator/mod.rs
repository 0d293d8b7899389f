//! The way of an article: split, normalise, encode, decode, review, and back into paragraphs, in order.

mod alignment;
mod loaded;
mod memory;
mod models;
mod sentence;
mod shortlist;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::article::{Article, Span};
use crate::engine::EngineStats;
use crate::hub::ModelChoice;
use crate::model::ModelInfo;
use crate::options::TranslateOptions;
use crate::translation::{
    ArticleStart, ArticleSummary, Event, TranslatedLine, TranslatedParagraph, TranslatedSentence,
};
use crate::{Error, Result};

use loaded::LoadedModel;
pub use loaded::{LoadOptions, PrecisionChoice};
pub use memory::{Memory, MemoryOptions, MemoryStats};
use models::Models;
use sentence::{Request, SentenceTranslation, is_foreign, translate_sentence};
pub use shortlist::ListLengths;

/// Sentences of one article that are under way at once: enough to fill a batch, few enough that an article which
/// nobody reads holds little.
pub const SENTENCES_AT_ONCE: usize = 256;

/// Translates articles with the models that it has loaded. Cheap to clone.
#[derive(Clone)]
pub struct Translator {
    models: Arc<Models>,
    memory: Option<Arc<Memory>>,
}

impl Translator {
    /// A translator with the built-in model.
    pub fn built_in(options: &LoadOptions) -> Result<Self> {
        Self::open(&ModelChoice::BuiltIn, options)
    }

    /// A translator with one model.
    pub fn open(model: &ModelChoice, options: &LoadOptions) -> Result<Self> {
        Ok(Self { models: Arc::new(Models::new(LoadedModel::open(model, options)?)), memory: None })
    }

    /// The same with a memory of what it has translated.
    pub fn with_memory(self, memory: Memory) -> Self {
        Self { memory: Some(Arc::new(memory)), ..self }
    }

    /// The models, the default first; those that are being loaded too.
    pub fn models(&self) -> Vec<Arc<ModelInfo>> {
        self.models.infos()
    }

    /// What the engines of all models have done so far.
    pub fn stats(&self) -> EngineStats {
        self.models.stats()
    }

    /// Loads another model, while the others serve. It takes its time: not for an
    /// async worker.
    ///
    /// # Errors
    /// Those of the model's files; [`Error::TooLarge`]; [`Error::InvalidArgument`] when it's loaded already.
    pub fn load(&self, model: &ModelChoice, options: &LoadOptions) -> Result<Arc<ModelInfo>> {
        let place = self.models.place(&LoadedModel::name(model)?)?;
        let model = LoadedModel::open(model, options)?;
        let info = model.info.clone();
        place.fill(model);
        Ok(info)
    }

    /// Unloads a model other than the default. What is being translated with it goes on to its end.
    ///
    /// # Errors
    /// [`Error::UnknownModel`]; [`Error::InvalidArgument`] for the default.
    pub fn unload(&self, name: &str) -> Result<()> {
        self.models.remove(name)
    }

    /// What its memory has been asked so far, if it has one.
    pub fn memory_stats(&self) -> Option<MemoryStats> {
        self.memory.as_ref().map(|memory| memory.stats())
    }

    /// Translates a few words with each model, so that the first article isn't slower than the others.
    pub async fn warm_up(&self) -> Result<()> {
        for model in self.models.ready() {
            let model = Some(model.info.name.clone());
            let options = TranslateOptions { model, no_cache: true, ..Default::default() };
            self.translate("سلام دنیا.", options)?.try_for_each(|_| std::future::ready(Ok(()))).await?;
        }
        Ok(())
    }

    /// Translates an article: a start, each paragraph in order as soon as it is ready, and a summary. An error in
    /// the stream ends it. Dropping the stream frees the work at the next step.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] and [`Error::UnknownModel`], before anything is translated.
    pub fn translate(
        &self,
        source: impl Into<Arc<str>>,
        options: TranslateOptions,
    ) -> Result<BoxStream<'static, Result<Event>>> {
        let begun = Instant::now();
        let request = self.request(options)?;
        let article = Arc::new(Article::parse(source));
        if request.options.require_persian && is_foreign(article.source()) {
            return Err(Error::invalid(
                "text",
                "isn't Persian",
                "send Persian text, or leave require_persian off",
            ));
        }
        let start = ArticleStart {
            paragraphs: article.paragraphs().len(),
            sentences: article.sentence_count(),
            model: request.model.info.clone(),
            options: request.options.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let gaps: Arc<[Span]> = article.gaps().collect();
        let sentences = sentences(&request, &article);
        let trailing = gaps.last().map_or_else(String::new, |gap| gap.of(article.source()).to_owned());
        let summary = ArticleSummary {
            paragraphs: start.paragraphs,
            sentences: start.sentences,
            trailing_separator: trailing,
            ..ArticleSummary::default()
        };
        let state = Progress { article, gaps, request, sentences, summary, paragraph: 0, begun };
        let rest = stream::try_unfold(Some(state), |state| async move {
            let Some(mut state) = state else { return Ok(None) };
            if state.paragraph == state.article.paragraphs().len() {
                state.summary.elapsed = state.begun.elapsed();
                return Ok(Some((Event::Summary(state.summary), None)));
            }
            let paragraph = state.next_paragraph().await?;
            Ok(Some((Event::Paragraph(paragraph), Some(state))))
        });
        Ok(stream::iter([Ok(Event::Start(start))]).chain(rest).boxed())
    }

    /// Translates lines, each of which is one sentence, and returns one translation for each, in order, with
    /// `at_once` of them under way. A blank line has a blank translation.
    pub fn translate_lines(
        &self,
        lines: Vec<String>,
        options: TranslateOptions,
        at_once: usize,
    ) -> Result<BoxStream<'static, Result<TranslatedLine>>> {
        let request = self.request(options)?;
        let translate = move |line: String| {
            let request = request.clone();
            async move {
                let start = line.len() - line.trim_start().len();
                let translation = translate_sentence(&request, line.trim()).await?;
                let details = translation.details.shifted(start, 0);
                Ok(TranslatedLine {
                    text: translation.text,
                    score: translation.score,
                    flags: translation.flags,
                    attempts: translation.attempts,
                    alternatives: translation.alternatives,
                    alignment: details.alignment,
                    token_scores: details.token_scores,
                    source_tokens: translation.source_tokens,
                    target_tokens: translation.target_tokens,
                })
            }
        };
        Ok(stream::iter(lines).map(translate).buffered(at_once.max(1)).boxed())
    }

    /// What is asked for with the options, if they are valid.
    fn request(&self, options: TranslateOptions) -> Result<Arc<Request>> {
        options.validate()?;
        let model = self.models.find(options.model.as_deref())?;
        let lane = model.engine.lane(options.priority);
        let memory = self.memory.clone().filter(|_| !options.no_cache);
        Ok(Arc::new(Request { model, lane, memory, options }))
    }
}

/// All sentences of the article, translated in order, a bounded number of them at once.
fn sentences(
    request: &Arc<Request>,
    article: &Arc<Article>,
) -> BoxStream<'static, Result<SentenceTranslation>> {
    let spans: Vec<Span> =
        article.paragraphs().iter().flat_map(|paragraph| paragraph.sentences.iter().copied()).collect();
    let (request, article) = (request.clone(), article.clone());
    let translate = move |span: Span| {
        let (request, article) = (request.clone(), article.clone());
        async move { translate_sentence(&request, span.of(article.source())).await }
    };
    stream::iter(spans).map(translate).buffered(SENTENCES_AT_ONCE).boxed()
}

/// An article that is being translated.
struct Progress {
    article: Arc<Article>,
    gaps: Arc<[Span]>,
    request: Arc<Request>,
    sentences: BoxStream<'static, Result<SentenceTranslation>>,
    summary: ArticleSummary,
    /// The next paragraph's index.
    paragraph: usize,
    begun: Instant,
}

impl Progress {
    /// Waits for the next paragraph's sentences and puts them together.
    async fn next_paragraph(&mut self) -> Result<TranslatedParagraph> {
        let index = self.paragraph;
        self.paragraph += 1;
        let article = self.article.clone();
        let paragraph = &article.paragraphs()[index];
        let source_text =
            |span: Span| self.request.options.return_source.then(|| span.of(article.source()).to_owned());
        let mut text = String::new();
        let mut sentences = Vec::with_capacity(paragraph.sentences.len());
        for &source_span in &paragraph.sentences {
            let ended = || Error::Inference("the sentences ended early".into());
            let translation = self.sentences.try_next().await?.ok_or_else(ended)?;
            count(&mut self.summary, &translation);
            if !text.is_empty() && !translation.text.is_empty() {
                text.push(' ');
            }
            let start = text.len();
            text.push_str(&translation.text);
            let details = translation.details.shifted(source_span.start, start);
            sentences.push(TranslatedSentence {
                source_span,
                target_span: Span::new(start, text.len()),
                score: translation.score,
                flags: translation.flags,
                attempts: translation.attempts,
                alternatives: translation.alternatives,
                alignment: details.alignment,
                token_scores: details.token_scores,
                source_text: source_text(source_span),
            });
        }
        Ok(TranslatedParagraph {
            index,
            source_span: paragraph.span,
            separator: self.gaps[index].of(article.source()).to_owned(),
            text,
            sentences,
            source_text: source_text(paragraph.span),
        })
    }
}

fn count(summary: &mut ArticleSummary, translation: &SentenceTranslation) {
    summary.attempts += translation.attempts;
    summary.source_tokens += translation.source_tokens;
    summary.target_tokens += translation.target_tokens;
    summary.count_flags(translation.flags);
}
