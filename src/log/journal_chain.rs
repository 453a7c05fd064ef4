//! Puts the files of one core's ring together: the chain of commits that were durable, and what
//! is wrong with it. The decision stands in one table, [`verdict`].

use std::collections::BTreeMap;

use crate::log::checkpoint::CHECKPOINT_ENTRY_BYTES;
use crate::log::commit::{CommitHeader, CommitKind, commit_write_bytes};
use crate::log::journal_scan::{BadPayload, Commit, FileScan, JournalTerm};

/// What stands where the next commit is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtPlace {
    /// The expected commit, whole.
    Expected,
    /// No commit of this generation: zeros, stale bytes of an older one, the end of the file.
    Nothing,
    /// A header of the expected commit, and a payload that is not whole.
    Torn,
    /// A commit of this generation, but not the one that continues the chain.
    Other,
}

/// What is known to have been written after the expected commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Nothing: no commit with a higher number is anywhere.
    Nothing,
    /// The next file of the ring begins with exactly the expected commit.
    NextFile,
    /// A commit with a higher number. It was only written once the expected one was durable.
    Later,
}

/// What the scan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The commit is part of the journal.
    Take,
    /// The file was full; the journal goes on in the next one.
    NextFile,
    /// The journal ends here.
    End,
    /// The journal ends here, and the write of its last commit was cut off: never acknowledged.
    TornTail,
    /// A durable commit is missing.
    Corrupt,
}

/// The recovery table.
#[must_use]
pub fn verdict(at: AtPlace, behind: Behind) -> Verdict {
    match (at, behind) {
        (AtPlace::Expected, _) => Verdict::Take,
        (AtPlace::Nothing, Behind::Nothing) => Verdict::End,
        (AtPlace::Nothing, Behind::NextFile) => Verdict::NextFile,
        (AtPlace::Nothing, Behind::Later) => Verdict::Corrupt,
        (AtPlace::Torn, Behind::Nothing) => Verdict::TornTail,
        // The commit would exist twice, and one is in flight at a time.
        (AtPlace::Torn, Behind::NextFile) => Verdict::Corrupt,
        (AtPlace::Torn, Behind::Later) => Verdict::Corrupt,
        (AtPlace::Other, _) => Verdict::Corrupt,
    }
}

/// A place in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which file.
    pub index: u64,
    /// Where in it.
    pub offset: u64,
}

/// A durable commit is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenAt {
    /// Where it should stand.
    pub place: Place,
    /// Its number, if it is known.
    pub commit: Option<u64>,
    /// What is wrong with the payload, if that is all that is.
    pub why: Option<BadPayload>,
    /// A later commit that proves that it existed.
    pub proof: Place,
    /// That one's number.
    pub proof_commit: u64,
}

/// The journal of one core.
#[derive(Clone, Debug, Default)]
pub struct Chain<'a> {
    /// Whole commits in the order in which they were written.
    pub commits: Vec<&'a Commit>,
    /// Places where one is missing.
    pub broken: Vec<BrokenAt>,
    /// A last commit whose write was cut off.
    pub torn_tail: Option<Place>,
    /// The oldest generation that the ring still has.
    pub oldest: u64,
}

/// New shards that a core may get during one turn of its ring; bounds how far the torn start of
/// a generation can reach into what the file held before.
const CHECKPOINT_GROWTH: usize = 4096;

/// Judges the ring of one core. `files` holds the scans by ring index; a missing one is absent.
#[must_use]
pub fn chain<'a>(files: &'a BTreeMap<u64, FileScan>, of: &JournalTerm) -> Chain<'a> {
    let newest = files.values().flat_map(|f| &f.commits).map(|c| c.header.generation).max();
    let Some(newest) = newest else {
        return Chain::default();
    };
    let oldest = newest.saturating_sub(of.files.max(1)) + 1;
    let mut live: Vec<&Commit> =
        files.values().flat_map(|f| &f.commits).filter(|c| c.header.generation >= oldest).collect();
    live.sort_by_key(|c| (c.header.generation, c.header.offset));
    let mut walk = Walk {
        of,
        // An unsynced commit may have reached the disk before those that were written first.
        last_number: live
            .iter()
            .filter(|c| !c.header.unsynced)
            .map(|c| c.header.commit)
            .max()
            .unwrap_or(0),
        may_be_overwritten: if newest >= of.files { torn_start_bytes(&live) } else { 0 },
        oldest,
        live,
        next: Next { generation: oldest, offset: 0, known: (oldest == 1).then_some((1, 0)) },
        chain: Chain::default(),
    };
    while walk.step() {}
    walk.chain.oldest = oldest;
    walk.chain
}

/// The expected commit: where, and its number and previous CRC once one is known.
#[derive(Clone, Copy)]
struct Next {
    generation: u64,
    offset: u64,
    known: Option<(u64, u32)>,
}

struct Walk<'a, 'b> {
    of: &'b JournalTerm,
    /// Commits of the generations that the ring holds, whole or not, in order.
    live: Vec<&'a Commit>,
    oldest: u64,
    last_number: u64,
    may_be_overwritten: u64,
    next: Next,
    chain: Chain<'a>,
}

