//! What comes back: events and models.

use std::sync::Arc;
use std::time::Duration;

use super::flags::{flag, flag_message};
use super::options::{options, options_message};
use super::{count, from_status, malformed, required, size};
use crate::article::Span;
use crate::model::{ModelInfo, ModelState};
use crate::proto::translate_article_response::Event as ArticleEvent;
use crate::proto::translate_articles_response::Event as NamedEvent;
use crate::translation::{
    Alternative, ArticleStart, ArticleSummary, Event, FlagCount, TokenScore, TranslatedParagraph,
    TranslatedSentence, WordLink,
};
use crate::{Error, Result, proto};

/// A message of a `TranslateArticle` stream.
pub(crate) fn article_response(event: Event) -> proto::TranslateArticleResponse {
    let event = match event {
        Event::Start(start) => ArticleEvent::Start(start_message(start)),
        Event::Paragraph(paragraph) => ArticleEvent::Paragraph(paragraph_message(paragraph)),
        Event::Summary(summary) => ArticleEvent::Summary(summary_message(summary)),
    };
    proto::TranslateArticleResponse { event: Some(event) }
}

/// The event of a `TranslateArticle` message.
pub(crate) fn article_event(message: proto::TranslateArticleResponse) -> Result<Event> {
    Ok(match required(message.event, "event")? {
        ArticleEvent::Start(message) => Event::Start(start(message)?),
        ArticleEvent::Paragraph(message) => Event::Paragraph(paragraph(message)?),
        ArticleEvent::Summary(message) => Event::Summary(summary(message)?),
    })
}

/// A message of a `TranslateArticles` stream.
pub(crate) fn named_article_response(id: String, event: Event) -> proto::TranslateArticlesResponse {
    let event = match event {
        Event::Start(start) => NamedEvent::Start(start_message(start)),
        Event::Paragraph(paragraph) => NamedEvent::Paragraph(paragraph_message(paragraph)),
        Event::Summary(summary) => NamedEvent::Summary(summary_message(summary)),
    };
    proto::TranslateArticlesResponse { id, event: Some(event) }
}

/// The message that an article of a `TranslateArticles` stream failed.
pub(crate) fn article_error(id: String, error: Error) -> proto::TranslateArticlesResponse {
    let status = tonic::Status::from(error);
    let error = proto::ArticleError { code: status.code().into(), message: status.message().to_owned() };
    proto::TranslateArticlesResponse { id, event: Some(NamedEvent::Error(error)) }
}

/// The article that a `TranslateArticles` message is about, and what it says of it.
pub(crate) fn named_article_event(message: proto::TranslateArticlesResponse) -> (String, Result<Event>) {
    let event = required(message.event, "event").and_then(|event| {
        Ok(match event {
            NamedEvent::Start(message) => Event::Start(start(message)?),
            NamedEvent::Paragraph(message) => Event::Paragraph(paragraph(message)?),
            NamedEvent::Summary(message) => Event::Summary(summary(message)?),
            NamedEvent::Error(error) => {
                return Err(from_status(&tonic::Status::new(error.code.into(), error.message)));
            }
        })
    });
    (message.id, event)
}

/// Adds an event to the answer of a `TranslateText` call, which holds them all.
pub(crate) fn extend_text_response(response: &mut proto::TranslateTextResponse, event: Event) {
    match event {
        Event::Start(start) => response.start = Some(start_message(start)),
        Event::Paragraph(paragraph) => {
            response.text.push_str(&paragraph.separator);
            response.text.push_str(&paragraph.text);
            response.paragraphs.push(paragraph_message(paragraph));
        }
        Event::Summary(summary) => {
            response.text.push_str(&summary.trailing_separator);
            response.summary = Some(summary_message(summary));
        }
    }
}

