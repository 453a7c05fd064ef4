//! What the fake server holds and how it behaves.

use std::collections::BTreeMap;

use super::{Out, send};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::stream::{Position, ShardLimits, ShardMetrics, StreamOptions, StreamStatus};
use crate::record::{BatchBuilder, BatchView, HashKey, HashRange, Stamp, stamp_in_place};
use crate::wire::Opcode;
use crate::wire::account::{AccountDescription, Commitment};
use crate::wire::alter::StreamChange;
use crate::wire::consumers::ConsumerDescription;
use crate::wire::put::{Put, PutRun};
use crate::wire::reshard::{Reshard, Resharded};
use crate::wire::shards::{ChildShard, ShardDescription, ShardEnd, ShardFilter, ShardStats};
use crate::wire::streams::{StreamDescription, StreamSummary};
use crate::wire::subscribe::{Push, ShardEnded};

const STREAM: StreamUuid = StreamUuid([5; 16]);
const CREATED: Millis = Millis(1_700_000_000_000);

/// See the module.
pub(in crate::cli) struct State {
    /// The stream.
    pub(in crate::cli) summary: StreamSummary,
    /// By number.
    shards: Vec<Shard>,
    /// How the next puts are answered; when it is empty they are stored.
    pub(in crate::cli) moods: Vec<Option<ErrorCode>>,
    /// Puts so far.
    puts: u64,
    /// What happens to the shards before some of the puts, by their numbers.
    pub(in crate::cli) before_puts: BTreeMap<u64, Reshard>,
    /// Errors for the next subscribes.
    pub(in crate::cli) subscribe_errors: Vec<ApiError>,
    pub(in crate::cli) forget_consumers_at_next_subscribe: bool,
    /// Bytes that consumers granted beyond their first window.
    pub(in crate::cli) credit_granted: u64,
    /// Gets so far.
    pub(in crate::cli) gets: u64,
    /// Map versions of the puts so far, each once.
    pub(in crate::cli) map_versions: Vec<u64>,
    /// Requests for changes.
    pub(in crate::cli) asked: Vec<Asked>,
    pub(in crate::cli) consumers: Vec<ConsumerDescription>,
    pub(in crate::cli) tags: BTreeMap<String, String>,
    /// Bytes and records a second of some shards.
    pub(in crate::cli) rates: BTreeMap<u32, (u64, u64)>,
    pub(in crate::cli) subscribers: Vec<Subscriber>,
}

struct Shard {
    description: ShardDescription,
    /// Stored batches.
    batches: Vec<Vec<u8>>,
    /// Listings have it, and nothing else knows it.
    gone: bool,
}

/// A request for a change.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum Asked {
    Created { name: String, shards: u32, options: StreamOptions, tags: Vec<(String, String)> },
    Deleted { with_consumers: bool },
    Altered(StreamChange),
    Resharded(Reshard),
    Registered { name: String, tags: Vec<(String, String)> },
    TaggedConsumer { add: Vec<(String, String)>, remove: Vec<String> },
    UpdatedAccount(bool),
}

/// An open subscription.
pub(in crate::cli) struct Subscriber {
    pub(super) out: Out,
    pub(super) subscription: u32,
    pub(super) shard: ShardNumber,
    pub(super) next: Seq,
}

impl State {
    pub(super) fn new(shards: u32, limits: ShardLimits) -> State {
        let summary = StreamSummary {
            name: "orders".into(),
            arn: "arn:aws:kinesis:us-east-1:000000000000:stream/orders".into(),
            uuid: STREAM,
            status: StreamStatus::Active,
            created: CREATED,
            options: StreamOptions { limits, record_bytes_max: 1000, ..StreamOptions::default() },
            metrics: ShardMetrics::NONE,
            open_shards: shards,
            consumers: 0,
            map_version: 1,
        };
        let mut state = State {
            summary,
            shards: Vec::new(),
            moods: Vec::new(),
            puts: 0,
            before_puts: BTreeMap::new(),
            subscribe_errors: Vec::new(),
            forget_consumers_at_next_subscribe: false,
            credit_granted: 0,
            gets: 0,
            map_versions: Vec::new(),
            asked: Vec::new(),
            consumers: Vec::new(),
            tags: BTreeMap::new(),
            rates: BTreeMap::new(),
            subscribers: Vec::new(),
        };
        for range in HashRange::split_evenly(shards) {
            state.open(range, [None; 2]);
        }
        state
    }

