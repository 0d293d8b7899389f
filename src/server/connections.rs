//! Accepted connections: how many, how long, and the means to close or cut them all.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Layer, service_fn};

use super::calls::{Calls, Gate};
use super::web;
use crate::config::Limits;

/// How long to wait before accepting again when the system has no room for another connection; without it the
/// listener would spin, as its error comes back at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How much of an answer is kept for a client that doesn't read it, beyond the message that is being sent.
const SEND_BUFFER: usize = 64 * 1024;
/// The least that HTTP/1 can be spoken with: a request's headers have to fit, and parts of an answer wait there.
const LEAST_HTTP1_BUFFER: usize = 8192;

/// The connections of one server. Dropping it cuts them.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: TaskTracker,
    closing: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    /// Accepts connections from `listener` and serves them, without end. Dropping the future closes the listener.
    pub(super) async fn serve(&self, listener: TcpListener, gate: Gate) -> Infallible {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let limits = gate.settings.limits();
            if self.open.len() >= limits.connections {
                // Closed at once, so that its client hears of it and a balancer goes elsewhere.
                tracing::warn!(%peer, connections = limits.connections, "no room for another connection");
                gate.metrics.refused_connections.inc();
                continue;
            }
            let connection = Connection { peer, limits, gate: gate.clone(), closing: self.closing.clone() };
            let cut = self.cut.clone();
            // Dropping a connection resets it and ends its calls.
            self.open.spawn(cut.run_until_cancelled_owned(Box::pin(connection.run(stream))));
        }
    }

    /// Asks every connection to close once its calls have ended, and waits until all have. No more may be accepted by
    /// then.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.open.close();
        self.open.wait().await;
    }

    /// Cuts every connection and waits until all of them are gone. No more may be accepted by then.
    pub(super) async fn cut(self) {
        self.cut.cancel();
        self.open.close();
        self.open.wait().await;
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

/// One connection, before and while it is served.
struct Connection {
    peer: SocketAddr,
    limits: Arc<Limits>,
    gate: Gate,
    closing: CancellationToken,
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Connection {
    async fn run(self, stream: TcpStream) {
        let _open = self.gate.metrics.connections.hold();
        let peer = self.peer;
        if let Err(error) = self.greet(stream).await {
            tracing::debug!(%peer, error, "the connection ended");
        }
    }

    async fn greet(self, stream: TcpStream) -> Ended {
        // A paragraph is sent when it's ready, not when a packet is full.
        stream.set_nodelay(true)?;
        let Some(tls) = &self.gate.settings.tls else { return self.serve(stream).await };
        match timeout(self.limits.handshake_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => {
                self.gate.metrics.failed_handshakes.inc();
                Err(error.into())
            }
            Err(too_slow) => {
                self.gate.metrics.failed_handshakes.inc();
                Err(too_slow.into())
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) -> Ended {
        let Self { peer, limits, gate, closing } = self;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.stall_timeout)
            .max_buf_size(LEAST_HTTP1_BUFFER.max(limits.header_bytes as usize));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout)
            .max_concurrent_streams(limits.streams_per_connection)
            .max_header_list_size(limits.header_bytes)
            .max_send_buf_size(SEND_BUFFER);
        let (idle_timeout, stall_timeout) = (limits.idle_timeout, limits.stall_timeout);
        let cors = web::layer(&gate.settings.web);
        let calls = Arc::new(Calls::new(gate, peer, limits));
        let mut active = calls.active();
        let answered = service_fn(move |request| {
            let call = Arc::clone(&calls).call(request);
            async move { Ok::<_, Infallible>(call.await) }
        });
        let service = TowerToHyperService::new(cors.layer(answered));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = &mut connection => return ended,
            () = closing.cancelled() => {}
            () = idle(&mut active, idle_timeout) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = &mut connection => ended,
            // Its client neither calls nor closes it.
            () = idle(&mut active, stall_timeout) => Ok(()),
        }
    }
}

/// Waits until there has been no call for as long as `time`.
async fn idle(active: &mut watch::Receiver<usize>, time: Duration) {
    loop {
        let calls = *active.borrow_and_update();
        // An error is the end of the connection, whose future ends too.
        let changed = async {
            if active.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        if calls > 0 {
            changed.await;
        } else if timeout(time, changed).await.is_err() {
            return;
        }
    }
}
