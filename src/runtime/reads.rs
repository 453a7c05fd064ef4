//! Catch-up reads: each is a task of low priority that ends in one service call.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use crate::base::clock::Now;
use crate::base::ids::Seq;
use crate::base::limits::CATCH_UP_READ_BYTES;
use crate::disk::dma::{Chunk, DirectFile, WriteSync};
use crate::fanout::{ReadBatches, ReadJob};
use crate::log::reader::{Selection, Wanted, select};
use crate::metrics::{Counter, Histogram};
use crate::reactor::{self, QueueId};
use crate::runtime::state::CoreState;
use crate::service::reads::ReadFailure;
use crate::shard::SegmentRead;

thread_local! {
    /// The core of this thread and the queue of its reads.
    static READER: RefCell<Option<(Rc<CoreState>, QueueId)>> = const { RefCell::new(None) };
}

/// Makes reads of this thread run in `queue`.
pub fn install(state: Rc<CoreState>, queue: QueueId) {
    READER.set(Some((state, queue)));
}

/// Forgets the core again, when it stops.
pub fn uninstall() {
    READER.set(None);
}

/// Starts a read.
pub fn start_read(job: ReadJob) {
    READER.with_borrow(|reader| {
        let (state, queue) = reader.as_ref().expect("a core reads after it was installed");
        let task = run(state.clone(), job);
        reactor::spawn_into(*queue, task).detach();
    });
}

async fn run(state: Rc<CoreState>, job: ReadJob) {
    let (started, mut bytes) = (Instant::now(), 0);
    let outcome = read(job.place, &job.wanted, &mut bytes).await;
    let now = Now::read();
    let mut domain = state.domain.borrow_mut();
    let micros = now.mono.duration_since(started).as_micros() as u64;
    domain.core.metrics.record(Histogram::CatchUpMicros, micros);
    domain.core.metrics.add(Counter::CatchUpBytes, bytes);
    state.reads_running.set(state.reads_running.get() - 1);
    domain.core.read_done(now, job.slot, job.purpose, outcome);
    state.finish_turn(&mut domain, now);
}

/// Reads until something wanted is found or the segment ends. Counts `bytes` that were read.
async fn read(
    place: SegmentRead,
    wanted: &Wanted,
    bytes: &mut u64,
) -> Result<Result<ReadBatches, Seq>, ReadFailure> {
    let why = |error: io::Error| ReadFailure::Damaged(format!("{}: {error}", place.path.display()));
    let file = match DirectFile::open(&place.path, WriteSync::None).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ReadFailure::Missing { file: place.path, end: place.end });
        }
        other => other.map_err(why)?,
    };
    let outcome = read_file(&file, place.clone(), wanted, bytes).await;
    file.close().await.map_err(why)?;
    outcome.map_err(ReadFailure::Damaged)
}

async fn read_file(
    file: &DirectFile,
    mut place: SegmentRead,
    wanted: &Wanted,
    bytes_read: &mut u64,
) -> Result<Result<ReadBatches, Seq>, String> {
    let name = place.path.display().to_string();
    let mut bytes = CATCH_UP_READ_BYTES;
    while place.offset < place.end_offset {
        let (offset, len, lead) = place.aligned(bytes);
        let buffer = file.read(offset, len).await.map_err(|e| format!("{name}: {e}"))?;
        *bytes_read += buffer.len() as u64;
        let end = buffer.len().min((place.end_offset - offset) as usize);
        if end <= lead {
            return Err(format!("{name}: ends at {}, before its records do", offset + end as u64));
        }
        let selected = select(&buffer[lead..end], wanted)
            .map_err(|e| format!("{name}: offset {}: {e}", place.offset))?;
        match selected {
            Selection::Found { start, end, first, next, arrival } => {
                let chunk = Chunk::read(buffer, lead + start, end - start);
                return Ok(Ok(ReadBatches { chunk, first, next, arrival }));
            }
            Selection::NeedMore { skip, bytes: needed } => {
                let rest = (place.end_offset - place.offset) as usize;
                if skip == 0 && (needed > rest || needed <= end - lead) {
                    return Err(format!("{name}: a batch at {} is cut off", place.offset));
                }
                place.offset += skip as u64;
                bytes = needed.max(CATCH_UP_READ_BYTES);
            }
            Selection::Nothing => place.offset += (end - lead) as u64,
        }
    }
    Ok(Err(place.end))
}
