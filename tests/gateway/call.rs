//! A well-behaved client of the AWS API in either format. Tests write and read JSON; for CBOR it is
//! translated, and what AWS's CBOR must look like is checked on the way.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Map, Value, json};

use crate::http1::{Answer, Ask, CBOR, Conn, JSON};

/// A format of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Json,
    Cbor,
}

pub const BOTH: [Wire; 2] = [Wire::Json, Wire::Cbor];

impl Wire {
    pub fn content_type(self) -> &'static str {
        match self {
            Wire::Json => JSON,
            Wire::Cbor => CBOR,
        }
    }

    /// A body.
    pub fn encode(self, body: &Value) -> Vec<u8> {
        match self {
            Wire::Json => body.to_string().into_bytes(),
            Wire::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(&to_cbor("", body), &mut bytes).expect("memory is there");
                bytes
            }
        }
    }

    /// The body of an answer, `null` where there is none.
    pub fn decode(self, body: &[u8]) -> Value {
        if body.is_empty() {
            return Value::Null;
        }
        match self {
            Wire::Json => serde_json::from_slice(body).expect("JSON"),
            Wire::Cbor => {
                let mut rest = body;
                let value: Cbor = ciborium::from_reader(&mut rest).expect("CBOR");
                assert!(rest.is_empty(), "{rest:02x?} behind the body");
                of_cbor("", &value)
            }
        }
    }
}

/// Whether a member of this name is a point in time.
pub fn is_time(name: &str) -> bool {
    name.ends_with("Timestamp") || matches!(name, "StartedAt" | "EndedAt" | "EarliestAllowedEndAt")
}

fn to_cbor(name: &str, value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(n) if is_time(name) => {
            let ms = (n.as_f64().expect("a number") * 1000.0).round() as i64;
            Cbor::Tag(1, Box::new(Cbor::Integer(ms.into())))
        }
        Value::Number(n) => Cbor::Integer(n.as_i64().expect("a whole number").into()),
        Value::String(text) if name == "Data" => Cbor::Bytes(data(text)),
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(|item| to_cbor(name, item)).collect()),
        Value::Object(members) => Cbor::Map(
            members
                .iter()
                .map(|(key, item)| (Cbor::Text(key.clone()), to_cbor(key, item)))
                .collect(),
        ),
    }
}

/// AWS's own form: blobs are byte strings, and times have tag 1 and whole milliseconds.
fn of_cbor(name: &str, value: &Cbor) -> Value {
    match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => json!(flag),
        Cbor::Integer(_) if is_time(name) => panic!("{name} has no tag: {value:?}"),
        Cbor::Integer(n) => json!(i64::try_from(*n).expect("of 64 bits")),
        Cbor::Tag(1, inner) if is_time(name) => match **inner {
            Cbor::Integer(ms) => json!(i64::try_from(ms).expect("of 64 bits") as f64 / 1000.0),
            ref other => panic!("{name} is no whole number of milliseconds: {other:?}"),
        },
        Cbor::Bytes(bytes) if name == "Data" => json!(STANDARD.encode(bytes)),
        Cbor::Text(text) => {
            assert_ne!(name, "Data", "blobs are byte strings");
            json!(text)
        }
        Cbor::Array(items) => items.iter().map(|item| of_cbor(name, item)).collect(),
        Cbor::Map(entries) => {
            let member = |(key, item): &(Cbor, Cbor)| {
                let key = key.as_text().expect("keys are texts");
                (key.to_owned(), of_cbor(key, item))
            };
            Value::Object(entries.iter().map(member).collect::<Map<_, _>>())
        }
        other => panic!("{name} is {other:?}, which AWS never sends"),
    }
}

/// The bytes of a blob.
pub fn data(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64")
}

/// A blob.
pub fn blob(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// A refusal: the status, the name and the text of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub name: String,
    pub text: String,
}

