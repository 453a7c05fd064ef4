//! A stream: which shard takes what.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shardway::base::clock::wall_now;
use shardway::base::ids::{CoreId, Seq, ShardKey, ShardNumber, StreamUuid};
use shardway::base::stream::{ShardLimits, ShardMetrics, StreamMode, StreamStatus};
use shardway::quota::ShardIn;
use shardway::record::{BatchBuilder, BatchView, HashRange, RecordRef};
use shardway::wire::alter::StreamChange;
use shardway::wire::put::{Put, PutRun};
use shardway::wire::reshard::Reshard;
use shardway::wire::shards::{ChildShard, ShardDescription, ShardEnd, ShardMap};
use shardway::wire::streams::{CreateStream, StreamDescription, StreamSummary};

use super::Fault;
use super::shard::Shard;

/// An on-demand stream doubles so long behind the change of its mode.
const DOUBLES_AFTER: Duration = Duration::from_millis(300);

pub struct Stream {
    pub summary: StreamSummary,
    pub shards: Vec<Shard>,
    pub consumers: Vec<String>,
    pub(super) fault: Fault,
    doubles_at: Option<Instant>,
}

impl Stream {
    pub fn create(create: &CreateStream<'_>, nth: u8, fault: Fault) -> Stream {
        let summary = StreamSummary {
            name: create.name.to_owned(),
            arn: create.name.to_owned(),
            uuid: StreamUuid([nth; 16]),
            status: StreamStatus::Active,
            created: wall_now(),
            options: create.options,
            metrics: ShardMetrics::NONE,
            open_shards: create.shards,
            consumers: 0,
            map_version: 1,
        };
        let (shards, consumers) = (Vec::new(), Vec::new());
        let mut stream = Stream { summary, shards, consumers, fault, doubles_at: None };
        for range in HashRange::split_evenly(create.shards) {
            stream.open(range, None, None);
        }
        stream
    }

    /// Adds an open shard.
    pub(super) fn open(
        &mut self,
        range: HashRange,
        parent: Option<ShardNumber>,
        adjacent_parent: Option<ShardNumber>,
    ) -> ShardNumber {
        let number = ShardNumber(self.shards.len() as u32);
        let (home, created, closed) = (CoreId(0), wall_now(), None);
        let about =
            ShardDescription { number, home, range, parent, adjacent_parent, created, closed };
        let mut limits = self.summary.options.limits;
        if self.fault == Fault::Generous {
            limits = ShardLimits {
                in_bytes: limits.in_bytes * 2,
                in_records: limits.in_records * 2,
                ..limits
            };
        }
        let quota = ShardIn::new(&limits, Instant::now());
        let key = ShardKey { stream: self.summary.uuid, number };
        self.shards.push(Shard::new(key, about, quota));
        number
    }

    pub fn description(&self) -> StreamDescription {
        let shards = self.shards.iter().map(|shard| shard.about).collect();
        StreamDescription { summary: self.summary.clone(), shards, more: false }
    }

    pub fn map(&self) -> ShardMap {
        ShardMap {
            stream: self.summary.uuid,
            map_version: self.summary.map_version,
            shards: self.shards.iter().map(|s| s.about).filter(|s| s.is_open()).collect(),
        }
    }

    pub fn tick(&mut self) {
        if self.doubles_at.take_if(|at| *at <= Instant::now()).is_some() {
            let target = self.map().shards.len() as u32 * 2;
            self.reshard(Reshard::Scale { target }).expect("it can always double");
        }
        self.shards.iter_mut().for_each(Shard::pump);
    }

    pub fn alter(&mut self, change: &StreamChange) -> StreamSummary {
        let options = &mut self.summary.options;
        match change {
            StreamChange::Retention { hours, .. } => options.retention_hours = *hours,
            StreamChange::Mode { mode, .. } => {
                options.mode = *mode;
                let grows = *mode == StreamMode::OnDemand;
                self.doubles_at = grows.then(|| Instant::now() + DOUBLES_AFTER);
            }
            StreamChange::Limits(limits) => {
                options.limits = *limits;
                for shard in &mut self.shards {
                    shard.quota = ShardIn::new(limits, Instant::now());
                }
            }
            other => panic!("the fake server has no {other:?}"),
        }
        self.summary.clone()
    }

    /// Stores a batch, or each of its records, where it belongs.
    pub fn put(&mut self, put: &Put<'_>) -> (Vec<PutRun>, Vec<u16>) {
        let fault = self.fault;
        let named = self.shards.get_mut(put.shard.0 as usize);
        if let Some(shard) = named.filter(|shard| shard.about.is_open()) {
            return (vec![shard.put(put.batch, fault)], Vec::new());
        }
        let view = BatchView::check_client(put.batch).expect("a valid batch");
        let mut batches: BTreeMap<usize, BatchBuilder> = BTreeMap::new();
        let mut owners = Vec::new();
        for record in view.records() {
            let owner = self.owner(&record);
            batches.entry(owner).or_default().push_record(&record).expect("it fitted before");
            owners.push(owner);
        }
        let at = |owner: &usize| batches.keys().position(|o| o == owner).expect("it is one") as u16;
        let run_of = owners.iter().map(at).collect();
        let puts = batches.into_iter();
        let runs = puts.map(|(at, mut batch)| self.shards[at].put(batch.finish(), fault)).collect();
        (runs, run_of)
    }

    fn owner(&self, record: &RecordRef<'_>) -> usize {
        let open = |shard: &&Shard| shard.about.is_open();
        if self.fault == Fault::Misrouted {
            return self.shards.iter().position(|s| open(&s)).expect("one is open");
        }
        let hash = record.hash_key();
        let owns = |shard: &Shard| open(&shard) && shard.about.range.contains(hash);
        self.shards.iter().position(owns).expect("every hash key has an open shard")
    }

    /// Closes a shard at its end.
    pub(super) fn close(&mut self, number: ShardNumber, children: &[ChildShard]) {
        let fault = self.fault;
        let shard = &mut self.shards[number.0 as usize];
        if fault == Fault::LostAtClose {
            shard.lose_last();
        }
        let last = shard.batches.last().cloned();
        let end = Seq(shard.next);
        shard.about.closed = Some(ShardEnd { at: wall_now(), end });
        if let Some(batch) = last.filter(|_| fault == Fault::TwiceAtClose) {
            let view = BatchView::check_stamped(&batch).expect("stored");
            let hash = view.records().next().expect("a batch has records").hash_key();
            let heir = children.iter().find(|child| child.range.contains(hash));
            let heir = heir.expect("the children own their parent's range").number;
            self.shards[heir.0 as usize].store(&batch);
        }
    }
}
