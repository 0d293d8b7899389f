//! `serve`.

mod args;
mod others;

use std::io;
use std::net::{SocketAddr, TcpListener as BoundListener};
use std::time::Duration;

use clap::ValueEnum;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

pub(super) use args::ServeArgs;

use super::args::{HubArgs, ModelArgs};
use super::failure::{Failure, Outcome, print, tell};
use crate::config::{self, Config, Limits, LogFormat, Model};
use crate::hub::ModelChoice;
use crate::server::{Server, Settings};
use crate::translator::{LoadOptions, Memory, MemoryOptions, PrecisionChoice, Translator};
use crate::{Error, Result};

/// Serves until SIGINT or SIGTERM, then lets the articles in progress end; a second signal cuts them off. At SIGHUP the
/// settings are read again.
pub(super) fn run(args: ServeArgs, hub: &HubArgs, filter: &str, quiet: bool) -> Result<Outcome, Failure> {
    let layers = args.layers()?;
    let config = layers.config()?;
    if args.print_config {
        print(layers.to_string().as_bytes())?;
        return Ok(Outcome::Done);
    }
    let runtime = super::runtime()?;
    // The exporter of traces has its connection there.
    let entered = runtime.enter();
    let telemetry = crate::telemetry::start(filter, config.log.format, Some(&config.traces))?;
    drop(entered);
    let told = Told { format: config.log.format, quiet };
    let others = watch::Sender::new(config.model.others.clone());
    let service = Service { args, config, told, others };
    let outcome = runtime.block_on(service.run(hub));
    telemetry.finish();
    outcome
}

/// A service and what it was asked to be.
struct Service {
    args: ServeArgs,
    config: Config,
    told: Told,
    /// The names of the models besides the default.
    others: watch::Sender<Vec<String>>,
}

/// What is told on standard error besides the log, in the log's form.
#[derive(Clone, Copy)]
struct Told {
    format: LogFormat,
    quiet: bool,
}

impl Service {
    async fn run(mut self, hub: &HubArgs) -> Result<Outcome, Failure> {
        let settings = Settings::new(&self.config)?;
        let model = model_args(&self.config.model)?;
        let chosen = model.choose(hub)?;
        let memory = memory(&self.config.memory)?;
        let listener = listener(&self.config).await?;
        let address =
            listener.local_addr().map_err(|error| no_listener(self.config.server.listen, &error))?;
        let mut server = Server::new(listener, settings.clone());
        if let Some(address) = self.config.metrics.listen {
            let listener = TcpListener::bind(address).await.map_err(|error| no_listener(address, &error))?;
            let address = listener.local_addr().map_err(|error| no_listener(address, &error))?;
            self.told.always(&format!("metrics on http://{address}/metrics"));
            server = server.with_metrics(listener);
        }
        let no_signals = |error: io::Error| Failure::Failed(format!("can't wait for signals: {error}"));
        let mut ending = Endings::new().map_err(no_signals)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
        let mut watchdog = Watchdog::new();

        let store = hub.store()?;
        let options = model.load_options()?;
        let (loaded, translator) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let ready = server.ready();
        let shutdown = async {
            // An error here is the sender dropped, which is as good a reason to stop.
            let _ = stopped.await;
        };
        let mut ready = std::pin::pin!(async {
            ready.await;
            translator.await.ok()
        });
        let mut following = std::pin::pin!(settings.clone().follow_files(self.config.server.reload_interval));
        let load = load(chosen.model, options.clone(), memory, loaded);
        let mut server = std::pin::pin!(server.run(load, shutdown));
        let mut is_ready = false;
        loop {
            tokio::select! {
                ended = &mut server => return Ok(ended.map(|()| Outcome::Done)?),
                translator = &mut ready, if !is_ready => {
                    is_ready = true;
                    // Told even when quiet: with port 0 there is no other way to know it.
                    self.told.always(&format!("listening on {address}"));
                    if let Some(translator) = translator {
                        let notes = translator.models().into_iter().map(|model| model.note.clone());
                        for note in notes.chain(chosen.notice.clone()).filter(|note| !note.is_empty()) {
                            self.told.unless_quiet(&format!("note: {note}"));
                        }
                        let (store, options) = (store.clone(), options.clone());
                        tokio::spawn(others::follow(translator, store, options, self.others.subscribe()));
                    }
                    tell_systemd(&[NotifyState::Ready]);
                }
                never = &mut following => match never {},
                _ = hangup.recv() => self.reload(&settings),
                () = watchdog.due() => tell_systemd(&[NotifyState::Watchdog]),
                () = ending.next() => break,
            }
        }
        tell_systemd(&[NotifyState::Stopping]);
        self.told.unless_quiet("finishing the articles in progress; another signal cuts them off");
        let _ = stop.send(());
        tokio::select! {
            ended = &mut server => ended?,
            () = ending.next() => {}
        }
        Ok(Outcome::Done)
    }

