//! Writes data directories as the live server does, with plain files: a small model of it, whose
//! every step can be stopped or damaged.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use shardway::base::clock::Now;
use shardway::base::ids::{
    CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term, home_core,
};
use shardway::disk::blocking::DirLock;
use shardway::log::checkpoint::CheckpointEntry;
use shardway::log::commit::{
    COMMIT_HEADER_BYTES, CommitHeader, CommitKind, commit_write_bytes, payload_crc_of_batch,
};
use shardway::log::expected::Expected;
use shardway::log::identity::{Identity, JournalShape};
use shardway::log::layout;
use shardway::log::prepare::prepare_journal;
use shardway::log::progress::NoProgress;
use shardway::log::recovery::{RecoverError, RecoverOptions, Recovered, recover};
use shardway::log::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use shardway::log::segment_scan::{SegmentExpect, scan_segment};
use shardway::record::{BatchBuilder, BatchHeader, Stamp, stamp_in_place};

/// Small rings, so that tests turn them.
pub const FILES: u64 = 3;
pub const FILE_BYTES: u64 = 64 * 1024;

pub fn shard(stream: u8, number: u32) -> ShardKey {
    ShardKey { stream: StreamUuid([stream; 16]), number: ShardNumber(number) }
}

pub fn shape(cores: u16) -> JournalShape {
    JournalShape { cores, files: FILES, file_bytes: FILE_BYTES }
}

pub fn options(cores: u16, salt: u64) -> RecoverOptions {
    RecoverOptions { journal: shape(cores), salt, accept_loss: false, clock: Now::read }
}

/// A stamped batch of `records` records with `data` bytes each, whose content names its place.
pub fn batch(key: ShardKey, term: u64, base: u64, records: u32, data: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for i in 0..records {
        // Never 0, so that no block of a commit looks like one that was not written.
        let fill = (base + u64::from(i)).wrapping_mul(0x9E37_79B9) as u8 | 1;
        builder.push(&format!("{key}#{}", base + u64::from(i)), None, &vec![fill; data]).unwrap();
    }
    let mut bytes = builder.finish().to_vec();
    let arrival = Millis(1_700_000_000_000 + base);
    let stamp = Stamp { shard: key, term: Term(term), base: Seq(base), arrival };
    stamp_in_place(&mut bytes, &stamp);
    bytes
}

/// Where a commit was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub file: PathBuf,
    pub offset: u64,
    pub bytes: Vec<u8>,
    pub header: CommitHeader,
}

/// One core's journal.
#[derive(Clone, Debug)]
pub struct Journal {
    dir: PathBuf,
    core: CoreId,
    term: Term,
    salt: u64,
    pub shape: JournalShape,
    pub generation: u64,
    pub offset: u64,
    pub commit: u64,
    pub previous_crc: u32,
}

impl Journal {
    pub fn new(dir: &Path, core: u16, identity: &Identity) -> Journal {
        Journal {
            dir: dir.to_owned(),
            core: CoreId(core),
            term: identity.term,
            salt: identity.salt,
            shape: identity.journal,
            generation: 1,
            offset: 0,
            commit: 1,
            previous_crc: 0,
        }
    }

    pub fn fits(&self, payload_bytes: usize) -> bool {
        self.offset + commit_write_bytes(payload_bytes) as u64 <= self.shape.file_bytes
    }

    pub fn next_file(&mut self) {
        self.generation += 1;
        self.offset = 0;
    }

    pub fn file(&self) -> PathBuf {
        let index = (self.generation - 1) % self.shape.files;
        layout::journal_file(&self.dir, self.core, index)
    }

    /// The next commit's place and bytes; not written.
    pub fn prepare(&self, kind: CommitKind, parts: &[Vec<u8>]) -> Written {
        let payload = parts.concat();
        let payload_crc = match kind {
            CommitKind::Batches => parts.iter().fold(0, |crc, batch| {
                payload_crc_of_batch(crc, u32::from_le_bytes(batch[124..128].try_into().unwrap()))
            }),
            CommitKind::Checkpoint => shardway::base::crc::crc32(&payload),
        };
        let header = CommitHeader {
            kind,
            salt: self.salt,
            term: self.term,
            generation: self.generation,
            commit: self.commit,
            offset: self.offset,
            payload_bytes: payload.len() as u32,
            count: parts.len() as u32,
            core: self.core,
            unsynced: false,
            previous_crc: self.previous_crc,
            payload_crc,
        };
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(&payload);
        bytes.resize(header.write_bytes(), 0);
        Written { file: self.file(), offset: self.offset, bytes, header }
    }

    /// Counts a prepared commit as written.
    pub fn advance(&mut self, written: &Written) {
        self.offset += written.bytes.len() as u64;
        self.commit += 1;
        self.previous_crc = written.header.crc();
    }