    fn open(&mut self, range: HashRange, parents: [Option<ShardNumber>; 2]) {
        let number = ShardNumber(self.shards.len() as u32);
        let description = ShardDescription {
            number,
            home: CoreId((number.0 % 2) as u16),
            range,
            parent: parents[0],
            adjacent_parent: parents[1],
            created: CREATED,
            closed: None,
        };
        self.shards.push(Shard { description, batches: Vec::new(), gone: false });
    }

    fn close(&mut self, shard: ShardNumber) -> HashRange {
        let end = ShardEnd { at: Millis(CREATED.0 + 60_000), end: self.end(shard) };
        let description = &mut self.shards[shard.0 as usize].description;
        assert!(description.is_open(), "{shard} is split or merged once");
        description.closed = Some(end);
        description.range
    }

    /// Fails for every name but the stream's.
    pub(super) fn named(&self, name: &str) -> Result<(), ApiError> {
        match name == self.summary.name {
            true => Ok(()),
            false => Err(ApiError::not_found("no such stream")),
        }
    }

    pub(super) fn consumer(&self, name: &str) -> Result<ConsumerDescription, ApiError> {
        let known = self.consumers.iter().find(|consumer| consumer.name == name);
        known.cloned().ok_or_else(|| ApiError::not_found("no such consumer"))
    }

    /// A shard expires just after it was listed.
    pub(in crate::cli) fn gone_but_listed(&mut self, shard: u32) {
        self.shards[shard as usize].gone = true;
    }

    /// Splits in the middle.
    pub(in crate::cli) fn split(&mut self, shard: u32) {
        self.reshard(Reshard::Split { shard: ShardNumber(shard), at: None });
    }

    pub(in crate::cli) fn merge(&mut self, shard: u32, adjacent: u32) {
        let (shard, adjacent) = (ShardNumber(shard), ShardNumber(adjacent));
        self.reshard(Reshard::Merge { shard, adjacent });
    }

    pub(super) fn reshard(&mut self, reshard: Reshard) -> Resharded {
        self.asked.push(Asked::Resharded(reshard));
        let (before, first_new) = (self.summary.open_shards, self.shards.len());
        match reshard {
            Reshard::Split { shard, at } => {
                let HashRange { start, end } = self.close(shard);
                let at = at.unwrap_or(HashKey(start.0 + (end.0 - start.0) / 2 + 1));
                let low = HashRange { start, end: HashKey(at.0 - 1) };
                self.open(low, [Some(shard), None]);
                self.open(HashRange { start: at, end }, [Some(shard), None]);
            }
            Reshard::Merge { shard, adjacent } => {
                let (start, end) = (self.close(shard).start, self.close(adjacent).end);
                self.open(HashRange { start, end }, [Some(shard), Some(adjacent)]);
            }
            Reshard::Scale { .. } => {}
        }
        self.summary.map_version += 1;
        let open = self.shards.iter().filter(|shard| shard.description.is_open()).count();
        self.summary.open_shards = open as u32;
        self.pump();
        let shards = self.shards[first_new..].iter().map(|shard| shard.description).collect();
        let (after, map_version) = (self.summary.open_shards, self.summary.map_version);
        Resharded { before, after, map_version, shards }
    }

