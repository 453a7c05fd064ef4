//! Where a core's next commit goes in its ring of files.

use crate::base::aligned::is_aligned;
use crate::base::ids::{CoreId, Term};
use crate::log::commit::{CommitHeader, CommitKind};

/// What does not change while the server runs.
#[derive(Clone, Copy, Debug)]
pub struct JournalSpec {
    /// Whose journal.
    pub core: CoreId,
    /// Boot epoch.
    pub term: Term,
    /// See [`CommitHeader::salt`].
    pub salt: u64,
    /// Files of the ring, at least 2.
    pub files: u64,
    /// Bytes of each.
    pub file_bytes: u64,
}

/// A place in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which file of the ring.
    pub file: u64,
    /// Where in it.
    pub offset: u64,
}

/// Position of the next commit. Domain only: the driver writes.
#[derive(Debug)]
pub struct Journal {
    spec: JournalSpec,
    /// 0 before the first file is started.
    generation: u64,
    offset: u64,
    next_commit: u64,
    previous_crc: u32,
}

impl Journal {
    /// A journal of a new term: its first file is not started yet.
    #[must_use]
    pub fn new(spec: JournalSpec) -> Journal {
        assert!(spec.files >= 2 && is_aligned(spec.file_bytes), "checked by the options");
        Journal { spec, generation: 0, offset: spec.file_bytes, next_commit: 1, previous_crc: 0 }
    }

    /// The file being written, counted from 1; older ones hold what segments may lack.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a write of so many bytes fits the current file.
    #[must_use]
    pub fn fits(&self, write_bytes: usize) -> bool {
        self.offset + write_bytes as u64 <= self.spec.file_bytes
    }

    /// Whether the next file of the ring may be overwritten, when `oldest_needed` is the oldest
    /// generation with records that no segment holds for certain.
    #[must_use]
    pub fn next_file_is_free(&self, oldest_needed: Option<u64>) -> bool {
        // The next generation overwrites the one a whole ring ago.
        oldest_needed.is_none_or(|oldest| self.generation + 1 < oldest + self.spec.files)
    }

    /// Files that are in use, when `oldest_needed` is the oldest needed generation.
    #[must_use]
    pub fn files_in_use(&self, oldest_needed: Option<u64>) -> u64 {
        oldest_needed.map_or(1, |oldest| self.generation + 1 - oldest)
    }

    /// Turns to the next file. Its first commit must be a checkpoint.
    pub fn start_file(&mut self) {
        self.generation += 1;
        self.offset = 0;
    }

    /// Whether the next commit is the first of its file.
    #[must_use]
    pub fn at_file_start(&self) -> bool {
        self.offset == 0
    }

    /// The header of the next commit, payload fields still empty, and where it goes.
    #[must_use]
    pub fn next(&self) -> (CommitHeader, Place) {
        assert!(self.generation > 0, "a file is started before the first commit");
        let header = CommitHeader {
            kind: CommitKind::Batches,
            salt: self.spec.salt,
            term: self.spec.term,
            generation: self.generation,
            commit: self.next_commit,
            offset: self.offset,
            payload_bytes: 0,
            count: 0,
            core: self.spec.core,
            unsynced: false,
            previous_crc: self.previous_crc,
            payload_crc: 0,
        };
        (header, Place { file: (self.generation - 1) % self.spec.files, offset: self.offset })
    }

    /// The commit with this header is about to be written: the next one goes behind it.
    pub fn advance(&mut self, header: &CommitHeader) {
        assert_eq!(header.commit, self.next_commit, "commits are written in order");
        let end = self.offset + header.write_bytes() as u64;
        assert!(end <= self.spec.file_bytes, "a commit stays inside its file");
        self.offset = end;
        self.next_commit += 1;
        self.previous_crc = header.crc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let spec =
            JournalSpec { core: CoreId(0), term: Term(1), salt: 9, files: 4, file_bytes: 4096 * 4 };
        Journal::new(spec)
    }

    #[test]
    fn a_file_is_reused_only_when_nothing_in_it_is_needed() {
        let mut j = journal();
        for _ in 0..4 {
            assert!(j.next_file_is_free(None));
            j.start_file();
        }
        assert_eq!(j.generation(), 4);
        assert!(!j.next_file_is_free(Some(1)), "generation 5 would overwrite generation 1");
        assert!(j.next_file_is_free(Some(2)));
    }

    #[test]
    fn commits_follow_each_other_and_wrap_around_the_ring() {
        let mut j = journal();
        let mut places = Vec::new();
        let mut crc = 0;
        for n in 1..=20 {
            if !j.fits(4096) {
                j.start_file();
            }
            let (header, place) = j.next();
            assert_eq!((header.commit, header.previous_crc), (n, crc));
            crc = header.crc();
            j.advance(&header);
            places.push((place.file, place.offset / 4096));
        }
        assert_eq!(places[3..5], [(0, 3), (1, 0)]);
        assert_eq!(places[16], (0, 0));
    }
}
