//! Puts whose records went to several shards: the answer waits for all of them.

use std::collections::HashMap;

use crate::base::ids::SessionId;
use crate::wire::put::PutRun;

/// See the module.
#[derive(Debug, Default)]
pub struct PendingPuts(HashMap<(SessionId, u64), Pending>);

/// An answer in the making.
#[derive(Debug)]
pub struct Pending {
    /// One for each part.
    pub runs: Vec<Option<PutRun>>,
    /// For each record its part.
    pub run_of: Vec<u16>,
    /// The first failure's reason.
    pub message: String,
}

impl PendingPuts {
    /// A put in `parts` parts starts.
    pub fn start(&mut self, session: SessionId, correlation: u64, parts: usize, run_of: Vec<u16>) {
        let pending = Pending { runs: vec![None; parts], run_of, message: String::new() };
        self.0.insert((session, correlation), pending);
    }

    /// A part is done. Returns the whole when it was the last.
    pub fn done(
        &mut self,
        session: SessionId,
        correlation: u64,
        part: u16,
        run: PutRun,
        message: String,
    ) -> Option<Pending> {
        let pending = self.0.get_mut(&(session, correlation))?;
        pending.runs[usize::from(part)] = Some(run);
        if pending.message.is_empty() {
            pending.message = message;
        }
        if pending.runs.iter().any(Option::is_none) {
            return None;
        }
        self.0.remove(&(session, correlation))
    }

    /// Whether a put with this correlation is on its way.
    #[must_use]
    pub fn contains(&self, session: SessionId, correlation: u64) -> bool {
        self.0.contains_key(&(session, correlation))
    }

    /// A connection has gone.
    pub fn forget(&mut self, session: SessionId) {
        self.0.retain(|(other, _), _| *other != session);
    }
}
