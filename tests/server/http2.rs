//! HTTP/2 as it is written: what RFC 9113 asks of a server whose client doesn't keep to it, section by section, and what
//! it asks where the client does. The cases are those that h2spec has, as far as RFC 9113 still has them.

use std::fmt::Debug;

use tarjoman::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{TestServer, limited, within};
use crate::frames::*;

const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const PADDED: u8 = 8;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION_ERROR: u32 = 9;

/// The largest payload of a frame, as the server doesn't ask for more.
const LARGEST: usize = 16_384;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MODELS: &str = "/v1/models";
const TEXT: &str = "/v1/text:translate";

/// What a server does.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// It ends the connection, with this error if it says why.
    Ends(u32),
    /// It ends the stream with this error, or the whole connection.
    Resets(u32),
    /// It answers on the stream.
    Answers(u32),
    /// It answers a ping as ever: what came before is no error.
    GoesOn,
}

use Then::{Answers, Ends, GoesOn, Resets};

type Case = (&'static str, Vec<u8>, Then);

/// A whole request without a body, in one frame.
fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&request("GET", path)))
}

fn all(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

/// A request with these headers besides.
fn with(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut all = request("GET", MODELS);
    all.extend(headers);
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&all))
}

/// A request without this header.
fn without(name: &str) -> Vec<u8> {
    let mut headers = request("GET", MODELS);
    headers.retain(|(known, _)| *known != name);
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&headers))
}

fn unended(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM, stream, &block(&request("GET", MODELS)))
}

fn increment(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

fn frames() -> Vec<Case> {
    let unknown = frame(0xfa, 0xff, 0, b"what is this?");
    let ping = |flags, stream, payload: &[u8]| frame(PING, flags, stream, payload);
    vec![
        ("4.1 a frame of an unknown type", unknown.clone(), GoesOn),
        ("4.1 flags that a frame doesn't have", ping(0xfe, 0, b"flagged!"), GoesOn),
        (
            "4.1 a reserved bit",
            frame(HEADERS, END_HEADERS | END_STREAM, 1 << 31 | 1, &block(&request("GET", MODELS))),
            Answers(1),
        ),
        (
            "4.2 data that is too large",
            all(&[post(1, TEXT), frame(DATA, 0, 1, &[b' '; LARGEST + 1])]),
            Resets(FRAME_SIZE_ERROR),
        ),
        (
            "4.2 headers that are too large",
            frame(HEADERS, END_HEADERS, 1, &[0; LARGEST + 1]),
            Ends(FRAME_SIZE_ERROR),
        ),
        (
            "4.3 a header block that can't be read",
            frame(HEADERS, END_HEADERS, 1, &[0x80]),
            Ends(COMPRESSION_ERROR),
        ),
        (
            "4.3 another frame within a header block",
            all(&[unended(1), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])]),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "4.3 another stream's headers within a header block",
            all(&[unended(1), get(3, MODELS)]),
            Ends(PROTOCOL_ERROR),
        ),
        ("5.5 an unknown frame within a header block", all(&[unended(1), unknown]), Ends(PROTOCOL_ERROR)),
        ("6.1 data of no stream", frame(DATA, 0, 0, b"x"), Ends(PROTOCOL_ERROR)),
        (
            "6.1 padding that is longer than its frame",
            all(&[post(1, TEXT), frame(DATA, PADDED, 1, &[9, 0, 0])]),
            Ends(PROTOCOL_ERROR),
        ),
        ("6.2 headers of no stream", get(0, MODELS), Ends(PROTOCOL_ERROR)),
        (
            "6.2 padding that is longer than its headers",
            frame(HEADERS, PADDED | END_HEADERS, 1, &[9, 0]),
            Ends(PROTOCOL_ERROR),
        ),
        ("6.3 a priority of no stream", frame(PRIORITY, 0, 0, &[0, 0, 0, 0, 1]), Ends(PROTOCOL_ERROR)),
        ("6.3 a priority of another size", frame(PRIORITY, 0, 1, &[0; 4]), Resets(FRAME_SIZE_ERROR)),
        ("6.4 a reset of no stream", frame(RST_STREAM, 0, 0, &[0; 4]), Ends(PROTOCOL_ERROR)),
        (
            "6.4 a reset of another size",
            all(&[post(1, TEXT), frame(RST_STREAM, 0, 1, &[0; 3])]),
            Ends(FRAME_SIZE_ERROR),
        ),
    ]
}

