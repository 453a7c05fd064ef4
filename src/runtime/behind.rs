//! The write-behind driver: segments follow the journal, one piece at a time.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::clock::Now;
use crate::disk::blocking as files;
use crate::disk::dma::{DirectFile, WriteSync, blocking};
use crate::log::layout;
use crate::log::segment_writer::SegmentWrite;
use crate::log::staging::ShardSlot;
use crate::metrics::Histogram;
use crate::reactor;
use crate::runtime::state::{CoreState, Phase};
use crate::service::write_behind::Work;

/// How long a full disk is left alone before the same work is tried again.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
struct Behind {
    state: Rc<CoreState>,
    open: HashMap<ShardSlot, (PathBuf, DirectFile)>,
    next: usize,
}

/// Writes behind until the core is done.
pub async fn write_behind(state: Rc<CoreState>) {
    let mut behind = Behind { state, open: HashMap::new(), next: 0 };
    loop {
        let draining = behind.state.phase.get() == Phase::Flushing;
        let work = {
            let mut domain = behind.state.domain.borrow_mut();
            domain.core.next_work(Now::read(), behind.next, draining)
        };
        let outcome = match work {
            Some(work) => behind.work(work).await,
            None if draining => return behind.finish().await,
            None if behind.state.phase.get() == Phase::Done => return,
            None => {
                behind.state.behind_due.wait().await;
                behind.close_gone().await
            }
        };
        if let Err(error) = outcome {
            behind.state.fail(&format!("segment write failed: {error}"));
            return;
        }
    }
}

