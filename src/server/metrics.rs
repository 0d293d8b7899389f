//! What the server tells Prometheus. Names and units follow Prometheus' conventions; no label has values that a client
//! can choose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;
use tonic::Code;
use tracing::Span;

use super::{convert, gateway, traces};
use crate::engine::EngineStats;
use crate::model::{ModelInfo, ModelState};
use crate::review::Flag;
use crate::translation::{ArticleSummary, TranslatedParagraph};
use crate::translator::MemoryStats;

/// The methods that a server answers: path and name.
const METHODS: [(&str, &str); 13] = [
    ("/tarjoman.v1.TranslationService/TranslateText", "TranslateText"),
    ("/tarjoman.v1.TranslationService/TranslateArticle", "TranslateArticle"),
    ("/tarjoman.v1.TranslationService/TranslateArticles", "TranslateArticles"),
    ("/tarjoman.v1.TranslationService/ListModels", "ListModels"),
    ("/grpc.health.v1.Health/Check", "HealthCheck"),
    ("/grpc.health.v1.Health/Watch", "HealthWatch"),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "Reflection"),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "Reflection"),
    (gateway::TEXT, "TranslateText"),
    (gateway::ARTICLE, "TranslateArticle"),
    (gateway::MODELS, "ListModels"),
    (gateway::OPENAPI, "Description"),
    (gateway::DOCS, "Description"),
];

/// Counters, gauges and histograms.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) connections: Level,
    pub(super) refused_connections: Counter,
    pub(super) failed_handshakes: Counter,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<Label, Histogram>,
    in_progress: Level,
    articles: Family<Label, Counter>,
    stages: Family<Label, Histogram>,
    sentences: Counter,
    retries: Counter,
    flags: Family<Label, Counter>,
    tokens: Family<Label, Counter>,
}

/// One label with one of a few values.
type Label = [(&'static str, &'static str); 1];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    code: String,
}

/// A part of a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Cutting a text into sentences.
    Split,
    /// Waiting to be admitted.
    Queue,
    /// From a paragraph's place in the reply to the client having room for it.
    Send,
}

/// How an article ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With its summary.
    Translated,
    /// With an error.
    Failed,
    /// Its call ended first.
    Cancelled,
}

/// What is only known at the moment when it's asked for.
#[derive(Debug)]
pub(super) struct Now {
    pub(super) characters: usize,
    pub(super) engine: EngineStats,
    /// Of the translation memory, if there is one.
    pub(super) memory: Option<MemoryStats>,
    /// The models that can be used; none while they are being loaded.
    pub(super) models: Vec<Arc<ModelInfo>>,
}

/// A number of things that exist.
#[derive(Debug, Clone, Default)]
pub(super) struct Level(Gauge);

/// One of them.
#[derive(Debug)]
pub(super) struct Held(Gauge);

/// The account of one call, settled when it's dropped.
#[derive(Debug)]
pub(super) struct Tally {
    metrics: Arc<Metrics>,
    method: &'static str,
    begun: Instant,
    code: Option<Code>,
    span: Span,
    _in_progress: Held,
}

/// The name of the method at `path`, for labels and logs.
pub(super) fn method(path: &str) -> &'static str {
    METHODS.iter().find(|(known, _)| *known == path).map_or("unknown", |(_, name)| name)
}

