//! Reading shards as a consumer: the server pushes, within the credit that it was granted.

use std::collections::HashMap;
use std::sync::mpsc::SyncSender;

use super::{News, Source, damaged};
use crate::cli::failure::Failure;
use crate::client::{Client, Ended, Incoming, Pushed};
use crate::wire::subscribe::Subscribe;

/// Subscribes `consumer` to all of `sources` and passes on what is pushed, until each is done;
/// returns early when nobody listens any more.
pub(super) fn read(
    mut client: Client,
    consumer: &str,
    sources: Vec<Source>,
    news: &SyncSender<News>,
) -> Result<(), Failure> {
    let mut subscriptions = HashMap::new();
    for (subscription, source) in (1u32..).zip(sources) {
        let start = client.subscribe(Subscribe {
            subscription,
            stream: source.stream,
            shard: source.shard,
            consumer,
            position: source.from,
            credit: WINDOW,
        })?;
        if source.is_done(start) {
            client.unsubscribe(subscription)?;
        } else {
            subscriptions.insert(subscription, Subscription { source, used: 0 });
        }
    }
    while !subscriptions.is_empty() {
        match client.recv()? {
            Incoming::Pushed(push) => {
                let id = push.subscription;
                // Pushes that were under way when a subscription ended are not wanted any more.
                let Some(subscription) = subscriptions.get_mut(&id) else { continue };
                match subscription.take(push, &mut client, news)? {
                    Taken::Wanted => {}
                    Taken::Done => {
                        subscriptions.remove(&id);
                        client.unsubscribe(id)?;
                    }
                    Taken::NobodyListens => return Ok(()),
                }
            }
            Incoming::Ended(ended) if subscriptions.contains_key(&ended.subscription) => {
                return Err(ended_by_server(&ended, consumer));
            }
            Incoming::Failed { error, .. } => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

struct Subscription {
    source: Source,
    /// Credit that was used and not granted again.
    used: u64,
}

enum Taken {
    Wanted,
    Done,
    NobodyListens,
}

impl Subscription {
    fn take(
        &mut self,
        push: Pushed,
        client: &mut Client,
        news: &SyncSender<News>,
    ) -> Result<Taken, Failure> {
        // Checked here as well as where it is printed: the end must be known to stop at it.
        let reached = match self.source.until {
            Some(_) => Some(push.batches.for_each(|_| {}).map_err(|cause| damaged(&cause))?),
            None => None,
        };
        self.used += push.batches.bytes();
        let records = News::Records { batches: push.batches, until: self.source.until };
        // Blocks while the output is slow; the credit that is not granted then stops the server.
        if news.send(records).is_err() {
            return Ok(Taken::NobodyListens);
        }
        if reached.is_some_and(|reached| self.source.is_done(reached)) {
            return Ok(Taken::Done);
        }
        if self.used >= WINDOW / 2 {
            client.credit(push.subscription, std::mem::take(&mut self.used))?;
        }
        Ok(Taken::Wanted)
    }
}

fn ended_by_server(ended: &Ended, consumer: &str) -> Failure {
    let failure = Failure::from(ended.error.clone());
    let message = format!(
        "the server ended a subscription of consumer {consumer}: {}; it would continue at {}",
        failure.message, ended.continue_at
    );
    Failure { message, ..failure }
}

/// Bytes that may be on their way to this client, for each shard.
const WINDOW: u64 = 4 << 20;
