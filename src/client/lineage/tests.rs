use std::collections::BTreeMap;

use super::*;
use crate::base::ids::{CoreId, Seq};
use crate::base::rng::SplitMix64;
use crate::record::{HashKey, HashRange};
use crate::wire::shards::ShardEnd;

// ---- A stream whose shards change ------------------------------------------------------------

/// Shards with parents and children; ranges do not matter here.
#[derive(Default)]
struct Stream {
    next: u32,
    /// Those that have not expired.
    shards: BTreeMap<u32, ShardDescription>,
    /// Of all shards that ever were.
    children: BTreeMap<u32, Vec<ChildShard>>,
    now: u64,
}

const RANGE: HashRange = HashRange { start: HashKey(0), end: HashKey(u128::MAX) };

impl Stream {
    fn new(shards: u32) -> Stream {
        let mut stream = Stream { now: 1000, ..Stream::default() };
        for _ in 0..shards {
            stream.add(None, None);
        }
        stream
    }

    fn add(&mut self, parent: Option<u32>, adjacent: Option<u32>) -> u32 {
        let number = self.next;
        self.next += 1;
        let [parent, adjacent_parent] = [parent, adjacent].map(|n| n.map(ShardNumber));
        let description = ShardDescription {
            number: ShardNumber(number),
            home: CoreId(0),
            range: RANGE,
            parent,
            adjacent_parent,
            created: Millis(self.now),
            closed: None,
        };
        self.shards.insert(number, description);
        for parent in description.parents() {
            let child = ChildShard {
                number: ShardNumber(number),
                parent: description.parent.unwrap(),
                adjacent_parent,
                range: RANGE,
            };
            self.children.entry(parent.0).or_default().push(child);
        }
        number
    }

    fn close(&mut self, shard: u32) {
        let closed = ShardEnd { at: Millis(self.now), end: Seq(0) };
        self.shards.get_mut(&shard).unwrap().closed = Some(closed);
    }

    fn split(&mut self, shard: u32) -> [u32; 2] {
        self.close(shard);
        [self.add(Some(shard), None), self.add(Some(shard), None)]
    }

    fn merge(&mut self, shard: u32, adjacent: u32) -> u32 {
        self.close(shard);
        self.close(adjacent);
        self.add(Some(shard), Some(adjacent))
    }

    fn expire(&mut self, shard: u32) {
        assert!(self.shards.remove(&shard).unwrap().closed.is_some());
    }

    fn listing(&self) -> Vec<ShardDescription> {
        self.shards.values().copied().collect()
    }

    fn open(&self) -> Vec<u32> {
        self.shards.values().filter(|s| s.is_open()).map(|s| s.number.0).collect()
    }

    fn children(&self, shard: u32) -> &[ChildShard] {
        self.children.get(&shard).map_or(&[], Vec::as_slice)
    }

    /// The reader came to the end of a closed shard.
    fn end(&self, lineage: &mut Lineage, shard: u32) {
        lineage.ended(ShardNumber(shard), self.children(shard));
    }

    fn follow(&self, start: StartAt) -> Lineage {
        Lineage::new(&self.listing(), start)
    }
}

/// Everything that may be read now, as `(shard, position)`.
fn ready(lineage: &mut Lineage) -> Vec<(u32, Position)> {
    std::iter::from_fn(|| lineage.next_ready()).map(|r| (r.shard.0, r.position)).collect()
}

fn numbers(lineage: &mut Lineage) -> Vec<u32> {
    ready(lineage).into_iter().map(|(shard, _)| shard).collect()
}

const OLDEST: Position = Position::TrimHorizon;
const NOTHING: [u32; 0] = [];

// ---- Where a reader starts -------------------------------------------------------------------

#[test]
fn from_the_trim_horizon_closed_shards_are_read_before_their_children() {
    let mut stream = Stream::new(2);
    stream.split(0);
    let mut lineage = stream.follow(StartAt::TrimHorizon);
    assert_eq!(ready(&mut lineage), [(0, OLDEST), (1, OLDEST)]);
    stream.end(&mut lineage, 0);
    assert_eq!(ready(&mut lineage), [(2, OLDEST), (3, OLDEST)]);
    assert!(!lineage.needs_listing());
    assert_eq!(lineage.reading().collect::<Vec<_>>(), [1, 2, 3].map(ShardNumber));
}

