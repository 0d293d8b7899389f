//! `tarjoman serve` as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tarjoman::client::{Access, Client};
use tarjoman::options::TranslateOptions;
use tarjoman::translation::Event;

pub(crate) const ARTICLE: &str = "دولت بیانیهٔ محرمانه داد. مردم شنیدند.\n\nهوا خوب است.\n";

/// All that a service has to say of an article.
pub(crate) async fn translate(client: &Client, text: &str) -> tarjoman::Result<Vec<Event>> {
    let events = client.translate(text, &TranslateOptions::default()).await?;
    events.collect::<Vec<_>>().await.into_iter().collect()
}

/// `tarjoman` with nothing in its environment that it would read.
pub(crate) fn tarjoman(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
    command.args(arguments);
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("TARJOMAN_"));
    for name in ours {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG");
    command
}

/// A service that has begun; killed when dropped.
pub(crate) struct Running {
    child: Child,
    told: BufReader<ChildStderr>,
    /// Where it listens.
    pub(crate) address: String,
    /// Where its pages are.
    pub(crate) pages: String,
}

impl Running {
    /// Starts a service on free ports and waits until it can translate.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.args(["--set", "server.listen=127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        let mut new = Self { child, told, address: String::new(), pages: String::new() };
        new.pages = new.line_with("metrics on http://", "/metrics");
        new.address = new.line_with("listening on ", "");
        new
    }

    /// What stands behind `before`, and before `after`, in the next line that has both.
    pub(crate) fn line_with(&mut self, before: &str, after: &str) -> String {
        let mut seen = String::new();
        loop {
            let line = self.next_line().unwrap_or_else(|| panic!("no {before:?} in {seen}"));
            if let Some((_, rest)) = line.split_once(before)
                && rest.contains(after)
            {
                // In JSON the line goes on.
                let end = |c: char| c.is_whitespace() || c == '"';
                let rest = if after.is_empty() { rest } else { rest.split(after).next().unwrap() };
                return rest.split(end).next().unwrap().to_owned();
            }
            seen += &line;
        }
    }

    pub(crate) fn next_line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.told.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    pub(crate) async fn client(&self, access: &Access) -> tarjoman::Result<Client> {
        Client::connect_with(&format!("http://{}", self.address), access).await
    }

    /// One of its pages: the status line's number and the text.
    pub(crate) fn page(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.pages).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The metrics, once they have these words. The tally of a call is made when the last byte of its answer is handed
    /// on, which its client may be ahead of.
    pub(crate) fn metrics_with(&self, words: &[&str]) -> String {
        let patience = Instant::now() + Duration::from_mins(1);
        loop {
            let (status, page) = self.page("/metrics");
            assert_eq!(status, 200, "{page}");
            if words.iter().all(|words| page.contains(words)) {
                return page;
            }
            assert!(Instant::now() < patience, "no {words:?} in {page}");
            std::thread::yield_now();
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// The rest of what it tells, and how it ends.
    pub(crate) fn wait(mut self) -> (String, ExitStatus) {
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
