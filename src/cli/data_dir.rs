//! What the commands on a stopped data dir share: names of streams, tables, ways to fail.

use std::collections::BTreeMap;

use serde::Serialize;

use super::failure::{Exit, Failure};
use super::output::{lines_of, table};
use super::time::format_time;
use crate::base::ids::Millis;
use crate::catalog::State;
use crate::log::identity::IdentityError;
use crate::log::inspect::IdentityReport;
use crate::log::offline::OfflineError;

/// Stream uuids and the names that the catalog has for them.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn of(catalog: Option<&State>) -> Names {
        let streams = catalog.into_iter().flat_map(|state| state.streams.values());
        Names(streams.map(|stream| (stream.uuid.to_string(), stream.name.clone())).collect())
    }

    /// The name; the uuid of a stream without one.
    pub(super) fn name<'a>(&'a self, uuid: &'a str) -> &'a str {
        self.0.get(uuid).map_or(uuid, String::as_str)
    }
}

/// The lines of the first few of `rows`, and how many more there are.
pub(super) fn capped_table<const N: usize>(
    header: &[&str; N],
    what: &str,
    rows: impl ExactSizeIterator<Item = [String; N]>,
) -> String {
    let all = rows.len();
    let mut table = table(header);
    for row in rows.take(ROWS_MAX) {
        table.add_row(row);
    }
    lines_of(table) + &more(all, what)
}

/// What is not listed.
pub(super) fn more(all: usize, what: &str) -> String {
    match all.saturating_sub(ROWS_MAX) {
        0 => String::new(),
        left => format!("… and {left} more {what}; --json lists all\n"),
    }
}

/// Whose data dir it is and how it was left.
pub(super) fn identity_rows(identity: &IdentityReport) -> Vec<[String; 2]> {
    let IdentityReport { format, uuid, term, cores, journal_files, journal_file_bytes, .. } =
        identity;
    let state = match (identity.clean, term) {
        (_, 0) => "new, never started",
        (true, _) => "stopped in order",
        (false, _) => "not stopped in order; the next start replays the journals",
    };
    let bytes = crate::config::ByteSize(*journal_file_bytes);
    [
        ("uuid", uuid.clone()),
        ("format", format.to_string()),
        ("term", term.to_string()),
        ("state", state.to_owned()),
        ("journals", format!("{} of {journal_files} files of {bytes}", count(*cores, "ring"))),
    ]
    .map(|(name, value)| [name.to_owned(), value])
    .into()
}

/// A time, or a dash.
pub(super) fn time_or_dash(time: Option<Millis>) -> String {
    time.map_or("-".to_owned(), format_time)
}

/// `1 shard`, `2 shards`.
pub(super) fn count(n: impl Into<u64>, one: &str) -> String {
    let n = n.into();
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Failure {
        let exit = match &error {
            OfflineError::NoData { .. } => Exit::Usage,
            OfflineError::Identity(error) => Exit::of_identity(error),
            OfflineError::Lock(_) | OfflineError::Disk(_) => Exit::Unfit,
        };
        Failure::new(exit, error.to_string())
    }
}

impl Exit {
    /// The exit code of a data dir whose identity is not right.
    pub(super) fn of_identity(error: &IdentityError) -> Exit {
        match error {
            IdentityError::Foreign { .. } => Exit::Usage,
            IdentityError::Damaged { .. } => Exit::Damaged,
            IdentityError::Version { .. } | IdentityError::Disk(_) => Exit::Unfit,
        }
    }
}

/// Rows that people still read.
pub(super) const ROWS_MAX: usize = 40;

#[cfg(test)]
mod tests;