#[test]
fn from_the_latest_only_open_shards_are_read_and_then_their_children_whole() {
    let mut stream = Stream::new(2);
    stream.split(0);
    let mut lineage = stream.follow(StartAt::Latest);
    let latest = Position::Latest;
    assert_eq!(ready(&mut lineage), [(1, latest), (2, latest), (3, latest)]);
    stream.merge(2, 3);
    stream.end(&mut lineage, 2);
    stream.end(&mut lineage, 3);
    assert_eq!(ready(&mut lineage), [(4, OLDEST)]);
}

#[test]
fn from_a_time_on_shards_are_left_out_that_were_closed_before() {
    let mut stream = Stream::new(1);
    stream.now = 2000;
    stream.split(0);
    stream.now = 3000;
    stream.split(1);
    let at = |time| StartAt::Timestamp(Millis(time));
    let from = |time| Position::AtTimestamp(Millis(time));
    let mut lineage = stream.follow(at(2500));
    assert_eq!(ready(&mut lineage), [(1, from(2500)), (2, from(2500))]);
    stream.end(&mut lineage, 1);
    assert_eq!(ready(&mut lineage), [(3, OLDEST), (4, OLDEST)]);
    assert_eq!(ready(&mut stream.follow(at(2000))), [(0, from(2000))]);
    let all_open = [2, 3, 4].map(|shard| (shard, from(3001)));
    assert_eq!(ready(&mut stream.follow(at(3001))), all_open);
}

#[test]
fn a_reader_may_choose_for_each_shard_but_not_for_the_children_of_those_it_reads() {
    let mut stream = Stream::new(3);
    stream.split(0);
    stream.split(1);
    let mut lineage = Lineage::starting(&stream.listing(), |shard| match shard.number.0 {
        0 => Some(Position::AfterSequence(Seq(9))),
        1 => None,
        _ => Some(Position::Latest),
    });
    let [after, latest] = [Position::AfterSequence(Seq(9)), Position::Latest];
    assert_eq!(ready(&mut lineage), [(0, after), (2, latest), (5, latest), (6, latest)]);
    stream.end(&mut lineage, 0);
    assert_eq!(ready(&mut lineage), [(3, OLDEST), (4, OLDEST)]);
}

// ---- Splits, merges, scalings ----------------------------------------------------------------

#[test]
fn a_merged_shard_waits_for_both_parents_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        let mut stream = Stream::new(2);
        let mut lineage = stream.follow(StartAt::TrimHorizon);
        assert_eq!(numbers(&mut lineage), [0, 1]);
        stream.merge(0, 1);
        stream.end(&mut lineage, order[0]);
        assert_eq!(numbers(&mut lineage), NOTHING, "one parent is still being read");
        assert!(!lineage.is_done());
        stream.end(&mut lineage, order[1]);
        assert_eq!(numbers(&mut lineage), [2], "{order:?}");
    }
}

/// Two shards scaled to three: 0 becomes 2 and 3, 1 becomes 4 and 5, and 3 and 4 become 6.
fn two_scaled_to_three() -> Stream {
    let mut stream = Stream::new(2);
    let [_, upper] = stream.split(0);
    let [lower, _] = stream.split(1);
    stream.merge(upper, lower);
    stream
}

#[test]
fn shards_between_a_scaling_hold_their_child_back_although_they_are_empty() {
    let stream = two_scaled_to_three();
    for order in [[0, 1], [1, 0]] {
        // The reader knows nothing but the old shards.
        let mut lineage = Stream::new(2).follow(StartAt::Latest);
        assert_eq!(numbers(&mut lineage), [0, 1]);
        stream.end(&mut lineage, order[0]);
        let empty = order[0] + 3;
        assert!(numbers(&mut lineage).contains(&empty));
        stream.end(&mut lineage, empty);
        assert_eq!(numbers(&mut lineage), NOTHING, "6 holds keys of both old shards");
        stream.end(&mut lineage, order[1]);
        assert!(numbers(&mut lineage).contains(&(order[1] + 3)));
        stream.end(&mut lineage, order[1] + 3);
        assert_eq!(numbers(&mut lineage), [6]);
        assert!(!lineage.needs_listing());
    }
}

