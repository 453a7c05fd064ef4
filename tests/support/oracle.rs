//! Records that say where they come from, and what must be read back of them.
//!
//! A record is named by its writer, its shard and its number among all that this writer has sent to
//! this shard. Its bytes follow from the name, so one that was never sent cannot pass.

use std::collections::BTreeMap;

use shardway::base::ids::{Seq, ShardNumber, StreamUuid};
use shardway::base::limits::READ_BYTES_MAX;
use shardway::base::rng::SplitMix64;
use shardway::base::stream::Position;
use shardway::client::{Client, ReadRecord};
use shardway::record::BatchBuilder;

/// The seed of a test: from SHARDWAY_TEST_SEED, else new; printed, since a failure needs it.
pub fn seed(test: &str) -> u64 {
    let given =
        std::env::var("SHARDWAY_TEST_SEED").ok().map(|text| text.parse().expect("a number"));
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("after 1970").subsec_nanos().into()
    });
    println!("{test}: SHARDWAY_TEST_SEED={seed}");
    seed
}

/// A record's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Who sent it.
    pub writer: u32,
    /// To which shard.
    pub shard: u32,
    /// As which of its records there, from 0.
    pub number: u64,
}

impl Name {
    /// Its partition key.
    pub fn key(&self) -> String {
        format!("writer-{}", self.writer)
    }

    /// Its data: the name, then so many bytes that follow from it.
    pub fn data(&self, filler: &Filler, bytes: usize) -> Vec<u8> {
        let mut data =
            format!("{} {} {} {bytes} ", self.writer, self.shard, self.number).into_bytes();
        data.extend_from_slice(filler.of(self, bytes));
        data
    }

    /// The name of a stored record. Panics if such a record was never made.
    pub fn of(filler: &Filler, read: &ReadRecord<'_>) -> Name {
        let invented = || panic!("nobody sent the record {} of {}", read.record.seq, read.shard);
        let mut fields = read.record.data.splitn(5, |b| *b == b' ');
        let mut number =
            || -> Option<u64> { std::str::from_utf8(fields.next()?).ok()?.parse().ok() };
        let (Some(writer), Some(shard), Some(nth), Some(bytes)) =
            (number(), number(), number(), number())
        else {
            invented()
        };
        let name = Name { writer: writer as u32, shard: shard as u32, number: nth };
        let rest = fields.next().unwrap_or_else(|| invented());
        let sound = name.shard == read.shard.0 && rest == filler.of(&name, bytes as usize);
        if !sound || read.record.partition_key != name.key() {
            invented();
        }
        name
    }
}

/// Bytes without a pattern, cut differently for each record.
#[derive(Clone, Debug)]
pub struct Filler(Vec<u8>);

impl Filler {
    /// Enough for records of up to `bytes_max`.
    pub fn new(bytes_max: usize) -> Filler {
        let mut bytes = vec![0; bytes_max + 4096];
        SplitMix64::new(7).fill(&mut bytes);
        Filler(bytes)
    }

    fn of(&self, name: &Name, bytes: usize) -> &[u8] {
        let mixed = name.number * 31 + u64::from(name.writer) * 7 + u64::from(name.shard);
        let start = (mixed % 4096) as usize;
        self.0.get(start..start + bytes).unwrap_or_default()
    }
}

/// What one writer knows of one shard.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Number of records sent.
    pub sent: u64,
    /// Acknowledged records: which got which sequence.
    pub acked: BTreeMap<u64, Seq>,
    /// The first number of each connection: what is lost of a connection is its end.
    pub connections: Vec<u64>,
}

/// What all writers know. What was read is held against it.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// Made all records.
    pub filler: Filler,
    /// By writer and shard.
    pub sent: BTreeMap<(u32, u32), Sent>,
}

impl Oracle {
    /// Nothing sent yet.
    pub fn new(filler: Filler) -> Oracle {
        Oracle { filler, sent: BTreeMap::new() }
    }

    /// Takes over what a writer has learned.
    pub fn learn(&mut self, writer: u32, shards: BTreeMap<u32, Sent>) {
        self.sent.extend(shards.into_iter().map(|(shard, sent)| ((writer, shard), sent)));
    }

