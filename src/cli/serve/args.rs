//! The arguments of `serve`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::Failure;
use crate::config::Layers;

/// A flag that sets something is text here: its setting says what it may be.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ServeArgs {
    /// A TOML file of settings. `deploy/tarjoman.example.toml` has them all. Flags go before the environment
    /// (`TARJOMAN_LIMITS_CONNECTIONS` for `limits.connections`), and that before the file.
    #[arg(long, value_name = "FILE", env = "TARJOMAN_CONFIG")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Print every setting and where it comes from, as a file that --config takes, and end.
    #[arg(long)]
    pub(in crate::cli) print_config: bool,
    /// The address to listen on, 127.0.0.1:50051 unless set; port 0 takes a free one. Standard error tells which, as
    /// `listening on ADDRESS`, once the model is loaded.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Let other machines in without encryption.
    #[arg(long)]
    insecure: bool,
    /// The model: a name from `tarjoman models list`, a Hugging Face repository that was fetched (OWNER/NAME), or the
    /// path of a model's folder. Without it, the best model in the store.
    #[arg(long, value_name = "NAME|PATH")]
    model: Option<String>,
    /// Models that clients can ask for besides, with commas between them.
    #[arg(long, value_name = "NAMES")]
    others: Option<String>,
    /// What the model computes in.
    #[arg(long)]
    precision: Option<String>,
    /// Where it computes: a GPU if there is one (`auto`), `cpu`, `cuda`, or `cuda:N` for the GPU of that number.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Threads that compute; 0 is one for each core.
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// Batches that are decoded beside each other; 0 is one for each thread.
    #[arg(long, value_name = "N")]
    replicas: Option<String>,
    /// Translate every sentence anew, even one that was translated before.
    #[arg(long)]
    no_cache: bool,
    /// The address of the page /metrics for Prometheus.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// The form of the log: `human` or `json`.
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
    /// The collector that traces are sent to by OTLP over gRPC, such as `http://127.0.0.1:4317`.
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Set anything, such as `limits.connections=10`; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ServeArgs {
    /// The defaults, the file, the environment and the flags, in this order.
    pub(in crate::cli) fn layers(&self) -> Result<Layers, Failure> {
        let mut layers = Layers::defaults()?;
        if let Some(path) = &self.config {
            layers.file(path)?;
        }
        // A variable that isn't UTF-8 sets nothing of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        layers.environment(variables)?;
        let insecure = self.insecure.then(|| "true".to_owned());
        let no_memory = self.no_cache.then(|| "0".to_owned());
        for (flag, key, text) in [
            ("--listen", "server.listen", &self.listen),
            ("--insecure", "server.insecure", &insecure),
            ("--model", "model.name", &self.model),
            ("--precision", "model.precision", &self.precision),
            ("--others", "model.others", &self.others),
            ("--device", "model.device", &self.device),
            ("--threads", "model.threads", &self.threads),
            ("--replicas", "model.replicas", &self.replicas),
            ("--no-cache", "memory.bytes", &no_memory),
            ("--metrics-listen", "metrics.listen", &self.metrics_listen),
            ("--log-format", "log.format", &self.log_format),
            ("--otlp-endpoint", "traces.endpoint", &self.otlp_endpoint),
        ] {
            if let Some(text) = text {
                layers.flag(flag, key, text)?;
            }
        }
        for set in &self.set {
            let (key, text) =
                set.split_once('=').ok_or_else(|| Failure::Usage(format!("--set {set}: write KEY=VALUE")))?;
            layers.flag("--set", key.trim(), text)?;
        }
        Ok(layers)
    }
}
