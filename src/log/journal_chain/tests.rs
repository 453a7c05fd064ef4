use super::*;
use crate::base::ids::{CoreId, ShardKey, ShardNumber, StreamUuid, Term};
use crate::log::checkpoint::CheckpointEntry;
use crate::log::commit::CommitHeader;
use crate::log::journal_scan::{check_payload, scan_file};
use crate::{base::crc::crc32, base::ids::Seq};

const BLOCK: usize = 4096;
const FILES: u64 = 3;
const FILE_BLOCKS: usize = 4;
const OF: JournalTerm = JournalTerm { term: Term(4), salt: 77, files: FILES };

/// The table, written out: `verdict` has to agree in every cell, and no cell may be missing.
#[test]
fn the_recovery_table_is_what_the_format_says() {
    use {AtPlace as A, Behind as B, Verdict as V};
    let table = [
        (A::Expected, B::Nothing, V::Take),
        (A::Expected, B::NextFile, V::Take),
        (A::Expected, B::Later, V::Take),
        (A::Nothing, B::Nothing, V::End),
        (A::Nothing, B::NextFile, V::NextFile),
        (A::Nothing, B::Later, V::Corrupt),
        (A::Torn, B::Nothing, V::TornTail),
        (A::Torn, B::NextFile, V::Corrupt),
        (A::Torn, B::Later, V::Corrupt),
        (A::Other, B::Nothing, V::Corrupt),
        (A::Other, B::NextFile, V::Corrupt),
        (A::Other, B::Later, V::Corrupt),
    ];
    for (at, behind, expected) in table {
        assert_eq!(verdict(at, behind), expected, "{at:?}, behind it {behind:?}");
    }
}

/// One commit as the tests see it: a checkpoint of one block.
#[derive(Clone, Copy)]
struct Shape {
    core: u16,
    term: u64,
    salt: u64,
    generation: u64,
    commit: u64,
    offset: u64,
    previous_crc: u32,
}

fn block(shape: Shape) -> ([u8; BLOCK], u32) {
    let entry = CheckpointEntry {
        shard: ShardKey { stream: StreamUuid([1; 16]), number: ShardNumber(0) },
        segment_seq: Seq(shape.commit),
    }
    .encode();
    let header = CommitHeader {
        kind: CommitKind::Checkpoint,
        salt: shape.salt,
        term: Term(shape.term),
        generation: shape.generation,
        commit: shape.commit,
        offset: shape.offset,
        payload_bytes: entry.len() as u32,
        count: 1,
        core: CoreId(shape.core),
        unsynced: false,
        previous_crc: shape.previous_crc,
        payload_crc: crc32(&entry),
    };
    let mut bytes = [0; BLOCK];
    bytes[..128].copy_from_slice(&header.encode());
    bytes[128..160].copy_from_slice(&entry);
    (bytes, header.crc())
}

/// A ring as `commits` one-block commits leave it, with the number of the commit in each block.
fn ring(commits: u64) -> Vec<Vec<u8>> {
    let mut files = vec![vec![0; FILE_BLOCKS * BLOCK]; FILES as usize];
    let mut previous_crc = 0;
    for commit in 1..=commits {
        let (generation, slot) = place_of(commit);
        let offset = (slot * BLOCK) as u64;
        let (core, term, salt) = (0, OF.term.0, OF.salt);
        let shape = Shape { core, term, salt, generation, commit, offset, previous_crc };
        let (bytes, crc) = block(shape);
        let file = &mut files[OF.ring_index(generation) as usize];
        file[slot * BLOCK..][..BLOCK].copy_from_slice(&bytes);
        previous_crc = crc;
    }
    files
}

fn place_of(commit: u64) -> (u64, usize) {
    let per_file = FILE_BLOCKS as u64;
    ((commit - 1) / per_file + 1, ((commit - 1) % per_file) as usize)
}

fn scan(files: &[Vec<u8>]) -> BTreeMap<u64, FileScan> {
    let scans = files.iter().enumerate();
    scans.map(|(i, bytes)| (i as u64, scan_file(bytes, CoreId(0), i as u64, &OF))).collect()
}

