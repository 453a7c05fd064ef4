//! Another Kinesis in memory, as strange as HTTP and the API allow, that can be made to misbehave.
//!
//! Its sequence numbers have gaps and grow in length, and like some emulators it answers in chunks
//! and closes connections now and then.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use shardway::record::{HashKey, HashRange};

/// How it misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// The 20th record of a shard is acknowledged but not kept.
    Lost,
    /// The 20th record of a shard has the data of the 19th.
    Replaced,
    /// The 20th record of a shard comes behind the 21st.
    Swapped,
    /// Every 10th record is refused as throttled: legitimate.
    Throttled,
}

/// Starts it on a free port; it runs until the process ends.
pub fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let state = Arc::new(Mutex::new(State { fault, streams: HashMap::new(), puts: 0 }));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let state = Arc::clone(&state);
            let stream = stream.expect("a connection");
            thread::spawn(move || serve(stream, &state));
        }
    });
    address
}

struct State {
    fault: Fault,
    streams: HashMap<String, Vec<Shard>>,
    puts: usize,
}

struct Shard {
    range: HashRange,
    records: Vec<Value>,
    stored: u64,
}

/// Serves a connection; every 50th answer is its last.
fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    for n in 1.. {
        let Some((operation, body)) = request(&mut reader) else { return };
        let (status, answer) = state.lock().expect("nobody panics").answer(&operation, &body);
        let text = if answer.is_null() { String::new() } else { answer.to_string() };
        let close = n % 50 == 0;
        let connection = if close { "Connection: close\r\n" } else { "" };
        let answer = if n % 2 == 0 && !text.is_empty() {
            let (a, b) = text.split_at(text.len() / 2);
            let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
            let (a, b) = (chunk(a), chunk(b));
            format!(
                "HTTP/1.1 {status} X\r\n{connection}Transfer-Encoding: chunked\r\n\r\n\
                 {a}{b}0\r\n\r\n"
            )
        } else {
            let length = text.len();
            format!("HTTP/1.1 {status} X\r\n{connection}Content-Length: {length}\r\n\r\n{text}")
        };
        if stream.write_all(answer.as_bytes()).is_err() || close {
            return;
        }
    }
}

/// The next request: its operation and body. None when the client is gone.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut operation, mut length, mut signed) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => operation = value.rsplit('.').next()?.to_owned(),
            "content-length" => length = value.parse().ok()?,
            "authorization" => signed = value.starts_with("AWS4-HMAC-SHA256 Credential="),
            _ => {}
        }
    }
    assert!(signed, "{operation} is not signed");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((operation, serde_json::from_slice(&body).expect("JSON")))
}

impl State {
    fn answer(&mut self, operation: &str, input: &Value) -> (u16, Value) {
        let name = input["StreamName"].as_str().unwrap_or_default().to_owned();
        let answer = match operation {
            "CreateStream" => {
                let count = input["ShardCount"].as_u64().expect("a number") as u32;
                let shard = |range| Shard { range, records: Vec::new(), stored: 0 };
                let shards = HashRange::split_evenly(count).into_iter().map(shard).collect();
                self.streams.insert(name, shards);
                Value::Null
            }
            "DeleteStream" => {
                self.streams.remove(&name);
                Value::Null
            }
            "DescribeStreamSummary" => json!({"StreamDescriptionSummary": {
                "StreamName": name, "StreamStatus": "ACTIVE", "StreamARN": format!("arn:{name}"),
            }}),
            "ListShards" => self.list(&name),
            "PutRecord" => {
                let result = self.put(&name, input);
                if let Some(code) = result["ErrorCode"].as_str() {
                    return (400, json!({"__type": code, "message": "slower"}));
                }
                result
            }
            "PutRecords" => {
                let records = input["Records"].as_array().expect("a list");
                let results: Vec<_> = records.iter().map(|r| self.put(&name, r)).collect();
                json!({"FailedRecordCount": 0, "Records": results})
            }
            "GetShardIterator" => {
                let shard = input["ShardId"].as_str().expect("text");
                json!({"ShardIterator": format!("{name}/{shard}/0")})
            }
            "GetRecords" => self.get(input["ShardIterator"].as_str().expect("text")),
            other => {
                return (400, json!({"__type": "UnknownOperationException", "message": other}));
            }
        };
        (200, answer)
    }

    fn list(&self, name: &str) -> Value {
        let shards = self.streams[name].iter().enumerate().map(|(n, shard)| {
            let HashRange { start, end } = shard.range;
            let (start, end) = (start.0.to_string(), end.0.to_string());
            let range = json!({"StartingHashKey": start, "EndingHashKey": end});
            json!({"ShardId": format!("shard-{n}"), "HashKeyRange": range})
        });
        json!({"Shards": shards.collect::<Vec<_>>()})
    }

    fn put(&mut self, name: &str, record: &Value) -> Value {
        self.puts += 1;
        if self.fault == Fault::Throttled && self.puts.is_multiple_of(10) {
            let code = "ProvisionedThroughputExceededException";
            return json!({"ErrorCode": code, "ErrorMessage": "slower \"still\""});
        }
        let key = record["PartitionKey"].as_str().expect("text");
        let hash = HashKey::of_partition_key(key.as_bytes());
        let shards = self.streams.get_mut(name).expect("it was created");
        let at = shards.iter().position(|shard| shard.range.contains(hash)).expect("no holes");
        let shard = &mut shards[at];
        shard.stored += 1;
        let number = (shard.stored * 7).to_string();
        let mut kept = record.clone();
        kept["SequenceNumber"] = number.clone().into();
        match (self.fault, shard.stored) {
            (Fault::Lost, 20) => {}
            (Fault::Replaced, 20) => {
                kept["Data"] = shard.records[18]["Data"].clone();
                shard.records.push(kept);
            }
            (Fault::Swapped, 21) => shard.records.insert(19, kept),
            _ => shard.records.push(kept),
        }
        json!({"SequenceNumber": number, "ShardId": format!("shard-{at}")})
    }

    fn get(&self, iterator: &str) -> Value {
        let parts: Vec<&str> = iterator.split('/').collect();
        let shard: usize = parts[1].strip_prefix("shard-").expect("ours").parse().expect("ours");
        let start: usize = parts[2].parse().expect("ours");
        let records = &self.streams[parts[0]][shard].records;
        let end = records.len().min(start + 500);
        let next = format!("{}/{}/{end}", parts[0], parts[1]);
        json!({"Records": records[start..end], "NextShardIterator": next, "MillisBehindLatest": 0})
    }
}