/// The message of a model.
pub(crate) fn model(info: &ModelInfo) -> proto::Model {
    let ModelInfo { name, family, digest, source_language, target_language, licence, precision, note, state } =
        info.clone();
    let state = match state {
        ModelState::Loading => proto::ModelState::Loading,
        ModelState::Ready => proto::ModelState::Ready,
    };
    let state = state.into();
    proto::Model { name, family, digest, source_language, target_language, licence, precision, note, state }
}

/// The model of a message.
pub(crate) fn model_info(message: proto::Model) -> ModelInfo {
    let state = match message.state() {
        proto::ModelState::Loading => ModelState::Loading,
        // A server from before there were states has only models that can be used.
        proto::ModelState::Ready | proto::ModelState::Unspecified => ModelState::Ready,
    };
    let proto::Model {
        name, family, digest, source_language, target_language, licence, precision, note, ..
    } = message;
    ModelInfo { name, family, digest, source_language, target_language, licence, precision, note, state }
}

fn start_message(start: ArticleStart) -> proto::ArticleStart {
    let ArticleStart { paragraphs, sentences, model: info, options, version } = start;
    proto::ArticleStart {
        paragraphs: paragraphs as u64,
        sentences: sentences as u64,
        model: Some(model(&info)),
        options: Some(options_message(&options)),
        version,
    }
}

fn start(message: proto::ArticleStart) -> Result<ArticleStart> {
    Ok(ArticleStart {
        paragraphs: size(message.paragraphs)?,
        sentences: size(message.sentences)?,
        model: Arc::new(model_info(required(message.model, "start.model")?)),
        options: options(required(message.options, "start.options")?).map_err(malformed)?,
        version: message.version,
    })
}

fn paragraph_message(paragraph: TranslatedParagraph) -> proto::TranslatedParagraph {
    let TranslatedParagraph { index, source_span, separator, text, sentences, source_text } = paragraph;
    proto::TranslatedParagraph {
        index: index as u64,
        source_span: Some(span_message(source_span)),
        separator,
        text,
        sentences: sentences.into_iter().map(sentence_message).collect(),
        source_text: source_text.unwrap_or_default(),
    }
}

fn paragraph(message: proto::TranslatedParagraph) -> Result<TranslatedParagraph> {
    Ok(TranslatedParagraph {
        index: size(message.index)?,
        source_span: span(message.source_span, "paragraph.source_span")?,
        separator: message.separator,
        text: message.text,
        sentences: message.sentences.into_iter().map(sentence).collect::<Result<_>>()?,
        source_text: given(message.source_text),
    })
}

fn sentence_message(sentence: TranslatedSentence) -> proto::TranslatedSentence {
    let TranslatedSentence {
        source_span,
        target_span,
        score,
        flags,
        attempts,
        alternatives,
        alignment,
        token_scores,
        source_text,
    } = sentence;
    proto::TranslatedSentence {
        source_span: Some(span_message(source_span)),
        target_span: Some(span_message(target_span)),
        score,
        flags: flags.iter().map(|flag| flag_message(flag).into()).collect(),
        attempts: count(attempts),
        alternatives: alternatives
            .into_iter()
            .map(|Alternative { text, score }| proto::Alternative { text, score })
            .collect(),
        alignment: alignment.into_iter().map(link_message).collect(),
        token_scores: token_scores.into_iter().map(token_score_message).collect(),
        source_text: source_text.unwrap_or_default(),
    }
}

fn sentence(message: proto::TranslatedSentence) -> Result<TranslatedSentence> {
    Ok(TranslatedSentence {
        source_span: span(message.source_span, "sentence.source_span")?,
        target_span: span(message.target_span, "sentence.target_span")?,
        score: message.score,
        flags: message.flags.into_iter().map(flag).collect::<Result<_>>()?,
        attempts: message.attempts as usize,
        alternatives: message
            .alternatives
            .into_iter()
            .map(|proto::Alternative { text, score }| Alternative { text, score })
            .collect(),
        alignment: message.alignment.into_iter().map(link).collect::<Result<_>>()?,
        token_scores: message.token_scores.into_iter().map(token_score).collect::<Result<_>>()?,
        source_text: given(message.source_text),
    })
}