    /// Applies those changes that the commands look at afterwards.
    pub(super) fn alter(&mut self, change: StreamChange) -> StreamSummary {
        self.asked.push(Asked::Altered(change.clone()));
        let options = &mut self.summary.options;
        match change {
            StreamChange::Retention { hours, .. } => options.retention_hours = hours,
            StreamChange::Limits(limits) => options.limits = limits,
            StreamChange::RecordBytesMax(bytes) => options.record_bytes_max = bytes,
            StreamChange::Mode { mode, warm_mib } => {
                (options.mode, options.warm_mib) = (mode, warm_mib);
            }
            StreamChange::WarmThroughput(mib) => options.warm_mib = mib,
            StreamChange::Distribution(distribution) => options.distribution = distribution,
            StreamChange::EnableMetrics(on) => self.summary.metrics = on,
            StreamChange::DisableMetrics(off) => {
                self.summary.metrics = self.summary.metrics.without(off);
            }
            StreamChange::Tag(tags) => self.tags.extend(tags),
            StreamChange::Untag(keys) => self.tags.retain(|key, _| !keys.contains(key)),
            StreamChange::Encryption(_) | StreamChange::Policy { .. } => {}
        }
        self.summary.clone()
    }

    pub(super) fn description(&self) -> StreamDescription {
        let consumers = self.consumers.len() as u32;
        let summary = StreamSummary { consumers, ..self.summary.clone() };
        let shards = self.listed(ShardFilter::FromTrimHorizon);
        StreamDescription { summary, shards, more: false }
    }

    pub(super) fn listed(&self, filter: ShardFilter) -> Vec<ShardDescription> {
        let wanted = |shard: &&Shard| match filter {
            ShardFilter::AtLatest => shard.description.is_open(),
            ShardFilter::AfterShard(after) => shard.description.number > after,
            _ => true,
        };
        self.shards.iter().filter(wanted).map(|shard| shard.description).collect()
    }

    pub(super) fn stats_of(&self, core: CoreId) -> Vec<ShardStats> {
        let home = self.shards.iter().filter(|shard| shard.description.home == core);
        home.map(|shard| {
            let number = shard.description.number;
            let (bytes, records) = self.rates.get(&number.0).copied().unwrap_or_default();
            ShardStats {
                number,
                end: self.end(number),
                bytes: shard.batches.iter().map(|batch| batch.len() as u64).sum(),
                in_bytes_per_s: bytes,
                in_records_per_s: records,
                ..ShardStats::default()
            }
        })
        .collect()
    }

    pub(super) fn store(&mut self, shard: ShardNumber, batch: &[u8]) -> Seq {
        let base = self.end(shard);
        let mut batch = batch.to_vec();
        let key = ShardKey { stream: STREAM, number: shard };
        stamp_in_place(&mut batch, &Stamp { shard: key, term: Term(1), base, arrival: CREATED });
        self.shards[shard.0 as usize].batches.push(batch);
        self.pump();
        base
    }

    /// Stores a put in the shards that own its records now, or refuses all of it.
    pub(super) fn put(&mut self, put: &Put<'_>) -> (Vec<PutRun>, Vec<u16>) {
        self.puts += 1;
        if let Some(reshard) = self.before_puts.remove(&self.puts) {
            self.reshard(reshard);
        }
        if !self.map_versions.contains(&put.map_version) {
            self.map_versions.push(put.map_version);
        }
        let view = BatchView::check_client(put.batch).unwrap();
        let mut parts: BTreeMap<ShardNumber, (BatchBuilder, u16)> = BTreeMap::new();
        let mut run_of = Vec::new();
        for record in view.records() {
            let owner = self.owner(put.shard, record.hash_key());
            let next = parts.len() as u16;
            let (part, run) = parts.entry(owner).or_insert_with(|| (BatchBuilder::new(), next));
            part.push_record(&record).unwrap();
            run_of.push(*run);
        }
        let mut runs = vec![None; parts.len()];
        for (shard, (mut part, run)) in parts {
            let mood = if self.moods.is_empty() { None } else { self.moods.remove(0) };
            let count = part.count();
            let outcome = match mood {
                None => Ok(self.store(shard, part.finish())),
                Some(code) => Err(code),
            };
            runs[usize::from(run)] = Some(PutRun { shard, count, outcome, arrival: Millis(0) });
        }
        (runs.into_iter().flatten().collect(), run_of)
    }