fn settings_pings_and_windows() -> Vec<Case> {
    let ping = |flags, stream, payload: &[u8]| frame(PING, flags, stream, payload);
    vec![
        ("6.5 settings of a stream", frame(SETTINGS, 0, 1, &[]), Ends(PROTOCOL_ERROR)),
        ("6.5 settings that are cut short", frame(SETTINGS, 0, 0, &[0; 5]), Ends(FRAME_SIZE_ERROR)),
        (
            "6.5 settings acknowledged with something",
            frame(SETTINGS, ACK, 0, &[0; 6]),
            Ends(FRAME_SIZE_ERROR),
        ),
        ("6.5.2 a push that is neither on nor off", settings(&[(2, 2)]), Ends(PROTOCOL_ERROR)),
        (
            "6.5.2 a window that is too large",
            settings(&[(INITIAL_WINDOW_SIZE, 1 << 31)]),
            Ends(FLOW_CONTROL_ERROR),
        ),
        ("6.5.2 a frame size that is too small", settings(&[(5, 16_383)]), Ends(PROTOCOL_ERROR)),
        ("6.5.2 a frame size that is too large", settings(&[(5, 1 << 24)]), Ends(PROTOCOL_ERROR)),
        ("6.5.2 a setting that nobody knows", settings(&[(0xff, 7)]), GoesOn),
        (
            "6.6 a push by a client",
            frame(PUSH_PROMISE, END_HEADERS, 1, &all(&[vec![0, 0, 0, 2], block(&request("GET", MODELS))])),
            Ends(PROTOCOL_ERROR),
        ),
        ("6.7 a ping of a stream", ping(0, 1, &[0; 8]), Ends(PROTOCOL_ERROR)),
        ("6.7 a ping of another size", ping(0, 0, &[0; 6]), Ends(FRAME_SIZE_ERROR)),
        ("6.7 an answer to no ping", ping(ACK, 0, b"answered"), GoesOn),
        ("6.8 a stream's goodbye", frame(GOAWAY, 0, 1, &[0; 8]), Ends(PROTOCOL_ERROR)),
        ("6.9 a window that opens by nothing", increment(0, 0), Ends(PROTOCOL_ERROR)),
        (
            "6.9 a stream's window that opens by nothing",
            all(&[post(1, TEXT), increment(1, 0)]),
            Resets(PROTOCOL_ERROR),
        ),
        ("6.9 a window update of another size", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), Ends(FRAME_SIZE_ERROR)),
        (
            "6.9.1 a window that opens too far",
            all(&[increment(0, (1 << 31) - 1), increment(0, (1 << 31) - 1)]),
            Ends(FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.1 a stream's window that opens too far",
            all(&[post(1, TEXT), increment(1, (1 << 31) - 1), increment(1, (1 << 31) - 1)]),
            Resets(FLOW_CONTROL_ERROR),
        ),
        ("6.10 a continuation of no headers", frame(CONTINUATION, END_HEADERS, 1, &[]), Ends(PROTOCOL_ERROR)),
        (
            "6.10 a continuation of headers that have ended",
            all(&[post(1, TEXT), frame(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")]))]),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "6.10 a continuation of no stream",
            all(&[unended(1), frame(CONTINUATION, END_HEADERS, 0, &[])]),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "6.10 headers in three frames",
            all(&[
                unended(1),
                frame(CONTINUATION, 0, 1, &block(&[("a", "b")])),
                frame(CONTINUATION, END_HEADERS, 1, &block(&[("c", "d")])),
            ]),
            Answers(1),
        ),
    ]
}

fn streams() -> Vec<Case> {
    let data = |stream| frame(DATA, END_STREAM, stream, b"{}");
    let cancel = |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    vec![
        ("5.1 data of an idle stream", data(1), Ends(PROTOCOL_ERROR)),
        ("5.1 a reset of an idle stream", cancel(1), Ends(PROTOCOL_ERROR)),
        ("5.1 a window update of an idle stream", increment(1, 100), Ends(PROTOCOL_ERROR)),
        ("5.1 data behind a stream's end", all(&[post(1, TEXT), data(1), data(1)]), Resets(STREAM_CLOSED)),
        ("5.1 headers behind a stream's end", all(&[get(1, MODELS), get(1, MODELS)]), Resets(STREAM_CLOSED)),
        ("5.1 data behind a reset", all(&[post(1, TEXT), cancel(1), data(1)]), Resets(STREAM_CLOSED)),
        ("5.1 a priority of an idle stream", all(&[frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1])]), GoesOn),
        ("5.1.1 a stream of the server's numbers", get(2, MODELS), Ends(PROTOCOL_ERROR)),
        (
            "5.1.1 a stream of a number that is past",
            all(&[get(5, MODELS), get(3, MODELS)]),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "5.1.2 more streams at once than are allowed",
            all(&[post(1, TEXT), post(3, TEXT), post(5, TEXT)]),
            Resets(REFUSED_STREAM),
        ),
        (
            "6.8 a goodbye while a stream is open",
            all(&[get(1, MODELS), frame(GOAWAY, 0, 0, &[0; 8])]),
            Answers(1),
        ),
    ]
}

fn messages() -> Vec<Case> {
    let long = frame(DATA, END_STREAM, 1, b"{\"text\": \"\"}");
    let of_length = |length| {
        let mut headers = request("POST", TEXT);
        headers.extend([("content-type", "application/json"), ("content-length", length)]);
        frame(HEADERS, END_HEADERS, 1, &block(&headers))
    };
    let trailers = |headers: &[(&str, &str)]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(headers));
    vec![
        (
            "8.1 trailers that don't end their stream",
            all(&[post(1, TEXT), frame(HEADERS, END_HEADERS, 1, &block(&[("a", "b")]))]),
            Resets(PROTOCOL_ERROR),
        ),
        ("8.1.1 more data than was said", all(&[of_length("3"), long.clone()]), Resets(PROTOCOL_ERROR)),
        ("8.1.1 less data than was said", all(&[of_length("300"), long]), Resets(PROTOCOL_ERROR)),
        ("8.2.1 a name in capitals", with(&[("X-Name", "x")]), Resets(PROTOCOL_ERROR)),
        ("8.2.2 a header of HTTP/1", with(&[("connection", "keep-alive")]), Resets(PROTOCOL_ERROR)),
        (
            "8.2.2 te with something else than trailers",
            with(&[("te", "trailers, deflate")]),
            Resets(PROTOCOL_ERROR),
        ),
        ("8.2.2 te with trailers", with(&[("te", "trailers")]), Answers(1)),
        ("8.3 a pseudo-header that nobody knows", with(&[(":test", "x")]), Resets(PROTOCOL_ERROR)),
        ("8.3 a pseudo-header of answers", with(&[(":status", "200")]), Resets(PROTOCOL_ERROR)),
        (
            "8.3 a pseudo-header behind a header",
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &block(&[("a", "b"), (":method", "GET"), (":scheme", "http"), (":path", MODELS)]),
            ),
            Resets(PROTOCOL_ERROR),
        ),
        // It should be refused. The library passes over it, which does no harm where nobody reads trailers.
        (
            "8.3 a pseudo-header among trailers",
            all(&[post(1, TEXT), trailers(&[(":method", "GET")])]),
            Answers(1),
        ),
        ("8.3.1 a method twice", with(&[(":method", "GET")]), Resets(PROTOCOL_ERROR)),
        ("8.3.1 no method", without(":method"), Resets(PROTOCOL_ERROR)),
        ("8.3.1 no scheme", without(":scheme"), Resets(PROTOCOL_ERROR)),
        ("8.3.1 no path", without(":path"), Resets(PROTOCOL_ERROR)),
        (
            "8.3.1 an empty path",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&request("GET", ""))),
            Resets(PROTOCOL_ERROR),
        ),
        (
            "HPACK 2.3.3 an index that no table has",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0x7f]),
            Ends(COMPRESSION_ERROR),
        ),
        (
            "HPACK 4.2 a table that is larger than allowed",
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &all(&[vec![0x3f, 0xe1, 0xff, 0x03], block(&request("GET", MODELS))]),
            ),
            Ends(COMPRESSION_ERROR),
        ),
        (
            "HPACK 5.2 an end mark within a text",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0, 0x84, 0xff, 0xff, 0xff, 0xff, 0]),
            Ends(COMPRESSION_ERROR),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_protocol_forbids_is_refused_as_it_says() {
    let server = TestServer::start(limited(|limits| limits.streams_per_connection = 2)).await;
    let mut wrong = Vec::new();
    let cases = [frames(), settings_pings_and_windows(), streams(), messages()];
    for (name, sent, then) in cases.into_iter().flatten() {
        if let Err(seen) = case(&server, &sent, then).await {
            wrong.push(format!("{name}: {then:?}, but {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // All of them hurt nobody else.
    server.client().await.list_models().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_preface_is_answered_as_http1_or_not_at_all() {
    let server = TestServer::start(Config::default()).await;
    for sent in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"[..],
        b"INVALID CONNECTION PREFACE\r\n\r\n",
        b"\x16\x03\x01\x02\0",
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(sent).await.unwrap();
        stream.shutdown().await.unwrap();
        // It ends, whatever is said before.
        while within(Frame::read(&mut stream)).await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_acknowledged_pings_answered_and_windows_kept_to() {
    let server = TestServer::start(Config::default()).await;
    let mut stream = connect(&server).await;
    let sent = [PREFACE, &settings(&[(INITIAL_WINDOW_SIZE, 1)]), &frame(PING, 0, 0, b"a ping..")].concat();
    stream.write_all(&sent).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let frame = within(Frame::read(&mut stream)).await.unwrap();
        if matches!(frame.kind, SETTINGS | PING) {
            seen.push((frame.kind, frame.flags, frame.payload));
        }
    }
    assert!(seen.contains(&(SETTINGS, ACK, Vec::new())) && seen.contains(&(PING, ACK, b"a ping..".to_vec())));

    // Of the answer, as much comes as there is room for.
    stream.write_all(&get(1, MODELS)).await.unwrap();
    let mut got = Vec::new();
    while got.len() < 5 {
        let frame = within(Frame::read(&mut stream)).await.unwrap();
        if frame.kind == DATA {
            assert_eq!(frame.payload.len(), 1);
            got.extend(frame.payload);
            stream.write_all(&increment(1, 1)).await.unwrap();
        }
    }
    assert!(b"{\"models\"".starts_with(&got), "{}", String::from_utf8_lossy(&got));
}

/// A frame that has arrived.
#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The next frame; `None` at the connection's end, however it ends.
    async fn read(from: &mut TcpStream) -> Option<Self> {
        let mut head = [0; 9];
        from.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        from.read_exact(&mut payload).await.ok()?;
        Some(Self { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The error code of a frame that ends something.
    fn code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?))
    }
}

async fn connect(server: &TestServer) -> TcpStream {
    within(TcpStream::connect(server.url.trim_start_matches("http://"))).await.unwrap()
}

/// Sends this on a connection of its own; what was seen if it isn't what should be.
async fn case(server: &TestServer, sent: &[u8], then: Then) -> Result<(), String> {
    let mut stream = connect(server).await;
    let last = *b"the last";
    let sent = [PREFACE, &settings(&[]), sent, &frame(PING, 0, 0, &last)].concat();
    // The server may have closed the connection before all was sent.
    let _ = stream.write_all(&sent).await;
    let wrong = |seen: &dyn Debug| Err(format!("{seen:?}"));
    loop {
        let Some(frame) = within(Frame::read(&mut stream)).await else {
            return if matches!(then, Ends(_) | Resets(_)) { Ok(()) } else { wrong(&"the connection ended") };
        };
        let answered = frame.kind == PING && frame.payload == last;
        match (then, frame.code()) {
            // The library has only the general word for some errors of a connection.
            (Ends(wanted) | Resets(wanted), Some(code)) if frame.kind == GOAWAY => {
                return if code == wanted || code == PROTOCOL_ERROR { Ok(()) } else { wrong(&frame) };
            }
            (Resets(wanted), Some(code)) if code == wanted => return Ok(()),
            (Answers(on), None) if frame.kind == HEADERS && frame.stream == on => return Ok(()),
            (GoesOn, None) if answered => return Ok(()),
            (_, Some(_)) => return wrong(&frame),
            // A stream may be reset behind it, a connection not be ended.
            (Ends(_), None) if answered => return wrong(&frame),
            _ => {}
        }
    }
}
