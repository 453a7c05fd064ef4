//! The commit driver: one journal write in flight, the next one from whatever has arrived.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

use crate::base::clock::Now;
use crate::disk::dma::{DirectFile, WriteSync};
use crate::log::core_log::{CommitWrite, NoCommit};
use crate::log::layout;
use crate::metrics::Histogram;
use crate::runtime::state::{CoreState, Phase};

/// The files of a core's ring, open twice: with and without O_DSYNC.
#[derive(Debug)]
pub struct Ring {
    synced: Vec<DirectFile>,
    unsynced: Vec<DirectFile>,
    /// Files with writes that no sync has followed.
    written: BTreeSet<usize>,
}

impl Ring {
    /// Opens all files of a ring.
    pub async fn open(state: &CoreState, files: u64) -> std::io::Result<Ring> {
        let mut ring = Ring { synced: Vec::new(), unsynced: Vec::new(), written: BTreeSet::new() };
        for index in 0..files {
            let path = layout::journal_file(&state.data_dir, state.mesh.core(), index);
            ring.synced.push(DirectFile::open(&path, WriteSync::Each).await?);
            ring.unsynced.push(DirectFile::open(&path, WriteSync::None).await?);
        }
        Ok(ring)
    }

    async fn write(&mut self, write: &CommitWrite) -> std::io::Result<()> {
        let (file, offset) = (write.place.file as usize, write.place.offset);
        if !write.sync {
            self.written.insert(file);
            return self.unsynced[file].write(&write.buffer, offset).await;
        }
        // A synced commit proves that everything before it was durable: first it must be.
        for earlier in std::mem::take(&mut self.written) {
            self.unsynced[earlier].sync().await?;
        }
        self.synced[file].write(&write.buffer, offset).await
    }
}

/// Commits until the core has drained.
pub async fn commit(state: Rc<CoreState>, mut ring: Ring) {
    loop {
        let next = state.domain.borrow_mut().core.begin_commit();
        match next {
            Ok(write) => {
                if !write_commit(&state, &mut ring, write).await {
                    return;
                }
            }
            Err(NoCommit::Idle) if state.phase.get() >= Phase::Flushing => break,
            Err(NoCommit::Idle) => state.commit_due.wait().await,
            Err(NoCommit::RingFull | NoCommit::NextFile) => {
                state.behind_due.notify();
                state.commit_due.wait().await;
            }
        }
    }
    // Segments take the rest; then one last checkpoint says so.
    while state.phase.get() < Phase::Done {
        state.commit_due.wait().await;
    }
    let last = state.domain.borrow_mut().core.begin_final_checkpoint();
    if let Some(write) = last {
        write_commit(&state, &mut ring, write).await;
    }
}

/// Writes a commit and lets its consequences follow. False when the log has failed.
async fn write_commit(state: &Rc<CoreState>, ring: &mut Ring, write: CommitWrite) -> bool {
    if state.domain.borrow().sessions.has_stalled() {
        // There is room again: the net task serves whoever waited, once this write is submitted.
        state.mesh.ring_self();
    }
    let started = Instant::now();
    if write.carries_batches {
        let core = &mut state.domain.borrow_mut().core;
        if let Some(since) = core.commit_since() {
            let micros = started.duration_since(since).as_micros() as u64;
            core.metrics.record(Histogram::CommitQueueMicros, micros);
        }
    }
    if let Err(error) = ring.write(&write).await {
        state.fail(&format!("core {}: journal write failed: {error}", state.mesh.core()));
        return false;
    }
    let now = Now::read();
    let mut domain = state.domain.borrow_mut();
    let micros = now.mono.duration_since(started).as_micros() as u64;
    domain.core.metrics.record(Histogram::CommitMicros, micros);
    domain.core.advance(now);
    state.finish_turn(&mut domain, now);
    state.behind_due.notify();
    true
}