#[test]
fn a_child_waits_for_a_parent_of_which_nobody_has_heard_yet() {
    let mut stream = Stream::new(2);
    let mut lineage = stream.follow(StartAt::TrimHorizon);
    assert_eq!(numbers(&mut lineage), [0, 1]);
    // 1 ends first and names 4, whose other parent 3 comes from 0.
    let [_, upper] = stream.split(0);
    stream.merge(upper, 1);
    stream.end(&mut lineage, 1);
    assert_eq!(numbers(&mut lineage), NOTHING);
    let mut informed = lineage.clone();
    assert!(informed.needs_listing());
    informed.relisted(&stream.listing());
    assert!(!informed.needs_listing());
    for lineage in [&mut lineage, &mut informed] {
        assert_eq!(numbers(lineage), NOTHING);
        stream.end(lineage, 0);
        assert_eq!(numbers(lineage), [2, 3]);
        stream.end(lineage, 3);
        assert_eq!(numbers(lineage), [4]);
        assert!(!lineage.needs_listing());
    }
}

#[test]
fn news_that_come_twice_hand_nothing_out_twice() {
    let mut stream = Stream::new(1);
    let mut lineage = stream.follow(StartAt::TrimHorizon);
    assert_eq!(numbers(&mut lineage), [0]);
    stream.split(0);
    stream.end(&mut lineage, 0);
    stream.end(&mut lineage, 0);
    lineage.relisted(&stream.listing());
    assert_eq!(numbers(&mut lineage), [1, 2]);
    lineage.relisted(&stream.listing());
    assert_eq!(numbers(&mut lineage), NOTHING);
    lineage.ended(ShardNumber(1), &[]);
    lineage.ended(ShardNumber(2), &[]);
    assert!(lineage.is_done());
}

// ---- Shards that expire ----------------------------------------------------------------------

#[test]
fn a_parent_that_was_trimmed_away_before_the_listing_holds_nothing_back() {
    let mut stream = Stream::new(2);
    stream.merge(0, 1);
    stream.expire(0);
    stream.expire(1);
    assert_eq!(ready(&mut stream.follow(StartAt::TrimHorizon)), [(2, OLDEST)]);
}

#[test]
fn a_shard_that_goes_while_it_is_read_frees_its_children_and_asks_for_a_listing() {
    let mut stream = Stream::new(2);
    let mut lineage = stream.follow(StartAt::TrimHorizon);
    assert_eq!(numbers(&mut lineage), [0, 1]);
    // 0 was split and split again; by now 0 and one of its children have expired.
    let [lower, _] = stream.split(0);
    stream.split(lower);
    stream.expire(0);
    stream.expire(lower);
    lineage.gone(ShardNumber(0));
    assert!(lineage.needs_listing() && !lineage.is_done());
    assert_eq!(numbers(&mut lineage), NOTHING);
    lineage.relisted(&stream.listing());
    assert_eq!(ready(&mut lineage), [(3, OLDEST), (4, OLDEST), (5, OLDEST)]);
    assert!(!lineage.needs_listing());
}

#[test]
fn a_child_whose_unknown_parent_expired_is_free_after_a_listing() {
    let mut stream = Stream::new(2);
    let mut lineage = stream.follow(StartAt::TrimHorizon);
    assert_eq!(numbers(&mut lineage), [0, 1]);
    let [_, upper] = stream.split(0);
    stream.merge(upper, 1);
    stream.expire(0);
    stream.expire(upper);
    stream.end(&mut lineage, 1);
    lineage.gone(ShardNumber(0));
    assert_eq!(numbers(&mut lineage), NOTHING, "nobody knows yet that 3 has expired");
    lineage.relisted(&stream.listing());
    assert_eq!(numbers(&mut lineage), [2, 4]);
}

#[test]
fn what_comes_from_nothing_but_unwanted_shards_is_not_read() {
    let mut stream = Stream::new(2);
    let only = |shard: &ShardDescription| (shard.number.0 == 1).then_some(Position::Latest);
    let mut lineage = Lineage::starting(&stream.listing(), only);
    assert_eq!(ready(&mut lineage), [(1, Position::Latest)]);
    let [_, upper] = stream.split(0);
    stream.merge(upper, 1);
    stream.end(&mut lineage, 1);
    assert!(lineage.needs_listing(), "3 comes from a shard that nobody reads");
    lineage.relisted(&stream.listing());
    assert_eq!(numbers(&mut lineage), [4]);
}

