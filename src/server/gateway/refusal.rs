//! Errors as HTTP tells them: `google.rpc.Status` as JSON, and the status that goes with each code.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{DOCS, Ending};
use crate::Error;

/// The error that a call ends with.
pub(in crate::server) struct Refusal {
    http: StatusCode,
    status: Status,
}

impl Refusal {
    pub(super) fn unknown_path(path: &str) -> Self {
        let message = format!("nothing is at {path}; GET {DOCS} says what there is, and gRPC takes HTTP/2");
        Self::from(Status::not_found(message))
    }

    pub(super) fn wrong_method(method: &Method, path: &str) -> Self {
        let message = format!("{path} doesn't take {method}; GET {DOCS} says what there is");
        Self { http: StatusCode::METHOD_NOT_ALLOWED, status: Status::unimplemented(message) }
    }

    pub(super) fn too_large(most: usize) -> Self {
        let message = format!("body: it has more than the {most} bytes that the service takes; send less");
        Self { http: StatusCode::PAYLOAD_TOO_LARGE, status: Status::out_of_range(message) }
    }

    pub(super) fn unsupported(message: String) -> Self {
        Self { http: StatusCode::UNSUPPORTED_MEDIA_TYPE, status: Status::invalid_argument(message) }
    }

    /// The error as a line of JSON.
    pub(super) fn json(&self) -> String {
        let details = self.status.get_error_details();
        let violations = details.bad_request().map(|request| Detail::BadRequest {
            field_violations: request
                .field_violations
                .iter()
                .map(|violation| FieldViolation {
                    field: &violation.field,
                    description: &violation.description,
                })
                .collect(),
        });
        let retry = self.retry_after().map(|delay| Detail::RetryInfo {
            // As protobuf's JSON writes a duration.
            retry_delay: format!("{}s", delay.as_secs_f64()),
        });
        let message = Body {
            code: self.status.code().into(),
            message: self.status.message(),
            details: violations.into_iter().chain(retry).collect(),
        };
        // Nothing in it can't be written.
        serde_json::to_string(&message).unwrap_or_default()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.status.get_details_retry_info().and_then(|retry| retry.retry_delay)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self { http: http_status(status.code()), status }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Status::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.http, [(CONTENT_TYPE, "application/json")], self.json()).into_response();
        if self.http == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(delay) = self.retry_after() {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Ending::known(self.status.code()));
        response
    }
}

/// `google.rpc.Status`.
#[derive(Serialize)]
struct Body<'a> {
    code: i32,
    message: &'a str,
    details: Vec<Detail<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "@type", rename_all_fields = "camelCase")]
enum Detail<'a> {
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest { field_violations: Vec<FieldViolation<'a>> },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo")]
    RetryInfo { retry_delay: String },
}

#[derive(Serialize)]
struct FieldViolation<'a> {
    field: &'a str,
    description: &'a str,
}

/// The HTTP status of a code, by `google/rpc/code.proto`.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // "Client Closed Request", which is in no standard.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_status_its_details_and_when_to_try_again() {
        let full = Error::Overloaded { problem: "full".into(), retry_after: Duration::from_millis(6500) };
        let response = Refusal::from(full.clone()).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "7");
        let json: serde_json::Value = serde_json::from_str(&Refusal::from(full).json()).unwrap();
        assert_eq!(json["code"], 8);
        assert_eq!(json["details"][0]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
        assert_eq!(json["details"][0]["retryDelay"], "6.5s");

        let refused = Refusal::from(Error::invalid("text", "is empty", "send some"));
        assert_eq!(refused.http, StatusCode::BAD_REQUEST);
        let json: serde_json::Value = serde_json::from_str(&refused.json()).unwrap();
        assert_eq!(json["message"], "text: is empty; send some");
        assert_eq!(json["details"][0]["fieldViolations"][0]["field"], "text");
    }
}
