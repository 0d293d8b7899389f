//! JSON to messages and back.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Code, Status};

use super::{Ending, Refusal};
use crate::config::Limits;
use crate::{Error, Result};

const JSON: &str = "application/json";

/// The message of a request with a JSON body.
pub(super) async fn from_body<T: DeserializeOwned>(
    request: Request,
    limits: &Limits,
) -> Result<tonic::Request<T>, Refusal> {
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let most = limits.message_bytes;
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refusal::too_large(most)
        } else {
            Status::from_error(error).into()
        }
    })?;
    let message = from_json(&body.to_bytes())?;
    Ok(with_extensions(parts, message))
}

/// The message of a request whose fields are in its query.
pub(super) fn from_query<T: DeserializeOwned>(request: Request) -> Result<tonic::Request<T>> {
    let (parts, _) = request.into_parts();
    let message = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).map_err(|error| {
        Error::invalid("query", error.to_string(), format!("GET {} says what there is", super::DOCS))
    })?;
    Ok(with_extensions(parts, message))
}

/// A message as the whole answer of a call that went well.
pub(super) fn answer<T: Serialize>(message: &T) -> Response {
    match serde_json::to_vec(message) {
        Ok(body) => {
            let mut response = ([(CONTENT_TYPE, JSON)], body).into_response();
            response.extensions_mut().insert(Ending::known(Code::Ok));
            response
        }
        Err(error) => Refusal::from(Error::Serve(format!("writing the answer: {error}"))).into_response(),
    }
}

fn with_extensions<T>(parts: http::request::Parts, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    *request.extensions_mut() = parts.extensions;
    request
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"));
    let (kind, encoding) = (text(CONTENT_TYPE), text(CONTENT_ENCODING));
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
        return Err(Refusal::unsupported(format!("the body is {kind:?}; send it as content-type: {JSON}")));
    }
    if !matches!(encoding, "" | "identity") {
        return Err(Refusal::unsupported(format!("the body is in {encoding:?}; send it uncompressed")));
    }
    Ok(())
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let message = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        Error::invalid(
            "body",
            format!("{place}{}", error.inner()),
            format!("GET {} says what there is", super::DOCS),
        )
    })?;
    json.end().map_err(|error| Error::invalid("body", error.to_string(), "send one JSON object"))?;
    Ok(message)
}
