//! A writer: its keys, the batches it has under way, and what became of them, in the order in
//! which it sent them.

use std::collections::VecDeque;

use shardway::base::error::ErrorCode;
use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::client::PutAnswer;
use shardway::record::BatchBuilder;
use shardway::wire::Opcode;
use shardway::wire::put::Put;
use shardway::wire::shards::ShardMap;

use crate::failure::{Failure, Result};
use crate::keyed::{Keys, Ledger};
use crate::outbox::Outbox;
use crate::writer::correlation;

/// See the module.
#[derive(Debug)]
pub struct Lane {
    writer: u32,
    /// Index of its connection.
    pub connection: usize,
    /// Its keys, and the counter of each one's next record.
    keys: Vec<(u32, u64)>,
    next_key: usize,
    sent: u64,
    in_flight: VecDeque<Sent>,
    /// Intended times of batches that wait for a place in flight.
    late: VecDeque<u64>,
    shard: ShardNumber,
    map_version: u64,
    /// Batches whose records went to other shards than the writer had named.
    pub redirected: u64,
    /// Records that were refused; they are not sent again.
    pub refused_records: u64,
}

/// A batch under way.
#[derive(Debug)]
struct Sent {
    n: u64,
    intended_ns: u64,
    asked: ShardNumber,
    /// Key, counter and hash.
    records: Vec<(u32, u64, u64)>,
    /// For each record whether it was stored, once that is known.
    stored: Option<Vec<bool>>,
}

/// What all lanes send with.
#[derive(Debug)]
pub struct Sender<'a> {
    /// The stream.
    pub stream: StreamUuid,
    /// The keys of all lanes.
    pub keys: &'a Keys,
    /// Records of a batch.
    pub batch_records: usize,
    /// Batches that a lane may have under way.
    pub in_flight_max: usize,
    /// The batch that is being built.
    pub builder: BatchBuilder,
    /// The record that is being built.
    pub data: Vec<u8>,
}

impl Lane {
    /// A writer with a slice of the hash key space.
    #[must_use]
    pub fn new(writer: u32, connection: usize, keys: &Keys, map: &ShardMap) -> Lane {
        let mut lane = Lane {
            writer,
            connection,
            keys: keys.of_slice(writer).map(|key| (key, 0)).collect(),
            next_key: 0,
            sent: 0,
            in_flight: VecDeque::new(),
            late: VecDeque::new(),
            shard: ShardNumber::ANY,
            map_version: 0,
            redirected: 0,
            refused_records: 0,
        };
        lane.route(keys, map);
        lane
    }

    /// From now on it sends by this map: to the shard that owns all of its keys, or, where several
    /// do, to any.
    pub fn route(&mut self, keys: &Keys, map: &ShardMap) {
        let owns_all = |range: shardway::record::HashRange| {
            self.keys.iter().all(|&(key, _)| range.contains(keys.key(key).hash))
        };
        let owner = map.shards.iter().find(|shard| owns_all(shard.range));
        self.shard = owner.map_or(ShardNumber::ANY, |shard| shard.number);
        self.map_version = map.map_version;
    }

    /// A batch is meant to leave at `intended_ns`: it leaves, or waits its turn.
    pub fn arrive(&mut self, intended_ns: u64, sender: &mut Sender<'_>, outbox: &mut Outbox) {
        self.late.push_back(intended_ns);
        self.catch_up(sender, outbox);
    }

    /// Sends late batches for which there is room.
    pub fn catch_up(&mut self, sender: &mut Sender<'_>, outbox: &mut Outbox) {
        while self.in_flight.len() < sender.in_flight_max {
            let Some(intended_ns) = self.late.pop_front() else { return };
            self.send(intended_ns, sender, outbox);
        }
    }

