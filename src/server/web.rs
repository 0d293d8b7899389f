//! Which pages of other origins may call, and what of an answer they may see (CORS).

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, Method};
use tonic::Status;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::calls::{API_KEY, REQUEST_ID, TIMEOUT};
use crate::config::Web;

/// How long a browser may remember what it was told.
const MAX_AGE: Duration = Duration::from_hours(1);

/// What answers browsers' questions before calls, and adds to the answers what browsers want to see there.
pub(super) fn layer(web: &Web) -> CorsLayer {
    let origins = if web.allows_all() { AllowOrigin::any() } else { AllowOrigin::list(web.origins()) };
    let of_grpc_web = ["x-grpc-web", "x-user-agent"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(
            of_grpc_web
                .into_iter()
                .chain([CONTENT_TYPE, AUTHORIZATION, API_KEY, REQUEST_ID, TIMEOUT])
                .collect::<Vec<_>>(),
        )
        .expose_headers([
            REQUEST_ID,
            RETRY_AFTER,
            Status::GRPC_STATUS,
            Status::GRPC_MESSAGE,
            Status::GRPC_STATUS_DETAILS,
        ])
        .max_age(MAX_AGE)
}
