//! One request's way to the shards, the catalog and back.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Seq, SessionId, ShardKey, ShardNumber, StreamUuid, home_core};
use crate::base::limits::READ_BYTES_MAX;
use crate::base::stream::Position;
use crate::fanout::NewSubscription;
use crate::gateway::exchange::{Got, News, PutOutcome};
use crate::gateway::host::Host;
use crate::metrics::Counter;
use crate::record::BatchView;
use crate::security::iterator::{ITERATOR_BYTES, IteratorClaims};
use crate::service::put_records::PutRequest;
use crate::service::{
    ControlAnswer, ControlOperation, ControlRequest, Core, Message, Outgoing, ShardOperation,
    ShardRequest,
};

/// A place in the exchange for as long as its request lives.
#[derive(Debug)]
pub struct Caller<H: Host> {
    host: Rc<H>,
    id: SessionId,
}

impl<H: Host> Drop for Caller<H> {
    fn drop(&mut self) {
        self.host.act(|core, exchange, _| exchange.close(core, self.id));
    }
}

/// A place has one request at a time: its answers need no numbers.
const CORRELATION: u64 = 0;

impl<H: Host> Caller<H> {
    /// A new place.
    pub fn new(host: &Rc<H>) -> Caller<H> {
        let id = host.look(|_, exchange, _| exchange.open());
        Caller { host: host.clone(), id }
    }

    /// Puts a batch into a stream, each record into the shard of its hash key. Waits for room.
    pub async fn put(&self, stream: StreamUuid, batch: &[u8]) -> Result<PutOutcome, ApiError> {
        let bytes = batch.len();
        poll_fn(|cx| self.host.look(|core, exchange, _| exchange.poll_room(core, bytes, cx))).await;
        self.host.act(|core, _, now| {
            let (session, correlation) = (self.id, CORRELATION);
            let batch = BatchView::check_client(batch).expect("the gateway has built it");
            let (shard, map_version) = (ShardNumber::ANY, 0);
            let put =
                PutRequest { session, correlation, stream, shard, map_version, batch: &batch };
            core.submit_put(now, &put)
        })?;
        match self.news().await {
            News::Put(outcome) => Ok(outcome),
            other => Err(unexpected(other)),
        }
    }

    /// An iterator at a position.
    pub async fn iterator(
        &self,
        shard: ShardKey,
        position: Position,
    ) -> Result<[u8; ITERATOR_BYTES], ApiError> {
        self.ask(shard, ShardOperation::GetIterator(position))?;
        match self.news().await {
            News::Iterator(iterator) => Ok(iterator),
            other => Err(unexpected(other)),
        }
    }

    /// What an iterator says, if it is valid.
    pub fn claims(&self, iterator: &[u8]) -> Result<IteratorClaims, ApiError> {
        self.host.look(|core, _, now| core.iterator_key().open(iterator, now.wall))
    }

    /// Up to `limit` records.
    pub async fn get(&self, claims: IteratorClaims, limit: u32) -> Result<Got, ApiError> {
        let (shard, bytes_max) = (claims.shard, READ_BYTES_MAX as u32);
        self.ask(shard, ShardOperation::Get { claims, limit, bytes_max, wait_ms: 0 })?;
        match self.news().await {
            News::Got(got) => Ok(got),
            other => Err(unexpected(other)),
        }
    }

    /// Opens the place's only subscription, and says where it starts. Its news come from
    /// [`Caller::poll_news`].
    pub async fn subscribe(
        &self,
        shard: ShardKey,
        consumer: &str,
        position: Position,
        credit: u64,
    ) -> Result<Seq, ApiError> {
        let new = NewSubscription { wire_id: 0, consumer: consumer.to_owned(), credit };
        self.ask(shard, ShardOperation::Subscribe { new, position })?;
        match self.news().await {
            News::Subscribed { start } => Ok(start),
            other => Err(unexpected(other)),
        }
    }

    /// Grants the subscription more bytes.
    pub fn credit(&self, shard: ShardKey, bytes: u64) {
        let operation = ShardOperation::Credit { wire_id: 0, bytes };
        self.host.act(|core, _, now| send(core, now, self.request(shard, operation)));
    }

    /// Changes the catalog.
    pub async fn change(&self, operation: ControlOperation) -> Result<ControlAnswer, ApiError> {
        self.host.act(|core, _, _| {
            let (session, correlation) = (self.id, CORRELATION);
            let request = ControlRequest { session, correlation, operation };
            // Also from core 0: the catalog has a queue of its own there.
            core.outgoing.push(Outgoing { to: CoreId(0), message: Message::Control(request) });
        });
        match self.news().await {
            News::Control(outcome) => outcome,
            other => Err(unexpected(other)),
        }
    }

    /// The next news of the place.
    pub fn poll_news(&self, cx: &mut Context<'_>) -> Poll<News> {
        self.host.look(|_, exchange, _| exchange.poll_news(self.id, cx))
    }

    async fn news(&self) -> News {
        poll_fn(|cx| self.poll_news(cx)).await
    }

    /// Asks the home core of a shard that exists.
    fn ask(&self, shard: ShardKey, operation: ShardOperation) -> Result<(), ApiError> {
        self.host.act(|core, exchange, now| {
            let stream = core.view().require_uuid(shard.stream)?;
            stream.require_usable()?;
            stream.require_shard(shard.number)?;
            exchange.known_to(self.id, home_core(shard, core.view().cores()));
            send(core, now, self.request(shard, operation));
            Ok(())
        })
    }

    fn request(&self, shard: ShardKey, operation: ShardOperation) -> ShardRequest {
        ShardRequest { session: self.id, correlation: CORRELATION, shard, operation }
    }
}

fn send(core: &mut Core, now: Now, request: ShardRequest) {
    let home = home_core(request.shard, core.view().cores());
    if home == core.id() {
        core.serve(now, request);
    } else {
        core.metrics.add(Counter::ForwardedRequests, 1);
        core.outgoing.push(Outgoing { to: home, message: Message::Shard(request) });
    }
}

fn unexpected(news: News) -> ApiError {
    match news {
        News::Failed(error) | News::Ended { error, .. } => error,
        other => unreachable!("no request is answered with {other:?}"),
    }
}