    /// Gives up what is late.
    pub fn abandon_late(&mut self) {
        self.late.clear();
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether a batch that was meant for a time before `ns` has no answer yet.
    #[must_use]
    pub fn owes(&self, ns: u64) -> bool {
        let open = self.in_flight.iter().filter(|sent| sent.stored.is_none());
        let mut times = open.map(|sent| sent.intended_ns).chain(self.late.iter().copied());
        times.any(|intended_ns| intended_ns < ns)
    }

    fn send(&mut self, intended_ns: u64, sender: &mut Sender<'_>, outbox: &mut Outbox) {
        let n = self.sent;
        self.sent += 1;
        sender.builder.clear();
        let mut records = Vec::with_capacity(sender.batch_records);
        for _ in 0..sender.batch_records {
            let at = self.next_key;
            self.next_key = (at + 1) % self.keys.len();
            let (key, counter) = &mut self.keys[at];
            let hash = sender.keys.record(*key, *counter, &mut sender.data);
            let name = &sender.keys.key(*key).name;
            sender.builder.push(name, None, &sender.data).expect("the options were checked");
            records.push((*key, *counter, hash));
            *counter += 1;
        }
        let batch = sender.builder.finish();
        let (stream, shard, map_version) = (sender.stream, self.shard, self.map_version);
        let put = Put { stream, shard, map_version, batch: &[] };
        outbox.control(Opcode::Put, correlation(self.writer, n), |w| {
            put.write_prefix(w);
            w.bytes(batch);
        });
        self.in_flight.push_back(Sent { n, intended_ns, asked: shard, records, stored: None });
    }

    /// The answer to a batch. Returns the batch's intended time.
    pub fn answered(
        &mut self,
        correlation_id: u64,
        answer: &PutAnswer,
        ledger: &mut Ledger,
    ) -> Result<u64> {
        let sent = self.open(correlation_id)?;
        if answer.records() != sent.records.len() as u64 {
            let (records, answered) = (sent.records.len(), answer.records());
            let what = format!("a put of {records} records is answered for {answered}");
            return Err(Failure::Protocol(what));
        }
        let outcomes = answer.outcomes();
        let mut fatal = outcomes.iter().filter_map(|(_, outcome)| outcome.err());
        if let Some(code) = fatal.find(|code| !code.is_retryable()) {
            return Err(Failure::Server { code, message: answer.message.clone() });
        }
        sent.stored = Some(outcomes.iter().map(|(_, outcome)| outcome.is_ok()).collect());
        let asked = sent.asked;
        let elsewhere = outcomes.iter().any(|(shard, _)| *shard != asked);
        let intended_ns = sent.intended_ns;
        self.redirected += u64::from(asked != ShardNumber::ANY && elsewhere);
        self.settle(ledger);
        Ok(intended_ns)
    }

    /// A batch was refused as a whole. Returns its intended time.
    pub fn refused(
        &mut self,
        correlation_id: u64,
        code: ErrorCode,
        message: &str,
        ledger: &mut Ledger,
    ) -> Result<u64> {
        let sent = self.open(correlation_id)?;
        if !code.is_retryable() {
            return Err(Failure::Server { code, message: message.to_owned() });
        }
        sent.stored = Some(vec![false; sent.records.len()]);
        let intended_ns = sent.intended_ns;
        self.settle(ledger);
        Ok(intended_ns)
    }

    fn open(&mut self, correlation_id: u64) -> Result<&mut Sent> {
        let writer = self.writer;
        let open = |sent: &&mut Sent| {
            sent.stored.is_none() && correlation(writer, sent.n) == correlation_id
        };
        let unasked = || Failure::Protocol(format!("writer {writer} has no such put under way"));
        self.in_flight.iter_mut().find(open).ok_or_else(unasked)
    }

    /// Answers of different shards may overtake each other: the ledger wants them as sent.
    fn settle(&mut self, ledger: &mut Ledger) {
        while self.in_flight.front().is_some_and(|sent| sent.stored.is_some()) {
            let sent = self.in_flight.pop_front().expect("it was just looked at");
            let stored = sent.stored.expect("it was just looked at");
            for ((key, counter, hash), stored) in sent.records.into_iter().zip(stored) {
                if stored {
                    ledger.add(key, counter, hash).expect("counters of a key ascend");
                } else {
                    self.refused_records += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardway::base::ids::{CoreId, Millis, Seq};
    use shardway::record::HashRange;
    use shardway::wire::put::PutRun;
    use shardway::wire::shards::ShardDescription;

    fn map(shards: u32) -> ShardMap {
        let shard = |(n, range)| ShardDescription {
            number: ShardNumber(n),
            home: CoreId(0),
            range,
            parent: None,
            adjacent_parent: None,
            created: Millis(0),
            closed: None,
        };
        let shards = (0..).zip(HashRange::split_evenly(shards)).map(shard).collect();
        ShardMap { stream: StreamUuid([1; 16]), map_version: 3, shards }
    }

    fn sender(keys: &Keys) -> Sender<'_> {
        let (builder, data) = (BatchBuilder::new(), Vec::new());
        let stream = StreamUuid([1; 16]);
        Sender { stream, keys, batch_records: 2, in_flight_max: 2, builder, data }
    }

    fn stored(shard: u32) -> PutAnswer {
        let run =
            PutRun { shard: ShardNumber(shard), count: 2, outcome: Ok(Seq(0)), arrival: Millis(0) };
        PutAnswer { runs: vec![run], message: String::new(), run_of: Vec::new() }
    }

    #[test]
    fn a_writer_names_the_shard_of_its_keys_and_none_where_they_lie_in_two() {
        let keys = Keys::find(24, 4, 100, 1);
        for (shards, named) in [(4, true), (8, true), (3, true), (6, true), (5, false)] {
            let lanes: Vec<_> = (0..24).map(|w| Lane::new(w, 0, &keys, &map(shards))).collect();
            let all = lanes.iter().all(|lane| lane.shard != ShardNumber::ANY);
            assert_eq!(all, named, "{shards} shards");
        }
    }

    #[test]
    fn answers_out_of_order_are_booked_in_the_order_of_sending() {
        let keys = Keys::find(1, 2, 100, 1);
        let (mut lane, mut outbox) = (Lane::new(0, 0, &keys, &map(1)), Outbox::default());
        let (mut sender, mut ledger) = (sender(&keys), Ledger::new(keys.len()));
        for intended in [10, 20, 30] {
            lane.arrive(intended, &mut sender, &mut outbox);
        }
        assert!(lane.owes(11) && !lane.owes(10));
        let second = lane.answered(correlation(0, 1), &stored(7), &mut ledger);
        assert_eq!(second.expect("it is under way"), 20);
        assert_eq!((ledger.records(), lane.redirected), (0, 1), "the first is not answered yet");
        let twice = lane.answered(correlation(0, 1), &stored(0), &mut ledger);
        assert!(twice.is_err(), "it was answered before");
        let throttled = ErrorCode::ProvisionedThroughputExceeded;
        let first = lane.refused(correlation(0, 0), throttled, "", &mut ledger);
        assert_eq!(first.expect("it is under way"), 10);
        assert_eq!((ledger.records(), lane.refused_records), (2, 2));
        lane.catch_up(&mut sender, &mut outbox);
        let third = lane.answered(correlation(0, 2), &stored(0), &mut ledger);
        assert_eq!(third.expect("it was sent when there was room"), 30);
        assert!(lane.is_settled() && ledger.records() == 4);
    }
}
