//! Which shards of a stream may be read now, and from where, while reshards close some and open
//! others. Pure: it is told what a listing says and which shards were read to their ends.
//!
//! Records of one key are in order inside a shard, and across a reshard because readers drain all
//! parents of a shard before they begin with it. Each shard is handed out once.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::{Millis, ShardNumber};
use crate::base::stream::Position;
use crate::wire::shards::{ChildShard, ShardDescription};

/// Where a reader of a whole stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// The oldest records that are still retained.
    TrimHorizon,
    /// Behind the newest records: closed shards are not read.
    Latest,
    /// Records that arrived at this time or later: shards that were closed before are not read.
    Timestamp(Millis),
}

impl StartAt {
    /// Where a reader begins in a shard none of whose parents it reads; `None`: not there at all.
    #[must_use]
    pub fn position(self, shard: &ShardDescription) -> Option<Position> {
        match (self, shard.closed) {
            (StartAt::TrimHorizon, _) => Some(Position::TrimHorizon),
            (StartAt::Latest, None) => Some(Position::Latest),
            (StartAt::Latest, Some(_)) => None,
            (StartAt::Timestamp(time), Some(closed)) if closed.at < time => None,
            (StartAt::Timestamp(time), _) => Some(Position::AtTimestamp(time)),
        }
    }
}

/// A shard whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Its number.
    pub shard: ShardNumber,
    /// Where to start. [`Position::TrimHorizon`] in every shard whose parents were read.
    pub position: Position,
}

/// See the module.
///
/// A reader takes all of [`next_ready`](Lineage::next_ready), reads them, and says
/// [`ended`](Lineage::ended) with the children that the server named at a shard's end. Where
/// [`needs_listing`](Lineage::needs_listing) says so, it lists the shards again. Each of these
/// costs what the shard and its children cost, whatever the size of the stream.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    shards: BTreeMap<ShardNumber, Known>,
    /// Waiting shards whose parents are done.
    ready: BTreeSet<ShardNumber>,
    /// The shards that wait for this one.
    waiting_for: BTreeMap<ShardNumber, Vec<ShardNumber>>,
    /// Shards that others wait for and of which nothing else is known.
    unknown: BTreeSet<ShardNumber>,
    /// Every shard below this number that is not in `shards` has expired: the last listing would
    /// have had it. One from here on may be a child that nobody has named yet.
    listed: u32,
    /// Shards that wait or are being read.
    unfinished: usize,
    /// A shard went whose children nobody has named.
    lost: bool,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    parents: [Option<ShardNumber>; 2],
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not handed out yet; where it starts.
    Waiting(Position),
    /// Handed out.
    Reading,
    /// Read to its end, or as far as it existed.
    Drained,
    /// Nobody wants it.
    Skipped,
}

/// Where whatever comes from a shard that was read starts.
const FROM_THE_FIRST: Stage = Stage::Waiting(Position::TrimHorizon);

impl Lineage {
    /// The reader of a whole stream. `listing`: all of its shards, from the trim horizon.
    #[must_use]
    pub fn new(listing: &[ShardDescription], start: StartAt) -> Lineage {
        Self::starting(listing, |shard| start.position(shard))
    }

    /// A reader that chooses a position for each shard of `listing` (all of a stream's shards,
    /// from the trim horizon). `None` are not read; of their children only those are that have
    /// another parent which is read. What is chosen for the child of a shard that is read has no
    /// effect: such a child is read from its first record.
    #[must_use]
    pub fn starting(
        listing: &[ShardDescription],
        mut position: impl FnMut(&ShardDescription) -> Option<Position>,
    ) -> Lineage {
        let mut lineage = Lineage { listed: behind_last(listing), ..Lineage::default() };
        for shard in by_number(listing) {
            let stage = match position(shard) {
                _ if lineage.has_read_parent(shard) => FROM_THE_FIRST,
                Some(position) => Stage::Waiting(position),
                None => Stage::Skipped,
            };
            lineage.learn(shard.number, [shard.parent, shard.adjacent_parent], stage);
        }
        lineage
    }

    /// The next shard to read, if there is one now; the lowest number first.
    pub fn next_ready(&mut self) -> Option<Readable> {
        let shard = self.ready.pop_first()?;
        let known = self.shards.get_mut(&shard).expect("what is ready is known");
        let Stage::Waiting(position) = known.stage else { panic!("{shard} is handed out twice") };
        known.stage = Stage::Reading;
        Some(Readable { shard, position })
    }

    /// `shard`, which was handed out, was read to its end, and the server named its `children`.
    /// Said twice, it counts once.
    pub fn ended(&mut self, shard: ShardNumber, children: &[ChildShard]) {
        for child in children {
            let parents = [Some(child.parent), child.adjacent_parent];
            self.learn(child.number, parents, FROM_THE_FIRST);
        }
        self.drained(shard);
    }

