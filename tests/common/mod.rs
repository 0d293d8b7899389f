//! A server on a port of its own with the built-in model, and texts to send it.

use std::future::Future;
use std::time::Duration;

use tarjoman::client::Client;
use tarjoman::config::{Config, Limits};
use tarjoman::proto::translation_service_client::TranslationServiceClient;
use tarjoman::server::{Server, Settings};
use tarjoman::translator::{LoadOptions, Translator};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

/// A short article of three sentences in two paragraphs.
pub(crate) const SHORT: &str = "\u{feff} سلام دنیا.\r\n\r\nهوا خوب است. کتاب روی میز است.\n";

/// How long anything in these tests may take. Nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// The translator with the built-in model.
pub(crate) fn translator() -> Translator {
    Translator::built_in(&LoadOptions::default()).expect("the built-in model loads")
}

/// An article that takes far longer to translate than any test waits: what is seen of it is seen before its end.
pub(crate) fn endless() -> String {
    let lines = (0..20_000).map(|n| format!("این جملهٔ شمارهٔ {n} از این مقالهٔ بسیار بلند است.\n"));
    lines.collect::<Vec<_>>().concat()
}

/// An article that is quickly translated and whose answer is larger than what a server sends ahead to a client of
/// [`TestServer::slow_channel`], as separators come back as they were.
pub(crate) fn padded() -> String {
    let gap = "\n".repeat(16 * 1024);
    format!("سلام دنیا.{gap}").repeat(8)
}

/// The outcome of `future`, which mustn't hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this takes for ever")
}

/// The defaults but for these limits.
pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits);
    config
}

/// A running server.
pub(crate) struct TestServer {
    pub(crate) url: String,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<tarjoman::Result<()>>,
}

impl TestServer {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with(Settings::new(&config).expect("the settings can be used")).await
    }

    /// A server whose settings stay in the test's hands.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::new(listener, settings);
        let ready = server.ready();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(server.run(async { Ok(translator()) }, shutdown));
        within(ready).await;
        Self { url, stop: Some(stop), task }
    }

    pub(crate) async fn client(&self) -> Client {
        within(Client::connect(&self.url)).await.expect("the server listens")
    }

    pub(crate) async fn channel(&self) -> Channel {
        within(self.endpoint().connect()).await.expect("the server listens")
    }

    /// A channel whose server may send only this much ahead of what the client reads: 1 KiB.
    pub(crate) async fn slow_channel(&self) -> Channel {
        within(self.endpoint().initial_stream_window_size(1024).connect()).await.expect("the server listens")
    }

    /// A client that sends whatever it's told to.
    pub(crate) async fn raw(&self) -> TranslationServiceClient<Channel> {
        TranslationServiceClient::new(self.channel().await)
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
    }

    /// Waits for the server to have stopped.
    pub(crate) async fn stopped(self) {
        within(self.task).await.expect("the server doesn't panic").expect("the server stops in order");
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(self.url.clone()).expect("a valid URL")
    }
}
