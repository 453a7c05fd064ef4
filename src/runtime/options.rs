//! What a server is started with, and why it may not start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::base::limits::{JOURNAL_FILE_BYTES, TAIL_BYTES};
use crate::catalog::{Rules, StoreError};
use crate::disk::blocking::{DiskError, LockError};
use crate::gateway::http::Limits;
use crate::log::identity::IdentityError;
use crate::log::recovery::RecoverError;
use crate::net::TlsError;
use crate::runtime::admin::AdminOptions;
use crate::runtime::http::Access;
use crate::runtime::tls::Certificate;

/// Options, checked and derived.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where everything is kept. Created when it is missing.
    pub data_dir: PathBuf,
    /// One core for each; pinned to these CPUs.
    pub cpus: Vec<usize>,
    /// Where native clients connect. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where clients of the AWS API connect, without TLS. Port 0 picks a free one.
    pub http: Option<SocketAddr>,
    /// The same with TLS, and by which certificate.
    pub https: Option<(SocketAddr, Certificate)>,
    /// Health, metrics and the console, without TLS.
    pub admin: Option<AdminOptions>,
    /// What clients of the AWS API may cost.
    pub http_limits: Limits,
    /// Who may ask for what there.
    pub access: Access,
    /// Bytes of each journal file.
    pub journal_file_bytes: u64,
    /// Recent batches that each core keeps in memory.
    pub tail_bytes: usize,
    /// How long an idle core looks for work before it sleeps.
    pub spin: Duration,
    /// Start in spite of damage, without what it has destroyed.
    pub accept_loss: bool,
    /// What holds for all streams.
    pub rules: Rules,
}

impl ServerOptions {
    /// The defaults for a data dir; without HTTP and the admin port.
    #[must_use]
    pub fn new(data_dir: PathBuf, cpus: Vec<usize>) -> ServerOptions {
        ServerOptions {
            data_dir,
            cpus,
            listen: SocketAddr::from(([127, 0, 0, 1], 4570)),
            http: None,
            https: None,
            admin: None,
            http_limits: Limits::default(),
            access: Access::default(),
            journal_file_bytes: JOURNAL_FILE_BYTES,
            tail_bytes: TAIL_BYTES,
            spin: Duration::ZERO,
            accept_loss: false,
            rules: Rules::default(),
        }
    }
}

/// Why a server does not start. Nothing was changed that matters.
#[derive(Debug, Error)]
pub enum StartError {
    /// The machine lacks something.
    #[error("{0}")]
    Host(String),
    /// The address cannot be used.
    #[error(
        "cannot listen on {address}: {source}; choose another with {option}, or stop the program \
         that uses it"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The option that chooses it.
        option: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate or key.
    #[error("{}: {error}", .file.display())]
    Tls {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        error: TlsError,
    },
    /// Another server uses the data dir.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The data dir is not one of ours, or of another version.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] StoreError),
    /// The journals or segments.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A core.
    #[error("core {core} cannot start: {reason}")]
    Core {
        /// Which.
        core: u16,
        /// Why.
        reason: String,
    },
}

impl StartError {
    /// Whether the data dir is damaged, so that nothing but `--accept-loss` or a copy helps.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            StartError::Recover(RecoverError::Corrupt(_))
                | StartError::Catalog(StoreError::Corrupt { .. } | StoreError::Lost { .. })
        )
    }
}
