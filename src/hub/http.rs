//! Requests to servers: redirects, refusals, and trying again.

use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::settings::Retries;
use super::{PullEvent, Report};
use crate::error::with_causes;
use crate::{Error, Result};

const MAX_REDIRECTS: usize = 10;
/// Largest size of a list of records; Mozilla's has about 1 MB.
const MAX_JSON_BYTES: usize = 32 << 20;
const CHECK_THE_SERVER: &str =
    "check that the server is the right one, and that no portal or proxy stands before it";

/// Why a request failed, and whether it is worth another try.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work in a while; the server may have said when.
    Again { error: Error, after: Option<Duration> },
    /// It won't.
    Final(Error),
}

/// Who refuses, and what they know of the user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The model or file asked for.
    pub(super) subject: &'a str,
    /// The page where access to the repository is asked for, on the Hugging Face Hub.
    pub(super) page: Option<&'a str>,
    /// Whether a token was shown.
    pub(super) token: bool,
}

/// A server's refusal, however it was received.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The Hub's own name for the reason, e.g. `GatedRepo`.
    pub(super) code: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

/// A client that tells who it is, gives up on silence, and leaves redirects to us.
pub(super) fn client(redirects: Policy) -> Result<Client> {
    Client::builder()
        .user_agent(concat!("tarjoman/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(30))
        .read_timeout(Duration::from_mins(1))
        .redirect(redirects)
        .build()
        .map_err(|error| {
            let problem = with_causes("can't be set up", &error);
            Error::hub(
                "the connection to servers",
                problem,
                "check the system's certificates and proxy settings",
            )
        })
}

/// What the server that was asked says: its last headers, and the answer or where that is.
pub(super) struct Answer {
    pub(super) said: HeaderMap,
    pub(super) place: Place,
}

/// Where an answer comes from.
pub(super) enum Place {
    Here(Response),
    Elsewhere(Url),
}

/// Asks one server, which may send us from one of its addresses to another, and is the only one to see the token.
pub(super) async fn ask(
    client: &Client,
    url: &Url,
    token: Option<&str>,
    headers: &HeaderMap,
) -> Result<Answer, Failure> {
    let mut at = url.clone();
    let mut said = HeaderMap::new();
    for _ in 0..=MAX_REDIRECTS {
        let mut request = client.get(at.clone()).headers(headers.clone());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        let response = request.send().await.map_err(|error| unreachable(&at, error))?;
        said.extend(response.headers().clone());
        if !response.status().is_redirection() {
            return Ok(Answer { said, place: Place::Here(response) });
        }
        at = next(&at, response.headers()).map_err(|problem| lost(&at, problem))?;
        if at.origin() != url.origin() {
            return Ok(Answer { said, place: Place::Elsewhere(at) });
        }
    }
    Err(lost(url, "is redirected for ever"))
}

/// Follows redirects from server to server.
pub(super) async fn get(client: &Client, url: &Url, headers: &HeaderMap) -> Result<Response, Failure> {
    let mut at = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        match ask(client, &at, None, headers).await?.place {
            Place::Here(response) => return Ok(response),
            Place::Elsewhere(next) => at = next,
        }
    }
    Err(lost(url, "is redirected for ever"))
}

/// Reads a JSON answer.
pub(super) async fn json<T: DeserializeOwned>(client: &Client, url: &Url) -> Result<T, Failure> {
    let mut response = get(client, url, &HeaderMap::new()).await?;
    if !response.status().is_success() {
        let asked = Asked { subject: url.as_str(), page: None, token: false };
        return Err(Refusal::of(&response).failure(asked));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(url, error))? {
        if body.len() + chunk.len() > MAX_JSON_BYTES {
            return Err(malformed(url.as_str(), "is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body)
        .map_err(|error| malformed(url.as_str(), &format!("isn't as expected: {error}")))
}

/// An answer that makes no sense.
pub(super) fn malformed(subject: &str, problem: &str) -> Failure {
    Failure::Final(Error::hub(subject, format!("the server's answer {problem}"), CHECK_THE_SERVER))
}

fn lost(url: &Url, problem: &str) -> Failure {
    Failure::Final(Error::hub(address(url), problem, CHECK_THE_SERVER))
}

/// No answer, or half of one.
pub(super) fn unreachable(url: &Url, error: reqwest::Error) -> Failure {
    let (subject, problem) = if error.is_connect() {
        (url.origin().ascii_serialization(), "can't be reached")
    } else {
        (address(url), "the connection broke")
    };
    let passing = !error.is_builder();
    let problem = with_causes(problem, &error.without_url());
    let error =
        Error::hub(subject, problem, "check the network and run the command again, which goes on from here");
    if passing { Failure::Again { error, after: None } } else { Failure::Final(error) }
}

impl Refusal {
    pub(super) fn of(response: &Response) -> Self {
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        Self {
            status: response.status(),
            code: header("x-error-code"),
            retry_after: header(RETRY_AFTER.as_str())
                .and_then(|value| retry_after(&value, SystemTime::now())),
        }
    }

    pub(super) fn failure(self, asked: Asked<'_>) -> Failure {
        let Self { status, code, retry_after } = self;
        let fail = |problem: String, remedy: String| Error::hub(asked.subject, problem, remedy);
        let page = asked.page.unwrap_or("the server's site");
        let gated = code.as_deref() == Some("GatedRepo") || status == StatusCode::FORBIDDEN;
        let error = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if gated && asked.token => fail(
                format!("the owner of the token in HF_TOKEN has no access to it ({status})"),
                format!("ask for access at {page}, and use a token that may read gated repositories"),
            ),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if gated => fail(
                format!("it is only for users with access ({status})"),
                format!("ask for access at {page}, and set HF_TOKEN to your token"),
            ),
            StatusCode::UNAUTHORIZED if asked.token => fail(
                format!("there is no such repository, or the token in HF_TOKEN isn't valid ({status})"),
                format!("check the name at {page}, and the token"),
            ),
            StatusCode::UNAUTHORIZED => fail(
                format!("there is no such repository, or it is private ({status})"),
                format!("check the name at {page}; if it is private, set HF_TOKEN to your token"),
            ),
            StatusCode::NOT_FOUND => fail(
                format!("there is no such thing ({status})"),
                format!("check name, revision and file at {page}"),
            ),
            StatusCode::TOO_MANY_REQUESTS => {
                let when = retry_after.map_or("later".into(), |after| format!("in {} s", after.as_secs()));
                fail(
                    format!("the server takes no more requests for now ({status})"),
                    format!("run the command again {when}, or set HF_TOKEN, which raises the limit"),
                )
            }
            _ if status.is_server_error() => fail(
                format!("the server is in trouble ({status})"),
                "run the command again later; it goes on from here".into(),
            ),
            _ => fail(format!("the server refuses ({status})"), format!("check the name at {page}")),
        };
        let passing = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if passing { Failure::Again { error, after: retry_after } } else { Failure::Final(error) }
    }
}

/// Attempts at one thing, with pauses that double between them.
pub(super) struct Attempts<'a> {
    retries: Retries,
    failed: u32,
    report: Report<'a>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(retries: Retries, report: Report<'a>) -> Self {
        Self { retries, failed: 0, report }
    }

    /// Forgets the failures so far, as there was progress.
    pub(super) fn renew(&mut self) {
        self.failed = 0;
    }

    /// Asks until there is an answer.
    ///
    /// # Errors
    /// As [`Self::pause`].
    pub(super) async fn until_answered<T>(
        &mut self,
        mut ask: impl AsyncFnMut() -> Result<T, Failure>,
    ) -> Result<T> {
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => self.pause(failure).await?,
            }
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The failure's, when another attempt is no use or the server wants to be left alone for too long.
    pub(super) async fn pause(&mut self, failure: Failure) -> Result<()> {
        let (error, after) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Again { error, after } => (error, after),
        };
        self.failed += 1;
        let doubled = self.retries.first_pause.saturating_mul(1 << (self.failed - 1).min(16));
        let pause = after.unwrap_or(doubled.min(self.retries.longest_pause));
        if self.failed >= self.retries.attempts || pause > self.retries.longest_pause {
            return Err(error);
        }
        (self.report)(PullEvent::Retrying { pause, problem: &error.to_string() });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// An address without what signs it, which is as good as the file and nobody's to read in a log.
fn address(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        Failure::Final(Error::hub("HF_TOKEN", "has characters that no token has", "set it to your token"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn next(at: &Url, headers: &HeaderMap) -> Result<Url, &'static str> {
    let location =
        headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or("is redirected to nowhere")?;
    let next = at.join(location).map_err(|_| "is redirected to what is no address")?;
    match (at.scheme(), next.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(next),
        _ => Err("is redirected away from an encrypted connection"),
    }
}

/// `Retry-After`: seconds or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        assert_eq!(retry_after(" 7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn an_encrypted_connection_stays_encrypted() {
        let at = Url::parse("https://hub/a/b").unwrap();
        let to = |location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            next(&at, &headers).map(String::from)
        };
        assert_eq!(to("/c").as_deref(), Ok("https://hub/c"));
        assert_eq!(to("https://cdn/x").as_deref(), Ok("https://cdn/x"));
        for bad in ["http://cdn/x", "file:///etc/passwd", "https://"] {
            assert!(to(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_refusal_names_its_remedy() {
        let words = |status, code: Option<&str>, token| {
            let refusal = Refusal { status, code: code.map(Into::into), retry_after: None };
            let asked = Asked { subject: "o/n", page: Some("http://hub/o/n"), token };
            match refusal.failure(asked) {
                Failure::Final(error) => (false, error.to_string()),
                Failure::Again { error, .. } => (true, error.to_string()),
            }
        };
        let cases = [
            (StatusCode::UNAUTHORIZED, None, false, false, "set HF_TOKEN"),
            (StatusCode::UNAUTHORIZED, None, true, false, "check the name"),
            (StatusCode::UNAUTHORIZED, Some("GatedRepo"), false, false, "ask for access at http://hub/o/n"),
            (StatusCode::FORBIDDEN, None, true, false, "ask for access at http://hub/o/n"),
            (StatusCode::NOT_FOUND, None, false, false, "check name, revision and file"),
            (StatusCode::TOO_MANY_REQUESTS, None, false, true, "again later"),
            (StatusCode::BAD_GATEWAY, None, false, true, "goes on from here"),
            (StatusCode::IM_A_TEAPOT, None, false, false, "check the name"),
        ];
        for (status, code, token, again, remedy) in cases {
            let (found, error) = words(status, code, token);
            assert!(found == again && error.contains(remedy) && error.starts_with("o/n: "), "{error}");
        }
    }
}
