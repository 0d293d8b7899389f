//! `serve`.

use std::io;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::args::{HubArgs, ServeArgs};
use super::failure::{Failure, Outcome, tell};
use crate::server::{ServerLimits, serve};
use crate::translator::Translator;

/// Serves until SIGINT or SIGTERM, then lets the articles in progress end; a second signal cuts them off.
pub(super) async fn run(args: ServeArgs, hub: &HubArgs, quiet: bool) -> Result<Outcome, Failure> {
    let chosen = args.model.choose(hub)?;
    let translator = Translator::open(&chosen.model, &args.model.load_options()?)?;
    let models = translator.models();
    let failed = |error: io::Error| Failure::Failed(format!("--listen {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let no_signals = |error: io::Error| Failure::Failed(format!("can't wait for signals: {error}"));
    let mut signals = Signals::new().map_err(no_signals)?;
    // Told even when quiet: with port 0 there is no other way to know it.
    tell(&format!("listening on {address}"));
    let notes = models.iter().map(|model| &model.note).chain(&chosen.notice);
    for note in notes.filter(|note| !quiet && !note.is_empty()) {
        tell(&format!("note: {note}"));
    }

    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // An error here is the sender dropped, which is as good a reason to stop.
        let _ = stopped.await;
    };
    let mut server = std::pin::pin!(serve(listener, translator, shutdown, ServerLimits::default()));
    tokio::select! {
        ended = &mut server => return Ok(ended.map(|()| Outcome::Done)?),
        () = signals.next() => {}
    }
    if !quiet {
        tell("finishing the articles in progress; another signal cuts them off");
    }
    let _ = stop.send(());
    tokio::select! {
        ended = &mut server => ended?,
        () = signals.next() => {}
    }
    Ok(Outcome::Done)
}

/// The signals that ask a process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