fn numbers(chain: &Chain<'_>) -> Vec<u64> {
    chain.commits.iter().map(|c| c.header.commit).collect()
}

/// The oldest commit that a ring of `commits` still holds.
fn oldest_of(commits: u64) -> u64 {
    let newest = place_of(commits).0;
    newest.saturating_sub(FILES) * FILE_BLOCKS as u64 + 1
}

#[test]
fn a_ring_of_any_length_is_read_whole_and_in_order() {
    for commits in 0..40 {
        let scans = scan(&ring(commits));
        let chain = chain(&scans, &OF);
        let expected: Vec<u64> = (oldest_of(commits.max(1))..=commits).collect();
        assert_eq!(numbers(&chain), expected, "{commits} commits");
        assert_eq!((chain.broken.len(), chain.torn_tail), (0, None), "{commits} commits");
    }
}

/// What may happen to the block of one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Zeroed,
    HeaderFlipped,
    PayloadFlipped,
    PaddingFlipped,
    OtherTerm,
    OtherSalt,
    OtherCore,
    OtherOffset,
    OtherGeneration,
    OtherNumber,
    OtherPrevious,
}

const FAULTS: [Fault; 11] = [
    Fault::Zeroed,
    Fault::HeaderFlipped,
    Fault::PayloadFlipped,
    Fault::PaddingFlipped,
    Fault::OtherTerm,
    Fault::OtherSalt,
    Fault::OtherCore,
    Fault::OtherOffset,
    Fault::OtherGeneration,
    Fault::OtherNumber,
    Fault::OtherPrevious,
];

fn strike(files: &mut [Vec<u8>], commit: u64, fault: Fault) {
    let (generation, slot) = place_of(commit);
    let at = &mut files[OF.ring_index(generation) as usize][slot * BLOCK..][..BLOCK];
    let old = CommitHeader::decode(at[..128].try_into().unwrap()).unwrap();
    let mut shape = Shape {
        core: 0,
        term: OF.term.0,
        salt: OF.salt,
        generation,
        commit,
        offset: old.offset,
        previous_crc: old.previous_crc,
    };
    match fault {
        Fault::Zeroed => return at.fill(0),
        Fault::HeaderFlipped => return at[20] ^= 1,
        Fault::PayloadFlipped => return at[130] ^= 1,
        Fault::PaddingFlipped => return at[4000] ^= 1,
        Fault::OtherTerm => shape.term -= 1,
        Fault::OtherSalt => shape.salt += 1,
        Fault::OtherCore => shape.core = 1,
        Fault::OtherOffset => shape.offset += BLOCK as u64,
        Fault::OtherGeneration => shape.generation += 1,
        Fault::OtherNumber => shape.commit += 1000,
        Fault::OtherPrevious => shape.previous_crc ^= 1,
    }
    at.copy_from_slice(&block(shape).0);
}

/// Every fault on every commit of rings of every length: the last commit is a torn tail or is
/// reported, any other is corruption at its exact place, except at the start of a full ring's
/// oldest file, which is free.
#[test]
fn every_fault_at_every_place_is_cut_off_or_named() {
    for commits in 1..=30 {
        let oldest = oldest_of(commits);
        for victim in oldest..=commits {
            for fault in FAULTS {
                one_fault(commits, oldest, victim, fault);
            }
        }
    }
}