fn link_message(link: WordLink) -> proto::WordLink {
    let WordLink { source_span, target_span, weight } = link;
    proto::WordLink {
        source_span: Some(span_message(source_span)),
        target_span: Some(span_message(target_span)),
        weight,
    }
}

fn link(message: proto::WordLink) -> Result<WordLink> {
    Ok(WordLink {
        source_span: span(message.source_span, "alignment.source_span")?,
        target_span: span(message.target_span, "alignment.target_span")?,
        weight: message.weight,
    })
}

fn token_score_message(score: TokenScore) -> proto::TokenScore {
    proto::TokenScore { target_span: Some(span_message(score.target_span)), log_prob: score.log_prob }
}

fn token_score(message: proto::TokenScore) -> Result<TokenScore> {
    let target_span = span(message.target_span, "token_scores.target_span")?;
    Ok(TokenScore { target_span, log_prob: message.log_prob })
}

fn summary_message(summary: ArticleSummary) -> proto::ArticleSummary {
    proto::ArticleSummary {
        paragraphs: summary.paragraphs as u64,
        sentences: summary.sentences as u64,
        flagged_sentences: summary.flagged_sentences as u64,
        flag_counts: summary
            .flag_counts
            .into_iter()
            .map(|FlagCount { flag, sentences }| proto::FlagCount {
                flag: flag_message(flag).into(),
                sentences: sentences as u64,
            })
            .collect(),
        attempts: summary.attempts as u64,
        source_tokens: summary.source_tokens as u64,
        target_tokens: summary.target_tokens as u64,
        elapsed: Some(summary.elapsed.into()),
        trailing_separator: summary.trailing_separator,
    }
}

fn summary(message: proto::ArticleSummary) -> Result<ArticleSummary> {
    let flag_counts = message
        .flag_counts
        .into_iter()
        .map(|message| Ok(FlagCount { flag: flag(message.flag)?, sentences: size(message.sentences)? }));
    Ok(ArticleSummary {
        paragraphs: size(message.paragraphs)?,
        sentences: size(message.sentences)?,
        flagged_sentences: size(message.flagged_sentences)?,
        flag_counts: flag_counts.collect::<Result<_>>()?,
        attempts: size(message.attempts)?,
        source_tokens: size(message.source_tokens)?,
        target_tokens: size(message.target_tokens)?,
        elapsed: duration(required(message.elapsed, "summary.elapsed")?)?,
        trailing_separator: message.trailing_separator,
    })
}

fn duration(message: pbjson_types::Duration) -> Result<Duration> {
    let pbjson_types::Duration { seconds, nanos } = message;
    Duration::try_from(prost_types::Duration { seconds, nanos }).map_err(malformed)
}

fn span_message(span: Span) -> proto::Span {
    proto::Span { start: span.start as u64, end: span.end as u64 }
}

fn span(message: Option<proto::Span>, name: &str) -> Result<Span> {
    let proto::Span { start, end } = required(message, name)?;
    if start > end {
        return Err(malformed(format!("{name} ends at {end}, before its start at {start}")));
    }
    Ok(Span::new(size(start)?, size(end)?))
}

