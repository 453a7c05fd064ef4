//! What the segment directories hold at boot, shard by shard.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::ids::{Seq, ShardKey, StreamUuid};
use crate::disk::blocking::{self, BlockingFile, DiskError};
use crate::disk::parallel::{self, FILES_AT_ONCE};
use crate::log::damage::DamageKind;
use crate::log::expected::Expected;
use crate::log::index::SegmentIndex;
use crate::log::layout;
use crate::log::progress::Progress;
use crate::log::segment_header::{NoSegment, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::segment_scan::{ScanEnd, SegmentExpect, Stray, TermSpan, scan_segment};

/// Segments that are scanned at the same time: each is in memory then, up to 64 MiB of it.
const SCANS_AT_ONCE: usize = 4;

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
    let names = blocking::list_dirs(&layout::streams_dir(data_dir))?;
    let uuids = names.iter().filter_map(|name| uuid::Uuid::parse_str(name).ok());
    Ok(uuids.map(|u| StreamUuid(u.into_bytes())).collect())
}

/// The shards of a stream that have a directory.
pub(crate) fn shard_dirs(data_dir: &Path, stream: StreamUuid) -> Result<Vec<ShardKey>, DiskError> {
    let names = blocking::list_dirs(&layout::stream_dir(data_dir, stream))?;
    let numbers = names.iter().filter_map(|name| layout::parse_shard_dir(name));
    Ok(numbers.map(|number| ShardKey { stream, number }).collect())
}

/// What has a directory.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    pub streams: Vec<StreamUuid>,
    pub shards: Vec<ShardKey>,
    /// Of streams and shards that do not exist any more.
    pub dead: Vec<PathBuf>,
}

impl Directories {
    /// Finds them, and tells the living from the dead.
    pub fn find(data_dir: &Path, expected: &Expected) -> Result<Directories, DiskError> {
        let mut found = Directories::default();
        for stream in stream_dirs(data_dir)? {
            if !expected.has_stream(stream) {
                found.dead.push(layout::stream_dir(data_dir, stream));
                continue;
            }
            found.streams.push(stream);
            for key in shard_dirs(data_dir, stream)? {
                match expected.has(key) {
                    true => found.shards.push(key),
                    false => found.dead.push(layout::shard_dir(data_dir, key)),
                }
            }
        }
        Ok(found)
    }
}

/// Reads the segments of these shards.
pub(crate) fn read_shards(
    data_dir: &Path,
    keys: &[ShardKey],
    progress: &mut dyn Progress,
) -> Result<(BTreeMap<ShardKey, ShardFiles>, Vec<Unsupported>), DiskError> {
    progress.message("reading segments");
    let listed = parallel::map(keys, FILES_AT_ONCE, |&key| Listed::read(data_dir, key), |_| {});
    let mut listed: Vec<Listed> = listed.into_iter().collect::<Result<_, _>>()?;
    // The few that were written last; each is read whole.
    let unsealed: Vec<(usize, Seq, u64)> = (0..)
        .zip(&listed)
        .flat_map(|(at, shard)| shard.unsealed.iter().map(move |&(base, n)| (at, base, n)))
        .collect();
    progress.total_bytes(unsealed.iter().map(|&(.., bytes)| bytes).sum());
    let scan = |&(at, base, bytes): &(usize, Seq, u64)| {
        (at, bytes, read_unsealed(&listed[at].files, base, Seq::MAX))
    };
    let scanned = parallel::map(&unsealed, SCANS_AT_ONCE, scan, |(_, bytes, _)| {
        progress.advance(*bytes);
    });
    for (at, _, segment) in scanned {
        listed[at].files.segments.push(segment?);
    }
    let (mut shards, mut unsupported) = (BTreeMap::new(), Vec::new());
    for Listed { mut files, .. } in listed {
        files.segments.sort_by_key(|segment| segment.base);
        unsupported.extend(files.segments.iter().filter_map(|s| Unsupported::of(&files, s)));
        shards.insert(files.key, files);
    }
    Ok((shards, unsupported))
}

impl Unsupported {
    fn of(shard: &ShardFiles, segment: &SegmentFile) -> Option<Unsupported> {
        let Some((_, DamageKind::Segment { why: ScanEnd::Header(why), .. })) = segment.damage
        else {
            return None;
        };
        let newer = matches!(why, NoSegment::Version(_) | NoSegment::Flags(_));
        let file = layout::segment_file(&shard.dir, segment.base);
        newer.then_some(Unsupported { file, why })
    }
}

/// A shard whose directory was listed: its sealed segments, and those that must be scanned.
struct Listed {
    files: ShardFiles,
    /// Base and length.
    unsealed: Vec<(Seq, u64)>,
}

impl Listed {
    fn read(data_dir: &Path, key: ShardKey) -> Result<Listed, DiskError> {
        let mut listed = Listed { files: ShardFiles::new(data_dir, key), unsealed: Vec::new() };
        let files = &mut listed.files;
        // By name, which is by base, and the index in front of its segment.
        let mut saved = None;
        for entry in blocking::list(&files.dir)? {
            let name = entry.name.as_str();
            if name.ends_with(".idx") {
                let path = files.dir.join(name);
                let index = SegmentIndex::decode(&blocking::read_file(&path)?).ok();
                saved = index.filter(|i| path == layout::index_file(&files.dir, i.base()));
            } else if let Some(base) = layout::parse_segment_file(name) {
                match saved.take().filter(|index| index.base() == base) {
                    Some(index) => files.segments.push(read_sealed(files, index, entry.bytes)?),
                    None => listed.unsealed.push((base, entry.bytes)),
                }
            }
        }
        Ok(listed)
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
