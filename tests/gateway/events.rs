//! Subscriptions over HTTP/1.1 and HTTP/2, and the frames that they bring.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::call::{Refused, Wire, check_headers, outcome, string};
use crate::http1::{Answer, Ask, Conn, JSON, SIGNED, SIGNED_AT};
use crate::process::HANG;
use crate::shapes::check_structure;

/// What carries a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Http1,
    Http2,
}

pub const TRANSPORTS: [Transport; 2] = [Transport::Http1, Transport::Http2];

/// Of a frame, by name.
type Headers = Vec<(String, String)>;

/// Something that came for a subscription.
#[derive(Clone, Debug)]
pub enum Event {
    /// Records, or none.
    Records(Value),
    /// An error.
    Exception(Refused),
}

/// An open subscription. It ends when it is dropped.
pub struct Events {
    socket: TcpStream,
    chunks: Receiver<Vec<u8>>,
    ahead: Vec<u8>,
    /// When the last event came.
    pub last: Instant,
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Events {
    /// Subscribes, and takes the first event, which says so.
    pub fn open(addr: SocketAddr, transport: Transport, body: &Value) -> Result<Events, Refused> {
        let socket = TcpStream::connect(addr).expect("the server listens");
        let (sender, heads) = channel();
        let (chunk_sender, chunks) = channel();
        let own = socket.try_clone().expect("descriptors are left");
        let body = body.to_string();
        thread::spawn(move || match transport {
            Transport::Http1 => http1(own, &body, &sender, &chunk_sender),
            Transport::Http2 => http2(own, body, &sender, &chunk_sender),
        });
        let head: Answer = heads.recv_timeout(HANG).expect("an answer");
        check_headers(&Answer { headers: with_framing(&head), ..head.clone() });
        let mut events = Events { socket, chunks, ahead: Vec::new(), last: Instant::now() };
        if head.status != 200 {
            let body = std::iter::from_fn(|| events.chunks.recv_timeout(HANG).ok());
            let answer = Answer { body: body.flatten().collect(), ..head };
            return Err(outcome(Wire::Json, &answer).unwrap_err());
        }
        assert_eq!(head.header("content-type"), Some("application/vnd.amazon.eventstream"));
        assert_eq!(head.header("content-length"), None);
        let (headers, payload) = events.frame().expect("the first event");
        let expected = [(":message-type", "event"), (":event-type", "initial-response")];
        for (name, value) in expected {
            assert_eq!(header(&headers, name), Some(value), "{headers:?}");
        }
        assert_eq!(payload, b"{}");
        Ok(events)
    }

    /// The next event; `None` is the end.
    pub fn next(&mut self) -> Option<Event> {
        let (headers, payload) = self.frame()?;
        let payload: Value = serde_json::from_slice(&payload).expect("JSON");
        match header(&headers, ":message-type") {
            Some("event") => {
                assert_eq!(header(&headers, ":event-type"), Some("SubscribeToShardEvent"));
                assert_eq!(header(&headers, ":content-type"), Some("application/json"));
                check_structure("SubscribeToShardEvent", &payload);
                Some(Event::Records(payload))
            }
            Some("exception") => {
                let name = header(&headers, ":exception-type").expect("its name");
                Some(Event::Exception(Refused::new(name, string(&payload["message"]))))
            }
            other => panic!("a message of type {other:?}"),
        }
    }

    /// The next event with records.
    pub fn records(&mut self) -> Value {
        loop {
            match self.next() {
                Some(Event::Records(event)) if event["Records"] == json!([]) => {}
                Some(Event::Records(event)) => return event,
                other => panic!("{other:?} instead of records"),
            }
        }
    }

    fn frame(&mut self) -> Option<(Headers, Vec<u8>)> {
        let length = u32_at(self.at_least(4)?, 0) as usize;
        let frame = self.at_least(length).expect("a whole frame")[..length].to_vec();
        self.ahead.drain(..length);
        self.last = Instant::now();
        assert_eq!(u32_at(&frame, 8), crc32fast::hash(&frame[..8]));
        assert_eq!(u32_at(&frame, length - 4), crc32fast::hash(&frame[..length - 4]));
        let (mut headers, payload) = frame[12..length - 4].split_at(u32_at(&frame, 4) as usize);
        let mut named = Vec::new();
        let mut take = |n: usize| {
            let (taken, rest) = headers.split_at(n);
            headers = rest;
            (taken.to_vec(), rest.is_empty())
        };
        loop {
            let length = usize::from(take(1).0[0]);
            let name = String::from_utf8(take(length).0).expect("UTF-8");
            assert_eq!(take(1).0, [7], "a text");
            let length = usize::from(u16::from_be_bytes(take(2).0.try_into().expect("two")));
            let (value, end) = take(length);
            named.push((name, String::from_utf8(value).expect("UTF-8")));
            if end {
                return Some((named, payload.to_vec()));
            }
        }
    }

    /// What has come, once it is so much; `None` at the end of the events.
    fn at_least(&mut self, n: usize) -> Option<&[u8]> {
        while self.ahead.len() < n {
            match self.chunks.recv_timeout(HANG) {
                Ok(chunk) => self.ahead.extend(chunk),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    assert!(self.ahead.is_empty(), "an event was cut off");
                    return None;
                }
                Err(error) => panic!("no event and no end: {error}"),
            }
        }
        Some(&self.ahead)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// HTTP/2 has no header for what its frames say.
fn with_framing(head: &Answer) -> Vec<(String, String)> {
    let mut headers = head.headers.clone();
    if head.header("content-length").or(head.header("transfer-encoding")).is_none() {
        headers.push(("transfer-encoding".to_owned(), "frames".to_owned()));
    }
    headers
}

fn http1(socket: TcpStream, body: &str, heads: &Sender<Answer>, chunks: &Sender<Vec<u8>>) {
    let mut conn = Conn::of(socket);
    conn.send(&Ask::new("SubscribeToShard", JSON, body).bytes());
    let Some(mut head) = conn.answer_head() else { return };
    let chunked = head.header("transfer-encoding").is_some();
    if !chunked {
        head.body = conn.body_of(&head);
        let _ = chunks.send(head.body.clone());
    }
    let _ = heads.send(head);
    // A connection that ends inside of a body is the end, too, for whoever has asked for it.
    while chunked && let Some(chunk) = conn.try_chunk() {
        if chunk.is_empty() || chunks.send(chunk).is_err() {
            return;
        }
    }
}

fn http2(socket: TcpStream, body: String, heads: &Sender<Answer>, chunks: &Sender<Vec<u8>>) {
    socket.set_nonblocking(true).expect("sockets can be");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // What goes wrong ends the channels, which whoever waits there sees.
    let _ = runtime.expect("a runtime").block_on(async {
        let socket = tokio::net::TcpStream::from_std(socket).expect("in a runtime");
        let (mut client, connection) = h2::client::handshake(socket).await?;
        tokio::spawn(connection);
        let request = http::Request::builder()
            .method("POST")
            .uri("http://localhost/")
            .header("content-type", JSON)
            .header("x-amz-target", "Kinesis_20131202.SubscribeToShard")
            .header("x-amz-date", SIGNED_AT)
            .header("authorization", SIGNED)
            .body(())
            .expect("a request");
        let (response, mut sending) = client.send_request(request, false)?;
        sending.send_data(Bytes::from(body), true)?;
        let response = response.await?;
        let (parts, mut body) = response.into_parts();
        let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let (status, headers) = (parts.status.as_u16(), headers.collect());
        let _ = heads.send(Answer { status, headers, body: Vec::new() });
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            if chunks.send(chunk.to_vec()).is_err() {
                break;
            }
        }
        Ok::<(), h2::Error>(())
    });
}

/// A position to begin at.
pub fn from(consumer: &str, shard: u32, position: Value) -> Value {
    json!({
        "ConsumerARN": consumer,
        "ShardId": format!("shardId-{shard:012}"),
        "StartingPosition": position,
    })
}

/// How long after a subscription another may take it over.
pub const GUARD: Duration = Duration::from_secs(5);
