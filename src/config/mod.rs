//! The service's configuration: defaults, over them a file, over that the environment, over that the flags; validated
//! once, here. It names the files that hold secrets and holds none itself.
//!
//! - this file: what can be set, and what it has to satisfy
//! - `layers`: which of the four a value comes from
//! - `forms`: how times and absent values are written

mod forms;
mod layers;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use crate::translator::MemoryOptions;
pub use layers::{Layers, Origin};

/// All that can be set of a service. `deploy/tarjoman.example.toml` has every key with its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where and how it listens.
    pub server: Listening,
    /// What it translates with.
    pub model: Model,
    /// Encryption.
    pub tls: TlsFiles,
    /// Who may call.
    pub auth: Auth,
    /// Which web pages may call.
    pub web: Web,
    /// What it takes on.
    pub limits: Limits,
    /// What it remembers of its translations.
    pub memory: Memory,
    /// What it tells in its log.
    pub log: Log,
    /// What it tells Prometheus and probes.
    pub metrics: Metrics,
    /// Where it sends its traces.
    pub traces: Traces,
}

/// Where and how a service listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listening {
    /// The address; port 0 takes a free one. A socket that systemd passes on goes before it.
    pub listen: SocketAddr,
    /// Whether it may be reached from other machines without encryption.
    pub insecure: bool,
    /// How long calls may go on once the service has been told to stop.
    #[serde(rename = "drain_timeout_seconds", with = "forms::seconds")]
    pub drain_timeout: Duration,
    /// How often the files of certificates and keys are looked at for changes.
    #[serde(rename = "reload_interval_seconds", with = "forms::seconds")]
    pub reload_interval: Duration,
}

/// What a service translates with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A name from `tarjoman models list` or a model's folder; the best one in the store if there is none.
    #[serde(with = "forms::blank")]
    pub name: Option<String>,
    /// Those that clients can ask for besides. They are loaded while the first one serves, and loaded and unloaded when
    /// the settings are read again.
    #[serde(with = "forms::list")]
    pub others: Vec<String>,
    /// What they compute in.
    pub precision: String,
    /// Where they compute.
    pub device: String,
    /// Threads that compute; 0 is one for each core.
    pub threads: usize,
    /// Batches that are decoded beside each other; 0 is one for each thread.
    pub replicas: usize,
    /// A shortlist for the first one.
    #[serde(with = "forms::blank")]
    pub shortlist: Option<PathBuf>,
}

/// The files of a service's certificates, all of them PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The service's own certificate and those between it and its authority; without one there is no encryption.
    #[serde(with = "forms::blank")]
    pub certificate: Option<PathBuf>,
    /// Its private key.
    #[serde(with = "forms::blank")]
    pub key: Option<PathBuf>,
    /// The authorities of clients' certificates; with them a client without a certificate isn't let in.
    #[serde(with = "forms::blank")]
    pub client_ca: Option<PathBuf>,
}

/// Who may call a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The file of API keys' hashes; without one, calls need no key.
    #[serde(with = "forms::blank")]
    pub keys_file: Option<PathBuf>,
}

/// Which web pages may call a service. Browsers ask; other clients don't.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// The origins of pages that may, such as `https://reader.example`, with blanks between them; `*` is all.
    pub allowed_origins: String,
}

