//! A writer: its batches in order, those in flight, and those that are late.

use std::collections::VecDeque;
use std::rc::Rc;

use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::wire::put::Put;

use crate::failure::{Failure, Result};
use crate::outbox::Outbox;
use crate::payload::Pool;

/// Sends the batches of one pool to one shard over one connection.
#[derive(Debug)]
pub struct Writer {
    /// Index of its shard.
    pub shard: usize,
    /// Its connection.
    pub token: usize,
    /// Its batches.
    pub pool: Rc<Pool>,
    /// Batches that the server refused.
    pub refused: u64,
    route: Route,
    next: u64,
    in_flight: VecDeque<InFlight>,
    in_flight_max: usize,
    /// Intended send times of batches that wait for a place in flight.
    late: VecDeque<u64>,
}

/// What every put of a writer says.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The stream.
    pub stream: StreamUuid,
    /// The shard.
    pub shard: ShardNumber,
    /// Version of the map that says so.
    pub map_version: u64,
}

/// A batch without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Its number among the writer's batches.
    pub n: u64,
    /// When it was meant to leave.
    pub intended_ns: u64,
}

impl Writer {
    /// A writer with nothing in flight.
    #[must_use]
    pub fn new(
        shard: usize,
        token: usize,
        pool: Rc<Pool>,
        route: Route,
        in_flight_max: u32,
    ) -> Writer {
        Writer {
            shard,
            token,
            pool,
            refused: 0,
            route,
            next: 0,
            in_flight: VecDeque::new(),
            in_flight_max: in_flight_max as usize,
            late: VecDeque::new(),
        }
    }

    /// Batches in flight.
    #[cfg(test)]
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// A batch is meant to leave at `intended_ns`: it leaves, or waits its turn.
    pub fn arrive(&mut self, intended_ns: u64, outbox: &mut Outbox) {
        if self.in_flight.len() < self.in_flight_max && self.late.is_empty() {
            self.send(intended_ns, outbox);
        } else {
            self.late.push_back(intended_ns);
        }
    }

    /// Sends late batches for which there is room now.
    pub fn catch_up(&mut self, outbox: &mut Outbox) {
        while self.in_flight.len() < self.in_flight_max {
            let Some(intended_ns) = self.late.pop_front() else { return };
            self.send(intended_ns, outbox);
        }
    }

    /// Gives up the late batches and says how many.
    pub fn abandon_late(&mut self) -> u64 {
        std::mem::take(&mut self.late).len() as u64
    }

    fn send(&mut self, intended_ns: u64, outbox: &mut Outbox) {
        let n = self.next;
        self.next += 1;
        self.in_flight.push_back(InFlight { n, intended_ns });
        let Route { stream, shard, map_version } = self.route;
        let put = Put { stream, shard, map_version, batch: &[] };
        outbox.put(correlation(self.pool.writer(), n), &put, &self.pool, n);
    }

    /// The batch that the answer with this correlation id stored. Answers of one shard come in the
    /// order of the requests.
    pub fn stored(&mut self, correlation_id: u64) -> Result<InFlight> {
        match self.in_flight.front() {
            Some(first) if correlation(self.pool.writer(), first.n) == correlation_id => {
                Ok(self.in_flight.pop_front().expect("it was just looked at"))
            }
            _ => Err(out_of_order(correlation_id)),
        }
    }

    /// The batch that the answer with this correlation id refused. A refusal may overtake batches
    /// that still wait for their commit.
    pub fn refuse(&mut self, correlation_id: u64) -> Result<InFlight> {
        let writer = self.pool.writer();
        let at = self.in_flight.iter().position(|b| correlation(writer, b.n) == correlation_id);
        let at = at.ok_or(out_of_order(correlation_id))?;
        self.refused += 1;
        Ok(self.in_flight.remove(at).expect("it was just found"))
    }
}

/// The correlation id of a writer's `n`th batch.
#[must_use]
pub fn correlation(writer: u32, n: u64) -> u64 {
    (u64::from(writer) << 32) | (n & u64::from(u32::MAX))
}

/// Whose batch an answer with this correlation id is about.
#[must_use]
pub fn writer_of(correlation_id: u64) -> u32 {
    (correlation_id >> 32) as u32
}

fn out_of_order(correlation_id: u64) -> Failure {
    let (writer, n) = (writer_of(correlation_id), correlation_id as u32);
    Failure::Protocol(format!("answer to batch {n} of writer {writer} does not come in its turn"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    fn writer(in_flight_max: u32) -> Writer {
        let pool = Rc::new(Pool::build(3, "k", &Workload::default()));
        let route = Route { stream: StreamUuid([1; 16]), shard: ShardNumber(0), map_version: 1 };
        Writer::new(0, 0, pool, route, in_flight_max)
    }

    #[test]
    fn a_late_batch_keeps_its_intended_time() {
        let (mut writer, mut outbox) = (writer(1), Outbox::default());
        for intended in [10, 20, 30] {
            writer.arrive(intended, &mut outbox);
        }
        assert_eq!(writer.in_flight(), 1);
        for intended_ns in [10, 20, 30] {
            let n = intended_ns / 10 - 1;
            let answered = writer.stored(correlation(3, n)).expect("in its turn");
            assert_eq!(answered, InFlight { n, intended_ns });
            writer.catch_up(&mut outbox);
        }
        assert_eq!(writer.in_flight(), 0);
    }

    #[test]
    fn an_ack_out_of_turn_is_a_protocol_error_but_a_refusal_is_not() {
        let (mut writer, mut outbox) = (writer(4), Outbox::default());
        (0..3).for_each(|n| writer.arrive(n, &mut outbox));
        assert!(writer.stored(correlation(3, 1)).is_err());
        assert_eq!(writer.refuse(correlation(3, 1)).expect("in flight").n, 1);
        assert_eq!(writer.stored(correlation(3, 0)).expect("in its turn").n, 0);
        assert_eq!(writer.stored(correlation(3, 2)).expect("in its turn").n, 2);
        assert_eq!(writer.refused, 1);
    }
}
