//! A core's immutable copy of the catalog, made for lookups and replaced whole.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::rules::Rules;
use super::state::{
    AccountRecord, ConsumerRecord, ShardRecord, State, StreamRecord, retention_cutoff,
};
use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Millis, ShardKey, ShardNumber, StreamUuid, home_core};
use crate::base::stream::{ShardMetrics, StreamMode, StreamOptions, StreamStatus};
use crate::record::{HashKey, HashRange};
use crate::wire::account::AccountDescription;
use crate::wire::shards::ShardEnd;

/// All streams as the data path needs them. Shared by `Arc` between the cores.
#[derive(Debug)]
pub struct View {
    version: u64,
    cores: u16,
    rules: Arc<Rules>,
    account: AccountRecord,
    /// By name.
    streams: Vec<Arc<StreamView>>,
    /// Where each is in `streams`. Shared by views of the same streams.
    by_uuid: Arc<HashMap<StreamUuid, usize>>,
}

/// What is true for a moment only, and of which a restart knows nothing.
#[derive(Clone, Debug, Default)]
pub struct Passing {
    /// Streams that are being created or changed.
    pub statuses: HashMap<StreamUuid, StreamStatus>,
    /// Shards that are about to be closed.
    pub closing: HashSet<ShardKey>,
    /// Streams whose shards have just changed, as they were before: see [`StreamView::before`].
    pub before: HashMap<StreamUuid, Arc<StreamView>>,
}

/// One stream.
#[derive(Debug)]
pub struct StreamView {
    /// Name.
    pub name: String,
    /// Identity.
    pub uuid: StreamUuid,
    /// State of its life.
    pub status: StreamStatus,
    /// When it was created.
    pub created: Millis,
    /// What was chosen.
    pub options: StreamOptions,
    /// Grows with every change of the shards.
    pub map_version: u64,
    /// All shards, by number.
    pub shards: Vec<ShardView>,
    /// Records that arrived before are gone.
    pub retention_floor: Millis,
    /// Shard-level metrics that are switched on.
    pub metrics: ShardMetrics,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// Registered consumers by name.
    pub consumers: BTreeMap<String, ConsumerRecord>,
    /// The key that its records are sealed with.
    pub key_id: Option<String>,
    /// Its resource policy.
    pub policy: Option<String>,
    /// The stream before a change of its shards that not every core may know of yet. Puts go to
    /// the new shards, and whoever knows one of them can read it; but nobody is told of them: what
    /// is shown, and where readers find the end of a shard, is as it was.
    pub before: Option<Arc<StreamView>>,
    pub(super) rules: Arc<Rules>,
    /// Parents with each of their children, as indices into `shards`, by parent.
    pub(super) descent: Vec<(ShardNumber, u32)>,
    /// First hash key of each open shard, ascending; the first is 0.
    open_starts: Vec<HashKey>,
    /// The shard that belongs to each of them.
    open_shards: Vec<ShardNumber>,
}

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// Its number.
    pub number: ShardNumber,
    /// The hash keys that it owns.
    pub range: HashRange,
    /// When it was created.
    pub created: Millis,
    /// The core that owns it.
    pub home: CoreId,
    /// The shard that was split, or the first of two that were merged.
    pub parent: Option<ShardNumber>,
    /// The second of two that were merged.
    pub adjacent_parent: Option<ShardNumber>,
    /// Where it ends, once it is closed.
    pub closed: Option<ShardEnd>,
    /// It is about to be closed: puts for it wait until it is.
    pub closing: bool,
}

impl View {
    /// The view of `state` on a server with `cores` cores.
    #[must_use]
    pub fn of(state: &State, cores: u16, rules: Arc<Rules>) -> View {
        let passing = Passing::default();
        let streams: Vec<_> = state
            .streams
            .values()
            .map(|s| Arc::new(StreamView::of(s, cores, &rules, &passing)))
            .collect();
        let by_uuid = index(&streams);
        View { version: 0, cores, rules, account: state.account, streams, by_uuid }
    }

    /// The view that follows this one, after a change of the stream `name` in `state` or of what
    /// is `passing`. All other streams are shared with this view.
    #[must_use]
    pub fn next(&self, state: &State, name: &str, passing: &Passing) -> View {
        let mut streams = self.streams.clone();
        let at = streams.binary_search_by(|s| s.name.as_str().cmp(name));
        let new = state.streams.get(name);
        let new = new.map(|s| Arc::new(StreamView::of(s, self.cores, &self.rules, passing)));
        let by_uuid = match (at, new) {
            (Ok(at), Some(stream)) if stream.uuid == streams[at].uuid => {
                streams[at] = stream;
                self.by_uuid.clone()
            }
            (Ok(at), Some(stream)) => {
                streams[at] = stream;
                index(&streams)
            }
            (Ok(at), None) => {
                streams.remove(at);
                index(&streams)
            }
            (Err(at), Some(stream)) => {
                streams.insert(at, stream);
                index(&streams)
            }
            (Err(_), None) => self.by_uuid.clone(),
        };
        View { streams, by_uuid, ..self.with_account(state) }
    }

