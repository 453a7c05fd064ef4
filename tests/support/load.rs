//! Writers that put batches all the time, and remember what was acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use shardway::base::error::ApiError;
use shardway::base::ids::{Seq, ShardNumber};
use shardway::base::rng::SplitMix64;
use shardway::client::{Client, ClientError, Incoming};
use shardway::record::BatchBuilder;
use shardway::wire::streams::StreamDescription;

use super::oracle::{Filler, Name, Sent, batch_of};
use super::process::HANG;

/// How a writer writes.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Records of a batch, at most.
    pub records_max: u64,
    /// Bytes of a record, at most.
    pub bytes_max: u64,
    /// Puts on their way at once.
    pub window: usize,
}

/// What writers and the test share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Bytes of acknowledged batches.
    pub acked_bytes: AtomicU64,
    /// Acknowledged puts.
    pub acked_puts: AtomicU64,
    /// No new puts; the answers to those that were sent are still taken.
    pub stop: AtomicBool,
}

/// What all writers of a load have in common.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub stream: StreamDescription,
    /// Makes the records.
    pub filler: Filler,
    /// How.
    pub shape: Shape,
    /// What they share with the test.
    pub shared: Arc<Shared>,
}

impl Load {
    /// A load that has not begun.
    pub fn new(stream: &StreamDescription, filler: &Filler, shape: Shape) -> Load {
        let (stream, filler) = (stream.clone(), filler.clone());
        Load { stream, filler, shape, shared: Arc::default() }
    }

    /// Starts a writer that goes on from what it knows already. It writes on a thread until it is
    /// told to stop or the server refuses or is gone.
    pub fn start(
        &self,
        client: Client,
        id: u32,
        seed: u64,
        mut sent: BTreeMap<u32, Sent>,
    ) -> thread::JoinHandle<Wrote> {
        for shard in &self.stream.shards {
            let sent = sent.entry(shard.number.0).or_default();
            sent.connections.push(sent.sent);
        }
        let (load, random) = (self.clone(), SplitMix64::new(seed));
        let mut writer = Writer { client, id, load, random, sent, open: HashMap::new() };
        thread::spawn(move || {
            let error = writer.write().err();
            Wrote { writer: writer.id, sent: writer.sent, error }
        })
    }
}

struct Writer {
    client: Client,
    id: u32,
    load: Load,
    random: SplitMix64,
    sent: BTreeMap<u32, Sent>,
    open: HashMap<u64, Open>,
}

/// A put without an answer.
struct Open {
    shard: u32,
    first: u64,
    count: u64,
    bytes: u64,
}

/// How a writer ended, and what it knows.
pub struct Wrote {
    /// Which.
    pub writer: u32,
    /// What it knows.
    pub sent: BTreeMap<u32, Sent>,
    /// Why it ended, unless it was told to.
    pub error: Option<ClientError>,
}

impl Writer {
    /// Ends with the first error, and not before everything that still comes has been taken.
    fn write(&mut self) -> Result<(), ClientError> {
        let written = self.write_until_stopped();
        while !self.open.is_empty() {
            match self.take_answer() {
                // The rest was refused as well; what is behind it may have been stored.
                Err(ClientError::Api(_)) | Ok(()) => {}
                Err(gone) => return written.and(Err(gone)),
            }
        }
        written
    }

    fn write_until_stopped(&mut self) -> Result<(), ClientError> {
        let mut builder = BatchBuilder::new();
        while !self.load.shared.stop.load(Ordering::Relaxed) {
            while self.open.len() >= self.load.shape.window {
                self.take_answer()?;
            }
            self.put(&mut builder)?;
        }
        Ok(())
    }

    fn put(&mut self, builder: &mut BatchBuilder) -> Result<(), ClientError> {
        let shard = self.random.below(self.load.stream.shards.len() as u64) as u32;
        let sent = self.sent.get_mut(&shard).expect("every shard has its entry");
        let (first, count) = (sent.sent, 1 + self.random.below(self.load.shape.records_max));
        let names: Vec<Name> =
            (first..first + count).map(|number| Name { writer: self.id, shard, number }).collect();
        let bytes: Vec<usize> =
            names.iter().map(|_| self.random.below(self.load.shape.bytes_max) as usize).collect();
        batch_of(builder, &self.load.filler, &names, &bytes);
        // From here on it may be stored, whatever becomes of the call.
        sent.sent += count;
        let batch = builder.finish();
        let (uuid, version) = (self.load.stream.summary.uuid, self.load.stream.summary.map_version);
        let id = self.client.send_put(uuid, ShardNumber(shard), version, batch)?;
        let bytes = batch.len() as u64;
        self.open.insert(id, Open { shard, first, count, bytes });
        Ok(())
    }

    fn take_answer(&mut self) -> Result<(), ClientError> {
        match self.client.next_event(HANG)? {
            Some(Incoming::Put { correlation, answer }) => {
                let open = self.open.remove(&correlation).expect("an answer to a put of ours");
                assert_eq!((answer.runs.len(), answer.records()), (1, open.count));
                let run = answer.runs[0];
                assert_eq!(run.shard.0, open.shard, "{}", answer.message);
                let base = run.outcome.map_err(|code| ApiError::new(code, answer.message))?;
                self.stored(&open, base);
                Ok(())
            }
            Some(Incoming::Failed { correlation, error, .. }) => {
                self.open.remove(&correlation);
                Err(error.into())
            }
            other => panic!("a writer got {other:?}"),
        }
    }

    fn stored(&mut self, open: &Open, base: Seq) {
        let sent = self.sent.get_mut(&open.shard).expect("it was written to");
        if let Some((last, seq)) = sent.acked.last_key_value() {
            assert!(*last < open.first && *seq < base, "answers of a shard come in order");
        }
        let numbers = open.first..open.first + open.count;
        sent.acked.extend(numbers.zip(0..).map(|(number, nth)| (number, base.plus(nth))));
        self.load.shared.acked_bytes.fetch_add(open.bytes, Ordering::Relaxed);
        self.load.shared.acked_puts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until the writers have so many bytes acknowledged, or one of them has ended.
pub fn wait_acked(shared: &Shared, bytes: u64, writers: &[thread::JoinHandle<Wrote>]) {
    let mut before = (0, std::time::Instant::now());
    loop {
        let acked = shared.acked_bytes.load(Ordering::Relaxed);
        if acked >= bytes || writers.iter().any(thread::JoinHandle::is_finished) {
            return;
        }
        if acked > before.0 {
            before = (acked, std::time::Instant::now());
        }
        assert!(before.1.elapsed() < HANG, "no put was answered for {HANG:?}: stuck at {acked}");
        thread::sleep(Duration::from_millis(1));
    }
}