impl Metrics {
    pub(super) fn new() -> Self {
        fn seconds() -> Histogram {
            // From a millisecond to some seventeen minutes.
            Histogram::new(exponential_buckets(0.001, 4.0, 11))
        }
        let mut new = Self {
            registry: Registry::with_prefix("tarjoman"),
            connections: Level::default(),
            refused_connections: Counter::default(),
            failed_handshakes: Counter::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            in_progress: Level::default(),
            articles: Family::default(),
            stages: Family::new_with_constructor(seconds),
            sentences: Counter::default(),
            retries: Counter::default(),
            flags: Family::default(),
            tokens: Family::default(),
        };
        // A series that starts at nought has no gap before its first event.
        for flag in Flag::ALL {
            new.flags.get_or_create_owned(&[("flag", flag.name())]);
        }
        for outcome in [Outcome::Translated, Outcome::Failed, Outcome::Cancelled] {
            new.articles.get_or_create_owned(&[("outcome", outcome.name())]);
        }
        for side in ["source", "target"] {
            new.tokens.get_or_create_owned(&[("side", side)]);
        }
        new.register();
        new
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Open connections", self.connections.0.clone());
        registry.register(
            "refused_connections",
            "Connections closed at once, as there were too many",
            self.refused_connections.clone(),
        );
        registry.register(
            "failed_handshakes",
            "TLS handshakes that failed or took too long",
            self.failed_handshakes.clone(),
        );
        registry.register("requests", "Calls that have ended, by gRPC status", self.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from a call's headers to its status",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        registry.register("requests_in_progress", "Calls in progress", self.in_progress.0.clone());
        registry.register("articles", "Articles that were let in, by how they ended", self.articles.clone());
        registry.register_with_unit(
            "stage_duration",
            "Time of articles and paragraphs in a stage",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register("sentences", "Sentences translated", self.sentences.clone());
        registry.register("retries", "Attempts at a sentence after its first", self.retries.clone());
        registry.register("flags", "Sentences flagged, by flag", self.flags.clone());
        registry.register("tokens", "Tokens of whole articles, by side", self.tokens.clone());
    }

    /// The page that Prometheus reads.
    pub(super) fn page(&self, now: Now) -> Result<String, fmt::Error> {
        let mut live = Registry::default();
        live.register_collector(Box::new(now));
        let mut page = String::new();
        encode_registry(&mut page, &self.registry)?;
        encode_registry(&mut page, &live)?;
        encode_eof(&mut page)?;
        Ok(page)
    }

    /// Opens the account of a call.
    pub(super) fn tally(self: &Arc<Self>, method: &'static str, span: Span) -> Tally {
        let held = self.in_progress.hold();
        Tally {
            metrics: Arc::clone(self),
            method,
            begun: Instant::now(),
            code: None,
            span,
            _in_progress: held,
        }
    }

    pub(super) fn stage(&self, stage: Stage, time: Duration) {
        self.stages.get_or_create(&[("stage", stage.name())]).observe(time.as_secs_f64());
    }

    pub(super) fn paragraph(&self, paragraph: &TranslatedParagraph) {
        self.sentences.inc_by(paragraph.sentences.len() as u64);
        for sentence in &paragraph.sentences {
            self.retries.inc_by(sentence.attempts.saturating_sub(1) as u64);
            for flag in sentence.flags.iter() {
                self.flags.get_or_create(&[("flag", flag.name())]).inc();
            }
        }
    }

    pub(super) fn summary(&self, summary: &ArticleSummary) {
        self.tokens.get_or_create(&[("side", "source")]).inc_by(summary.source_tokens as u64);
        self.tokens.get_or_create(&[("side", "target")]).inc_by(summary.target_tokens as u64);
    }

    pub(super) fn article(&self, outcome: Outcome) {
        self.articles.get_or_create(&[("outcome", outcome.name())]).inc();
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Queue => "queue",
            Self::Send => "send",
        }
    }
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Level {
    /// Counts one more until it's dropped.
    pub(super) fn hold(&self) -> Held {
        self.0.inc();
        Held(self.0.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Tally {
    /// The call has ended with this.
    pub(super) fn ended(&mut self, code: Code) {
        self.code = Some(code);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        // An answer that was dropped before its status was given up by its client.
        let code = self.code.unwrap_or(Code::Cancelled);
        traces::ended(&self.span, code);
        let code = convert::code_name(code);
        let elapsed = self.begun.elapsed();
        let metrics = &self.metrics;
        metrics.request_seconds.get_or_create(&[("method", self.method)]).observe(elapsed.as_secs_f64());
        let labels = RequestLabels { method: self.method, code: code.clone() };
        metrics.requests.get_or_create(&labels).inc();
        // Probes come every few seconds.
        if self.method == "HealthCheck" {
            tracing::debug!(parent: &self.span, code, ?elapsed, "call ended");
        } else {
            tracing::info!(parent: &self.span, code, ?elapsed, "call ended");
        }
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut counter = |name: &str, help: &str, value: f64| {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let engine = &self.engine;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵²")]
        let [steps, rows, freed] = [engine.steps, engine.rows, engine.freed_rows].map(|count| count as f64);
        counter("tarjoman_engine_steps", "Decoding steps.", steps)?;
        counter("tarjoman_engine_rows", "Hypotheses over all decoding steps.", rows)?;
        let help = "Hypotheses given up before their end, as their call had ended.";
        counter("tarjoman_engine_freed_rows", help, freed)?;
        counter("tarjoman_engine_encode_seconds", "Time spent encoding.", engine.encoding.as_secs_f64())?;
        counter(
            "tarjoman_engine_decode_seconds",
            "Time spent in decoding steps.",
            engine.decoding.as_secs_f64(),
        )?;

        let mut gauge = |name: &str, help: &str, value: u64| {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let help = "Source characters of the articles that are being translated.";
        gauge("tarjoman_characters_in_progress", help, self.characters as u64)?;
        let help = "Sentences that wait for a place in the decode batch.";
        gauge("tarjoman_engine_queue_depth", help, engine.queued as u64)?;
        gauge(
            "tarjoman_models_ready",
            "Models that can be used.",
            self.models.iter().filter(|model| model.state == ModelState::Ready).count() as u64,
        )?;
        let process = [
            ("process_resident_memory_bytes", "Resident memory.", resident_memory()),
            ("process_open_fds", "Open file descriptors.", open_files()),
        ];
        for (name, help, value) in process {
            value.map_or(Ok(()), |value| gauge(name, help, value))?;
        }

        let memory = self.memory.unwrap_or_default();
        gauge("tarjoman_memory_bytes", "Size of the translation memory, without its file.", memory.bytes)?;
        let lookups = Family::<Label, Counter>::default();
        let MemoryStats { recent, joined, stored, missed, bytes: _ } = memory;
        for (result, count) in
            [("recent", recent), ("joined", joined), ("stored", stored), ("missed", missed)]
        {
            lookups.get_or_create(&[("result", result)]).inc_by(count);
        }
        let help = "Sentences asked of the translation memory, by where they were found.";
        lookups.encode(encoder.encode_descriptor(
            "tarjoman_memory_lookups",
            help,
            None,
            lookups.metric_type(),
        )?)?;

        let models = Family::<ModelLabels, Gauge>::default();
        for model in self.models.iter().filter(|model| model.state == ModelState::Ready) {
            let ModelInfo { name, digest, precision, .. } = (**model).clone();
            models.get_or_create(&ModelLabels { name, digest, precision }).set(1);
        }
        let help = "A model that can be used.";
        models.encode(encoder.encode_descriptor("tarjoman_model_info", help, None, models.metric_type())?)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    name: String,
    digest: String,
    precision: String,
}

/// Resident memory in bytes, where the system tells.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Open file descriptors, where the system tells.
fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}
