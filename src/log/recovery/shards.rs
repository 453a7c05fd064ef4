//! What the segment directories hold at boot, shard by shard.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::ids::{Seq, ShardKey, StreamUuid};
use crate::disk::blocking::{self, BlockingFile, DiskError};
use crate::log::damage::DamageKind;
use crate::log::index::SegmentIndex;
use crate::log::layout;
use crate::log::progress::Progress;
use crate::log::segment_header::{NoSegment, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::segment_scan::{ScanEnd, SegmentExpect, Stray, TermSpan, scan_segment};

/// A segment as it stands on disk.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub base: Seq,
    pub index: SegmentIndex,
    /// A readable saved index exists: nothing is added to the file any more.
    pub sealed: bool,
    /// Length of the file.
    pub bytes: u64,
    /// The header must be written (again): nothing but the file's name is known.
    pub no_header: bool,
    /// Why nothing is read behind `index.end_offset()`.
    pub end: ScanEnd,
    /// A whole batch behind the end of an unsealed segment.
    pub stray: Option<Stray>,
    /// Terms of an unsealed segment's batches.
    pub terms: Vec<TermSpan>,
    /// Nothing in the file can be used.
    pub damage: Option<(u64, DamageKind)>,
}

/// All segments of a shard by base sequence.
#[derive(Clone, Debug)]
pub(crate) struct ShardFiles {
    pub key: ShardKey,
    pub dir: PathBuf,
    pub segments: Vec<SegmentFile>,
}

impl ShardFiles {
    /// A shard without any file.
    pub fn new(data_dir: &Path, key: ShardKey) -> ShardFiles {
        ShardFiles { key, dir: layout::shard_dir(data_dir, key), segments: Vec::new() }
    }
}

/// A segment of a format that this release cannot read.
#[derive(Debug)]
pub(crate) struct Unsupported {
    pub file: PathBuf,
    pub why: NoSegment,
}

/// The streams that have a directory.
pub(crate) fn stream_dirs(data_dir: &Path) -> Result<Vec<StreamUuid>, DiskError> {
    let entries = blocking::list(&layout::streams_dir(data_dir))?;
    let uuids =
        entries.iter().filter(|e| e.is_dir).filter_map(|e| uuid::Uuid::parse_str(&e.name).ok());
    Ok(uuids.map(|u| StreamUuid(u.into_bytes())).collect())
}

/// The shards of a stream that have a directory.
pub(crate) fn shard_dirs(data_dir: &Path, stream: StreamUuid) -> Result<Vec<ShardKey>, DiskError> {
    let entries = blocking::list(&layout::stream_dir(data_dir, stream))?;
    let numbers =
        entries.iter().filter(|e| e.is_dir).filter_map(|e| layout::parse_shard_dir(&e.name));
    Ok(numbers.map(|number| ShardKey { stream, number }).collect())
}

/// Reads the segments of all shards in `streams`.
pub(crate) fn read_shards(
    data_dir: &Path,
    streams: &[StreamUuid],
    progress: &mut dyn Progress,
) -> Result<(BTreeMap<ShardKey, ShardFiles>, Vec<Unsupported>), DiskError> {
    progress.message("reading segments");
    let (mut shards, mut unsupported) = (BTreeMap::new(), Vec::new());
    for &stream in streams {
        for key in shard_dirs(data_dir, stream)? {
            let mut files = ShardFiles::new(data_dir, key);
            for entry in blocking::list(&files.dir)? {
                let Some(base) = layout::parse_segment_file(&entry.name) else {
                    continue;
                };
                let segment = read_segment(&files, base, entry.bytes, progress)?;
                if let Some((_, DamageKind::Segment { why: ScanEnd::Header(why), .. })) =
                    segment.damage
                    && matches!(why, NoSegment::Version(_) | NoSegment::Flags(_))
                {
                    let file = layout::segment_file(&files.dir, base);
                    unsupported.push(Unsupported { file, why });
                }
                files.segments.push(segment);
            }
            shards.insert(key, files);
        }
    }
    Ok((shards, unsupported))
}

fn read_segment(
    shard: &ShardFiles,
    base: Seq,
    bytes: u64,
    progress: &mut dyn Progress,
) -> Result<SegmentFile, DiskError> {
    let saved = blocking::read_file_if_exists(&layout::index_file(&shard.dir, base))?;
    let saved = saved.and_then(|b| SegmentIndex::decode(&b).ok()).filter(|i| i.base() == base);
    match saved {
        Some(index) => read_sealed(shard, index, bytes),
        None => {
            progress.total_bytes(bytes);
            let segment = read_unsealed(shard, base, Seq(u64::MAX))?;
            progress.advance(bytes);
            Ok(segment)
        }
    }
}

/// The index is authoritative; of the file only its header and length are looked at.
fn read_sealed(
    shard: &ShardFiles,
    index: SegmentIndex,
    bytes: u64,
) -> Result<SegmentFile, DiskError> {
    let (base, key) = (index.base(), shard.key);
    let file = BlockingFile::open(&layout::segment_file(&shard.dir, base))?;
    let mut head = [0; SEGMENT_HEADER_BYTES];
    let n = file.read_at(0, &mut head)?;
    let damage = match SegmentHeader::decode(&head[..n]) {
        Err(why) => Some((0, DamageKind::Segment { shard: key, why: ScanEnd::Header(why) })),
        Ok(h) if h.shard != key || h.base != base => {
            let why = ScanEnd::Moved { shard: h.shard, base: h.base };
            Some((0, DamageKind::Segment { shard: key, why }))
        }
        Ok(_) if bytes < index.end_offset() => {
            let expected = index.end_offset();
            Some((bytes, DamageKind::SealedShort { shard: key, expected, found: bytes }))
        }
        Ok(_) => None,
    };
    Ok(SegmentFile {
        base,
        index,
        sealed: true,
        bytes,
        no_header: false,
        end: ScanEnd::Clean,
        stray: None,
        terms: Vec::new(),
        damage,
    })
}

/// Scans the whole file up to its end or to `limit`.
pub(crate) fn read_unsealed(
    shard: &ShardFiles,
    base: Seq,
    limit: Seq,
) -> Result<SegmentFile, DiskError> {
    let bytes = blocking::read_file(&layout::segment_file(&shard.dir, base))?;
    let scan = scan_segment(&bytes, &SegmentExpect { shard: shard.key, base, limit });
    let damage = match scan.end {
        ScanEnd::Moved { .. } => true,
        // A header that was never written may be one of a file just created; the rest decides.
        ScanEnd::Header(why) => matches!(why, NoSegment::Version(_) | NoSegment::Flags(_)),
        _ => false,
    };
    Ok(SegmentFile {
        base,
        sealed: false,
        bytes: bytes.len() as u64,
        no_header: scan.header.is_none(),
        end: scan.end,
        stray: scan.stray_behind(&bytes, shard.key),
        damage: damage.then_some((0, DamageKind::Segment { shard: shard.key, why: scan.end })),
        index: scan.index,
        terms: scan.terms,
    })
}