    /// `shard`, which was handed out, does not exist any more: its records expired before they
    /// were read. Its children have to be listed.
    pub fn gone(&mut self, shard: ShardNumber) {
        self.lost = true;
        self.drained(shard);
    }

    /// Whether the shards have to be listed again, because it is not known what some of them wait
    /// for. Some of what is unknown would be named by shards that are being read; a listing then
    /// does no harm.
    #[must_use]
    pub fn needs_listing(&self) -> bool {
        self.lost || !self.unknown.is_empty()
    }

    /// The shards were listed again, from the trim horizon. Shards that are new are read from their
    /// first record, unless they come from nothing but shards that are not read.
    pub fn relisted(&mut self, listing: &[ShardDescription]) {
        self.lost = false;
        for shard in by_number(listing) {
            let skipped = |parent| self.stage(parent) == Some(Stage::Skipped);
            let unwanted = shard.parents().next().is_some() && shard.parents().all(skipped);
            let stage = if unwanted { Stage::Skipped } else { FROM_THE_FIRST };
            self.learn(shard.number, [shard.parent, shard.adjacent_parent], stage);
        }
        self.listed = self.listed.max(behind_last(listing));
        let expired: Vec<_> =
            self.unknown.iter().copied().filter(|shard| shard.0 < self.listed).collect();
        for shard in expired {
            self.unknown.remove(&shard);
            self.release(shard);
        }
    }

    /// The shards that were handed out and have not ended.
    pub fn reading(&self) -> impl Iterator<Item = ShardNumber> {
        self.shards.iter().filter(|(_, known)| known.stage == Stage::Reading).map(|(n, _)| *n)
    }

    /// Whether everything that is known was read to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unfinished == 0 && !self.lost
    }

    fn stage(&self, shard: ShardNumber) -> Option<Stage> {
        self.shards.get(&shard).map(|known| known.stage)
    }

    fn has_read_parent(&self, shard: &ShardDescription) -> bool {
        let read = |parent| !matches!(self.stage(parent), None | Some(Stage::Skipped));
        shard.parents().any(read)
    }

    /// Whether nothing more comes from `shard`.
    fn is_over(&self, shard: ShardNumber) -> bool {
        match self.stage(shard) {
            Some(stage) => matches!(stage, Stage::Drained | Stage::Skipped),
            None => shard.0 < self.listed,
        }
    }

    /// Notes a shard. What is known already stays as it is.
    fn learn(&mut self, shard: ShardNumber, parents: [Option<ShardNumber>; 2], stage: Stage) {
        if self.shards.contains_key(&shard) {
            return;
        }
        self.shards.insert(shard, Known { parents, stage });
        self.unknown.remove(&shard);
        if stage == Stage::Skipped {
            return self.release(shard);
        }
        self.unfinished += 1;
        for parent in parents.into_iter().flatten() {
            if self.stage(parent).is_none() && parent.0 >= self.listed {
                self.unknown.insert(parent);
            }
            if !self.is_over(parent) {
                self.waiting_for.entry(parent).or_default().push(shard);
            }
        }
        self.hand_out_if_free(shard);
    }

    fn drained(&mut self, shard: ShardNumber) {
        self.ready.remove(&shard);
        let known = self.shards.get_mut(&shard).expect("only what was handed out can end");
        if matches!(known.stage, Stage::Waiting(_) | Stage::Reading) {
            known.stage = Stage::Drained;
            self.unfinished -= 1;
            self.release(shard);
        }
    }

    /// Nothing more comes from `shard`: those that wait for nothing else are ready.
    fn release(&mut self, shard: ShardNumber) {
        for waiting in self.waiting_for.remove(&shard).into_iter().flatten() {
            self.hand_out_if_free(waiting);
        }
    }

    fn hand_out_if_free(&mut self, shard: ShardNumber) {
        let Known { parents, stage } = self.shards[&shard];
        let free = parents.into_iter().flatten().all(|parent| self.is_over(parent));
        if free && matches!(stage, Stage::Waiting(_)) {
            self.ready.insert(shard);
        }
    }
}

/// Parents have lower numbers than their children.
fn by_number(listing: &[ShardDescription]) -> Vec<&ShardDescription> {
    let mut sorted: Vec<_> = listing.iter().collect();
    sorted.sort_by_key(|shard| shard.number);
    sorted
}

/// The number behind the highest. That one is open and never missing: whatever is closed has
/// children with higher numbers.
fn behind_last(listing: &[ShardDescription]) -> u32 {
    listing.iter().map(|shard| shard.number.0.saturating_add(1)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