impl Behind {
    /// Does a piece of work, again and again while there is no space for it. Nothing that was
    /// acknowledged waits for it: the journal has it.
    async fn work(&mut self, work: Work) -> io::Result<()> {
        let slot = work.slot();
        loop {
            let outcome = self.attempt(&work).await;
            if !self.state.domain.borrow().core.is_open(slot) {
                // Its stream was deleted meanwhile: what this work has made must go too.
                return self.forget(slot, &work).await;
            }
            match outcome {
                Ok(()) => return self.accept_again(),
                Err(error) if is_short(&error) => self.run_short(&error).await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&mut self, work: &Work) -> io::Result<()> {
        let started = Instant::now();
        match work {
            Work::Write(slot, write) => {
                self.next = slot.0 as usize + 1;
                self.write(*slot, write).await?;
                let mut domain = self.state.domain.borrow_mut();
                domain.core.metrics.record(Histogram::SegmentWriteMicros, micros_since(started));
                domain.core.write_done(*slot, write);
                if domain.sessions.has_stalled() || domain.core.is_parking() {
                    self.state.finish_turn(&mut domain, Now::read());
                }
            }
            Work::Sync(slot, path, end) => {
                self.file(*slot, path).await?.sync().await?;
                let mut domain = self.state.domain.borrow_mut();
                domain.core.metrics.record(Histogram::SegmentSyncMicros, micros_since(started));
                domain.core.sync_done(*slot, *end);
                // The journal may have a free file now, and puts may have room.
                self.state.commit_due.notify();
            }
            Work::Seal(slot, path, index) => {
                self.close(*slot).await?;
                save_index(path.clone(), index.clone()).await?;
                self.state.domain.borrow_mut().core.seal_done(*slot);
            }
        }
        Ok(())
    }

    async fn write(&mut self, slot: ShardSlot, write: &SegmentWrite) -> io::Result<()> {
        if write.creates {
            self.close(slot).await?;
            let dir = write.path.parent().expect("segments lie in a directory").to_owned();
            let made = dir.clone();
            blocking(move || files::create_dir_durable(&made)).await.map_err(cause)?;
            let file = DirectFile::open_or_create(&write.path, WriteSync::None).await?;
            self.keep_open(slot, &write.path, file).await?;
            // Before anything in it counts as durable, its name does.
            blocking(move || files::sync_dir(&dir)).await.map_err(cause)?;
        }
        self.file(slot, &write.path).await?.write(&write.buffer, write.offset).await
    }

    async fn file(&mut self, slot: ShardSlot, path: &Path) -> io::Result<&DirectFile> {
        if self.open.get(&slot).is_none_or(|(open, _)| open != path) {
            self.close(slot).await?;
            let file = DirectFile::open(path, WriteSync::None).await?;
            self.keep_open(slot, path, file).await?;
        }
        Ok(&self.open[&slot].1)
    }

    async fn keep_open(
        &mut self,
        slot: ShardSlot,
        path: &Path,
        file: DirectFile,
    ) -> io::Result<()> {
        while self.open.len() >= self.state.open_segments_max {
            let other = *self.open.keys().next().expect("it is full");
            self.close(other).await?;
        }
        self.open.insert(slot, (path.to_owned(), file));
        Ok(())
    }

    async fn close(&mut self, slot: ShardSlot) -> io::Result<()> {
        match self.open.remove(&slot) {
            Some((_, file)) => file.close().await,
            None => Ok(()),
        }
    }

    /// Closes the files of deleted streams: their space is free only then.
    async fn close_gone(&mut self) -> io::Result<()> {
        let gone: Vec<ShardSlot> = {
            let domain = self.state.domain.borrow();
            self.open.keys().copied().filter(|slot| !domain.core.is_open(*slot)).collect()
        };
        for slot in gone {
            self.close(slot).await?;
        }
        Ok(())
    }

    /// Drops the files of a shard that is gone, alone or with its stream, and a directory that came
    /// back for them.
    async fn forget(&mut self, slot: ShardSlot, work: &Work) -> io::Result<()> {
        self.close(slot).await?;
        let shard_dir = work.path().parent().expect("segments lie in a directory");
        let stream_dir = shard_dir.parent().expect("shards lie in their stream's directory");
        let has_stream = {
            let domain = self.state.domain.borrow();
            let view = domain.core.view();
            let dir_of = |uuid| layout::stream_dir(&self.state.data_dir, uuid);
            view.streams()
                .iter()
                .any(|stream| dir_of(stream.uuid) == stream_dir && stream.require_usable().is_ok())
        };
        let dir = if has_stream { shard_dir } else { stream_dir }.to_owned();
        let removed = blocking(move || files::remove_dir_all(&dir));
        if let Err(error) = removed.await {
            tracing::warn!(%error, "the next start removes the rest of a shard that is gone");
        }
        Ok(())
    }

    /// There is too little of something: puts are refused, and the work is tried again later.
    async fn run_short(&mut self, error: &io::Error) -> io::Result<()> {
        let slots: Vec<ShardSlot> = self.open.keys().copied().collect();
        for slot in slots {
            self.close(slot).await?;
        }
        if self.state.phase.get() != Phase::Serving {
            return Err(io::Error::other(format!("{error}; the journal keeps what is left")));
        }
        let dir = self.state.data_dir.display();
        {
            let mut domain = self.state.domain.borrow_mut();
            if !domain.core.is_refusing() {
                tracing::warn!(%error, "segments cannot be written: puts are refused");
            }
            let what =
                if error.kind() == io::ErrorKind::StorageFull { "is full" } else { "is short" };
            domain.core.refuse(format!("the disk of {dir} {what}: {error}"));
            self.state.finish_turn(&mut domain, Now::read());
        }
        reactor::sleep(FULL_DISK_PAUSE).await;
        Ok(())
    }

    fn accept_again(&self) -> io::Result<()> {
        let mut domain = self.state.domain.borrow_mut();
        if domain.core.is_refusing() {
            tracing::info!("there is space again: puts are accepted");
            domain.core.accept_again();
        }
        Ok(())
    }

    /// Everything is in segments: saves their indexes, so that the next boot scans nothing.
    async fn finish(mut self) {
        let indexes = self.state.domain.borrow().core.open_indexes();
        for (path, index) in indexes {
            if let Err(error) = save_index(path, index).await {
                self.state.fail(&format!("an index cannot be saved: {error}"));
                return;
            }
        }
        let slots: Vec<ShardSlot> = self.open.keys().copied().collect();
        for slot in slots {
            if let Err(error) = self.close(slot).await {
                tracing::warn!(%error, "a segment cannot be closed");
            }
        }
        self.state.phase.set(Phase::Done);
        self.state.commit_due.notify();
        self.state.bell.ring();
    }
}

async fn save_index(path: PathBuf, index: Vec<u8>) -> io::Result<()> {
    blocking(move || files::replace_file(&path, &index)).await.map_err(cause)
}

fn micros_since(started: Instant) -> u64 {
    started.elapsed().as_micros() as u64
}

fn cause(error: files::DiskError) -> io::Error {
    error.source
}

/// Whether something runs out that may come back: space, quota, descriptors.
fn is_short(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