    /// The view that follows this one, after a change of the account in `state` only.
    #[must_use]
    pub fn with_account(&self, state: &State) -> View {
        View {
            version: self.version + 1,
            cores: self.cores,
            rules: self.rules.clone(),
            account: state.account,
            streams: self.streams.clone(),
            by_uuid: self.by_uuid.clone(),
        }
    }

    /// What the operator has set.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What the account may have and has.
    #[must_use]
    pub fn account(&self, now: Millis) -> AccountDescription {
        let living = self.streams.iter().filter(|s| s.status != StreamStatus::Deleting);
        let open_shards = living.clone().map(|stream| stream.shown().open_shards()).sum();
        let on_demand = living.filter(|s| s.options.mode == StreamMode::OnDemand).count();
        self.rules.describe_account(&self.account, open_shards, on_demand, now)
    }

    /// Grows by one with every view of this run of the server.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Number of cores that the shards are spread over.
    #[must_use]
    pub fn cores(&self) -> u16 {
        self.cores
    }

    /// All streams, by name.
    #[must_use]
    pub fn streams(&self) -> &[Arc<StreamView>] {
        &self.streams
    }

    /// The stream with this name, whatever its state.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<StreamView>> {
        let at = self.streams.binary_search_by(|s| s.name.as_str().cmp(name)).ok()?;
        Some(&self.streams[at])
    }

    /// The stream with this identity, whatever its state.
    #[must_use]
    pub fn by_uuid(&self, uuid: StreamUuid) -> Option<&Arc<StreamView>> {
        self.by_uuid.get(&uuid).map(|&at| &self.streams[at])
    }

    /// The stream with this name, or the API's error.
    pub fn require_name(&self, name: &str) -> Result<&Arc<StreamView>, ApiError> {
        self.by_name(name).ok_or_else(|| self.rules.stream_not_found(name))
    }

    /// The stream with this identity, or the API's error.
    pub fn require_uuid(&self, uuid: StreamUuid) -> Result<&Arc<StreamView>, ApiError> {
        self.by_uuid(uuid).ok_or_else(|| self.rules.stream_not_found(&uuid.to_string()))
    }
}

impl StreamView {
    fn of(stream: &StreamRecord, cores: u16, rules: &Arc<Rules>, passing: &Passing) -> StreamView {
        let shards: Vec<_> =
            stream.shards.iter().map(|s| ShardView::of(stream.uuid, s, cores, passing)).collect();
        assert!(shards.is_sorted_by_key(|s| s.number), "shards are kept by number");
        let mut open: Vec<_> = shards.iter().filter(|shard| shard.is_open()).collect();
        open.sort_by_key(|shard| shard.range.start);
        assert_covering(&stream.name, &open);
        let mut descent: Vec<_> = (0..)
            .zip(&shards)
            .flat_map(|(at, shard)| shard.parents().map(move |parent| (parent, at)))
            .collect();
        descent.sort_unstable();
        StreamView {
            name: stream.name.clone(),
            uuid: stream.uuid,
            status: passing.statuses.get(&stream.uuid).copied().unwrap_or(stream.status),
            created: stream.created,
            options: stream.options,
            map_version: stream.map_version,
            retention_floor: stream.retention_floor,
            metrics: stream.metrics,
            tags: stream.tags.clone(),
            consumers: stream.consumers.clone(),
            key_id: stream.key_id.clone(),
            policy: stream.policy.clone(),
            before: passing.before.get(&stream.uuid).cloned(),
            rules: rules.clone(),
            descent,
            open_starts: open.iter().map(|shard| shard.range.start).collect(),
            open_shards: open.iter().map(|shard| shard.number).collect(),
            shards,
        }
    }

    /// The stream as clients are told of it.
    #[must_use]
    pub fn shown(&self) -> &StreamView {
        self.before.as_deref().unwrap_or(self)
    }

    /// The open shard that owns `key`.
    #[must_use]
    pub fn route(&self, key: HashKey) -> ShardNumber {
        let above = self.open_starts.partition_point(|&start| start <= key);
        // The first range starts at 0, so at least one starts at or below the key.
        self.open_shards[above - 1]
    }

