//! Logs on standard error, and traces to a collector.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, TracerProviderBuilder,
};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogFormat, Traces};
use crate::{Error, Result};

/// Where a user says what is logged, the first one that is set, in the syntax of [`EnvFilter`].
const VARIABLES: [&str; 2] = ["TARJOMAN_LOG", "RUST_LOG"];
/// Spans that may wait to be sent; more are dropped. A sentence has about five.
const SPANS: usize = 16 * 1024;
/// How long the last spans may take to be sent.
const FAREWELL: Duration = Duration::from_secs(5);

/// What has to be ended in order.
#[derive(Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Starts logging what the environment variable `TARJOMAN_LOG`, else `RUST_LOG`, else `default` asks for, and tracing if
/// there is a collector, which takes an async runtime.
///
/// # Errors
/// [`Error::Config`] when the collector's URL can't be used.
pub fn start(default: &str, format: LogFormat, traces: Option<&Traces>) -> Result<Telemetry> {
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
    let traces = traces.filter(|traces| !traces.endpoint.is_empty()).map(provider).transpose()?;
    let spans = traces.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(is_stage))
    });
    // A second call, in a test perhaps, keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).try_init();
    if let Some((name, error)) = ignored {
        tracing::warn!("{name} is ignored, as it can't be read: {error}");
    }
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends what waits to be sent.
    pub fn finish(self) {
        if let Some(Err(error)) = self.traces.map(|provider| provider.shutdown_with_timeout(FAREWELL)) {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

/// Whether this is a span of our own: others' say what their libraries do, and events may tell more than is meant for a
/// collector.
fn is_stage(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.target().starts_with(env!("CARGO_PKG_NAME"))
        && *metadata.level() <= Level::DEBUG
}

fn provider(traces: &Traces) -> Result<SdkTracerProvider> {
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(&traces.endpoint);
    if traces.endpoint.starts_with("https:") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
    }
    let exporter = exporter.build().map_err(|error| Error::Config {
        place: "traces.endpoint".into(),
        problem: error.to_string(),
        remedy: "name a collector such as http://127.0.0.1:4317".into(),
    })?;
    let queue = BatchConfigBuilder::default().with_max_queue_size(SPANS).build();
    let resource = Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    // By the trace's own number, so that all spans of a call are sent or none, whatever its client wants.
    let share = Sampler::TraceIdRatioBased(1.0 / f64::from(traces.one_in));
    Ok(TracerProviderBuilder::default()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(queue).build())
        .with_sampler(share)
        .with_resource(resource.build())
        .build())
}
