//! SubscribeToShard: the events of one subscription.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::base::error::ErrorCode;
use crate::base::ids::{Millis, Seq, ShardKey};
use crate::catalog::{ShardView, StreamView};
use crate::gateway::caller::Caller;
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::event_stream;
use crate::gateway::exchange::News;
use crate::gateway::exchange::batches::Batches;
use crate::gateway::host::Host;
use crate::gateway::names::position::Start;
use crate::gateway::names::sequence_number::SequenceNumber;
use crate::gateway::value::Format;
use crate::wire::shards::ChildShard;

use super::Call;
use super::get::{origin_of, request_of, write_children, write_record};
use super::resource::consumer_of_arn;

/// An event without records follows the last one after this, at the next tick, which may be late:
/// AWS sends one at least every 5 s, and SDKs give up after 10 s.
const HEARTBEAT: Duration = Duration::from_millis(3500);
/// Time is looked at so often: a timer for each push would cost more than the push.
const TICK: Duration = Duration::from_secs(1);
/// A subscription ends after this (AWS); its client opens the next.
const LIFE: Duration = Duration::from_secs(300);
/// Bytes of batches that may be on their way to a client that does not read.
const CREDIT: u64 = 1 << 20;

impl<H: Host> Call<'_, H> {
    pub(super) async fn subscribe(&self) -> Result<Subscription<H>, Refusal> {
        let (view, now) = self.view();
        let (stream, consumer) = consumer_of_arn(&view, self.text("ConsumerARN"))?;
        let stream = view.require_name(&stream)?;
        let shard = self.shard_number(self.text("ShardId"), &stream.name)?;
        let shard = stream.require_shard(shard)?;
        let start = Start::of_subscription(self.input);
        let request = request_of("SubscribeToShard", stream);
        let position = start.position(origin_of(shard), request, now.wall)?;
        let key = ShardKey { stream: stream.uuid, number: shard.number };
        if self.input.flag("DryRun") {
            stream.require_usable()?;
            return Err(Refusal::dry_run());
        }
        let caller = self.caller();
        let next = caller.subscribe(key, &consumer, position, CREDIT).await;
        let next = next.map_err(|error| start.refusal(error, shard.number, request))?;
        let (host, stream) = (self.host.clone(), stream.clone());
        let state = State::Begun;
        let tick: Sleep = Box::pin(host.sleep(TICK));
        let shard = *shard;
        Ok(Subscription {
            host,
            caller,
            stream,
            shard,
            key,
            next,
            at: now.wall,
            state,
            behind_ms: 0,
            owed: 0,
            tick,
            sent: now.mono,
            end: now.mono + LIFE,
        })
    }
}

type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// An open subscription. Dropping it ends it.
pub struct Subscription<H: Host> {
    host: Rc<H>,
    caller: Caller<H>,
    stream: Arc<StreamView>,
    shard: ShardView,
    key: ShardKey,
    /// The next record of the client.
    next: Seq,
    /// When the last one arrived, or the subscription began.
    at: Millis,
    state: State,
    /// How far behind the newest it was last.
    behind_ms: u64,
    /// Credit for what the client is taking now.
    owed: u64,
    tick: Sleep,
    /// When the last event was sent.
    sent: Instant,
    /// When it ends.
    end: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was sent yet.
    Begun,
    Running,
    Over,
}

impl<H: Host> fmt::Debug for Subscription<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("key", &self.key).field("next", &self.next).finish()
    }
}

impl<H: Host> Subscription<H> {
    /// The next frames; `None` is the end. Called when the client has room for more.
    pub fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        match self.state {
            State::Over => return Poll::Ready(None),
            State::Begun => {
                self.state = State::Running;
                let mut out = Vec::new();
                event_stream::initial_response(&mut out);
                return Poll::Ready(Some(out));
            }
            State::Running => {}
        }
        if self.owed > 0 {
            // The client has taken what was sent last.
            self.caller.credit(self.key, std::mem::take(&mut self.owed));
        }
        if let Poll::Ready(news) = self.caller.poll_news(cx) {
            return Poll::Ready(self.frames_of(news));
        }
        while self.tick.as_mut().poll(cx).is_ready() {
            self.tick = Box::pin(self.host.sleep(TICK));
            let now = self.host.look(|_, _, now| now.mono);
            if now >= self.end {
                self.state = State::Over;
                return Poll::Ready(None);
            }
            if now.saturating_duration_since(self.sent) >= HEARTBEAT {
                return Poll::Ready(Some(self.event(None)));
            }
        }
        Poll::Pending
    }

    fn frames_of(&mut self, news: News) -> Option<Vec<u8>> {
        match news {
            News::Pushed { first, behind_ms, batches } => {
                self.owed = batches.bytes() as u64;
                self.behind_ms = behind_ms;
                let records = Records { first, batches: &batches };
                Some(self.event(Some(records)))
            }
            News::ShardEnded { children, .. } => {
                self.state = State::Over;
                Some(last_event(&children))
            }
            News::Ended { error, .. } | News::Failed(error) => {
                self.state = State::Over;
                // What is no error of the model ends the stream: clients open the next.
                let known =
                    matches!(error.code, ErrorCode::ResourceInUse | ErrorCode::ResourceNotFound);
                known.then(|| exception(&error.into()))
            }
            other => unreachable!("no subscription brings {other:?}"),
        }
    }

    /// An event with records, or without: it says how far the client is all the same.
    fn event(&mut self, records: Option<Records<'_>>) -> Vec<u8> {
        let mut out = Vec::new();
        let (shard, encrypted) = (&self.shard, self.stream.key_id.is_some());
        let (mut next, mut at) = (self.next, self.at);
        event_stream::event("SubscribeToShardEvent", &mut out, |payload| {
            Encoder::new(Format::Json, payload).map(|e| {
                e.key("Records").list(|e| {
                    let Some(Records { first, batches }) = records else { return };
                    batches.for_each(first, None, |record, arrival| {
                        (next, at) = (record.seq.plus(1), arrival);
                        write_record(e, shard, record, arrival, encrypted);
                    });
                });
                let number = SequenceNumber::continuation(origin_of(shard), next, at);
                e.key("ContinuationSequenceNumber").text(&number.to_string());
                e.key("MillisBehindLatest").int(self.behind_ms as i64);
            });
        });
        (self.next, self.at) = (next, at);
        self.sent = self.host.look(|_, _, now| now.mono);
        out
    }
}

struct Records<'a> {
    first: Seq,
    batches: &'a Batches,
}

/// The end of a closed shard: children and no continuation, as KCL and Flink tell it.
fn last_event(children: &[ChildShard]) -> Vec<u8> {
    let mut out = Vec::new();
    event_stream::event("SubscribeToShardEvent", &mut out, |payload| {
        Encoder::new(Format::Json, payload).map(|e| {
            e.key("Records").list(|_| {});
            e.key("MillisBehindLatest").int(0);
            write_children(e, children);
        });
    });
    out
}

fn exception(refusal: &Refusal) -> Vec<u8> {
    let mut out = Vec::new();
    event_stream::exception(&refusal.code, &mut out, |payload| {
        Encoder::new(Format::Json, payload).map(|e| {
            e.key("message").text(&refusal.message);
        });
    });
    out
}
