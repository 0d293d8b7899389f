//! Accepted connections, and the means to cut them all.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long to wait before accepting again when the system has no room for another connection; without it the
/// listener would spin, as its error comes back at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections of one server. Dropping it cuts them.
#[derive(Debug)]
pub(super) struct Connections {
    cut: watch::Sender<bool>,
}

impl Default for Connections {
    fn default() -> Self {
        Self { cut: watch::Sender::new(false) }
    }
}

impl Connections {
    /// The connections that `listener` accepts, without end. Dropping the stream closes the listener.
    pub(super) fn accepted_by(
        &self,
        listener: TcpListener,
    ) -> impl Stream<Item = io::Result<Connection>> + Send + use<> {
        let cut = self.cut.subscribe();
        futures::stream::unfold((listener, cut), |(listener, cut)| async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        // A paragraph is sent when it's ready, not when a packet is full.
                        let accepted =
                            stream.set_nodelay(true).map(|()| Connection::new(stream, cut.clone()));
                        return Some((accepted, (listener, cut)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "can't accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        })
    }

    /// Cuts every connection and waits until all of them are gone. The stream that accepts them must be gone by
    /// then.
    pub(super) async fn cut(self) {
        self.cut.send_replace(true);
        self.cut.closed().await;
    }
}

/// A connection that fails every read and write once it has been cut, which ends the task that serves it. tonic
/// itself only asks its connections to close, and a client that doesn't read would keep one open for ever.
pub(super) struct Connection {
    stream: TcpStream,
    /// Completes when the connection is cut; `None` once it has.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Connection {
    fn new(stream: TcpStream, mut cut: watch::Receiver<bool>) -> Self {
        let cut = Box::pin(async move {
            // An error is the server's future dropped.
            let _ = cut.wait_for(|cut| *cut).await;
        });
        Self { stream, cut: Some(cut) }
    }

    /// The stream unless it's cut. Reads and writes come from one task, so the cut needs to wake only that one.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        if self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(context).is_ready()) {
            self.cut = None;
        }
        if self.cut.is_none() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}
