//! How far each shard reaches when its segments and the journals are put together, and whether
//! anything proves that it should reach further. Pure.

use std::path::PathBuf;

use crate::base::ids::Seq;
use crate::log::damage::{Damage, DamageKind, Proof, ProofKind};
use crate::log::expected::Closed;
use crate::log::layout;
use crate::log::recovery::journals::{Run, ShardJournal};
use crate::log::recovery::shards::ShardFiles;
use crate::log::segment_scan::ScanEnd;

/// How far a shard reaches without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// First sequence that still exists.
    pub start: Seq,
    /// Behind the last.
    pub end: Seq,
    /// Why it should be further.
    pub damage: Vec<Damage>,
}

/// The first sequence at which a journal has batches of a higher term than an unsealed segment,
/// with the position of the segment: from there on the segment is rewritten.
pub(crate) fn overruled(shard: &ShardFiles, journal: &ShardJournal) -> Option<(usize, Seq)> {
    let cuts = shard.segments.iter().enumerate().filter_map(|(i, segment)| {
        let cut = segment.terms.iter().enumerate().filter_map(|(k, span)| {
            let span_end = segment.terms.get(k + 1).map_or(segment.index.end(), |s| s.first);
            let higher = journal
                .runs
                .iter()
                .filter(|run| run.term > span.term && run.base < span_end && run.end > span.first);
            higher.map(|run| run.base.max(span.first)).min()
        });
        cut.min().map(|seq| (i, seq))
    });
    cuts.min_by_key(|&(_, seq)| seq)
}

/// Puts segments and journal together. After a clean stop a segment ends in zeros or not at all;
/// a closed shard ends where the catalog says.
pub(crate) fn reach(
    shard: &ShardFiles,
    journal: &ShardJournal,
    closed: Option<Closed<'_>>,
    stopped_clean: bool,
) -> Reach {
    let start = shard.segments.first().map_or(Seq::ZERO, |s| s.base);
    let mut end = start;
    while let Some(further) = covered_to(shard, journal, end) {
        end = further;
    }
    let mut damage = damage_at(shard, journal, closed, end);
    if damage.is_empty() {
        damage.extend(closed.and_then(|closed| behind_closed_end(shard, journal, closed, end)));
    }
    if stopped_clean && damage.is_empty() {
        damage.extend(bad_ends(shard));
    }
    Reach { start, end, damage }
}

/// Where the records that cover position `at` end; `None` if nothing covers it.
fn covered_to(shard: &ShardFiles, journal: &ShardJournal, at: Seq) -> Option<Seq> {
    let usable = shard.segments.iter().filter(|s| s.damage.is_none());
    let segments = usable.map(|s| (s.base, s.index.end()));
    let runs = journal.runs.iter().map(|r| (r.base, r.end));
    // A segment that cannot be used ends the shard, whatever the journals have behind it.
    let stop = shard.segments.iter().find(|s| s.damage.is_some()).map_or(Seq::MAX, |s| s.base);
    let covering = segments.chain(runs).filter(|&(base, end)| base <= at && at < end);
    covering.map(|(_, end)| end.min(stop)).max().filter(|&end| end > at)
}

fn bad_ends(shard: &ShardFiles) -> impl Iterator<Item = Damage> {
    let bad = shard.segments.iter().filter(|s| s.end != ScanEnd::Clean);
    bad.map(|s| Damage {
        file: layout::segment_file(&shard.dir, s.base),
        offset: s.index.end_offset(),
        kind: DamageKind::BadEnd { shard: shard.key, end: s.index.end(), why: s.end },
    })
}

fn overlaps(shard: &ShardFiles) -> impl Iterator<Item = Damage> {
    let pairs = shard.segments.windows(2).filter(|pair| pair[0].index.end() > pair[1].base);
    pairs.map(|pair| Damage {
        file: layout::segment_file(&shard.dir, pair[1].base),
        offset: 0,
        kind: DamageKind::Overlap { shard: shard.key, seq: pair[1].base, end: pair[0].index.end() },
    })
}

/// What reaches further than a closed shard may.
fn behind_closed_end(
    shard: &ShardFiles,
    journal: &ShardJournal,
    closed: Closed<'_>,
    found: Seq,
) -> Option<Damage> {
    let end = closed.at.end;
    if found <= end {
        return None;
    }
    let segment = shard.segments.iter().find(|s| s.index.end() > end);
    let in_segment = segment.map(|s| (layout::segment_file(&shard.dir, s.base), 0));
    let run = journal.runs.iter().find(|run| run.end > end);
    let (file, offset) = in_segment.or(run.map(|run| (run.file.clone(), run.offset)))?;
    let kind = DamageKind::BehindClosedEnd { shard: shard.key, end, found };
    Some(Damage { file, offset, kind })
}

fn damage_at(
    shard: &ShardFiles,
    journal: &ShardJournal,
    closed: Option<Closed<'_>>,
    end: Seq,
) -> Vec<Damage> {
    let segment_path = |base| layout::segment_file(&shard.dir, base);
    let mut damage: Vec<Damage> = Vec::new();
    for segment in &shard.segments {
        if let Some((offset, kind)) = &segment.damage {
            let (file, offset, kind) = (segment_path(segment.base), *offset, kind.clone());
            damage.push(Damage { file, offset, kind });
        }
    }
    damage.extend(overlaps(shard));
    if !damage.is_empty() {
        return damage;
    }
    let records = |until: Seq, file: PathBuf, offset| {
        (until, Proof { file, offset, what: ProofKind::Records(until) })
    };
    let later_segments = shard.segments.iter().filter(|s| s.base > end);
    let strays = shard.segments.iter().filter_map(|s| s.stray.map(|stray| (s, stray)));
    let strays = strays.filter(|(_, stray)| stray.seq >= end);
    let runs = journal.runs.iter().filter(|r: &&Run| r.end > end);
    let checkpoint = journal.checkpoint.iter().filter(|(seq, ..)| *seq > end);
    let proofs = later_segments
        .map(|s| records(s.base, segment_path(s.base), 0))
        .chain(strays.map(|(s, stray)| records(stray.seq, segment_path(s.base), stray.offset)))
        .chain(runs.map(|r| records(r.base, r.file.clone(), r.offset)))
        .chain(checkpoint.map(|(seq, file, offset)| {
            let what = ProofKind::Checkpoint(*seq);
            (*seq, Proof { file: file.clone(), offset: *offset, what })
        }))
        .chain(missing_end(closed, end));
    if let Some((until, proof)) = proofs.min_by_key(|(until, _)| *until) {
        let last = shard.segments.iter().rfind(|s| s.base <= end);
        damage.push(Damage {
            file: last.map_or(shard.dir.clone(), |s| segment_path(s.base)),
            offset: last.map_or(0, |s| s.index.end_offset()),
            kind: DamageKind::MissingRecords { shard: shard.key, from: end, until, proof },
        });
    }
    damage
}

/// The proof that a closed shard had more records, all of them durable.
fn missing_end(closed: Option<Closed<'_>>, end: Seq) -> Option<(Seq, Proof)> {
    let Closed { at, catalog } =
        closed.filter(|closed| closed.at.durable && end < closed.at.end)?;
    let what = ProofKind::ClosedEnd(at.end);
    Some((at.end, Proof { file: catalog.to_owned(), offset: 0, what }))
}
