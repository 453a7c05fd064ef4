//! Everything before the cores run: lock, identity, catalog, recovery, journals.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::base::clock::Now;
use crate::base::ids::{CoreId, home_core};
use crate::base::limits::JOURNAL_FILES;
use crate::base::rng::secret;
use crate::base::stream::StreamStatus;
use crate::catalog::{FileStore, MetaStore, State, View};
use crate::disk::blocking::{self, DirLock};
use crate::log::identity::{Identity, JournalShape};
use crate::log::journal::JournalSpec;
use crate::log::layout;
use crate::log::prepare::prepare_journal;
use crate::log::progress::Progress;
use crate::log::recovery::{RecoverOptions, Recovered, recover};
use crate::runtime::host;
use crate::runtime::options::{ServerOptions, StartError};
use crate::security::iterator::IteratorKey;
use crate::service::CoreSpec;
use crate::service::core::RecoveredShard;

/// What the cores start from.
#[derive(Debug)]
pub struct Booted {
    /// Held while the server runs.
    pub lock: DirLock,
    /// As stored for this term.
    pub identity: Identity,
    /// The catalog's log, for core 0.
    pub store: FileStore,
    /// The catalog.
    pub catalog: State,
    /// What recovery did.
    pub recovered: Recovered,
    /// One for each core.
    pub cores: Vec<CoreSpec>,
}

/// Boots the data dir.
pub fn boot(options: &ServerOptions, progress: &mut dyn Progress) -> Result<Booted, StartError> {
    let dir = &options.data_dir;
    let count = u16::try_from(options.cpus.len()).expect("cores are counted in 16 bits");
    host::check(options.cpus.len(), &options.cpus)?;
    // Before anything is written into it; and the rest under the lock, since another server may
    // start in the same directory at the same time.
    Identity::load(dir)?;
    blocking::create_dir_durable(dir)?;
    host::check_direct_io(dir)?;
    let lock = DirLock::exclusive(&layout::lock_file(dir))?;
    let identity = Identity::load_or_create(dir, Uuid::from_bytes(secret()))?;
    let mut store = FileStore::new(dir, secret());
    let catalog = store.load()?;
    let mut catalog = catalog;
    let journal =
        JournalShape { cores: count, files: JOURNAL_FILES, file_bytes: options.journal_file_bytes };
    let recover_options = RecoverOptions {
        journal,
        salt: u64::from_le_bytes(secret()),
        accept_loss: options.accept_loss,
        clock: Now::read,
    };
    let expected = catalog.expected(dir);
    let recovered = recover(dir, &lock, identity, &recover_options, &expected, progress)?;
    finish_deletions(&mut store, &mut catalog)?;
    for event in catalog.move_ends(&recovered.moved_ends) {
        store.append(&event)?;
        catalog.apply(&event);
    }
    for core in (0..count).map(CoreId) {
        prepare_journal(dir, core, journal.files, journal.file_bytes, progress)?;
    }
    recovered.save_indexes(dir)?;
    let cores = specs(options, count, &catalog, &recovered);
    Ok(Booted { lock, identity: recovered.identity, store, catalog, recovered, cores })
}

/// Streams whose deletion a crash has cut short lose their name now; recovery took their files.
fn finish_deletions(store: &mut FileStore, catalog: &mut State) -> Result<(), StartError> {
    let deleting: Vec<_> = catalog
        .streams
        .values()
        .filter(|stream| stream.status == StreamStatus::Deleting)
        .map(|stream| stream.uuid)
        .collect();
    for uuid in deleting {
        let event =
            crate::catalog::decide::remove_stream(catalog, uuid).expect("it is being deleted");
        store.append(&event)?;
        catalog.apply(&event);
    }
    Ok(())
}

fn specs(
    options: &ServerOptions,
    count: u16,
    catalog: &State,
    recovered: &Recovered,
) -> Vec<CoreSpec> {
    let view = Arc::new(View::of(catalog, count, Arc::new(options.rules.clone())));
    let mut by_core: HashMap<CoreId, Vec<RecoveredShard>> = HashMap::new();
    for shard in &recovered.shards {
        let filled = shard.segments.iter().filter(|segment| !segment.index.is_empty());
        let found = RecoveredShard {
            key: shard.shard,
            segments: filled.map(|segment| segment.index.clone()).collect(),
            end: shard.end,
            last_arrival: shard.last_arrival,
        };
        by_core.entry(home_core(shard.shard, count)).or_default().push(found);
    }
    let spec = |core: CoreId| CoreSpec {
        core,
        cores: count,
        data_dir: options.data_dir.clone(),
        journal: JournalSpec {
            core,
            term: recovered.term,
            salt: recovered.salt,
            files: JOURNAL_FILES,
            file_bytes: options.journal_file_bytes,
        },
        tail_bytes: options.tail_bytes,
        iterator_key: IteratorKey::new(&catalog.iterator_key),
        view: view.clone(),
        shards: by_core.remove(&core).unwrap_or_default(),
    };
    (0..count).map(CoreId).map(spec).collect()
}
