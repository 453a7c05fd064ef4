//! A writer: a connection's requests, one behind the other, and when each was meant to leave.

use std::collections::VecDeque;
use std::rc::Rc;

use shardway::security::sigv4::Signer;

use super::endpoint::{Endpoint, wall_clock};
use super::pool::Pool;
use super::request::head;
use crate::clock::now_ns;

/// A signature is made anew after this: servers take one for 5 minutes.
const SIGNATURE_NS: u64 = 100_000_000_000;
/// Batches of a writer whose times are kept. Far more than any reader lags.
const TIMES_MAX: usize = 1 << 16;

/// Sends the batches of one pool over one connection.
#[derive(Debug)]
pub struct Writer {
    /// Its batches.
    pub pool: Rc<Pool>,
    /// The request without an answer: number of its batch, and when it was meant to leave.
    pub in_flight: Option<(u64, u64)>,
    next: u64,
    /// Signed heads by slot, and when they were signed.
    heads: Vec<(u64, Rc<[u8]>)>,
    /// When the last batches were meant to leave.
    times: VecDeque<u64>,
}

impl Writer {
    /// A writer whose requests are signed, and none is sent.
    #[must_use]
    pub fn new(pool: Rc<Pool>, signer: &mut Signer, endpoint: &Endpoint) -> Writer {
        let now = now_ns();
        let heads = (0..pool.len()).map(|slot| (now, signed(&pool, slot, signer, endpoint)));
        let heads = heads.collect();
        Writer { pool, in_flight: None, next: 0, heads, times: VecDeque::new() }
    }

    /// Batches sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.next
    }

    /// Takes the next batch, meant to leave at `intended_ns`: its head, and its slot in the pool.
    pub fn next(
        &mut self,
        intended_ns: u64,
        signer: &mut Signer,
        endpoint: &Endpoint,
    ) -> (Rc<[u8]>, usize) {
        debug_assert!(self.in_flight.is_none(), "one request at a time");
        let slot = self.pool.slot(self.next);
        self.in_flight = Some((self.next, intended_ns));
        self.next += 1;
        if self.times.len() == TIMES_MAX {
            self.times.pop_front();
        }
        self.times.push_back(intended_ns);
        let now = now_ns();
        let (signed_ns, head) = &mut self.heads[slot];
        if now > *signed_ns + SIGNATURE_NS {
            (*signed_ns, *head) = (now, signed(&self.pool, slot, signer, endpoint));
        }
        (Rc::clone(head), slot)
    }

    /// When a batch was meant to leave; none if that was too long ago.
    #[must_use]
    pub fn intended_ns(&self, batch: u64) -> Option<u64> {
        let first = self.next - self.times.len() as u64;
        self.times.get(usize::try_from(batch.checked_sub(first)?).ok()?).copied()
    }
}

fn signed(pool: &Pool, slot: usize, signer: &mut Signer, endpoint: &Endpoint) -> Rc<[u8]> {
    let batch = pool.batch(slot);
    let size = (batch.body.len(), &batch.sha256);
    head(signer, endpoint, pool.operation.name(), size, wall_clock()).into()
}
