//! A reader that has missed a lot: it replays a backlog again and again beside a measured load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use shardway::base::limits::READ_BYTES_MAX;
use shardway::base::stream::Position;
use shardway::client::{Client, ConnectOptions, Incoming};

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::pin;
use crate::run;
use crate::stream::TestStream;
use crate::workload::Workload;

/// A backlog is written within this time.
const FILL_TIME: Duration = Duration::from_secs(600);
/// Records of one answer at most.
const RECORDS: u32 = 10_000;
/// A server that does not answer for so long has stopped.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Records that are there to be replayed.
#[derive(Debug)]
pub struct Backlog {
    stream: TestStream,
}

impl Backlog {
    /// Writes at least `bytes` into a stream of its own, as fast as the server takes it.
    pub fn write(context: &Context, workload: &Workload, bytes: u64) -> Result<Backlog> {
        let record_bytes = workload.record_bytes as u64;
        let fill = Workload {
            rate: None,
            skew: None,
            consumers: 0,
            stalled_consumers: 0,
            batch_records: workload
                .batch_records
                .max((64 << 10) / workload.record_bytes as u32 + 1),
            in_flight: 4,
            records_max: Some(bytes.div_ceil(record_bytes)),
            warmup: Duration::ZERO,
            duration: FILL_TIME,
            ..workload.clone()
        };
        let mut stream = TestStream::create(context.address, &fill)?;
        run::write_only(context, "writing the backlog", &mut stream, &fill)?;
        Ok(Backlog { stream })
    }

    /// Starts to replay it.
    #[must_use]
    pub fn replay(&self) -> Replay {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (address, map) = (self.stream.address(), &self.stream.map);
        let stream = map.stream;
        let shards: Vec<_> = map.shards.iter().map(|shard| shard.number).collect();
        let thread = thread::spawn(move || {
            // It shares the load generator's CPU, and must not be what is measured there.
            pin::make_way();
            let mut replayed = Replayed { bytes: 0, rounds: 0, seconds: 0.0 };
            let start = Instant::now();
            let mut client = connect(address)?;
            while !stopped.load(Ordering::Relaxed) {
                for &shard in &shards {
                    let mut iterator = client.get_iterator(stream, shard, Position::TrimHorizon)?;
                    while !stopped.load(Ordering::Relaxed) {
                        let (bytes, next) = page(&mut client, &iterator)?;
                        replayed.bytes += bytes;
                        if bytes == 0 || next.is_empty() {
                            break;
                        }
                        iterator = next;
                    }
                }
                replayed.rounds += 1;
            }
            replayed.seconds = start.elapsed().as_secs_f64();
            Ok(replayed)
        });
        Replay { stop, thread }
    }
}

fn connect(address: SocketAddr) -> Result<Client> {
    let client_name = concat!("loadgen/", env!("CARGO_PKG_VERSION")).to_owned();
    let options =
        ConnectOptions { client_name, timeout: ANSWER_TIMEOUT, ..ConnectOptions::default() };
    Ok(Client::connect(&address.to_string(), options)?)
}

/// The next records: their bytes, and the iterator behind them.
fn page(client: &mut Client, iterator: &[u8]) -> Result<(u64, Vec<u8>)> {
    client.send_get(iterator, RECORDS, READ_BYTES_MAX as u32, 0)?;
    match client.next_event(ANSWER_TIMEOUT)? {
        Some(Incoming::Fetched { answer, .. }) => {
            Ok((answer.batches.bytes(), answer.next_iterator))
        }
        Some(Incoming::Failed { error, .. }) => Err(error.into()),
        Some(other) => Err(Failure::Protocol(format!("{other:?} instead of a get's answer"))),
        None => Err(Failure::Stalled(format!("no answer to a get within {ANSWER_TIMEOUT:?}"))),
    }
}

/// A running replay.
#[derive(Debug)]
pub struct Replay {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Replayed>>,
}

/// What was replayed.
#[derive(Clone, Copy, Debug)]
pub struct Replayed {
    /// Bytes of batches.
    pub bytes: u64,
    /// Times that the whole backlog was read, rounded up.
    pub rounds: u32,
    /// Time.
    pub seconds: f64,
}

impl Replay {
    /// Ends it.
    pub fn finish(self) -> Result<Replayed> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a reader does not panic")
    }
}
