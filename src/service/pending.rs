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

    /// The records of a part go to several shards after all: `part_of` says for each of them which
    /// of the new parts it belongs to. Returns the number of each new part; the first keeps the old
    /// one. `None` if nobody waits for the put any more.
    pub fn divide(
        &mut self,
        session: SessionId,
        correlation: u64,
        part: u16,
        parts: usize,
        part_of: &[u16],
    ) -> Option<Vec<u16>> {
        let pending = self.0.get_mut(&(session, correlation))?;
        let first_new = pending.runs.len() as u16;
        let numbers: Vec<u16> =
            (0..parts as u16).map(|n| if n == 0 { part } else { first_new + n - 1 }).collect();
        pending.runs.resize(pending.runs.len() + parts - 1, None);
        let of_part = pending.run_of.iter_mut().filter(|run| **run == part);
        for (run, new) in of_part.zip(part_of) {
            *run = numbers[usize::from(*new)];
        }
        Some(numbers)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorCode;
    use crate::base::ids::{CoreId, Millis, Seq, ShardNumber};

    fn session(index: u32) -> SessionId {
        SessionId { core: CoreId(0), index, generation: 1 }
    }

    #[test]
    fn a_put_in_parts_is_answered_when_the_last_part_is_done() {
        let mut pending = PendingPuts::default();
        let run = |shard, outcome| PutRun {
            shard: ShardNumber(shard),
            count: 1,
            outcome,
            arrival: Millis(0),
        };
        pending.start(session(1), 9, 3, vec![0, 1, 2]);
        pending.start(session(2), 9, 1, vec![0]);
        assert!(pending.contains(session(1), 9) && !pending.contains(session(1), 8));
        let mut done = |session, part, outcome, message: &str| {
            pending.done(session, 9, part, run(u32::from(part), outcome), message.to_owned())
        };
        let throttled = Err(ErrorCode::ProvisionedThroughputExceeded);
        assert!(done(session(1), 2, throttled, "too fast").is_none());
        assert!(done(session(1), 0, Ok(Seq(4)), "").is_none());
        let whole = done(session(1), 1, throttled, "also too fast").unwrap();
        let expected = [run(0, Ok(Seq(4))), run(1, throttled), run(2, throttled)];
        assert_eq!(whole.runs, expected.map(Some), "in the order of the parts");
        assert_eq!((whole.message.as_str(), whole.run_of), ("too fast", vec![0, 1, 2]));
        assert!(!pending.contains(session(1), 9), "its correlation is free again");
        assert!(pending.contains(session(2), 9), "each connection has its own");
    }

    #[test]
    fn parts_of_a_connection_that_has_gone_find_nothing() {
        let mut pending = PendingPuts::default();
        pending.start(session(1), 9, 1, vec![0]);
        pending.start(session(2), 9, 1, vec![0]);
        pending.forget(session(1));
        let run =
            PutRun { shard: ShardNumber(0), count: 1, outcome: Ok(Seq(0)), arrival: Millis(0) };
        assert!(pending.done(session(1), 9, 0, run, String::new()).is_none());
        assert!(pending.done(session(2), 9, 0, run, String::new()).is_some());
    }

    #[test]
    fn a_part_that_is_divided_answers_for_its_own_records() {
        let mut pending = PendingPuts::default();
        // Records 0 and 2 went to part 0, records 1, 3 and 4 to part 1.
        pending.start(session(1), 9, 2, vec![0, 1, 0, 1, 1]);
        let parts = pending.divide(session(1), 9, 1, 2, &[1, 0, 1]);
        assert_eq!(parts, Some(vec![1, 2]));
        let run = |shard, count, base| PutRun {
            shard: ShardNumber(shard),
            count,
            outcome: Ok(Seq(base)),
            arrival: Millis(0),
        };
        assert!(pending.done(session(1), 9, 2, run(8, 2, 0), String::new()).is_none());
        assert!(pending.done(session(1), 9, 0, run(3, 2, 5), String::new()).is_none());
        let whole = pending.done(session(1), 9, 1, run(7, 1, 0), String::new()).unwrap();
        assert_eq!(whole.run_of, [0, 2, 0, 1, 2]);
        assert_eq!(whole.runs, [run(3, 2, 5), run(7, 1, 0), run(8, 2, 0)].map(Some));
        assert_eq!(pending.divide(session(1), 9, 0, 2, &[0, 1]), None, "it is answered");
    }
}
