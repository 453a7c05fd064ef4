//! Uniform scaling: from the open shards that there are to ones of equal width, by splits and
//! merges, so that every shard has one parent or two that are neighbours.
//!
//! ```text
//! 2 shards     |        0        |        1        |
//! cut at 3rds  |     2     |  3  |  4  |     5     |     2 and 5 are as wanted, 3 and 4 are not
//! joined                   |     6     |                 3 and 4 never hold a record
//! ```

use crate::base::ids::ShardNumber;
use crate::catalog::event::PlannedShard;
use crate::catalog::state::{ShardRecord, StreamRecord};
use crate::record::{HashKey, HashRange};

/// The shards that close and those that follow when the open shards of `stream` become `target`
/// ones. A shard that has the width and place of a wanted one stays as it is.
pub(super) fn scale(stream: &StreamRecord, target: u32) -> (Vec<ShardNumber>, Vec<PlannedShard>) {
    let mut open: Vec<ShardRecord> = stream.open_shards().copied().collect();
    open.sort_by_key(|shard| shard.range.start);
    let cuts = cuts(&open, target);
    let mut made = Made { first: stream.next_number(), children: Vec::new() };
    let mut parents = Vec::new();
    let mut pieces = Vec::new();
    for ShardRecord { number, range, .. } in open {
        // A cut at its first hash key is there already.
        let from = cuts.partition_point(|&cut| cut <= range.start.0);
        let to = cuts.partition_point(|&cut| cut <= range.end.0);
        if from < to {
            parents.push(number);
        }
        made.split(Piece { number, range }, &cuts[from..to], &mut pieces);
    }
    let mut rest = &pieces[..];
    while !rest.is_empty() {
        let end = cuts.partition_point(|&cut| cut <= rest[0].range.start.0);
        let end = cuts.get(end).map_or(u128::MAX, |cut| cut - 1);
        let (wanted, behind) = rest.split_at(rest.partition_point(|p| p.range.end.0 <= end));
        rest = behind;
        if wanted.len() > 1 {
            let old = wanted.iter().map(|piece| piece.number);
            parents.extend(old.filter(|number| number.0 < made.first));
        }
        made.open(wanted);
    }
    parents.sort();
    (parents, made.children)
}

/// First hash keys of the wanted shards but for the first, which is 0.
///
/// The width of a shard is rounded down, so a boundary of 6 lies a few keys beside the one of 3
/// that it stands for. A boundary that is that close stays where it is, or shards of a few hash
/// keys would be cut off and joined again.
fn cuts(open: &[ShardRecord], target: u32) -> Vec<u128> {
    let wanted = HashRange::split_evenly(target);
    let close = (u128::MAX / u128::from(target)) >> 20;
    let near = |cut: u128| {
        let above = open.partition_point(|shard| shard.range.start.0 < cut);
        let around = open[above.saturating_sub(1)..].iter().take(2).map(|s| s.range.start.0);
        let nearest = around.min_by_key(|start| start.abs_diff(cut));
        nearest.filter(|start| *start > 0 && start.abs_diff(cut) <= close).unwrap_or(cut)
    };
    wanted[1..].iter().map(|range| near(range.start.0)).collect()
}

/// An open shard, or a part of one.
#[derive(Clone, Copy)]
struct Piece {
    number: ShardNumber,
    range: HashRange,
}

/// The new shards. None is open until it is known to be a wanted one.
struct Made {
    /// Number of the first.
    first: u32,
    children: Vec<PlannedShard>,
}

impl Made {
    /// Cuts a piece at all `cuts`, which lie inside of it, in halves of about as many cuts.
    fn split(&mut self, piece: Piece, cuts: &[u128], pieces: &mut Vec<Piece>) {
        if cuts.is_empty() {
            return pieces.push(piece);
        }
        let (low, [cut, high @ ..]) = cuts.split_at(cuts.len() / 2) else {
            unreachable!("half of some cuts are fewer");
        };
        let HashRange { start, end } = piece.range;
        let below = HashRange { start, end: HashKey(cut - 1) };
        let below = self.make(below, piece.number, None);
        let above = self.make(HashRange { start: HashKey(*cut), end }, piece.number, None);
        self.split(below, low, pieces);
        self.split(above, high, pieces);
    }

    /// Joins pieces to a wanted shard.
    fn open(&mut self, pieces: &[Piece]) {
        let joined = self.join(pieces);
        if let Some(index) = joined.number.0.checked_sub(self.first) {
            self.children[index as usize].open = true;
        }
    }

    fn join(&mut self, pieces: &[Piece]) -> Piece {
        if let [piece] = pieces {
            return *piece;
        }
        let (low, high) = pieces.split_at(pieces.len() / 2);
        let (low, high) = (self.join(low), self.join(high));
        let range = HashRange { start: low.range.start, end: high.range.end };
        self.make(range, low.number, Some(high.number))
    }

    fn make(
        &mut self,
        range: HashRange,
        parent: ShardNumber,
        adjacent_parent: Option<ShardNumber>,
    ) -> Piece {
        let number = ShardNumber(self.first + self.children.len() as u32);
        let open = false;
        self.children.push(PlannedShard { number, range, parent, adjacent_parent, open });
        Piece { number, range }
    }
}
