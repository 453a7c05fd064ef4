//! The reader that polls: a get with a long poll at every shard that may be read.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use shardway::base::limits::READ_BYTES_MAX;
use shardway::base::stream::Position;
use shardway::client::Incoming;

use super::goal::Patience;
use super::{Follower, Source};
use crate::failure::{Failure, Result};
use crate::keyed::Reading;

/// Records of one answer at most.
const RECORDS: u32 = 10_000;
/// A get waits so long for a first record.
const WAIT_MS: u32 = 1_000;
/// The goal is looked at so often.
const TICK: Duration = Duration::from_millis(50);

/// Reads the stream until the goal is reached.
pub fn read(source: &Source) -> Result<Reading> {
    let mut client = source.connect()?;
    let mut follower = Follower::start("the polling reader", source, &mut client)?;
    let mut patience = Patience::new(&source.goal, Instant::now());
    let mut gets = HashMap::new();
    loop {
        while let Some(shard) = follower.next_ready() {
            let iterator = client.get_iterator(source.uuid, shard, Position::TrimHorizon)?;
            let get = client.send_get(&iterator, RECORDS, READ_BYTES_MAX as u32, WAIT_MS)?;
            gets.insert(get, shard);
        }
        match client.next_event(TICK)? {
            None => {}
            Some(Incoming::Fetched { correlation, answer }) => {
                let unasked = || Failure::Protocol("a get's answer without a get".to_owned());
                let shard = gets.remove(&correlation).ok_or_else(unasked)?;
                follower.take(shard, &answer.batches)?;
                let next = &answer.next_iterator;
                if next.is_empty() {
                    follower.ended(shard, answer.end, &answer.children, &mut client)?;
                } else {
                    let get = client.send_get(next, RECORDS, READ_BYTES_MAX as u32, WAIT_MS)?;
                    gets.insert(get, shard);
                }
            }
            Some(Incoming::Failed { error, .. }) => return Err(error.into()),
            Some(other) => {
                let what = format!("{other:?} instead of a get's answer");
                return Err(Failure::Protocol(what));
            }
        }
        if patience.is_over(follower.reading.ledger().records(), Instant::now()) {
            return Ok(follower.reading);
        }
    }
}