    /// The shard that owns a key now, from `shard` on: itself, or what came of it.
    fn owner(&self, shard: ShardNumber, key: HashKey) -> ShardNumber {
        let mut owner = shard;
        while !self.shards[owner.0 as usize].description.is_open() {
            let children = self.children(owner);
            let child = children.iter().find(|child| child.range.contains(key));
            owner = child.expect("children cover their parents").number;
        }
        owner
    }

    fn children(&self, shard: ShardNumber) -> Vec<ChildShard> {
        let all = self.shards.iter().map(|shard| shard.description);
        let children = all.filter(|child| child.parents().any(|parent| parent == shard));
        children
            .map(|child| ChildShard {
                number: child.number,
                parent: child.parent.unwrap(),
                adjacent_parent: child.adjacent_parent,
                range: child.range,
            })
            .collect()
    }

    /// Where the records go on for a reader of a closed shard that has come to its end.
    pub(super) fn children_at_end(&self, shard: ShardNumber, reached: Seq) -> Vec<ChildShard> {
        let closed = !self.shards[shard.0 as usize].description.is_open();
        if closed && reached >= self.end(shard) { self.children(shard) } else { Vec::new() }
    }

    pub(super) fn records(&self, shard: ShardNumber) -> Vec<String> {
        let mut all = Vec::new();
        for batch in &self.shards[shard.0 as usize].batches {
            let view = BatchView::check_stamped(batch).unwrap();
            all.extend(view.records().map(|r| String::from_utf8(r.data.to_vec()).unwrap()));
        }
        all
    }

    /// Number of shards, open and closed.
    pub(in crate::cli) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn end(&self, shard: ShardNumber) -> Seq {
        let last = self.shards[shard.0 as usize].batches.last();
        last.map_or(Seq::ZERO, |b| BatchView::check_stamped(b).unwrap().header().end())
    }

    pub(super) fn start_of(&self, shard: ShardNumber, position: Position) -> Result<Seq, ApiError> {
        if self.shards[shard.0 as usize].gone {
            return Err(ApiError::not_found("no such shard"));
        }
        Ok(match position {
            Position::TrimHorizon | Position::AtTimestamp(_) => Seq::ZERO,
            Position::Latest => self.end(shard),
            Position::AtSequence(seq) => seq,
            Position::AfterSequence(seq) => seq.plus(1),
        })
    }

    /// The first batch that ends behind `from`.
    pub(super) fn batch_at(&self, shard: ShardNumber, from: Seq) -> Vec<u8> {
        let ends_behind = |b: &&Vec<u8>| BatchView::check_stamped(b).unwrap().header().end() > from;
        let batches = &self.shards[shard.0 as usize].batches;
        batches.iter().find(ends_behind).cloned().unwrap_or_default()
    }

    /// Pushes to every subscriber what it has not got yet, and ends those of closed shards.
    pub(super) fn pump(&mut self) {
        let mut subscribers = std::mem::take(&mut self.subscribers);
        subscribers.retain_mut(|subscriber| {
            let Subscriber { out, subscription, shard, next } = subscriber;
            let (subscription, shard) = (*subscription, *shard);
            while *next < self.end(shard) {
                let batches = self.batch_at(shard, *next);
                let push = Push { subscription, first: *next, behind_ms: 0, batches: &batches };
                send(out, Opcode::Push, 0, |w| {
                    push.write_prefix(w);
                    w.bytes(&batches);
                });
                *next = BatchView::check_stamped(&batches).unwrap().header().end();
            }
            let children = self.children_at_end(shard, *next);
            if children.is_empty() {
                return true;
            }
            let ended = ShardEnded { subscription, end: *next, children };
            send(out, Opcode::ShardEnded, 0, |w| ended.write(w));
            false
        });
        self.subscribers = subscribers;
    }
}

pub(super) fn account() -> AccountDescription {
    AccountDescription {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        shards_max: 20_000,
        open_shards: 4,
        on_demand_max: 50,
        on_demand: 0,
        commitment: Commitment::Disabled,
    }
}
