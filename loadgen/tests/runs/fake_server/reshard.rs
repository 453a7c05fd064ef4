//! Splits, merges and scalings: closed parents, and the children behind them.

use std::collections::BTreeSet;

use shardway::base::error::ApiError;
use shardway::base::ids::ShardNumber;
use shardway::record::{HashKey, HashRange};
use shardway::wire::reshard::{Reshard, Resharded};
use shardway::wire::shards::ChildShard;

use super::shard::Shard;
use super::stream::Stream;

impl Stream {
    /// Carries out a reshard at once.
    pub fn reshard(&mut self, reshard: Reshard) -> Result<Resharded, ApiError> {
        let (before, first_new) = (self.map().shards.len() as u32, self.shards.len());
        match reshard {
            Reshard::Split { shard, at } => {
                let HashRange { start, end } = self.open_range(shard)?;
                let middle = HashKey(start.0 + (end.0 - start.0) / 2 + 1);
                let at = at.unwrap_or(middle);
                for range in
                    [HashRange { start, end: HashKey(at.0 - 1) }, HashRange { start: at, end }]
                {
                    self.open(range, Some(shard), None);
                }
            }
            Reshard::Merge { shard, adjacent } => {
                let (low, high) = (self.open_range(shard)?, self.open_range(adjacent)?);
                if low.end.0.checked_add(1) != Some(high.start.0) {
                    return Err(ApiError::invalid("the shards are no neighbours"));
                }
                let range = HashRange { start: low.start, end: high.end };
                self.open(range, Some(shard), Some(adjacent));
            }
            Reshard::Scale { target } => self.scale(before, target)?,
        }
        self.close_parents(first_new);
        self.summary.map_version += 1;
        let after = self.map().shards.len() as u32;
        self.summary.open_shards = after;
        let map_version = self.summary.map_version;
        let of_this = |number: ShardNumber| {
            number.0 as usize >= first_new
                || self.shards[first_new..].iter().any(|s| s.about.parents().any(|p| p == number))
        };
        let shards = self.shards.iter().map(|s| s.about).filter(|s| of_this(s.number)).collect();
        Ok(Resharded { before, after, map_version, shards })
    }

    fn open_range(&self, number: ShardNumber) -> Result<HashRange, ApiError> {
        let shard = self.shards.get(number.0 as usize).filter(|shard| shard.about.is_open());
        shard.map(|shard| shard.about.range).ok_or(ApiError::invalid(format!("{number} is closed")))
    }

    /// Splits at the target's boundaries, then merges two at a time.
    fn scale(&mut self, before: u32, target: u32) -> Result<(), ApiError> {
        if target < before.div_ceil(2) || target > before * 2 {
            return Err(ApiError::invalid(format!("{target} is out of bounds")));
        }
        let wanted = HashRange::split_evenly(target);
        let cuts: BTreeSet<u128> = wanted.iter().map(|range| range.start.0).collect();
        let mut pieces: Vec<(HashRange, ShardNumber)> = Vec::new();
        let mut shards = self.map().shards;
        shards.sort_by_key(|shard| shard.range.start);
        for shard in shards {
            if wanted.contains(&shard.range) {
                continue;
            }
            let mut starts = vec![shard.range.start.0];
            starts.extend(cuts.range(shard.range.start.0 + 1..=shard.range.end.0));
            if starts.len() == 1 {
                pieces.push((shard.range, shard.number));
                continue;
            }
            let ends = starts[1..].iter().map(|start| start - 1).chain([shard.range.end.0]);
            for (start, end) in starts.clone().into_iter().zip(ends) {
                let range = HashRange { start: HashKey(start), end: HashKey(end) };
                pieces.push((range, self.open(range, Some(shard.number), None)));
            }
        }
        for range in wanted {
            let inside = |piece: &&(HashRange, ShardNumber)| range.contains(piece.0.start);
            let mut of_it = pieces.iter().filter(inside);
            let Some(&(mut joined, mut number)) = of_it.next() else { continue };
            for &(piece, other) in of_it {
                joined.end = piece.end;
                number = self.open(joined, Some(number), Some(other));
            }
        }
        Ok(())
    }

    /// Closes every open shard that a newer one came from, oldest first.
    fn close_parents(&mut self, first_new: usize) {
        for at in 0..self.shards.len() {
            let number = self.shards[at].about.number;
            let is_child = |child: &&Shard| child.about.parents().any(|parent| parent == number);
            let children: Vec<ChildShard> = self.shards[first_new..]
                .iter()
                .filter(is_child)
                .map(|child| ChildShard {
                    number: child.about.number,
                    parent: child.about.parent.expect("a child has one"),
                    adjacent_parent: child.about.adjacent_parent,
                    range: child.about.range,
                })
                .collect();
            if children.is_empty() || !self.shards[at].about.is_open() {
                continue;
            }
            self.close(number, &children);
            self.shards[at].children = children;
        }
        for shard in &mut self.shards {
            shard.pump();
        }
    }
}
