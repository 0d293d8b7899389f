//! Logs on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging: what `TARJOMAN_LOG` asks for (in the syntax of `tracing`'s `EnvFilter`), else warnings, or
/// everything of note with `verbose`.
pub fn start(verbose: bool) {
    let default = if verbose { "tarjoman=debug,info" } else { "warn" };
    let filter = EnvFilter::try_from_env("TARJOMAN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // A second call, in a test perhaps, keeps the first one's settings.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
