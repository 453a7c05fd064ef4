//! The reader that is pushed to: a registered consumer, with a subscription of every shard that
//! may be read.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use shardway::base::ids::{Seq, ShardNumber};
use shardway::base::stream::Position;
use shardway::client::{Client, Incoming};
use shardway::wire::subscribe::Subscribe;

use super::goal::Patience;
use super::{Follower, Source};
use crate::failure::{Failure, Result};
use crate::keyed::Reading;
use crate::load::CREDIT_BYTES;

/// The consumer's name.
pub const CONSUMER: &str = "loadgen-follow";
/// The goal is looked at so often.
const TICK: Duration = Duration::from_millis(50);

/// A shard that is pushed.
struct Pushed {
    shard: ShardNumber,
    /// Bytes since credit was last granted.
    used: u64,
}

/// Reads the stream until the goal is reached. The consumer is registered.
pub fn read(source: &Source) -> Result<Reading> {
    let mut client = source.connect()?;
    let mut follower = Follower::start("the push consumer", source, &mut client)?;
    let mut patience = Patience::new(&source.goal, Instant::now());
    let mut open: HashMap<u32, Pushed> = HashMap::new();
    let mut opened = 0;
    loop {
        while let Some(shard) = follower.next_ready() {
            subscribe(source, &mut client, opened, shard)?;
            open.insert(opened, Pushed { shard, used: 0 });
            opened += 1;
        }
        match client.next_event(TICK)? {
            None => {}
            Some(Incoming::Pushed(push)) => {
                let pushed = open.get_mut(&push.subscription);
                let pushed = pushed.ok_or_else(|| unasked("a push", push.subscription))?;
                follower.take(pushed.shard, &push.batches)?;
                pushed.used += push.batches.bytes();
                if pushed.used >= CREDIT_BYTES / 2 {
                    client.credit(push.subscription, pushed.used)?;
                    pushed.used = 0;
                }
            }
            Some(Incoming::ShardEnded(news)) => {
                let ended = open.remove(&news.subscription);
                let ended = ended.ok_or_else(|| unasked("a shard's end", news.subscription))?;
                follower.ended(ended.shard, news.end, &news.children, &mut client)?;
            }
            Some(Incoming::Ended(end)) => return Err(end.error.into()),
            Some(Incoming::Failed { error, .. }) => return Err(error.into()),
            Some(other) => return Err(Failure::Protocol(format!("{other:?} instead of a push"))),
        }
        if patience.is_over(follower.reading.ledger().records(), Instant::now()) {
            return Ok(follower.reading);
        }
    }
}

fn subscribe(source: &Source, client: &mut Client, id: u32, shard: ShardNumber) -> Result<()> {
    let start = client.subscribe(Subscribe {
        subscription: id,
        stream: source.uuid,
        shard,
        consumer: CONSUMER,
        position: Position::TrimHorizon,
        credit: CREDIT_BYTES,
    })?;
    if start == Seq::ZERO {
        return Ok(());
    }
    Err(Failure::Protocol(format!("shard {shard} starts at {start}, not at 0")))
}

fn unasked(what: &str, subscription: u32) -> Failure {
    Failure::Protocol(format!("{what} for subscription {subscription}, which is not open"))
}
