//! `serve`.

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::args::ServeArgs;
use super::failure::{Failure, Outcome};
use crate::hub::ModelChoice;
use crate::server::{ServerLimits, serve};
use crate::translator::Translator;

/// Serves until SIGINT or SIGTERM, then lets calls under way finish.
pub(super) async fn run(args: ServeArgs) -> Result<Outcome, Failure> {
    let choice = ModelChoice::resolve(args.model.model.as_deref())?;
    let translator = Translator::open(&choice, &args.model.engine())?;
    let failed = |error: std::io::Error| Failure::Failed(format!("--listen {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    eprintln!("listening on {}", listener.local_addr().map_err(failed)?);
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("shutting down");
    };
    serve(listener, translator, shutdown, ServerLimits::default()).await?;
    Ok(Outcome::Done)
}
