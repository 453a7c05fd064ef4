//! The files of what was deleted or has expired. They go beside everything else that core 0 does: a
//! disk that takes its time holds up no change of the catalog.

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::ids::{ShardKey, ShardNumber, StreamUuid};
use crate::base::stream::StreamStatus;
use crate::catalog::decide;
use crate::disk::blocking as files;
use crate::disk::dma::blocking;
use crate::log::layout;
use crate::reactor;
use crate::runtime::control::Control;
use crate::runtime::state::CoreState;

/// How often the removal of a directory is tried at once.
const REMOVE_TRIES: u32 = 20;
/// In between.
const REMOVE_PAUSE: Duration = Duration::from_millis(50);
/// What could not be removed is left alone for so long.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How far the removal of deleted streams is.
pub(super) type Removals = HashMap<StreamUuid, Removal>;

/// How far the removal of a deleted stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// Its files are being removed.
    UnderWay,
    /// They could not be removed: tried again from then on.
    Failed(Instant),
}

impl Control {
    /// Begins to remove the files of streams that were deleted, and tries those again that could
    /// not be removed. Until they are gone the names stay taken. What a crash leaves is removed by
    /// recovery.
    pub(super) fn remove_deleted(&mut self) {
        let now = Instant::now();
        let deleted = self.catalog.streams.values().filter(|s| s.status == StreamStatus::Deleting);
        for stream in deleted {
            match self.removals.get(&stream.uuid) {
                Some(Removal::UnderWay) => continue,
                Some(Removal::Failed(until)) if now < *until => continue,
                _ => {}
            }
            self.removals.insert(stream.uuid, Removal::UnderWay);
            let dir = layout::stream_dir(&self.state.data_dir, stream.uuid);
            let removing = remove_stream(self.state.clone(), stream.uuid, dir);
            reactor::spawn(removing).detach();
        }
        self.count_removals();
    }

    /// The removal of a stream's files has come to its end: its name is free, or it is tried again.
    pub(super) async fn stream_removed(&mut self, uuid: StreamUuid, gone: bool) {
        let mut failed = !gone;
        if gone
            && let Some(event) = decide::remove_stream(&self.catalog, uuid)
            && let Err(error) = self.change(event).await
        {
            tracing::error!(%error, "a deleted stream keeps its name");
            failed = true;
        }
        self.removals.remove(&uuid);
        if failed {
            self.removals.insert(uuid, Removal::Failed(Instant::now() + RETRY_AFTER));
        }
        self.count_removals();
    }

    /// The stop waits for those under way.
    fn count_removals(&self) {
        let under_way = self.removals.values().filter(|r| **r == Removal::UnderWay).count();
        self.state.removals.set(under_way);
    }

    /// Removes the files of expired shards. Recovery does it where that fails or a crash comes
    /// before.
    pub(super) fn remove_shards(&self, stream: StreamUuid, shards: &[ShardNumber]) {
        let dir_of = |&number| layout::shard_dir(&self.state.data_dir, ShardKey { stream, number });
        let dirs: Vec<PathBuf> = shards.iter().map(dir_of).collect();
        reactor::spawn(async move {
            for dir in dirs {
                remove_dir(dir, "expired shard").await;
            }
        })
        .detach();
    }
}

async fn remove_stream(state: Rc<CoreState>, uuid: StreamUuid, dir: PathBuf) {
    let gone = remove_dir(dir, "deleted stream").await;
    state.removed.borrow_mut().push((uuid, gone));
    state.control_due.notify();
}

/// False if it could not be removed.
async fn remove_dir(dir: PathBuf, what: &str) -> bool {
    for _ in 0..REMOVE_TRIES {
        let path = dir.clone();
        match blocking(move || files::remove_dir_all(&path)).await {
            Ok(()) => return true,
            // A piece of write-behind that was on its way has made a file again.
            Err(error) => tracing::debug!(%error, "trying again"),
        }
        reactor::sleep(REMOVE_PAUSE).await;
    }
    tracing::error!("the files of a {what} cannot be removed: {}", dir.display());
    false
}
