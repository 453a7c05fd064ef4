//! Reading by iterator: every position, limits, long poll, iterators that are no good.

use std::time::{Duration, Instant};

use shardway::base::ids::{Millis, Seq, ShardNumber, StreamUuid};
use shardway::base::stream::Position;
use shardway::client::{Client, ClientError};
use shardway::record::BatchBuilder;
use shardway::wire::streams::StreamDescription;

use crate::oracle::{read_to_tip, tip_of};
use crate::process::{HANG, Server, Setup, new_dir, until};
use crate::unlimited;

const SHARD: ShardNumber = ShardNumber(0);

/// A shard with more records than its tail, in several segments and terms.
struct Library {
    _server: Server,
    client: Client,
    stream: StreamDescription,
    /// When each record arrived.
    arrivals: Vec<Millis>,
    _dir: tempfile::TempDir,
}

impl Library {
    fn new() -> Library {
        let dir = new_dir();
        let setup = Setup::new(&dir.path().join("data")).flag("--tail-bytes", "16MiB");
        let mut server = setup.start();
        let stream = server.client().create_stream("books", 1, unlimited()).unwrap();
        for part in 0..3 {
            // 30 MiB each: the first records are nowhere but in segments, the last in memory.
            fill(&mut server.client(), stream.summary.uuid, part * 300, 300);
            if part < 2 {
                server.stop_clean();
                server = setup.start();
            }
        }
        let mut client = server.client();
        let mut arrivals = Vec::new();
        read_to_tip(&mut client, stream.summary.uuid, SHARD, Position::TrimHorizon, |read| {
            assert_eq!(read.record.seq.0, arrivals.len() as u64);
            assert_eq!(read.record.data[..8], read.record.seq.0.to_be_bytes());
            arrivals.push(read.arrival);
        });
        assert_eq!(arrivals.len(), 900);
        Library { _server: server, client, stream, arrivals, _dir: dir }
    }

    /// The first sequence that a get from there brings.
    fn first(&mut self, position: Position) -> Result<Seq, ClientError> {
        let iterator = self.client.get_iterator(self.stream.summary.uuid, SHARD, position)?;
        Ok(self.client.get(&iterator, 1, 1 << 20, 0)?.first)
    }
}

/// Single records of 100 KB that say their sequence.
fn fill(client: &mut Client, stream: StreamUuid, first: u64, count: u64) {
    let mut builder = BatchBuilder::new();
    for number in first..first + count {
        let mut data = vec![0; 100_000];
        data[..8].copy_from_slice(&number.to_be_bytes());
        builder.clear();
        builder.push("k", None, &data).unwrap();
        assert!(client.put(stream, SHARD, 1, builder.finish()).unwrap().is_stored());
    }
}

#[test]
fn every_position_finds_its_record_in_segments_and_in_memory() {
    let mut library = Library::new();
    assert_eq!(library.first(Position::TrimHorizon).unwrap(), Seq(0));
    assert_eq!(library.first(Position::Latest).unwrap(), Seq(900));
    for seq in [0, 1, 299, 300, 301, 599, 600, 750, 898, 899].map(Seq) {
        assert_eq!(library.first(Position::AtSequence(seq)).unwrap(), seq);
        assert_eq!(library.first(Position::AfterSequence(seq)).unwrap(), seq.plus(1));
    }
    assert_eq!(library.first(Position::AtSequence(Seq(900))).unwrap(), Seq(900), "the next one");
    for beyond in [Position::AtSequence(Seq(901)), Position::AfterSequence(Seq(900))] {
        let error = library.first(beyond).unwrap_err().to_string();
        assert!(error.starts_with("InvalidArgumentException"), "{error}");
    }
}

#[test]
fn a_timestamp_finds_the_first_record_of_its_time_wherever_that_lies() {
    let mut library = Library::new();
    let arrivals = library.arrivals.clone();
    let ordered = arrivals.windows(2).all(|pair| pair[0] <= pair[1]);
    assert!(ordered, "arrival never goes back, not even across restarts");
    for (seq, time) in arrivals.iter().enumerate().step_by(13) {
        for time in [Millis(time.0 - 1), *time, Millis(time.0 + 1)] {
            let expected = arrivals.partition_point(|arrival| *arrival < time) as u64;
            let found = library.first(Position::AtTimestamp(time)).unwrap();
            assert_eq!(found, Seq(expected), "record {seq}, time {time:?}");
        }
    }
    assert_eq!(library.first(Position::AtTimestamp(Millis(0))).unwrap(), Seq(0));
    let future = Millis(arrivals[899].0 + 3_600_000);
    let error = library.first(Position::AtTimestamp(future)).unwrap_err().to_string();
    assert!(error.starts_with("InvalidArgumentException"), "{error}");
}

#[test]
fn a_get_keeps_to_its_limits_and_its_iterator_goes_on_behind_them() {
    let mut library = Library::new();
    let (stream, client) = (library.stream.summary.uuid, &mut library.client);
    for from in [0, 595, 880] {
        let position = Position::AtSequence(Seq(from));
        let iterator = client.get_iterator(stream, SHARD, position).unwrap();
        let two = client.get(&iterator, 2, 1 << 20, 0).unwrap();
        assert_eq!((two.first, two.end), (Seq(from), Seq(from + 2)));
        assert!(two.behind_ms > 0, "more follows");
        let small = client.get(&two.next_iterator, 100, 1000, 0).unwrap();
        let one = (small.first, small.end);
        assert_eq!(one, (Seq(from + 2), Seq(from + 3)), "a single larger batch comes alone");
        let bytes = client.get(&small.next_iterator, 100, 250_000, 0).unwrap();
        assert!(bytes.batches.bytes() <= 250_000 && bytes.end > bytes.first);
        assert_eq!(bytes.first, Seq(from + 3));
        let again = client.get(&iterator, 2, 1 << 20, 0).unwrap();
        assert_eq!(again.end, two.end, "an iterator may be used twice");
    }
    let iterator = client.get_iterator(stream, SHARD, Position::TrimHorizon).unwrap();
    let whole = client.get(&iterator, 10_000, u32::MAX, 0).unwrap();
    assert!(whole.batches.bytes() <= 1 << 20, "never more than 1 MiB");
    for limit in [0, 10_001] {
        let error = client.get(&iterator, limit, 1 << 20, 0).unwrap_err().to_string();
        assert!(error.starts_with("InvalidArgumentException"), "{error}");
    }
}

