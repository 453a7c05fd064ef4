//! Reading shards as a consumer: the server pushes, within the credit that it was granted.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use super::follow::is_not_found;
use super::inbox::{Inbox, NEWCOMER_WAIT};
use super::{News, Source, damaged};
use crate::base::error::ErrorCode;
use crate::cli::failure::Failure;
use crate::cli::pause::Backoff;
use crate::client::{Client, ClientError, Ended, Incoming, Pushed};
use crate::wire::consumers::ConsumerName;
use crate::wire::subscribe::{ShardEnded, Subscribe};

/// Subscribes `consumer` to what comes through `inbox` and passes on what is pushed; returns when
/// everything is read and no more can come, or nobody listens any more.
pub(super) fn read(
    client: Client,
    stream: &str,
    consumer: &str,
    inbox: &Receiver<Source>,
    news: &SyncSender<News>,
) -> Result<(), Failure> {
    let name = ConsumerName { stream, consumer };
    let (waiting, subscriptions) = (Vec::new(), HashMap::new());
    let mut subscriber = Subscriber { client, name, news, waiting, subscriptions, last: 0 };
    let mut inbox = Inbox::new(inbox);
    while let Some(newcomers) = inbox.take(subscriber.is_idle()) {
        subscriber.waiting.extend(newcomers.into_iter().map(Waiting::new));
        if subscriber.subscribe_all()?.is_none() || subscriber.take()?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

struct Subscriber<'a> {
    client: Client,
    name: ConsumerName<'a>,
    news: &'a SyncSender<News>,
    /// Shards to subscribe to.
    waiting: Vec<Waiting>,
    subscriptions: HashMap<u32, Subscription>,
    /// The number of the last subscription.
    last: u32,
}

/// A shard to subscribe to.
struct Waiting {
    source: Source,
    /// Not before this time.
    due: Instant,
    /// A refusal after this time is the end.
    give_up: Instant,
    backoff: Backoff,
}

struct Subscription {
    source: Source,
    /// Credit that was used and not granted again.
    used: u64,
}

/// Somebody still listens.
struct Listening;

impl Waiting {
    fn new(source: Source) -> Waiting {
        let (due, backoff) = (Instant::now(), Backoff::new(u64::from(source.shard.0)));
        Waiting { source, due, give_up: due + PATIENCE, backoff }
    }
}

impl Subscriber<'_> {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.subscriptions.is_empty()
    }

    /// Subscribes to the shards that are due.
    fn subscribe_all(&mut self) -> Result<Option<Listening>, Failure> {
        let now = Instant::now();
        for mut waiting in std::mem::take(&mut self.waiting) {
            if now < waiting.due {
                self.waiting.push(waiting);
                continue;
            }
            match self.subscribe(&waiting.source) {
                Ok(listening) => {
                    if listening.is_none() {
                        return Ok(None);
                    }
                }
                Err(ClientError::Api(e)) if may_pass(e.code) && now < waiting.give_up => {
                    waiting.due = now + waiting.backoff.step();
                    self.waiting.push(waiting);
                }
                Err(error) if is_not_found(&error) => {
                    // It is the shard that is gone, unless it is the consumer.
                    self.client.describe_consumer(self.name)?;
                    let shard = waiting.source.shard;
                    if self.news.send(News::Gone { shard }).is_err() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(Listening))
    }

    fn subscribe(&mut self, source: &Source) -> Result<Option<Listening>, ClientError> {
        self.last += 1;
        let start = self.client.subscribe(Subscribe {
            subscription: self.last,
            stream: source.stream,
            shard: source.shard,
            consumer: self.name.consumer,
            position: source.from,
            credit: WINDOW,
        })?;
        let source = source.clone();
        let done = source.is_done(start);
        self.subscriptions.insert(self.last, Subscription { source, used: 0 });
        if done { self.leave(self.last) } else { Ok(Some(Listening)) }
    }

    /// Takes what comes next, or waits until new shards may have come.
    fn take(&mut self) -> Result<Option<Listening>, Failure> {
        match self.client.next_event(NEWCOMER_WAIT)? {
            Some(Incoming::Pushed(push)) => self.pushed(push),
            Some(Incoming::ShardEnded(ended)) => Ok(self.shard_ended(ended)),
            Some(Incoming::Ended(ended)) if self.is_open(ended.subscription) => {
                Err(ended_by_server(&ended, self.name.consumer))
            }
            Some(Incoming::Failed { error, .. }) => Err(error.into()),
            _ => Ok(Some(Listening)),
        }
    }

    fn is_open(&self, subscription: u32) -> bool {
        self.subscriptions.contains_key(&subscription)
    }

    fn pushed(&mut self, push: Pushed) -> Result<Option<Listening>, Failure> {
        let id = push.subscription;
        // Pushes that were under way when a subscription ended are not wanted any more.
        let Some(subscription) = self.subscriptions.get_mut(&id) else {
            return Ok(Some(Listening));
        };
        let until = subscription.source.until;
        // Checked here as well as where it is printed: the end must be known to stop at it.
        let reached = match until {
            Some(_) => Some(push.batches.for_each(|_| {}).map_err(|cause| damaged(&cause))?),
            None => None,
        };
        subscription.used += push.batches.bytes();
        // Blocks while the output is slow; the credit that is not granted then stops the server.
        if self.news.send(News::Records { batches: push.batches, until }).is_err() {
            return Ok(None);
        }
        if reached.is_some_and(|reached| subscription.source.is_done(reached)) {
            return Ok(self.leave(id)?);
        }
        if subscription.used >= WINDOW / 2 {
            self.client.credit(id, std::mem::take(&mut subscription.used))?;
        }
        Ok(Some(Listening))
    }

    /// Ends a subscription that has brought all that is wanted of its shard.
    fn leave(&mut self, id: u32) -> Result<Option<Listening>, ClientError> {
        let left = self.subscriptions.remove(&id).expect("it is open");
        match self.client.unsubscribe(id) {
            // Its shard may have ended meanwhile, and the subscription with it.
            Ok(()) | Err(ClientError::Api(_)) => {}
            Err(error) => return Err(error),
        }
        let ended = News::Ended { shard: left.source.shard, children: Vec::new() };
        Ok(self.news.send(ended).ok().map(|()| Listening))
    }

    fn shard_ended(&mut self, ended: ShardEnded) -> Option<Listening> {
        // It may have been left already.
        let Some(left) = self.subscriptions.remove(&ended.subscription) else {
            return Some(Listening);
        };
        let ended = News::Ended { shard: left.source.shard, children: ended.children };
        self.news.send(ended).ok().map(|()| Listening)
    }
}

/// Whether a refused subscribe may succeed soon. AWS wants 5 s between two of one consumer to one
/// shard: a command that was just ended and started again waits for them.
fn may_pass(code: ErrorCode) -> bool {
    code == ErrorCode::ResourceInUse || (code.is_retryable() && code != ErrorCode::ShuttingDown)
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
/// How long a subscribe is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
