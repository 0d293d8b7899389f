//! A server that answers as the Hugging Face Hub does, with its CDN on another host and port, and as Mozilla's Remote
//! Settings do. It can be told to misbehave, one request at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use futures::stream;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(crate) const COMMIT: &str = "6b8bbf79697602f21b4c357dbbaa9141e38506a6";

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is answered with a status and headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The connection breaks after so many bytes of the body.
    Broken(usize),
    /// The body ends in order after so many bytes, and its length isn't told.
    Short(usize),
    /// The body has one more byte than the file, and its length isn't told.
    Long,
    /// The length told is another one than was listed.
    OtherLength,
    /// A byte of the body is another one.
    Flipped,
    /// The range asked for is ignored.
    Whole,
    /// The Hub's headers of the file are replaced.
    Headers(&'static [(&'static str, &'static str)]),
    /// The client is sent elsewhere.
    Redirect(&'static str),
    /// The answer is this instead.
    Text(&'static [u8]),
    /// The body is held back until the gate is opened.
    Held(Arc<Gate>),
}

/// Where a request waits.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) opened: Notify,
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) on_cdn: bool,
}

pub(crate) struct Server {
    pub(crate) hub: String,
    site: Arc<Site>,
    tasks: Vec<JoinHandle<()>>,
}

struct Site {
    cdn: String,
    licence: Option<&'static str>,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    faults: Mutex<Vec<(String, Fault)>>,
    records: Mutex<Value>,
    seen: Mutex<Vec<Seen>>,
}