// ---- Any history -----------------------------------------------------------------------------

/// A reader among random reshards and expiries: each shard is read at most once, behind whatever
/// it comes from, and none is missed that has not expired before its turn.
#[test]
fn each_shard_is_read_once_and_behind_all_that_it_comes_from() {
    for seed in 0..300 {
        let mut rng = SplitMix64::new(seed);
        let mut stream = Stream::new(1 + rng.below(4) as u32);
        reshard_a_little(&mut stream, &mut rng);
        let mut reader = Reader::new(&stream);
        for step in 0..400 {
            match rng.below(12) {
                0 if step < 100 => reshard_a_little(&mut stream, &mut rng),
                1 if step < 100 => reader.let_one_expire(&mut stream, &mut rng),
                2..4 => drop(reader.list_if_needed(&stream)),
                _ => drop(reader.read_one(&stream, &mut rng)),
            }
        }
        reader.read_the_rest(&stream, &mut rng);
        let unread: Vec<_> =
            stream.shards.keys().filter(|shard| !reader.began.contains(shard)).collect();
        assert!(unread.is_empty(), "seed {seed}: {unread:?} are still there and were not read");
    }
}

struct Reader {
    lineage: Lineage,
    reading: Vec<u32>,
    began: BTreeSet<u32>,
    /// Read to the end, or expired.
    over: BTreeSet<u32>,
}

impl Reader {
    fn new(stream: &Stream) -> Reader {
        let lineage = stream.follow(StartAt::TrimHorizon);
        let (began, over) = (BTreeSet::new(), BTreeSet::new());
        Reader { lineage, reading: Vec::new(), began, over }
    }

    fn take(&mut self, stream: &Stream) {
        while let Some(Readable { shard, .. }) = self.lineage.next_ready() {
            assert!(self.began.insert(shard.0), "{shard} is handed out twice");
            for (parent, children) in &stream.children {
                let is_parent = children.iter().any(|child| child.number == shard);
                let is_over = self.over.contains(parent) || !stream.shards.contains_key(parent);
                assert!(!is_parent || is_over, "{shard} is read before its parent {parent}");
            }
            self.reading.push(shard.0);
        }
    }

    /// Comes to the end of some shard, or finds that it has gone. False if there is none.
    fn read_one(&mut self, stream: &Stream, rng: &mut SplitMix64) -> bool {
        self.take(stream);
        let open = stream.open();
        let can_end: Vec<_> =
            (0..self.reading.len()).filter(|at| !open.contains(&self.reading[*at])).collect();
        if can_end.is_empty() {
            return false;
        }
        let shard = self.reading.swap_remove(can_end[rng.below(can_end.len() as u64) as usize]);
        self.over.insert(shard);
        if stream.shards.contains_key(&shard) {
            stream.end(&mut self.lineage, shard);
        } else {
            self.lineage.gone(ShardNumber(shard));
        }
        true
    }

    fn list_if_needed(&mut self, stream: &Stream) -> bool {
        let needed = self.lineage.needs_listing();
        if needed {
            self.lineage.relisted(&stream.listing());
            assert!(!self.lineage.needs_listing(), "one listing says it all");
        }
        needed
    }

    /// The oldest closed shard goes.
    fn let_one_expire(&mut self, stream: &mut Stream, rng: &mut SplitMix64) {
        let closed = stream.shards.values().find(|shard| !shard.is_open()).map(|s| s.number.0);
        if let Some(shard) = closed.filter(|_| rng.below(2) == 0) {
            stream.expire(shard);
            self.over.insert(shard);
        }
    }

    fn read_the_rest(&mut self, stream: &Stream, rng: &mut SplitMix64) {
        while self.list_if_needed(stream) | self.read_one(stream, rng) {}
    }
}

fn reshard_a_little(stream: &mut Stream, rng: &mut SplitMix64) {
    stream.now += 1000;
    for _ in 0..1 + rng.below(4) {
        let open = stream.open();
        let one = open[rng.below(open.len() as u64) as usize];
        let other = open[rng.below(open.len() as u64) as usize];
        if one == other || rng.below(2) == 0 {
            stream.split(one);
        } else {
            stream.merge(one, other);
        }
    }
}
