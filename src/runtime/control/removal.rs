//! The files of what was deleted or has expired.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::ids::{ShardKey, ShardNumber, StreamUuid};
use crate::catalog::decide;
use crate::disk::blocking as files;
use crate::disk::dma::blocking;
use crate::log::layout;
use crate::runtime::control::Control;

/// How often the removal of a directory is tried.
const REMOVE_TRIES: u32 = 20;
/// In between.
const REMOVE_PAUSE: Duration = Duration::from_millis(50);

impl Control {
    /// Removes the files of a deleted stream, then its name. A crash before the end is finished
    /// by recovery, which removes streams that are being deleted.
    pub(super) async fn remove_stream(&mut self, name: &str) {
        let Some(uuid) = self.catalog.stream(name).map(|stream| stream.uuid) else { return };
        let dir = layout::stream_dir(&self.state.data_dir, uuid);
        if !remove_dir(dir, "deleted stream").await {
            return;
        }
        let Some(event) = decide::remove_stream(&self.catalog, uuid) else { return };
        if let Err(error) = self.change(event).await {
            tracing::error!(%error, "a deleted stream keeps its name");
        }
    }

    /// Removes the files of expired shards. Recovery does it where a crash comes before.
    pub(super) async fn remove_shards(&self, stream: StreamUuid, shards: &[ShardNumber]) {
        for &number in shards {
            let dir = layout::shard_dir(&self.state.data_dir, ShardKey { stream, number });
            remove_dir(dir, "expired shard").await;
        }
    }
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
        glommio::timer::sleep(REMOVE_PAUSE).await;
    }
    tracing::error!("the files of a {what} cannot be removed: {}", dir.display());
    false
}