fn one_fault(commits: u64, oldest: u64, victim: u64, fault: Fault) {
    let mut files = ring(commits);
    strike(&mut files, victim, fault);
    let scans = scan(&files);
    let chain = chain(&scans, &OF);
    let what = format!("{commits} commits, {fault:?} on {victim}");
    let (generation, slot) = place_of(victim);
    let place = Place { index: OF.ring_index(generation), offset: (slot * BLOCK) as u64 };
    let astray = scans
        .values()
        .flat_map(|s| &s.misplaced)
        .any(|m| m.header.core != CoreId(0) || chain.lacks(&m.header));
    // A file start that does not follow may also mean that the end of the file before is missing.
    let near = |b: &BrokenAt| b.place == place || (slot == 0 && b.proof == place);
    let forged = fault == Fault::OtherNumber;
    let named = chain.broken.iter().any(|b| forged || near(b));
    // The whole file is within reach of a torn checkpoint here, since it has only four blocks.
    let free = generation + FILES - 1 == place_of(commits).0 && generation < place_of(commits).0;
    if victim < commits && !free {
        assert!(named || astray, "{what} went unnoticed");
    }
    if victim == commits {
        let torn = [Fault::PayloadFlipped, Fault::PaddingFlipped].contains(&fault);
        assert_eq!(chain.torn_tail, torn.then_some(place), "{what}");
        let quiet = [Fault::Zeroed, Fault::HeaderFlipped, Fault::OtherTerm, Fault::OtherSalt];
        // A bad generation or number at the end is no torn write: nothing writes such a thing.
        if torn || quiet.contains(&fault) {
            assert!(!named && !astray, "{what}: a torn tail was called damage");
        } else {
            assert!(named || astray, "{what} went unnoticed");
        }
    }
    // Whatever is wrong: what is taken is in order and was written.
    let taken = numbers(&chain);
    let taken: Vec<u64> = taken.into_iter().filter(|&n| n <= commits).collect();
    assert!(taken.windows(2).all(|w| w[0] < w[1]), "{what}: {taken:?}");
    let written = taken.len();
    let others = (commits + 1 - oldest) as usize - 1;
    // A forged number derails what follows it; that it is reported must do.
    assert!(fault == Fault::OtherNumber || written >= others, "{what}: {taken:?}");
}

#[test]
fn two_neighbours_lost_are_one_hole() {
    let mut files = ring(7);
    strike(&mut files, 3, Fault::Zeroed);
    strike(&mut files, 4, Fault::PayloadFlipped);
    let scans = scan(&files);
    let chain = chain(&scans, &OF);
    assert_eq!(numbers(&chain), [1, 2, 5, 6, 7]);
    assert_eq!(chain.broken.len(), 1);
    assert_eq!(chain.broken[0].commit, Some(3));
    assert_eq!(chain.broken[0].place, Place { index: 0, offset: 2 * BLOCK as u64 });
}

/// Only a header of the last commit is left, and the one before it is gone: the header proves it.
#[test]
fn a_torn_tail_still_proves_the_commit_before_it() {
    let mut files = ring(6);
    strike(&mut files, 5, Fault::Zeroed);
    strike(&mut files, 6, Fault::PayloadFlipped);
    let scans = scan(&files);
    let chain = chain(&scans, &OF);
    assert_eq!(numbers(&chain), [1, 2, 3, 4]);
    assert_eq!(chain.broken.len(), 1);
}

#[test]
fn a_missing_middle_file_is_corruption_at_its_start() {
    let mut files = ring(11);
    files[1].fill(0);
    let scans = scan(&files);
    let chain = chain(&scans, &OF);
    assert_eq!(numbers(&chain), [1, 2, 3, 4, 9, 10, 11]);
    assert_eq!(chain.broken[0].place, Place { index: 1, offset: 0 });
}

#[test]
fn the_torn_start_of_the_next_generation_is_no_damage() {
    // Commit 13 would be the first of generation 4, in the file of generation 1.
    for broken_block in [0, 1] {
        let mut files = ring(12);
        files[0][broken_block * BLOCK..][..BLOCK].fill(0xEE);
        let scans = scan(&files);
        let chain = chain(&scans, &OF);
        assert_eq!(chain.broken, [], "block {broken_block}");
        assert_eq!(numbers(&chain).last(), Some(&12));
        assert_eq!(numbers(&chain).len(), 11, "what is whole is replayed all the same");
    }
}

#[test]
fn a_payload_longer_than_the_file_is_not_whole() {
    let files = ring(1);
    let header = CommitHeader::decode(files[0][..128].try_into().unwrap()).unwrap();
    assert_eq!(check_payload(&header, &files[0][..BLOCK - 1]), Err(BadPayload::Short));
}
