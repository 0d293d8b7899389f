//! What the service refuses, and how it says so.

use tarjoman::config::Config;
use tarjoman::proto::{
    ListModelsRequest, Options, TranslateArticleRequest, TranslateTextRequest, TranslateTextResponse,
};
use tonic::{Code, Request, Status};

use crate::common::{SHORT, TestServer, limited, within};

#[tokio::test(flavor = "multi_thread")]
async fn an_option_out_of_range_is_refused_by_its_name() {
    let server = TestServer::start(Config::default()).await;
    let cases = [
        ("options.beam_size", Options { beam_size: 17, ..Default::default() }),
        ("options.length_penalty", Options { length_penalty: Some(5.5), ..Default::default() }),
        ("options.length_penalty", Options { length_penalty: Some(f32::NAN), ..Default::default() }),
        ("options.max_expansion", Options { max_expansion: 0.25, ..Default::default() }),
        ("options.max_expansion", Options { max_expansion: f32::INFINITY, ..Default::default() }),
        ("options.min_tokens", Options { min_tokens: 512, ..Default::default() }),
        ("options.max_tokens", Options { max_tokens: u32::MAX, ..Default::default() }),
        ("options.n_best", Options { n_best: 5, ..Default::default() }),
        ("options.max_attempts", Options { max_attempts: 7, ..Default::default() }),
    ];
    for (field, options) in cases {
        let [of_text, of_article] = refusals(&server, SHORT, "", Some(options)).await;
        assert_eq!(of_text.code(), Code::InvalidArgument);
        assert!(of_text.message().starts_with(field), "{of_text}");
        assert_eq!((of_text.code(), of_text.message()), (of_article.code(), of_article.message()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_not_found_and_the_known_ones_are_named() {
    let server = TestServer::start(Config::default()).await;
    let known = within(server.client().await.list_models()).await.unwrap()[0].name.clone();
    // A name as long as a message may be still leaves a readable status.
    for name in ["gpt".to_owned(), "م".repeat(1_000_000)] {
        let options = Options { model: name.clone(), ..Default::default() };
        for status in refusals(&server, "سلام", "", Some(options)).await {
            assert_eq!(status.code(), Code::NotFound, "{status}");
            assert!(name.len() > 100 || status.message().contains(&known), "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_translated_is_refused() {
    let server = TestServer::start(Config::default()).await;
    let cases = [("", "", "text: "), (" \r\n\u{3000}", "", "text: "), (SHORT, "text/html", "mime_type: ")];
    for (text, mime_type, field) in cases {
        for status in refusals(&server, text, mime_type, None).await {
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().starts_with(field), "{status}");
        }
    }
    let options = Options { require_persian: true, ..Default::default() };
    for status in
        refusals(&server, "This text is English from its start to its end.", "", Some(options)).await
    {
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_sent_on_to_the_method_that_takes_it() {
    let server = TestServer::start(Config::default()).await;
    let request = TranslateTextRequest { text: "س".repeat(32 * 1024 + 1), ..Default::default() };
    let status = within(server.raw().await.translate_text(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("TranslateArticle"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_above_the_limit_is_refused_and_the_limit_named() {
    let server = TestServer::start(limited(|limits| limits.message_bytes = 1000)).await;
    for status in refusals(&server, &"سلام ".repeat(200), "", None).await {
        assert_eq!(status.code(), Code::OutOfRange);
        assert!(status.message().contains("1000"), "{status}");
    }
    // The connection is none the worse for it.
    let request = TranslateTextRequest { text: SHORT.into(), ..Default::default() };
    within(server.raw().await.translate_text(request)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_not_utf8_is_refused_and_named() {
    /// `TranslateTextRequest` with bytes for a text.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Bytes {
        #[prost(bytes = "vec", tag = "1")]
        text: Vec<u8>,
    }
    let server = TestServer::start(Config::default()).await;
    let mut client = tonic::client::Grpc::new(server.channel().await);
    within(client.ready()).await.unwrap();
    let path = "/tarjoman.v1.TranslationService/TranslateText".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<Bytes, TranslateTextResponse>::default();
    let request = Request::new(Bytes { text: vec![0xd8, 0xff] });
    let status = within(client.unary(request, path, codec)).await.unwrap_err();
    // A message that can't be decoded is INTERNAL in every implementation of gRPC.
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("TranslateTextRequest.text"), "{status}");
    assert!(status.message().contains("UTF-8"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_models_are_checked() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.raw().await;
    let mut list = async |page_size, page_token: &str| {
        let request = ListModelsRequest { page_size, page_token: page_token.into() };
        within(client.list_models(request)).await.map(tonic::Response::into_inner)
    };
    let all = list(0, "").await.unwrap();
    assert_eq!(all.next_page_token, "");
    // Page by page they are the same.
    let (mut seen, mut token) = (Vec::new(), String::new());
    while seen.len() < all.models.len() {
        let page = list(1, &token).await.unwrap();
        seen.extend(page.models);
        token = page.next_page_token;
    }
    assert_eq!((seen, token.as_str()), (all.models, ""));

    for (page_size, page_token, field) in [(-1, "", "page_size: "), (0, "no such page", "page_token: ")] {
        let status = list(page_size, page_token).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{status}");
    }
}

/// How `TranslateText` and `TranslateArticle` refuse this.
async fn refusals(server: &TestServer, text: &str, mime_type: &str, options: Option<Options>) -> [Status; 2] {
    let mut client = server.raw().await;
    let (text, mime_type) = (text.to_owned(), mime_type.to_owned());
    let short =
        TranslateTextRequest { text: text.clone(), mime_type: mime_type.clone(), options: options.clone() };
    let of_text = within(client.translate_text(short)).await.unwrap_err();
    let article = TranslateArticleRequest { text, mime_type, options };
    let of_article = within(client.translate_article(article)).await.unwrap_err();
    [of_text, of_article]
}
