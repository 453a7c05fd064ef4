//! The write-behind driver: segments follow the journal, one piece at a time.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::base::clock::Now;
use crate::disk::blocking as files;
use crate::disk::dma::{DirectFile, WriteSync, blocking};
use crate::log::segment_writer::SegmentWrite;
use crate::log::staging::ShardSlot;
use crate::runtime::state::{CoreState, Phase};
use crate::service::write_behind::Work;

/// Segments kept open for writing.
const OPEN_FILES_MAX: usize = 1024;
/// How long a full disk is left alone before the same piece is tried again.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
struct Behind {
    state: Rc<CoreState>,
    open: HashMap<ShardSlot, (std::path::PathBuf, DirectFile)>,
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
        match work {
            Some(work) => {
                if let Err(error) = behind.work(work).await {
                    behind.state.fail(&format!("segment write failed: {error}"));
                    return;
                }
            }
            None if draining => return behind.finish().await,
            None if behind.state.phase.get() == Phase::Done => return,
            None => behind.state.behind_due.wait().await,
        }
    }
}

impl Behind {
    async fn work(&mut self, work: Work) -> io::Result<()> {
        match work {
            Work::Write(slot, write) => {
                self.next = slot.0 as usize + 1;
                self.write(slot, write).await
            }
            Work::Sync(slot, path, end) => {
                self.file(slot, &path).await?.sync().await?;
                self.state.domain.borrow_mut().core.sync_done(slot, end);
                // The journal may have a free file now, and puts may have room.
                self.state.commit_due.notify();
                Ok(())
            }
            Work::Seal(slot, path, index) => {
                self.close(slot).await?;
                save_index(path, index).await?;
                self.state.domain.borrow_mut().core.seal_done(slot);
                Ok(())
            }
        }
    }

    async fn write(&mut self, slot: ShardSlot, write: SegmentWrite) -> io::Result<()> {
        loop {
            let written = self.try_write(slot, &write).await;
            if self.after_write(slot, &write, written)? {
                return Ok(());
            }
            if self.state.phase.get() != Phase::Serving {
                return Err(io::Error::other("the disk is full; the journal keeps what is left"));
            }
            glommio::timer::sleep(FULL_DISK_PAUSE).await;
        }
    }

    /// The consequences of a write. False: the disk is full, and it has to be tried again.
    fn after_write(
        &self,
        slot: ShardSlot,
        write: &SegmentWrite,
        written: io::Result<()>,
    ) -> io::Result<bool> {
        let mut domain = self.state.domain.borrow_mut();
        match written {
            Ok(()) => {
                domain.core.write_done(slot, write);
                if domain.core.is_refusing() {
                    tracing::info!("there is space again: puts are accepted");
                    domain.core.accept_again();
                }
                let was_behind = domain.sessions.has_stalled() || domain.core.is_parking();
                if was_behind {
                    self.state.finish_turn(&mut domain, Now::read());
                }
                Ok(true)
            }
            // Nothing that was acknowledged depends on it: the journal has it.
            Err(error) if is_full(&error) => {
                if !domain.core.is_refusing() {
                    tracing::warn!(%error, "the disk is full: puts are refused");
                }
                let why = format!("the disk of {} is full", self.state.data_dir.display());
                domain.core.refuse(why);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn try_write(&mut self, slot: ShardSlot, write: &SegmentWrite) -> io::Result<()> {
        if write.creates {
            self.close(slot).await?;
            let dir = write.path.parent().expect("segments lie in a directory").to_owned();
            let made = dir.clone();
            blocking(move || files::create_dir_durable(&made)).await.map_err(cause)?;
            let file = DirectFile::open_or_create(&write.path, WriteSync::None).await?;
            // Before anything in it counts as durable, its name does.
            blocking(move || files::sync_dir(&dir)).await.map_err(cause)?;
            self.open.insert(slot, (write.path.clone(), file));
        }
        self.file(slot, &write.path).await?.write(&write.buffer, write.offset).await
    }

    async fn file(&mut self, slot: ShardSlot, path: &std::path::Path) -> io::Result<&DirectFile> {
        if self.open.get(&slot).is_none_or(|(open, _)| open != path) {
            self.close(slot).await?;
            if self.open.len() >= OPEN_FILES_MAX {
                let other = *self.open.keys().next().expect("it is full");
                self.close(other).await?;
            }
            let file = DirectFile::open(path, WriteSync::None).await?;
            self.open.insert(slot, (path.to_owned(), file));
        }
        Ok(&self.open[&slot].1)
    }

    async fn close(&mut self, slot: ShardSlot) -> io::Result<()> {
        match self.open.remove(&slot) {
            Some((_, file)) => file.close().await,
            None => Ok(()),
        }
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

async fn save_index(path: std::path::PathBuf, index: Vec<u8>) -> io::Result<()> {
    blocking(move || files::replace_file(&path, &index)).await.map_err(cause)
}

fn cause(error: files::DiskError) -> io::Error {
    error.source
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}
