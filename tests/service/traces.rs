//! The traces of a service, as a collector gets them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::proto::{Options, TranslateArticleRequest, TranslateTextRequest};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::process::{ARTICLE, Running, tarjoman};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Keeps what it gets.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts to listen and tells where.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(service.serve_with_incoming(TcpIncoming::from(listener)));
        url
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().unwrap();
        let scopes =
            requests.iter().flat_map(|request| &request.resource_spans).flat_map(|of| &of.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// A request of a client that has a trace of its own.
fn traced<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let parent = format!("00-{TRACE}-{PARENT}-01");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calls_stages_are_a_trace_that_hangs_on_its_clients() {
    let collector = Collector::default();
    let endpoint = collector.start().await;
    let service = Running::start(&mut tarjoman(&["serve", "--otlp-endpoint", &endpoint]));
    let mut client = TranslationServiceClient::connect(format!("http://{}", service.address)).await.unwrap();
    let article = TranslateArticleRequest { text: ARTICLE.into(), ..Default::default() };
    let mut answers = client.translate_article(traced(article)).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let options = Some(Options { beam_size: 99, ..Default::default() });
    let refused = TranslateTextRequest { text: ARTICLE.into(), options, ..Default::default() };
    client.translate_text(traced(refused)).await.unwrap_err();
    drop((client, answers));
    service.signal("TERM");
    let (told, ended) = service.wait();
    assert!(ended.success(), "{told}");

    let spans = collector.spans();
    let by_id: HashMap<_, _> = spans.iter().map(|span| (span.span_id.clone(), span)).collect();
    let of_client: Vec<_> = spans.iter().filter(|span| hex::encode(&span.trace_id) == TRACE).collect();
    for span in &of_client {
        let mut top = *span;
        while let Some(parent) = by_id.get(&top.parent_span_id) {
            top = parent;
        }
        assert_eq!(hex::encode(&top.parent_span_id), PARENT, "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.events.is_empty(), "{span:?}");
    }
    let count = |name| of_client.iter().filter(|span| span.name == name).count();
    // Of three sentences in two paragraphs, each tried once or more.
    assert_eq!((count("TranslateArticle"), count("TranslateText")), (1, 1));
    assert_eq!((count("split"), count("sentence"), count("send")), (1, 3, 4));
    for stage in ["tokenize", "queue", "encode", "decode", "review"] {
        assert!(count(stage) >= 3, "{stage}: {}", count(stage));
    }

    let call = |name| *of_client.iter().find(|span| span.name == name).unwrap();
    let code = |span: &Span| {
        let attribute = span.attributes.iter().find(|attribute| attribute.key == "rpc.grpc.status_code");
        format!("{:?}", attribute.unwrap().value)
    };
    let (article, text) = (call("TranslateArticle"), call("TranslateText"));
    assert_eq!((article.kind(), text.kind()), (SpanKind::Server, SpanKind::Server));
    assert!(code(article).contains("IntValue(0)") && code(text).contains("IntValue(3)"));
    // What a client did wrong is no error of the server's.
    assert!(
        [article, text].iter().all(|span| span.status.as_ref().is_none_or(|s| s.code() == StatusCode::Unset))
    );
    let all = format!("{:?}", collector.0.lock().unwrap());
    assert!(all.contains("service.name") && all.contains("service.version"));
    for word in ["محرمانه", "بیانیه", "مردم", "هوا"] {
        assert!(!all.contains(word), "{word} is in {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_costs_its_traces_and_nothing_else() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let service = Running::start(&mut tarjoman(&["serve", "--otlp-endpoint", &endpoint]));
    let access = tarjoman::client::Access::default();
    crate::process::translate(&service.client(&access).await.unwrap(), ARTICLE).await.unwrap();
    service.signal("TERM");
    let (told, ended) = service.wait();
    assert!(ended.success() && told.contains("BatchSpanProcessor"), "{told}");
}
