//! Logs on standard error.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::LogFormat;

/// Where a user says what is logged, the first one that is set, in the syntax of [`EnvFilter`].
const VARIABLES: [&str; 2] = ["TARJOMAN_LOG", "RUST_LOG"];

/// Starts logging what the environment variable `TARJOMAN_LOG`, else `RUST_LOG`, else `default` asks for.
pub fn start(default: &str, format: LogFormat) {
    let set = VARIABLES.into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
    let (filter, ignored) = match set.as_ref().map(|(name, filter)| (name, EnvFilter::try_new(filter))) {
        Some((_, Ok(filter))) => (filter, None),
        Some((name, Err(error))) => (EnvFilter::new(default), Some((*name, error))),
        None => (EnvFilter::new(default), None),
    };
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would panic where standard error is closed.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Human => lines.boxed(),
        // The list of spans begins with the call's, which has its id.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    // A second call, in a test perhaps, keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if let Some((name, error)) = ignored {
        tracing::warn!("{name} is ignored, as it can't be read: {error}");
    }
}