    /// Reads settings, certificates and keys again. What can't be read stays as it was.
    fn reload(&mut self, settings: &Settings) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_systemd(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "systemd isn't told of the reload"),
        }
        match self.args.layers().and_then(|layers| Ok(layers.config()?)) {
            Ok(config) => {
                let Limits { characters_in_progress, receiving_bytes, .. } = self.config.limits;
                self.config.limits =
                    Limits { characters_in_progress, receiving_bytes, ..config.limits.clone() };
                settings.reload(self.config.limits.clone());
                self.config.model.others.clone_from(&config.model.others);
                self.others.send_replace(config.model.others.clone());
                if config != self.config {
                    tracing::warn!("some settings that have changed take a restart");
                }
            }
            Err(Failure::Usage(problem) | Failure::Failed(problem)) => {
                tracing::error!(problem, "the settings stay as they were");
            }
            Err(Failure::ClosedPipe) => {}
        }
        tell_systemd(&[NotifyState::Ready]);
    }
}

/// The model that the settings name, as the other commands' arguments would.
fn model_args(settings: &Model) -> Result<ModelArgs> {
    let Model { name: model, others: _, precision, device, threads, replicas, shortlist } = settings.clone();
    let precision = PrecisionChoice::from_str(&precision, false).map_err(|problem| Error::Config {
        place: "model.precision".into(),
        problem: format!("{precision:?} isn't one: {problem}"),
        remedy: "use one that `tarjoman translate --help` names".into(),
    })?;
    Ok(ModelArgs { model, precision, device, threads, replicas, shortlist })
}

/// The memory that the settings ask for, if they do.
fn memory(settings: &config::Memory) -> Result<Option<Memory>> {
    let config::Memory { bytes, file, file_bytes } = settings.clone();
    (bytes > 0).then(|| Memory::open(&MemoryOptions { bytes, file, file_bytes })).transpose()
}

/// Loads the model and runs it once, so that the first call isn't slower than the others.
async fn load(
    model: ModelChoice,
    options: LoadOptions,
    memory: Option<Memory>,
    loaded: oneshot::Sender<Translator>,
) -> Result<Translator> {
    let opened = tokio::task::spawn_blocking(move || Translator::open(&model, &options)).await;
    let translator = opened.map_err(|error| Error::Inference(format!("loading failed: {error}")))??;
    translator.warm_up().await?;
    let translator = match memory {
        Some(memory) => translator.with_memory(memory),
        None => translator,
    };
    let _ = loaded.send(translator.clone());
    Ok(translator)
}

/// The socket that systemd passes on, else one of our own.
async fn listener(config: &Config) -> Result<TcpListener, Failure> {
    let wanted = config.server.listen;
    let failed = |error: io::Error| no_listener(wanted, &error);
    let passed = ListenFd::from_env().take_tcp_listener(0).map_err(failed)?;
    let Some(passed) = passed else {
        config.check_address(wanted)?;
        return TcpListener::bind(wanted).await.map_err(failed);
    };
    config.check_address(passed.local_addr().map_err(failed)?)?;
    ready_for_tokio(passed).map_err(failed)
}

fn ready_for_tokio(listener: BoundListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn no_listener(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::Failed(format!("can't listen on {address}: {error}"))
}

/// Tells systemd, if it's there to be told.
fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd can't be told");
    }
}

impl Told {
    fn always(self, line: &str) {
        match self.format {
            LogFormat::Human => tell(line),
            LogFormat::Json => tell(&serde_json::json!({ "message": line }).to_string()),
        }
    }

    fn unless_quiet(self, line: &str) {
        if !self.quiet {
            self.always(line);
        }
    }
}

/// The signs of life that systemd wants, if it wants any.
struct Watchdog(Option<tokio::time::Interval>);

impl Watchdog {
    fn new() -> Self {
        // Twice as often as it must be.
        let half = |limit: Duration| (limit / 2).max(Duration::from_millis(1));
        Self(sd_notify::watchdog_enabled().map(|limit| tokio::time::interval(half(limit))))
    }

    async fn due(&mut self) {
        match &mut self.0 {
            Some(interval) => {
                interval.tick().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// The signals that ask a process to end.
struct Endings {
    interrupt: Signal,
    terminate: Signal,
}

impl Endings {
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