impl<'a> Walk<'a, '_> {
    fn step(&mut self) -> bool {
        let here = self.live_at(self.next.generation, self.next.offset);
        match verdict(self.at_place(here), self.behind(here)) {
            Verdict::Take => {
                self.take(here.expect("the expected commit was found"));
                true
            }
            Verdict::NextFile => {
                self.next.generation += 1;
                self.next.offset = 0;
                true
            }
            Verdict::End => false,
            Verdict::TornTail => {
                self.chain.torn_tail = Some(self.place());
                false
            }
            Verdict::Corrupt => self.skip_hole(here),
        }
    }

    fn at_place(&self, here: Option<&Commit>) -> AtPlace {
        let Some(commit) = here else {
            return AtPlace::Nothing;
        };
        let header = &commit.header;
        let expected =
            self.next.known.is_none_or(|known| known == (header.commit, header.previous_crc));
        match (expected, &commit.payload) {
            (false, _) => AtPlace::Other,
            (true, Ok(_)) => AtPlace::Expected,
            (true, Err(_)) => AtPlace::Torn,
        }
    }

    fn behind(&self, here: Option<&Commit>) -> Behind {
        let number = match (self.next.known, here) {
            (Some((number, _)), _) => number,
            (None, Some(commit)) => commit.header.commit,
            // The start of a turned ring, and nothing there: every commit is behind it.
            (None, None) => 0,
        };
        let next_file = self
            .live_at(self.next.generation + 1, 0)
            .is_some_and(|c| Some((c.header.commit, c.header.previous_crc)) == self.next.known);
        if next_file {
            Behind::NextFile
        } else if self.last_number > number || (here.is_none() && self.last_number == number) {
            Behind::Later
        } else {
            Behind::Nothing
        }
    }

    fn take(&mut self, commit: &'a Commit) {
        let header = &commit.header;
        self.next = Next {
            generation: header.generation,
            offset: header.offset + header.write_bytes() as u64,
            known: Some((header.commit + 1, header.crc())),
        };
        self.chain.commits.push(commit);
    }

    /// Notes the hole at the expected place and goes on with the next whole commit behind it.
    fn skip_hole(&mut self, here: Option<&'a Commit>) -> bool {
        let at = (self.next.generation, self.next.offset);
        let behind = |c: &&&Commit| (c.header.generation, c.header.offset) > at;
        let proof = self.live.iter().find(behind).or(self.live.last()).copied();
        let proof = proof.expect("a ring with a newest generation holds a commit");
        let mut whole = self.live.iter().filter(|c| c.payload.is_ok());
        let resume = whole.find(behind).copied();
        if !self.overwritten_by_next_generation(resume) {
            let place = |c: &Commit| Place {
                index: self.of.ring_index(c.header.generation),
                offset: c.header.offset,
            };
            self.chain.broken.push(BrokenAt {
                place: self.hole(here, proof),
                commit: self.next.known.map(|(number, _)| number),
                why: here.and_then(|c| c.payload.as_ref().err()).copied(),
                proof: place(proof),
                proof_commit: proof.header.commit,
            });
        }
        match resume {
            Some(commit) => {
                self.take(commit);
                true
            }
            None => false,
        }
    }

    /// Whether the hole is at the start of the oldest file of a full ring: there the first write
    /// of the next generation may have been cut off. That file was free by then, so what stood
    /// there is in segments; what is still whole is replayed, and adds nothing.
    fn overwritten_by_next_generation(&self, resume: Option<&Commit>) -> bool {
        let second_file = (self.oldest + 1, 0);
        self.next.generation == self.oldest
            && self.next.offset < self.may_be_overwritten
            && resume.is_some_and(|c| {
                let number = self.next.known.map_or(0, |(number, _)| number);
                (c.header.generation, c.header.offset) <= second_file && c.header.commit > number
            })
    }

    /// Where the missing commit should stand: here, or at the start of the next file if that has
    /// not got the checkpoint with which every file begins.
    fn hole(&self, here: Option<&Commit>, proof: &Commit) -> Place {
        let next = self.next.generation + 1;
        let start_is_missing = proof.header.generation >= next && self.live_at(next, 0).is_none();
        match here.is_none() && start_is_missing {
            true => Place { index: self.of.ring_index(next), offset: 0 },
            false => self.place(),
        }
    }

    fn place(&self) -> Place {
        Place { index: self.of.ring_index(self.next.generation), offset: self.next.offset }
    }

    fn live_at(&self, generation: u64, offset: u64) -> Option<&'a Commit> {
        let key = (generation, offset);
        let found =
            self.live.binary_search_by_key(&key, |c| (c.header.generation, c.header.offset));
        found.ok().map(|i| self.live[i])
    }
}

/// Bytes that the first write of the next generation, a checkpoint, may reach.
fn torn_start_bytes(live: &[&Commit]) -> u64 {
    let largest = live
        .iter()
        .filter(|c| c.header.kind == CommitKind::Checkpoint)
        .map(|c| c.header.payload_bytes as usize)
        .max()
        .unwrap_or(0);
    commit_write_bytes(largest + CHECKPOINT_GROWTH * CHECKPOINT_ENTRY_BYTES) as u64
}

impl Chain<'_> {
    /// Whether a commit that was found in a wrong place should be in this journal and is not.
    #[must_use]
    pub fn lacks(&self, found: &CommitHeader) -> bool {
        found.generation >= self.oldest
            && self.commits.binary_search_by_key(&found.commit, |c| c.header.commit).is_err()
    }
}

#[cfg(test)]
mod tests;