/// A text that is left out unless it was asked for. Empty ones aren't asked for: a sentence has letters.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::options::TranslateOptions;
    use crate::review::Flag;

    fn model() -> ModelInfo {
        ModelInfo {
            name: "name".into(),
            family: "family".into(),
            digest: "digest".into(),
            source_language: "fa".into(),
            target_language: "en".into(),
            licence: "licence".into(),
            precision: "f32".into(),
            note: "note".into(),
            state: ModelState::Loading,
        }
    }

    fn events() -> [Event; 3] {
        let sentence = TranslatedSentence {
            source_span: Span::new(3, 70),
            target_span: Span::new(0, 5),
            score: -0.25,
            flags: Flag::ALL.into_iter().collect(),
            attempts: 3,
            alternatives: vec![Alternative { text: "Hi.".into(), score: -1.5 }],
            alignment: vec![WordLink {
                source_span: Span::new(3, 11),
                target_span: Span::new(0, 4),
                weight: 0.75,
            }],
            token_scores: vec![TokenScore { target_span: Span::new(0, 5), log_prob: -0.5 }],
            source_text: Some("سلام.".into()),
        };
        let bare = TranslatedSentence {
            flags: [].into_iter().collect(),
            alternatives: vec![],
            alignment: vec![],
            token_scores: vec![],
            source_text: None,
            ..sentence.clone()
        };
        [
            Event::Start(ArticleStart {
                paragraphs: 1,
                sentences: 2,
                model: Arc::new(model()),
                options: TranslateOptions { beam_size: 6, n_best: 2, ..TranslateOptions::default() },
                version: "1.2.3".into(),
            }),
            Event::Paragraph(TranslatedParagraph {
                index: 7,
                source_span: Span::new(3, 130),
                separator: "\r\n\n".into(),
                text: "Hello.".into(),
                sentences: vec![sentence, bare],
                source_text: Some("سلام. سلام.".into()),
            }),
            Event::Summary(ArticleSummary {
                paragraphs: 1,
                sentences: 2,
                flagged_sentences: 3,
                flag_counts: Flag::ALL
                    .into_iter()
                    .zip(1..)
                    .map(|(flag, n)| FlagCount { flag, sentences: n })
                    .collect(),
                attempts: 4,
                source_tokens: 5,
                target_tokens: 6,
                elapsed: Duration::new(7, 8),
                trailing_separator: "\n".into(),
            }),
        ]
    }

    #[test]
    fn every_event_comes_back_as_it_was() {
        for event in events() {
            let wire = article_response(event.clone()).encode_to_vec();
            let message = proto::TranslateArticleResponse::decode(&*wire).unwrap();
            assert_eq!(article_event(message).unwrap(), event);

            let wire = named_article_response("نام".into(), event.clone()).encode_to_vec();
            let message = proto::TranslateArticlesResponse::decode(&*wire).unwrap();
            let (id, again) = named_article_event(message);
            assert_eq!((id.as_str(), again.unwrap()), ("نام", event));
        }
    }

    #[test]
    fn a_text_response_holds_all_events_and_the_text_with_its_separators() {
        let mut response = proto::TranslateTextResponse::default();
        for event in events() {
            extend_text_response(&mut response, event);
        }
        assert_eq!(response.text, "\r\n\nHello.\n");
        assert_eq!(response.paragraphs.len(), 1);
        assert_eq!(response.start.unwrap().sentences, 2);
        assert_eq!(response.summary.unwrap().attempts, 4);
    }

    #[test]
    fn an_article_error_carries_the_code_that_the_article_alone_would_have_had() {
        let message = article_error(
            "a".into(),
            Error::Overloaded { problem: "full".into(), retry_after: Duration::ZERO },
        );
        let (id, event) = named_article_event(message);
        assert_eq!(id, "a");
        assert!(matches!(event, Err(Error::Remote { code, .. }) if code == "RESOURCE_EXHAUSTED"));
    }

    #[test]
    fn an_answer_that_breaks_the_interface_is_an_error_and_no_panic() {
        assert!(article_event(proto::TranslateArticleResponse::default()).is_err());
        assert!(named_article_event(proto::TranslateArticlesResponse::default()).1.is_err());
        assert!(span(Some(proto::Span { start: 2, end: 1 }), "span").is_err());
        assert!(span(None, "span").is_err());
        let negative = pbjson_types::Duration { seconds: -1, nanos: 0 };
        assert!(summary(proto::ArticleSummary { elapsed: Some(negative), ..Default::default() }).is_err());
    }
}
