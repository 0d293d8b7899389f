//! What a client asks for.

use super::options::options;
use crate::options::TranslateOptions;
use crate::{Error, Result, proto};

/// The longest text that `TranslateText` takes, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// The longest id that a client may give an article, in bytes.
const MAX_ID_BYTES: usize = 256;

/// A text to translate, with valid options.
#[derive(Debug, PartialEq)]
pub(crate) struct ArticleRequest {
    pub(crate) text: String,
    pub(crate) options: TranslateOptions,
}

/// The text of a `TranslateText` call.
pub(crate) fn text_request(message: proto::TranslateTextRequest) -> Result<ArticleRequest> {
    let proto::TranslateTextRequest { text, mime_type, options } = message;
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::invalid(
            "text",
            format!("{} bytes are more than the {MAX_TEXT_BYTES} that TranslateText takes", text.len()),
            "send it to TranslateArticle",
        ));
    }
    request(text, &mime_type, options)
}

/// The article of a `TranslateArticle` call.
pub(crate) fn article_request(message: proto::TranslateArticleRequest) -> Result<ArticleRequest> {
    let proto::TranslateArticleRequest { text, mime_type, options } = message;
    request(text, &mime_type, options)
}

/// The article of one `TranslateArticles` message, whose id is checked and left to the caller.
pub(crate) fn named_article_request(message: proto::TranslateArticlesRequest) -> Result<ArticleRequest> {
    let proto::TranslateArticlesRequest { id, article } = message;
    if id.is_empty() {
        return Err(Error::invalid(
            "id",
            "is empty",
            "name each article to tell its answers from the others'",
        ));
    }
    if id.len() > MAX_ID_BYTES {
        let problem = format!("{} bytes are more than the {MAX_ID_BYTES} allowed", id.len());
        return Err(Error::invalid("id", problem, "choose a shorter id"));
    }
    let article =
        article.ok_or_else(|| Error::invalid("article", "is missing", "send the article with its id"))?;
    article_request(article)
}

fn request(text: String, mime_type: &str, message: Option<proto::Options>) -> Result<ArticleRequest> {
    if !matches!(mime_type, "" | "text/plain") {
        let remedy = "send plain text, as \"text/plain\" or without a type";
        return Err(Error::invalid("mime_type", format!("{mime_type:?} isn't supported"), remedy));
    }
    if text.is_empty() {
        return Err(Error::invalid("text", "is empty", "send the Persian text to translate"));
    }
    if text.chars().all(char::is_whitespace) {
        return Err(Error::invalid("text", "holds only white space", "send the Persian text to translate"));
    }
    let options = options(message.unwrap_or_default())?;
    options.validate()?;
    Ok(ArticleRequest { text, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, mime_type: &str) -> proto::TranslateTextRequest {
        proto::TranslateTextRequest { text: text.into(), mime_type: mime_type.into(), options: None }
    }

    fn refused_field<T: std::fmt::Debug>(refused: Result<T>) -> &'static str {
        match refused {
            Err(Error::InvalidArgument { field, .. }) => field,
            other => panic!("{other:?} isn't an invalid argument"),
        }
    }

    #[test]
    fn text_is_taken_as_plain_text_unless_said_otherwise() {
        for mime_type in ["", "text/plain"] {
            let request = text_request(text(" سلام ", mime_type)).unwrap();
            assert_eq!(
                request,
                ArticleRequest { text: " سلام ".into(), options: TranslateOptions::default() }
            );
        }
        for mime_type in ["text/html", "TEXT/PLAIN", "text/plain; charset=utf-16"] {
            assert_eq!(refused_field(text_request(text("سلام", mime_type))), "mime_type");
        }
    }

    #[test]
    fn a_text_without_anything_to_translate_is_refused() {
        for nothing in ["", " ", "\r\n\t", "\u{3000}\u{2028}\u{a0}"] {
            assert_eq!(refused_field(text_request(text(nothing, ""))), "text");
        }
    }

    #[test]
    fn the_limit_of_a_short_text_is_exact_and_names_the_way_out() {
        let longest = "س".repeat(MAX_TEXT_BYTES / 2);
        text_request(text(&longest, "")).unwrap();
        let error = text_request(text(&format!("{longest}."), "")).unwrap_err();
        assert!(error.to_string().contains("TranslateArticle"), "{error}");
        let article = proto::TranslateArticleRequest { text: longest + ".", ..Default::default() };
        article_request(article).unwrap();
    }

    #[test]
    fn ids_are_checked_before_their_articles() {
        let named = |id: String, article| proto::TranslateArticlesRequest { id, article };
        let article =
            || Some(proto::TranslateArticleRequest { text: "سلام".into(), ..Default::default() });
        named_article_request(named("x".repeat(MAX_ID_BYTES), article())).unwrap();
        assert_eq!(
            refused_field(named_article_request(named("x".repeat(MAX_ID_BYTES + 1), article()))),
            "id"
        );
        assert_eq!(refused_field(named_article_request(named(String::new(), None))), "id");
        assert_eq!(refused_field(named_article_request(named("x".into(), None))), "article");
    }

    #[test]
    fn options_are_checked() {
        let options = Some(proto::Options { beam_size: 17, ..Default::default() });
        let request =
            proto::TranslateArticleRequest { text: "سلام".into(), mime_type: String::new(), options };
        assert_eq!(refused_field(article_request(request)), "options.beam_size");
    }
}