impl Server {
    /// A server of a repository with these files under any name, and a Mozilla student made of the same.
    pub(crate) async fn start(
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        licence: Option<&'static str>,
    ) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let cdn = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        let site = Arc::new(Site {
            cdn: format!("http://localhost:{}", port(&cdn)),
            licence,
            files: Mutex::new(files.into_iter().collect()),
            faults: Mutex::default(),
            records: Mutex::new(json!({ "data": [] })),
            seen: Mutex::default(),
        });
        let url = format!("http://127.0.0.1:{}", port(&hub));
        let serve = |listener, on_cdn| {
            let answer = move |State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap| async move {
                site.answer(uri.path(), &headers, on_cdn).await
            };
            let router = Router::new().fallback(answer).with_state(site.clone());
            tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") })
        };
        let tasks = vec![serve(hub, false), serve(cdn, true)];
        Self { hub: url, site, tasks }
    }

    /// Lets something go wrong with the next request for a file, or for `revision`, `tree`, `records`.
    pub(crate) fn fault(&self, what: &str, fault: Fault) {
        locked(&self.site.faults).push((what.into(), fault));
    }

    pub(crate) fn change(&self, name: &str, contents: &[u8]) {
        locked(&self.site.files).insert(name.into(), contents.into());
    }

    /// The requests so far for paths that end so.
    pub(crate) fn seen(&self, end: &str) -> Vec<Seen> {
        locked(&self.site.seen).iter().filter(|seen| seen.path.ends_with(end)).cloned().collect()
    }

    /// How often the body of a file was asked for.
    pub(crate) fn served(&self, name: &str) -> usize {
        let hash = sha256(&locked(&self.site.files)[name]);
        let end = if is_large(name) { hash } else { format!("/{COMMIT}/{name}") };
        self.seen(&end).len()
    }

    /// Lists a Mozilla record for each file, of the kind that its name starts with.
    pub(crate) fn list_records(&self, spoil: impl Fn(&mut Value)) {
        let files = locked(&self.site.files);
        let records: Vec<_> = files
            .iter()
            .map(|(name, contents)| {
                let kind = name.split('.').next();
                let mut record = json!({
                    "name": name, "fromLang": "fa", "toLang": "en", "version": "1.0", "fileType": kind,
                    "attachment": {
                        "filename": name, "location": format!("main-workspace/{}", sha256(contents)),
                        "hash": sha256(contents), "size": contents.len(), "mimetype": "application/octet-stream",
                    },
                    "filter_expression": "", "schema": 1, "id": name, "last_modified": 2,
                });
                spoil(&mut record);
                record
            })
            .collect();
        *locked(&self.site.records) = json!({ "data": records });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Site {
    async fn answer(&self, path: &str, headers: &HeaderMap, on_cdn: bool) -> Response<Body> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        locked(&self.seen).push(Seen {
            path: path.into(),
            range: header(header::RANGE),
            if_range: header(header::IF_RANGE),
            authorization: header(header::AUTHORIZATION),
            on_cdn,
        });
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        match parts[..] {
            ["api", "models", "no", "such", ..] => status(401, &[("x-error-code", "RepoNotFound")]),
            ["api", "models", owner, name, "revision", _] => Self::or(self.fault("revision"), || {
                let card = self.licence.map(|licence| json!({ "license": licence }));
                json!({ "id": format!("{owner}/{name}"), "sha": COMMIT, "cardData": card })
            }),
            ["api", "models", _, _, "tree", COMMIT] => Self::or(self.fault("tree"), || self.tree()),
            [_, _, "resolve", COMMIT, name] => self.resolve(name, headers).await,
            ["v1"] => Self::or(None, || {
                let attachments = json!({ "base_url": format!("{}/attachments/", self.cdn) });
                json!({ "capabilities": { "attachments": attachments } })
            }),
            ["v1", "buckets", "main", "collections", "translations-models", "records"] => {
                Self::or(self.fault("records"), || locked(&self.records).clone())
            }
            ["v1", "buckets", ..] => Self::or(None, || json!({ "data": [] })),
            [.., hash] if on_cdn => {
                let found = locked(&self.files)
                    .iter()
                    .find(|(_, contents)| sha256(contents) == hash)
                    .map(|(name, contents)| (name.clone(), contents.clone()));
                match found {
                    Some((name, contents)) => {
                        let tag = format!("\"cdn-{}\"", &hash[..8]);
                        body(self.fault(&name), &contents, &tag, headers).await
                    }
                    None => status(404, &[]),
                }
            }
            _ => status(404, &[]),
        }
    }

    fn fault(&self, what: &str) -> Option<Fault> {
        let mut faults = locked(&self.faults);
        let at = faults.iter().position(|(of, _)| of == what)?;
        Some(faults.remove(at).1)
    }

    fn or(fault: Option<Fault>, answer: impl FnOnce() -> Value) -> Response<Body> {
        match fault {
            Some(Fault::Status(code, headers)) => status(code, headers),
            Some(Fault::Text(text)) => Response::new(text.into()),
            Some(other) => panic!("{other:?} is for files"),
            None => Response::new(answer().to_string().into()),
        }
    }

    fn tree(&self) -> Value {
        let files = locked(&self.files);
        let entries = files.iter().map(|(name, contents)| {
            let mut entry =
                json!({ "type": "file", "path": name, "size": contents.len(), "oid": git(contents) });
            if is_large(name) {
                entry["oid"] = git(b"pointer").into();
                entry["lfs"] = json!({ "oid": sha256(contents), "size": contents.len(), "pointerSize": 134 });
            }
            entry
        });
        let folder = json!({ "type": "directory", "path": "onnx", "oid": git(b"") });
        entries.chain([folder]).collect()
    }

    /// Large files lie on the CDN, and the Hub says what they must be; small ones come at once.
    async fn resolve(&self, name: &str, headers: &HeaderMap) -> Response<Body> {
        let Some(contents) = locked(&self.files).get(name).cloned() else { return status(404, &[]) };
        let replaced = match self.fault(&format!("hub:{name}")) {
            Some(Fault::Headers(replaced)) => replaced,
            Some(Fault::Status(code, headers)) => return status(code, headers),
            Some(Fault::Redirect(location)) => {
                return answer(307, &[("location", location)], Body::empty());
            }
            _ => &[],
        };
        let mut response = if is_large(name) {
            let location = format!("{}/repos/{}?Signature=secret", self.cdn, sha256(&contents));
            let (tag, size) = (format!("\"{}\"", sha256(&contents)), contents.len().to_string());
            answer(
                307,
                &[("location", &location), ("x-linked-etag", &tag), ("x-linked-size", &size)],
                Body::empty(),
            )
        } else {
            body(self.fault(name), &contents, &format!("\"{}\"", git(&contents)), headers).await
        };
        response.headers_mut().insert("x-repo-commit", COMMIT.parse().expect("a header's value"));
        for (name, value) in replaced {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
            response.headers_mut().insert(*name, value);
        }
        response
    }
}