    /// The shards that are at home on a core, by number.
    pub fn shards_at(&self, home: CoreId) -> impl Iterator<Item = &ShardView> {
        self.shards.iter().filter(move |shard| shard.home == home)
    }

    /// The only open shard, if there is just one: every key belongs to it.
    #[must_use]
    pub fn single_open_shard(&self) -> Option<ShardNumber> {
        match self.open_shards[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// One of the open shards; round and round as `n` grows.
    #[must_use]
    pub fn nth_open_shard(&self, n: usize) -> ShardNumber {
        self.open_shards[n % self.open_shards.len()]
    }

    /// The shard with this number.
    #[must_use]
    pub fn shard(&self, number: ShardNumber) -> Option<&ShardView> {
        // Without removed shards, a shard's number is its index.
        if let Some(shard) = self.shards.get(number.0 as usize).filter(|s| s.number == number) {
            return Some(shard);
        }
        let at = self.shards.binary_search_by_key(&number, |s| s.number).ok()?;
        Some(&self.shards[at])
    }

    /// The shard with this number, or the API's error.
    pub fn require_shard(&self, number: ShardNumber) -> Result<&ShardView, ApiError> {
        self.shard(number).ok_or_else(|| {
            ApiError::not_found(format!(
                "Shard {number} in stream {} under account {} does not exist",
                self.name, self.rules.account
            ))
        })
    }

    /// The API's error unless there is or was a shard with this number. The newest shard is open:
    /// whatever is numbered below it has existed, also if it has expired since.
    pub fn require_numbered(&self, number: ShardNumber) -> Result<(), ApiError> {
        match self.shards.last() {
            Some(newest) if number <= newest.number => Ok(()),
            _ => self.require_shard(number).map(|_| ()),
        }
    }

    /// The API's error unless records can be written and read. A stream that is being made or
    /// removed is not found, as on AWS.
    pub fn require_usable(&self) -> Result<(), ApiError> {
        match self.status {
            StreamStatus::Active | StreamStatus::Updating => Ok(()),
            StreamStatus::Creating | StreamStatus::Deleting => {
                Err(self.rules.stream_not_found(&self.name))
            }
        }
    }

    /// The API's error unless the stream can be changed.
    pub fn require_active(&self) -> Result<(), ApiError> {
        match self.status {
            StreamStatus::Active => Ok(()),
            status => Err(self.rules.not_active(&self.name, status)),
        }
    }

    /// Number of open shards.
    #[must_use]
    pub fn open_shards(&self) -> usize {
        self.open_shards.len()
    }

    /// What arrived before this time is no longer readable.
    #[must_use]
    pub fn retention_cutoff(&self, now: Millis) -> Millis {
        retention_cutoff(self.options.retention_hours, self.retention_floor, now)
    }

    /// The account that it belongs to.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.rules.account
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        self.rules.stream_arn(&self.name)
    }

    /// A shard's identity anywhere on the server.
    #[must_use]
    pub fn key(&self, number: ShardNumber) -> ShardKey {
        ShardKey { stream: self.uuid, number }
    }
}

impl ShardView {
    fn of(stream: StreamUuid, shard: &ShardRecord, cores: u16, passing: &Passing) -> ShardView {
        let ShardRecord { number, range, created, parent, adjacent_parent, .. } = *shard;
        let key = ShardKey { stream, number };
        let closed = (!shard.open).then(|| ShardEnd {
            at: shard.closed_at.expect("a closed shard was closed at some time"),
            end: shard.end.expect("a closed shard has an end"),
        });
        ShardView {
            number,
            range,
            created,
            parent,
            adjacent_parent,
            home: home_core(key, cores),
            closed,
            closing: passing.closing.contains(&key),
        }
    }

    /// Whether it takes records.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// The shards whose records come before its own.
    pub fn parents(&self) -> impl Iterator<Item = ShardNumber> + use<> {
        [self.parent, self.adjacent_parent].into_iter().flatten()
    }
}

fn index(streams: &[Arc<StreamView>]) -> Arc<HashMap<StreamUuid, usize>> {
    Arc::new(streams.iter().enumerate().map(|(at, s)| (s.uuid, at)).collect())
}

/// Every hash key has exactly one open shard: routing relies on it without looking.
fn assert_covering(name: &str, open: &[&ShardView]) {
    let (first, last) = (open.first(), open.last());
    let ends = first.is_some_and(|s| s.range.start.0 == 0)
        && last.is_some_and(|s| s.range.end.0 == u128::MAX);
    let touching = open
        .windows(2)
        .all(|pair| pair[0].range.end.0.checked_add(1) == Some(pair[1].range.start.0));
    assert!(ends && touching, "the open shards of {name} do not cover the hash keys exactly once");
}
