//! The traces that calls belong to (W3C Trace Context), where traces are sent anywhere.

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::Status;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::Code;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes a call a part of its client's trace, if it has one.
pub(super) fn join(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    // An error is that no traces are sent.
    let _ = span.set_parent(context);
}

/// Notes how a call ended. Errors are those that OpenTelemetry's conventions for gRPC servers count as such: what a client
/// did wrong is none.
pub(super) fn ended(span: &Span, code: Code) {
    span.set_attribute("rpc.system", "grpc");
    span.set_attribute("rpc.grpc.status_code", i64::from(i32::from(code)));
    if matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    ) {
        span.set_status(Status::error(code.description()));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
