//! Raw durable writes: io_uring, O_DIRECT | O_DSYNC, a pre-written file, one in flight.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use io_uring::{IoUring, opcode, types};
use serde::Serialize;
use shardway::base::aligned::BLOCK;
use shardway::base::rng::SplitMix64;

use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::latency::{Latencies, Percentiles};
use crate::stop;

/// The sizes: a small commit, two usual ones, a full one.
pub const SIZES: [usize; 4] = [4 << 10, 64 << 10, 256 << 10, 1 << 20];
/// A journal file's size, so that the writes are spread as a server's are.
const FILE_BYTES: u64 = 64 << 20;
/// Writes before the measured ones.
const WARMUP_WRITES: usize = 16;

/// Durable writes of one size.
#[derive(Clone, Debug, Serialize)]
pub struct DiskFloor {
    /// Of each write.
    pub bytes: usize,
    /// Times of the writes.
    pub write: Percentiles,
    /// Bytes of all writes over the time of all writes.
    pub mb_per_s: f64,
}

/// Writes each size for about `each`, in a file in `dir` that is removed again.
pub fn measure(dir: &Path, each: Duration) -> Result<Vec<DiskFloor>> {
    let file = tempfile::Builder::new()
        .prefix("loadgen-floor-")
        .tempfile_in(dir)
        .map_err(Failure::io(format!("creating a file in {}", dir.display())))?;
    pre_write(file.path()).map_err(Failure::io("pre-writing the file"))?;
    let target = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DIRECT | libc::O_DSYNC)
        .open(file.path())
        .map_err(Failure::io(format!(
            "opening a file in {} with O_DIRECT (try --dir on another file system)",
            dir.display()
        )))?;
    let mut writer = RawWriter::new(target)?;
    let sizes = SIZES.iter().take_while(|_| !stop::requested());
    sizes.map(|&bytes| measure_size(&mut writer, bytes, each)).collect()
}

fn pre_write(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES / zeros.len() as u64 {
        file.write_all(&zeros)?;
    }
    file.sync_all()
}

fn measure_size(writer: &mut RawWriter, bytes: usize, each: Duration) -> Result<DiskFloor> {
    let mut offset = 0;
    let mut write = |writer: &mut RawWriter| -> Result<u64> {
        if offset + bytes as u64 > FILE_BYTES {
            offset = 0;
        }
        let start = now_ns();
        writer.write(bytes, offset)?;
        offset += bytes as u64;
        Ok(now_ns() - start)
    };
    for _ in 0..WARMUP_WRITES {
        write(writer)?;
    }
    let (mut times, mut total_ns, mut writes) = (Latencies::new(), 0, 0u64);
    while total_ns < nanos(each) && !(writes > 0 && stop::requested()) {
        let ns = write(writer)?;
        times.record(ns, 1);
        total_ns += ns;
        writes += 1;
    }
    let percentiles = times.percentiles().expect("at least one write was measured");
    let mb_per_s = (writes * bytes as u64) as f64 * 1e3 / total_ns as f64;
    Ok(DiskFloor { bytes, write: percentiles, mb_per_s })
}

/// A ring with one write in flight.
struct RawWriter {
    ring: IoUring,
    file: File,
    buffer: Vec<u8>,
    aligned: usize,
}

impl RawWriter {
    fn new(file: File) -> Result<RawWriter> {
        let ring = IoUring::new(4).map_err(Failure::io("setting up an io_uring"))?;
        let mut buffer = vec![0; SIZES[SIZES.len() - 1] + BLOCK];
        // Not zeros: a device that recognises them would be measured instead of one that writes.
        SplitMix64::new(1).fill(&mut buffer);
        let aligned = buffer.as_ptr().align_offset(BLOCK);
        Ok(RawWriter { ring, file, buffer, aligned })
    }

    fn write(&mut self, bytes: usize, offset: u64) -> Result<()> {
        let buffer = &self.buffer[self.aligned..self.aligned + bytes];
        let length = u32::try_from(bytes).expect("a write is at most 1 MiB");
        let entry = opcode::Write::new(types::Fd(self.file.as_raw_fd()), buffer.as_ptr(), length)
            .offset(offset)
            .build();
        // SAFETY: file and buffer belong to `self` and the write ends before this function does.
        unsafe { self.ring.submission().push(&entry) }.expect("the ring is empty");
        let result = loop {
            match self.ring.submit_and_wait(1) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => panic!("an io_uring with a write in flight cannot be left: {e}"),
                Ok(_) => {}
            }
            if let Some(completion) = self.ring.completion().next() {
                break completion.result();
            }
        };
        match usize::try_from(result) {
            Ok(written) if written == bytes => Ok(()),
            Ok(written) => {
                let source = io::Error::other(format!("{written} of {bytes} bytes"));
                Err(Failure::io("writing durably")(source))
            }
            Err(_) => Err(Failure::io("writing durably")(io::Error::from_raw_os_error(-result))),
        }
    }
}