    /// Records that were acknowledged.
    pub fn acked(&self) -> u64 {
        self.sent.values().map(|sent| sent.acked.len() as u64).sum()
    }

    /// Holds all records of a shard, read from its start, against what was sent.
    ///
    /// Every acknowledged record is there at its sequence; none was never sent; each writer's
    /// records are in its order; and what a connection has lost is the end of what it sent.
    pub fn verify(&self, shard: u32, records: &[Name]) {
        let mut stored: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
        for (seq, name) in records.iter().enumerate() {
            assert_eq!(name.shard, shard);
            stored.entry(name.writer).or_default().push((name.number, seq as u64));
        }
        for (&(writer, _), sent) in self.sent.iter().filter(|((_, s), _)| *s == shard) {
            let stored = stored.remove(&writer).unwrap_or_default();
            verify_writer(&format!("writer {writer}, shard {shard}"), sent, &stored);
        }
        assert!(stored.is_empty(), "records of writers that never wrote to shard {shard}");
    }
}

fn verify_writer(who: &str, sent: &Sent, stored: &[(u64, u64)]) {
    let ordered = stored.windows(2).find(|pair| pair[0].0 >= pair[1].0);
    assert_eq!(ordered, None, "{who}: out of order, or stored twice");
    if let Some((last, seq)) = stored.last() {
        assert!(*last < sent.sent, "{who}: record {last} at {seq} was never sent");
    }
    let places: BTreeMap<u64, u64> = stored.iter().copied().collect();
    for (number, seq) in &sent.acked {
        let place = places.get(number);
        assert_eq!(place, Some(&seq.0), "{who}: record {number} was acknowledged as {seq}");
    }
    for (i, &first) in sent.connections.iter().enumerate() {
        let end = sent.connections.get(i + 1).copied().unwrap_or(sent.sent);
        let kept = places.range(first..end).count() as u64;
        let last = places.range(first..end).next_back().map_or(first, |(number, _)| number + 1);
        assert_eq!(first + kept, last, "{who}: a hole among the records of connection {i}");
    }
}

/// A batch of records with these names.
pub fn batch_of(builder: &mut BatchBuilder, filler: &Filler, names: &[Name], bytes: &[usize]) {
    builder.clear();
    for (name, bytes) in names.iter().zip(bytes) {
        let data = name.data(filler, *bytes);
        builder.push(&name.key(), None, &data).expect("the batch is small enough");
    }
}

/// Reads a shard from a position to where it ends now; calls `each` for every record.
pub fn read_to_tip(
    client: &mut Client,
    stream: StreamUuid,
    shard: ShardNumber,
    position: Position,
    mut each: impl FnMut(ReadRecord<'_>),
) -> Seq {
    let tip = tip_of(client, stream, shard);
    let mut iterator = client.get_iterator(stream, shard, position).expect("the shard exists");
    loop {
        let fetched = client.get(&iterator, 10_000, READ_BYTES_MAX as u32, 0).expect("no limits");
        let end = fetched.batches.for_each(&mut each).expect("sound batches");
        assert_eq!(end, fetched.end);
        if fetched.end >= tip {
            return fetched.end;
        }
        iterator = fetched.next_iterator;
    }
}

/// Where a shard ends now.
pub fn tip_of(client: &mut Client, stream: StreamUuid, shard: ShardNumber) -> Seq {
    let latest = client.get_iterator(stream, shard, Position::Latest).expect("the shard exists");
    client.get(&latest, 1, 1, 0).expect("no limits").first
}

/// All names of a shard, in its order; sequences are dense from 0.
pub fn read_names(
    client: &mut Client,
    stream: StreamUuid,
    shard: ShardNumber,
    filler: &Filler,
) -> Vec<Name> {
    let mut names = Vec::new();
    read_to_tip(client, stream, shard, Position::TrimHorizon, |read| {
        assert_eq!(read.record.seq.0, names.len() as u64, "sequences are dense from 0");
        names.push(Name::of(filler, &read));
    });
    names
}