/// What a service takes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Source characters of the articles that are being translated at once, over all calls: the stand-in for tokens,
    /// which nobody knows before a text is split. An article counts for at least [`Self::LEAST_CHARACTERS`] and for
    /// at most one part in [`Self::LARGEST_SHARE`].
    pub characters_in_progress: u32,
    /// The largest request message, in bytes.
    pub message_bytes: usize,
    /// The largest article, in bytes.
    pub article_bytes: usize,
    /// The longest paragraph of an article, in bytes.
    pub paragraph_bytes: usize,
    /// Bytes of messages that have begun to arrive and are not yet being translated, over all calls.
    pub receiving_bytes: usize,
    /// Connections at once.
    pub connections: usize,
    /// Calls at once on one connection.
    pub streams_per_connection: u32,
    /// All headers of a call together, in bytes.
    pub header_bytes: u32,
    /// How long a TLS handshake may take.
    #[serde(rename = "handshake_timeout_seconds", with = "forms::seconds")]
    pub handshake_timeout: Duration,
    /// How long a connection may stay open without a call.
    #[serde(rename = "idle_timeout_seconds", with = "forms::seconds")]
    pub idle_timeout: Duration,
    /// How long the service waits for a client that neither sends what it began nor reads what it asked for.
    #[serde(rename = "stall_timeout_seconds", with = "forms::seconds")]
    pub stall_timeout: Duration,
    /// How often a silent connection is asked for a sign of life, so that a client that vanished without closing its
    /// connection doesn't keep its articles' work alive.
    #[serde(rename = "keepalive_interval_seconds", with = "forms::seconds")]
    pub keepalive_interval: Duration,
    /// How long the sign of life may take.
    #[serde(rename = "keepalive_timeout_seconds", with = "forms::seconds")]
    pub keepalive_timeout: Duration,
}

/// What a service remembers of its translations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Bytes of sentences in memory; 0 is no memory at all.
    pub bytes: u64,
    /// The SQLite file of those that outlast the process; without one, none do.
    #[serde(with = "forms::blank")]
    pub file: Option<PathBuf>,
    /// The most bytes that the file may have, about; the oldest sentences make room.
    pub file_bytes: u64,
}

/// What a service tells in its log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// In which form.
    pub format: LogFormat,
    /// Whether the texts of articles are told too, at the level `info`.
    pub article_text: bool,
}

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// A JSON object a line.
    Json,
}

/// What a service tells Prometheus and probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// The address of the pages `/metrics`, `/livez` and `/readyz`; without one there are none. They are never encrypted
    /// and tell no texts.
    #[serde(with = "forms::blank")]
    pub listen: Option<SocketAddr>,
}

/// Where a service sends the traces of its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The URL of a collector that speaks OTLP over gRPC, such as `http://127.0.0.1:4317`; without one, no traces are
    /// made.
    pub endpoint: String,
    /// One call in so many is traced.
    pub one_in: u32,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: String::new(), one_in: 1 }
    }
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            insecure: false,
            drain_timeout: Duration::from_secs(30),
            reload_interval: Duration::from_secs(10),
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            name: None,
            others: Vec::new(),
            precision: "auto".into(),
            device: "auto".into(),
            threads: 0,
            replicas: 0,
            shortlist: None,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        let MemoryOptions { bytes, file, file_bytes } = MemoryOptions::default();
        Self { bytes, file, file_bytes }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            characters_in_progress: 1_000_000,
            message_bytes: 16 * MIB,
            article_bytes: 16 * MIB,
            paragraph_bytes: 8 * MIB,
            receiving_bytes: 256 * MIB,
            connections: 1000,
            streams_per_connection: 100,
            header_bytes: 16 * 1024,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(5),
            stall_timeout: Duration::from_mins(1),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// What the smallest article counts for: even an empty one has a cost.
    pub const LEAST_CHARACTERS: u32 = 200;
    /// The part of all characters that one article may count for.
    pub const LARGEST_SHARE: u32 = 8;
    /// The least that headers need; a bare gRPC call has about 500 bytes of them.
    const LEAST_HEADER_BYTES: u32 = 1024;
}

/// What is wrong with a value: its key, the problem and the remedy.
type Finding = (&'static str, String, &'static str);