async fn body(fault: Option<Fault>, contents: &[u8], tag: &str, headers: &HeaderMap) -> Response<Body> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let fresh = header(header::IF_RANGE).is_none_or(|if_range| if_range == tag);
    let range = header(header::RANGE).and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let start = range.filter(|_| fresh && !matches!(fault, Some(Fault::Whole)));
    let start: usize = start.map_or(0, |start| start.parse().expect("a range"));
    let mut rest = contents[start..].to_vec();
    let length = rest.len().to_string();
    let mut told = Some(length);
    let body = match fault {
        Some(Fault::Status(code, headers)) => return status(code, headers),
        Some(Fault::Broken(at)) => {
            let chunks = [Ok(Bytes::from(rest[..at].to_vec())), Err(std::io::Error::other("broken"))];
            Body::from_stream(stream::iter(chunks))
        }
        Some(Fault::Short(at)) => {
            told = None;
            Body::from_stream(stream::iter([Ok::<_, std::io::Error>(Bytes::from(rest[..at].to_vec()))]))
        }
        Some(Fault::Long) => {
            told = None;
            rest.push(0);
            Body::from_stream(stream::iter([Ok::<_, std::io::Error>(Bytes::from(rest))]))
        }
        Some(Fault::OtherLength) => {
            rest.push(0);
            told = Some(rest.len().to_string());
            rest.into()
        }
        Some(Fault::Flipped) => {
            rest[0] ^= 1;
            rest.into()
        }
        Some(Fault::Held(gate)) => {
            gate.reached.notify_one();
            gate.opened.notified().await;
            rest.into()
        }
        _ => rest.into(),
    };
    let partial = format!("bytes {start}-{}/{}", contents.len().saturating_sub(1), contents.len());
    let mut response = answer(if start > 0 { 206 } else { 200 }, &[("etag", tag)], body);
    if start > 0 {
        response.headers_mut().insert(header::CONTENT_RANGE, partial.parse().expect("a header's value"));
    }
    if let Some(told) = told {
        response.headers_mut().insert(header::CONTENT_LENGTH, told.parse().expect("a header's value"));
    }
    response
}

fn status(code: u16, headers: &[(&str, &str)]) -> Response<Body> {
    answer(code, headers, Body::from("{\"error\": \"no\"}"))
}

fn answer(code: u16, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).expect("a status");
    for (name, value) in headers {
        let name = header::HeaderName::try_from(*name).expect("a header's name");
        response.headers_mut().insert(name, value.parse().expect("a header's value"));
    }
    response
}

/// Files that the Hub keeps outside git.
fn is_large(name: &str) -> bool {
    [".safetensors", ".bin", ".spm", ".gguf"].iter().any(|ending| name.ends_with(ending))
}

pub(crate) fn sha256(contents: &[u8]) -> String {
    hex::encode(Sha256::digest(contents))
}

pub(crate) fn git(contents: &[u8]) -> String {
    hex::encode(Sha1::new_with_prefix(format!("blob {}\0", contents.len())).chain_update(contents).finalize())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics with the lock")
}