#[test]
fn a_get_inside_a_batch_starts_and_ends_inside_it() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    let mut client = server.client();
    let stream = client.create_stream("batches", 1, unlimited()).unwrap();
    let mut builder = BatchBuilder::new();
    for number in 0..100u64 {
        builder.push("k", None, &number.to_be_bytes()).unwrap();
    }
    client.put(stream.summary.uuid, SHARD, 1, builder.finish()).unwrap();
    let check = |client: &mut Client| {
        let position = Position::AtSequence(Seq(42));
        let iterator = client.get_iterator(stream.summary.uuid, SHARD, position).unwrap();
        let fetched = client.get(&iterator, 5, 1 << 20, 0).unwrap();
        let mut numbers = Vec::new();
        let each = |r: shardway::client::ReadRecord<'_>| numbers.push(r.record.seq.0);
        fetched.batches.for_each(each).unwrap();
        assert_eq!(numbers, [42, 43, 44, 45, 46]);
        let rest = client.get(&fetched.next_iterator, 10_000, 1 << 20, 0).unwrap();
        assert_eq!((rest.first, rest.end), (Seq(47), Seq(100)));
    };
    check(&mut client);
    server.stop_clean();
    check(&mut setup.start().client());
}

#[test]
fn a_long_poll_ends_with_the_record_or_with_its_wait() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let (mut reader, mut writer) = (server.client(), server.client());
    let stream = writer.create_stream("poll", 1, unlimited()).unwrap();
    let iterator = reader.get_iterator(stream.summary.uuid, SHARD, Position::Latest).unwrap();
    let started = Instant::now();
    let empty = reader.get(&iterator, 10, 1 << 20, 300).unwrap();
    assert!(empty.batches.is_empty() && empty.first == empty.end);
    assert!(started.elapsed() >= Duration::from_millis(295), "{:?}", started.elapsed());
    // A wait of 30 s that a record ends: the answer can only come from the record.
    let waiting = reader.send_get(&empty.next_iterator, 10, 1 << 20, 30_000).unwrap();
    reader.ping().unwrap();
    let started = Instant::now();
    fill(&mut writer, stream.summary.uuid, 0, 1);
    let woken = reader.next_event(HANG).unwrap().unwrap();
    assert_eq!(woken.correlation(), Some(waiting));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let shardway::client::Incoming::Fetched { answer, .. } = woken else { panic!("{woken:?}") };
    assert_eq!((answer.first, answer.end), (Seq(0), Seq(1)));
    // One that nobody waits for any more holds nothing up.
    reader.send_get(&answer.next_iterator, 10, 1 << 20, 1000).unwrap();
    let connections = server.sockets();
    drop(reader);
    until("the end of its connection", || server.sockets() < connections);
    fill(&mut writer, stream.summary.uuid, 1, 1);
    assert_eq!(tip_of(&mut writer, stream.summary.uuid, SHARD), Seq(2));
}

#[test]
fn iterators_that_were_changed_or_are_of_another_server_are_refused() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let stream = client.create_stream("signed", 1, unlimited()).unwrap();
    fill(&mut client, stream.summary.uuid, 0, 3);
    let sound = client.get_iterator(stream.summary.uuid, SHARD, Position::TrimHorizon).unwrap();
    let mut refuse = |iterator: &[u8]| {
        let error = client.get(iterator, 1, 1 << 20, 0).unwrap_err().to_string();
        assert!(error.starts_with("InvalidArgumentException"), "{error}");
    };
    for at in 0..sound.len() {
        let mut changed = sound.clone();
        changed[at] ^= 0x10;
        refuse(&changed);
    }
    for wrong in [&sound[..sound.len() - 1], &[0; 200], &[]] {
        refuse(wrong);
    }
    let other_dir = new_dir();
    let other = Setup::new(&other_dir.path().join("data")).start();
    let mut other = other.client();
    let theirs = other.create_stream("signed", 1, unlimited()).unwrap();
    let foreign = other.get_iterator(theirs.summary.uuid, SHARD, Position::TrimHorizon).unwrap();
    refuse(&foreign);
    assert_eq!(client.get(&sound, 1, 1 << 20, 0).unwrap().end, Seq(1), "the sound one still works");
}

#[test]
fn iterators_outlive_a_restart() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    let mut client = server.client();
    let stream = client.create_stream("kept", 1, unlimited()).unwrap();
    fill(&mut client, stream.summary.uuid, 0, 3);
    let position = Position::AtSequence(Seq(1));
    let iterator = client.get_iterator(stream.summary.uuid, SHARD, position).unwrap();
    server.kill();
    let server = setup.start();
    let fetched = server.client().get(&iterator, 10, 1 << 20, 0).unwrap();
    assert_eq!((fetched.first, fetched.end), (Seq(1), Seq(3)));
}
