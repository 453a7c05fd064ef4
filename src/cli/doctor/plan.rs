//! What the server is going to be, as far as the machine has to offer it.

use std::path::PathBuf;

use super::facts::Facts;
use crate::base::limits::{
    CATCH_UP_READ_BYTES, CATCH_UP_READS_MAX, COMMIT_BYTES_MAX, FORWARDED_BYTES_MAX, HELD_BYTES_MAX,
    JOURNAL_FILES, PARTIAL_FRAMES_BYTES_MAX, RECEIVE_BYTES, UNFLUSHED_BYTES_MAX,
};
use crate::config::{Cores, ServeOptions};

/// The options that the checks look at.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) data_dir: PathBuf,
    /// One core on each.
    pub(super) cpus: Vec<usize>,
    pub(super) journal_file_bytes: u64,
    pub(super) tail_bytes: u64,
    pub(super) http_bodies_bytes: u64,
}

impl Plan {
    pub(super) fn new(options: ServeOptions, facts: &Facts) -> Plan {
        let cpus = match options.cores {
            Cores::All => facts.allowed_cpus.clone(),
            // More than there are: the numbers behind the last one stand for what is missing.
            Cores::Count(count) => {
                let beyond = facts.allowed_cpus.last().map_or(0, |last| last + 1)..;
                facts.allowed_cpus.iter().copied().chain(beyond).take(usize::from(count)).collect()
            }
            Cores::Cpus(cpus) => cpus.into_iter().map(usize::from).collect(),
        };
        Plan {
            data_dir: options.data_dir,
            cpus,
            journal_file_bytes: options.journal_file_bytes,
            tail_bytes: options.tail_bytes,
            http_bodies_bytes: options.http.limits.bodies_bytes as u64,
        }
    }

    pub(super) fn cores(&self) -> u64 {
        self.cpus.len() as u64
    }

    /// What the cores register with their rings, in bytes: resident from the start.
    pub(super) fn registered_bytes(&self) -> u64 {
        self.cores() * (self.tail_bytes + 4 * COMMIT_BYTES_MAX as u64)
    }

    /// What the cores may hold under load, in bytes: each pool at its bound.
    pub(super) fn bounded_bytes(&self) -> u64 {
        let pools = UNFLUSHED_BYTES_MAX
            + HELD_BYTES_MAX
            + FORWARDED_BYTES_MAX
            + PARTIAL_FRAMES_BYTES_MAX
            + RECEIVE_BYTES
            + CATCH_UP_READS_MAX * CATCH_UP_READ_BYTES;
        // Bodies of requests, and as much for answers.
        self.registered_bytes() + self.cores() * (pools as u64 + 2 * self.http_bodies_bytes)
    }

    /// The journals, in bytes.
    pub(super) fn journal_bytes(&self) -> u64 {
        self.cores() * JOURNAL_FILES * self.journal_file_bytes
    }
}