impl Refused {
    /// Of a client's mistake.
    pub fn new(name: &str, text: impl Into<String>) -> Refused {
        Refused { status: 400, name: name.to_owned(), text: text.into() }
    }
}

/// What every answer has, whatever it answers. Returns the request id.
pub fn check_headers(answer: &Answer) -> String {
    let id = answer.header("x-amzn-requestid").expect("a request id").to_owned();
    uuid::Uuid::parse_str(&id).expect("which is a UUID");
    let extended = answer.header("x-amz-id-2").expect("an extended request id");
    assert!((64..=80).contains(&data(extended).len()), "{extended}");
    let date = answer.header("date").expect("a date");
    assert!(date.ends_with(" GMT"), "{date}");
    assert!(answer.header("content-type").is_some(), "{answer:?}");
    let framed = ["content-length", "transfer-encoding"].map(|name| answer.header(name).is_some());
    assert_eq!(framed.iter().filter(|is| **is).count(), 1, "{answer:?}");
    id
}

/// See the module. It keeps its connection.
pub struct Caller {
    addr: SocketAddr,
    conn: Conn,
    pub wire: Wire,
}

impl Caller {
    pub fn new(addr: SocketAddr, wire: Wire) -> Caller {
        Caller { addr, conn: Conn::connect(addr), wire }
    }

    /// Asks for an operation.
    pub fn call(&mut self, operation: &str, body: &Value) -> Result<Value, Refused> {
        let ask = Ask::new(operation, self.wire.content_type(), self.wire.encode(body));
        let answer = self.conn.ask(&ask);
        if answer.header("connection") == Some("close") {
            self.conn = Conn::connect(self.addr);
        }
        check_headers(&answer);
        assert_eq!(answer.header("content-type"), Some(self.wire.content_type()), "{answer:?}");
        outcome(self.wire, &answer)
    }

    /// Asks for an operation that must succeed.
    pub fn ok(&mut self, operation: &str, body: Value) -> Value {
        let wire = self.wire;
        self.call(operation, &body).unwrap_or_else(|refused| {
            panic!("{operation} {body} in {wire:?}: {refused:?}");
        })
    }

    /// Asks for an operation that must be refused.
    pub fn refused(&mut self, operation: &str, body: Value) -> Refused {
        match self.call(operation, &body) {
            Err(refused) => refused,
            Ok(answer) => panic!("{operation} {body} in {:?}: {answer}", self.wire),
        }
    }

    /// Makes a stream without limits and returns its ARN.
    pub fn stream(&mut self, name: &str, shards: u32) -> String {
        self.ok("CreateStream", json!({"StreamName": name, "ShardCount": shards}));
        let summary = self.ok("DescribeStreamSummary", json!({ "StreamName": name }));
        string(&summary["StreamDescriptionSummary"]["StreamARN"])
    }

    /// A shard's iterator.
    pub fn iterator(&mut self, stream: &str, shard: u32, kind: &str, more: Value) -> String {
        let mut body = json!({
            "StreamName": stream,
            "ShardId": format!("shardId-{shard:012}"),
            "ShardIteratorType": kind,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        string(&self.ok("GetShardIterator", body)["ShardIterator"])
    }
}

/// What an answer says, in its own format.
pub fn outcome(wire: Wire, answer: &Answer) -> Result<Value, Refused> {
    let body = wire.decode(&answer.body);
    if answer.status == 200 {
        assert_eq!(answer.header("x-amzn-errortype"), None);
        return Ok(body);
    }
    let name = string(&body["__type"]);
    assert_eq!(answer.header("x-amzn-errortype"), Some(name.as_str()), "{answer:?}");
    // AWS spells the text's name with a capital in one error alone.
    let key = if name == "SerializationException" { "Message" } else { "message" };
    let text = body.get(key).map(string).unwrap_or_default();
    let members = body.as_object().expect("a map").len();
    assert_eq!(members, 1 + usize::from(body.get(key).is_some()), "{body}");
    Err(Refused { status: answer.status, name, text })
}

/// A text of an answer.
pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