impl Config {
    /// What each value has to satisfy by itself and beside the others.
    fn check(&self) -> Result<(), Finding> {
        let limits = &self.limits;
        let positive = "use a number above 0";
        for (key, value) in [
            ("limits.characters_in_progress", limits.characters_in_progress as usize),
            ("limits.message_bytes", limits.message_bytes),
            ("limits.article_bytes", limits.article_bytes),
            ("limits.paragraph_bytes", limits.paragraph_bytes),
            ("limits.receiving_bytes", limits.receiving_bytes),
            ("limits.connections", limits.connections),
            ("limits.streams_per_connection", limits.streams_per_connection as usize),
        ] {
            if value == 0 {
                return Err((key, "0 would let nothing in".into(), positive));
            }
        }
        for (key, time) in [
            ("server.reload_interval_seconds", self.server.reload_interval),
            ("limits.handshake_timeout_seconds", limits.handshake_timeout),
            ("limits.idle_timeout_seconds", limits.idle_timeout),
            ("limits.stall_timeout_seconds", limits.stall_timeout),
            ("limits.keepalive_interval_seconds", limits.keepalive_interval),
            ("limits.keepalive_timeout_seconds", limits.keepalive_timeout),
        ] {
            if time.is_zero() {
                return Err((key, "0 leaves no time".into(), positive));
            }
        }
        if limits.header_bytes < Limits::LEAST_HEADER_BYTES {
            let problem = format!("{} is too little for a call", limits.header_bytes);
            return Err(("limits.header_bytes", problem, "use 1024 or more"));
        }
        if limits.receiving_bytes < limits.message_bytes {
            let problem = format!("{} is less than limits.message_bytes", limits.receiving_bytes);
            return Err(("limits.receiving_bytes", problem, "leave room for one message at least"));
        }
        self.web.check()?;
        self.traces.check()?;
        self.tls.check()
    }

    /// Checks that `address` may be listened on: other machines get in only over TLS, unless the operator says
    /// otherwise.
    pub fn check_address(&self, address: SocketAddr) -> crate::Result<()> {
        if is_loopback(address.ip()) || self.server.insecure || self.tls.certificate.is_some() {
            return Ok(());
        }
        Err(crate::Error::Config {
            place: "server.listen".into(),
            problem: format!("{address} can be reached from other machines, and there is no encryption"),
            remedy: "set tls.certificate and tls.key, listen on 127.0.0.1, or, if something in front of the \
                     service encrypts, say --insecure (server.insecure)"
                .into(),
        })
    }
}

impl Web {
    /// The word for all origins.
    pub(crate) const ALL: &str = "*";

    /// Whether all origins are allowed.
    pub(crate) fn allows_all(&self) -> bool {
        self.allowed_origins.trim() == Self::ALL
    }

    /// Those that are allowed, where not all are.
    pub(crate) fn origins(&self) -> impl Iterator<Item = HeaderValue> {
        self.allowed_origins.split_whitespace().filter_map(|origin| origin.parse().ok())
    }

    fn check(&self) -> Result<(), Finding> {
        let is_origin = |origin: &&str| {
            origin.parse::<Uri>().is_ok_and(|uri| {
                let rebuilt = uri.scheme_str().zip(uri.authority()).map(|(s, a)| format!("{s}://{a}"));
                rebuilt.as_deref() == Some(origin)
            })
        };
        if self.allows_all() {
            return Ok(());
        }
        match self.allowed_origins.split_whitespace().find(|origin| !is_origin(origin)) {
            None => Ok(()),
            Some(other) => Err((
                "web.allowed_origins",
                format!("{other:?} is no origin"),
                "write such as https://reader.example, without a path, or * alone",
            )),
        }
    }
}

impl Traces {
    fn check(&self) -> Result<(), Finding> {
        if self.one_in == 0 {
            return Err((
                "traces.one_in",
                "0 is no share".into(),
                "use 1 for all calls, 100 for one in a hundred",
            ));
        }
        let is_url = self.endpoint.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if self.endpoint.is_empty() || is_url {
            return Ok(());
        }
        let problem = format!("{:?} is no URL of a collector", self.endpoint);
        Err(("traces.endpoint", problem, "write such as http://127.0.0.1:4317 or https://collector.example"))
    }
}

impl TlsFiles {
    fn check(&self) -> Result<(), Finding> {
        match (&self.certificate, &self.key, &self.client_ca) {
            (Some(_), None, _) => Err(("tls.key", "is missing".into(), "name the certificate's private key")),
            (None, Some(_), _) => Err(("tls.certificate", "is missing".into(), "name the key's certificate")),
            (None, None, Some(_)) => {
                let remedy = "set tls.certificate and tls.key too";
                Err(("tls.client_ca", "needs encryption to be of use".into(), remedy))
            }
            _ => Ok(()),
        }
    }
}

/// Whether only this machine can reach the address.
fn is_loopback(address: IpAddr) -> bool {
    // ::ffff:127.0.0.1 is 127.0.0.1.
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