    pub fn write(&mut self, kind: CommitKind, parts: &[Vec<u8>]) -> Written {
        let written = self.prepare(kind, parts);
        assert!(self.fits(parts.concat().len()), "the test commits more than a file takes");
        write_at(&written.file, written.offset, &written.bytes);
        self.advance(&written);
        written
    }
}

pub fn write_at(path: &Path, offset: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

/// Flips one bit of a file.
pub fn flip(path: &Path, offset: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset as usize] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// A shard in the model: every durable batch, and how many of them are in segments.
#[derive(Clone, Debug, Default)]
pub struct ModelShard {
    pub batches: Vec<Vec<u8>>,
    pub in_segments: usize,
    /// Base, end offset of the unsealed segment.
    segment: Option<(u64, u64)>,
}

impl ModelShard {
    pub fn end(&self) -> u64 {
        self.batches.last().map_or(0, |b| BatchHeader::decode_stamped(b).unwrap().end().0)
    }
}

/// The model of a running server.
#[derive(Debug)]
pub struct Server {
    pub dir: PathBuf,
    pub identity: Identity,
    pub journals: Vec<Journal>,
    pub shards: BTreeMap<ShardKey, ModelShard>,
    pub recovered: Recovered,
    /// A segment is sealed when it is larger.
    pub segment_bytes: u64,
    pub lock: Option<DirLock>,
}

pub fn boot_with(dir: &Path, options: &RecoverOptions) -> Result<Server, RecoverError> {
    fs::create_dir_all(dir).unwrap();
    let lock = DirLock::exclusive(&layout::lock_file(dir)).unwrap();
    let identity = Identity::load_or_create(dir, uuid::Uuid::from_bytes([9; 16]))?;
    let recovered = recover(dir, &lock, identity, options, &Expected::default(), &mut NoProgress)?;
    let JournalShape { cores, files, file_bytes } = options.journal;
    for core in 0..cores {
        prepare_journal(dir, CoreId(core), files, file_bytes, &mut NoProgress)?;
    }
    let identity = recovered.identity;
    let journals = (0..cores).map(|core| Journal::new(dir, core, &identity)).collect();
    let mut server = Server {
        dir: dir.to_owned(),
        identity,
        journals,
        shards: BTreeMap::new(),
        recovered,
        segment_bytes: 256 * 1024,
        lock: Some(lock),
    };
    for (key, batches) in read_back(dir) {
        let last = server.recovered.shards.iter().find(|s| s.shard == key).unwrap();
        let last = last.segments.last().unwrap();
        let model = ModelShard {
            in_segments: batches.len(),
            batches,
            segment: (!last.sealed).then(|| (last.base.0, last.index.end_offset())),
        };
        server.shards.insert(key, model);
    }
    for core in 0..cores {
        server.checkpoint(core);
    }
    Ok(server)
}

pub fn boot(dir: &Path, cores: u16) -> Server {
    boot_with(dir, &options(cores, 0x5A17_0000 + u64::from(cores))).unwrap()
}

impl Server {
    pub fn core_of(&self, key: ShardKey) -> u16 {
        home_core(key, self.journals.len() as u16).0
    }

    /// The next batch of a shard, as its home core would stamp it.
    pub fn stamp(&self, key: ShardKey, records: u32, data: usize) -> Vec<u8> {
        let base = self.shards.get(&key).map_or(0, ModelShard::end);
        batch(key, self.identity.term.0, base, records, data)
    }

    /// One durable put.
    pub fn put(&mut self, key: ShardKey, records: u32, data: usize) -> Written {
        let batch = self.stamp(key, records, data);
        self.commit(self.core_of(key), vec![batch])
    }

    /// One commit of batches that are already stamped.
    pub fn commit(&mut self, core: u16, batches: Vec<Vec<u8>>) -> Written {
        self.make_room(core, batches.concat().len());
        let written = self.journals[usize::from(core)].write(CommitKind::Batches, &batches);
        for batch in batches {
            let key = BatchHeader::decode_stamped(&batch).unwrap().stamp.shard;
            self.shards.entry(key).or_default().batches.push(batch);
        }
        written
    }

    /// Starts the next generation if a payload does not fit.
    pub fn make_room(&mut self, core: u16, payload_bytes: usize) {
        if self.journals[usize::from(core)].fits(payload_bytes) {
            return;
        }
        // A file is only used again when all of it is in segments.
        if self.journals[usize::from(core)].generation >= self.identity.journal.files {
            self.flush_all();
        }
        self.journals[usize::from(core)].next_file();
        self.checkpoint(core);
    }

    pub fn checkpoint(&mut self, core: u16) -> Written {
        let entries: Vec<Vec<u8>> = self
            .shards
            .iter()
            .filter(|(key, _)| home_core(**key, self.journals.len() as u16).0 == core)
            .map(|(key, model)| {
                let synced = model.batches[..model.in_segments].last();
                let end = synced.map_or(Seq(0), |b| BatchHeader::decode_stamped(b).unwrap().end());
                CheckpointEntry { shard: *key, segment_seq: end }.encode().to_vec()
            })
            .collect();
        self.journals[usize::from(core)].write(CommitKind::Checkpoint, &entries)
    }

    pub fn flush_all(&mut self) {
        let keys: Vec<ShardKey> = self.shards.keys().copied().collect();
        for key in keys {
            let all = self.shards[&key].batches.len();
            self.flush(key, all);
        }
    }

    /// Writes a shard's batches up to number `until` into its segments.
    pub fn flush(&mut self, key: ShardKey, until: usize) {
        let term = self.identity.term;
        let dir = layout::shard_dir(&self.dir, key);
        let model = self.shards.get_mut(&key).unwrap();
        while model.in_segments < until {
            let bytes = model.batches[model.in_segments].clone();
            let base = BatchHeader::decode_stamped(&bytes).unwrap().stamp.base;
            if let Some((old, end)) = model.segment
                && end > self.segment_bytes
            {
                seal(&dir, key, Seq(old));
                model.segment = None;
            }
            let (base, end) = *model.segment.get_or_insert_with(|| {
                create_segment(&dir, key, base, term);
                (base.0, SEGMENT_HEADER_BYTES as u64)
            });
            write_at(&layout::segment_file(&dir, Seq(base)), end, &bytes);
            model.segment = Some((base, end + bytes.len() as u64));
            model.in_segments += 1;
        }
        if let Some((base, end)) = model.segment {
            let path = layout::segment_file(&dir, Seq(base));
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            let len = file.metadata().unwrap().len();
            file.set_len(len.max(end.next_multiple_of(4096))).unwrap();
        }
    }

    /// Stops in order.
    pub fn stop(mut self) -> BTreeMap<ShardKey, Vec<Vec<u8>>> {
        self.flush_all();
        for core in 0..self.journals.len() as u16 {
            self.make_room(core, 64 * 32);
            self.checkpoint(core);
        }
        self.identity.clean = true;
        self.identity.store(&self.dir).unwrap();
        self.crash()
    }

    /// Stops at once; returns what was durable.
    pub fn crash(self) -> BTreeMap<ShardKey, Vec<Vec<u8>>> {
        self.shards.into_iter().map(|(key, model)| (key, model.batches)).collect()
    }

    pub fn segment_path(&self, key: ShardKey) -> PathBuf {
        let (base, _) = self.shards[&key].segment.expect("the shard has an open segment");
        layout::segment_file(&layout::shard_dir(&self.dir, key), Seq(base))
    }

    pub fn segment_end(&self, key: ShardKey) -> u64 {
        self.shards[&key].segment.expect("the shard has an open segment").1
    }
}

pub fn create_segment(dir: &Path, key: ShardKey, base: Seq, term: Term) {
    fs::create_dir_all(dir).unwrap();
    let mut block = [0; SEGMENT_HEADER_BYTES];
    let header = SegmentHeader { shard: key, base, term, created: Millis(1_700_000_000_000) };
    header.encode_into(&mut block);
    fs::write(layout::segment_file(dir, base), block).unwrap();
}

pub fn seal(dir: &Path, key: ShardKey, base: Seq) {
    let bytes = fs::read(layout::segment_file(dir, base)).unwrap();
    let scan = scan_segment(&bytes, &SegmentExpect { shard: key, base, limit: Seq(u64::MAX) });
    fs::write(layout::index_file(dir, base), scan.index.encode()).unwrap();
}

/// All batches that the segments of a directory hold, in order.
pub fn read_back(dir: &Path) -> BTreeMap<ShardKey, Vec<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for (_, path) in sorted_files(&layout::streams_dir(dir), "seg") {
        let bytes = fs::read(&path).unwrap();
        let header = SegmentHeader::decode(&bytes).unwrap();
        let batches: &mut Vec<Vec<u8>> = all.entry(header.shard).or_default();
        let mut at = SEGMENT_HEADER_BYTES;
        while let Ok(batch) = BatchHeader::decode_stamped(&bytes[at..]) {
            batches.push(bytes[at..at + batch.batch_bytes()].to_vec());
            at += batch.batch_bytes();
        }
        assert!(bytes[at..].iter().all(|&b| b == 0), "{} ends in stale bytes", path.display());
    }
    all
}

/// Files below a directory with an extension, by path.
pub fn sorted_files(dir: &Path, extension: &str) -> BTreeMap<PathBuf, PathBuf> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sorted_files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.insert(path.clone(), path);
        }
    }
    found
}

/// Copies a directory, so that one state can be damaged in many ways.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub const HEADER: usize = COMMIT_HEADER_BYTES;
