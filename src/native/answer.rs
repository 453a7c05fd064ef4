//! Effects of a turn become frames of this core's connections, or messages to other cores.

use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Seq, SessionId};
use crate::disk::dma::Chunk;
use crate::fanout::{Effect, Effects};
use crate::metrics::{CoreMetrics, Counter, Histogram};
use crate::native::session::Session;
use crate::native::sessions::Sessions;
use crate::service::{Core, Message, Outgoing};
use crate::wire::Reader;
use crate::wire::error::ErrorFrame;
use crate::wire::frame::{FrameHeader, Opcode, write_frame, write_frame_with_body};
use crate::wire::put::write_put_answer;
use crate::wire::read::GetAnswer;
use crate::wire::shards::ChildShard;
use crate::wire::subscribe::{Push, ShardEnded, SubscribeAnswer, SubscriptionEnd};

impl Sessions {
    /// Writes the effects of a turn into their connections and starts them anew. What is for
    /// requests over HTTP stays, with its chunks.
    pub fn deliver(&mut self, core: &mut Core) {
        if core.effects.list.is_empty() {
            return;
        }
        let mut effects = std::mem::take(&mut core.effects);
        let mut list = std::mem::take(&mut effects.list);
        for effect in list.drain(..) {
            count_push(&mut core.metrics, &effect, &effects);
            let session = session_of(&effect);
            if session.core == self.me && session.is_exchange() {
                core.effects.list.push(effect);
            } else if session.core == self.me {
                self.deliver_here(session, &effect, &effects);
            } else {
                self.deliver_there(session, &effect, &effects);
            }
        }
        if core.effects.list.is_empty() {
            effects.list = list;
            effects.chunks.clear();
        } else {
            effects.list = std::mem::take(&mut core.effects.list);
        }
        // Reads that this turn asked for are still the runtime's to take.
        core.effects = effects;
    }

    /// A frame for a connection here came from another core.
    pub fn frame(&mut self, id: SessionId, bytes: &[u8]) {
        let stopping = self.is_stopping();
        let Some(session) = self.get_mut(id) else { return };
        let (header, payload) = bytes.split_first_chunk().expect("a core sends whole frames");
        let header = FrameHeader::decode(header).expect("a core sends right frames");
        let unasked =
            matches!(header.opcode, Opcode::Push | Opcode::SubscriptionEnd | Opcode::ShardEnded);
        if unasked && header.opcode != Opcode::Push {
            let ended =
                Reader::new(payload).u32("subscription").expect("a core sends right frames");
            session.subscriptions.remove(&ended);
        }
        session.outbound.frames(|out| out.extend_from_slice(bytes));
        if !unasked {
            forget_request(session, header.correlation, header.opcode == Opcode::Error);
            Self::answered(stopping, session);
        }
        self.touch(id);
    }

    fn deliver_here(&mut self, id: SessionId, effect: &Effect, effects: &Effects) {
        let stopping = self.is_stopping();
        let Some(session) = self.get_mut(id) else { return };
        let unasked = matches!(
            effect,
            Effect::Push { .. } | Effect::SubscriptionEnd { .. } | Effect::ShardEnded { .. }
        );
        if let Effect::SubscriptionEnd { subscription, .. }
        | Effect::ShardEnded { subscription, .. } = effect
        {
            session.subscriptions.remove(subscription);
        }
        write_effect(session, effect, effects);
        match effect {
            Effect::Failed { correlation, .. } => forget_request(session, *correlation, true),
            Effect::Subscribed { correlation, .. } | Effect::GetDone { correlation, .. } => {
                forget_request(session, *correlation, false);
            }
            _ => {}
        }
        if !unasked {
            Self::answered(stopping, session);
        }
        self.touch(id);
    }

    fn deliver_there(&mut self, session: SessionId, effect: &Effect, effects: &Effects) {
        let mut bytes = Vec::new();
        for chunk in write_head(&mut bytes, effect, effects) {
            bytes.extend_from_slice(chunk);
        }
        let message = Message::Frame { session, bytes };
        self.outgoing.push(Outgoing { to: session.core, message });
    }
}

fn count_push(metrics: &mut CoreMetrics, effect: &Effect, effects: &Effects) {
    let Effect::Push { first, end, behind_ms, chunks, from_memory, waited, .. } = effect else {
        return;
    };
    metrics.add(Counter::PushRecords, end.since(*first));
    metrics.add(Counter::PushBytes, bytes_of(effects.chunks(*chunks)) as u64);
    metrics.add(Counter::TailHits, u64::from(*from_memory));
    metrics.record(Histogram::PushBehindMicros, behind_ms.saturating_mul(1000));
    if let Some(waited) = waited {
        metrics.record(Histogram::PushMicros, waited.as_micros() as u64);
    }
}

fn session_of(effect: &Effect) -> SessionId {
    match effect {
        Effect::PutDone { session, .. }
        | Effect::PutInPartsDone { session, .. }
        | Effect::ShardEnded { session, .. }
        | Effect::Push { session, .. }
        | Effect::SubscriptionEnd { session, .. }
        | Effect::GetDone { session, .. }
        | Effect::IteratorDone { session, .. }
        | Effect::Subscribed { session, .. }
        | Effect::Unsubscribed { session, .. }
        | Effect::Failed { session, .. } => *session,
    }
}

/// A request was answered: it is not on its way any more. A failed subscribe has no number.
fn forget_request(session: &mut Session, correlation: u64, failed: bool) {
    session.gets.retain(|get| *get != correlation);
    if let Some(at) = session.subscribing.iter().position(|(asked, _)| *asked == correlation) {
        let (_, wire_id) = session.subscribing.swap_remove(at);
        if failed {
            session.subscriptions.remove(&wire_id);
        }
    }
}

fn write_effect(session: &mut Session, effect: &Effect, effects: &Effects) {
    let mut body: &[Chunk] = &[];
    session.outbound.frames(|out| body = write_head(out, effect, effects));
    for chunk in body {
        session.outbound.chunk(chunk);
    }
}

/// Writes the frame of an effect up to its batches, and returns those.
fn write_head<'a>(out: &mut Vec<u8>, effect: &Effect, effects: &'a Effects) -> &'a [Chunk] {
    match effect {
        Effect::PutDone { correlation, run, message, .. } => {
            write_frame(out, Opcode::PutAnswer, *correlation, |w| {
                write_put_answer(w, std::slice::from_ref(run), message, &[]);
            });
        }
        Effect::PutInPartsDone { correlation, runs, run_of, message, .. } => {
            write_frame(out, Opcode::PutAnswer, *correlation, |w| {
                write_put_answer(w, runs, message, run_of);
            });
        }
        Effect::ShardEnded { subscription, end, children, .. } => {
            write_shard_ended(out, *subscription, *end, children);
        }
        Effect::Push { subscription, first, behind_ms, chunks, .. } => {
            let body = effects.chunks(*chunks);
            let (subscription, first, behind_ms) = (*subscription, *first, *behind_ms);
            let push = Push { subscription, first, behind_ms, batches: &[] };
            write_frame_with_body(out, Opcode::Push, 0, bytes_of(body), |w| push.write_prefix(w));
            return body;
        }
        Effect::GetDone {
            correlation, iterator, children, behind_ms, first, end, chunks, ..
        } => {
            let body = effects.chunks(*chunks);
            let (behind_ms, first, end) = (*behind_ms, *first, *end);
            let get = GetAnswer {
                next_iterator: iterator.as_ref().map_or(&[], |bytes| &bytes[..]),
                behind_ms,
                first,
                end,
                children: children.clone(),
                batches: &[],
            };
            let bytes = bytes_of(body);
            write_frame_with_body(out, Opcode::GetAnswer, *correlation, bytes, |w| {
                get.write_prefix(w);
            });
            return body;
        }
        Effect::SubscriptionEnd { subscription, continue_at, error, .. } => {
            write_subscription_end(out, *subscription, *continue_at, error);
        }
        Effect::IteratorDone { correlation, iterator, .. } => {
            write_frame(out, Opcode::GetIteratorAnswer, *correlation, |w| {
                w.bytes(iterator);
            });
        }
        Effect::Subscribed { correlation, start, .. } => {
            let answer = SubscribeAnswer { start: *start };
            write_frame(out, Opcode::SubscribeAnswer, *correlation, |w| answer.write(w));
        }
        Effect::Unsubscribed { correlation, .. } => {
            write_frame(out, Opcode::UnsubscribeAnswer, *correlation, |_| {});
        }
        Effect::Failed { correlation, error, .. } => {
            debug_assert!(error.code != ErrorCode::Protocol, "only sessions close connections");
            write_frame(out, Opcode::Error, *correlation, |w| {
                ErrorFrame::of(error, false).write(w);
            });
        }
    }
    &[]
}

fn write_subscription_end(out: &mut Vec<u8>, subscription: u32, at: Seq, error: &ApiError) {
    let ApiError { code, message } = error;
    let end = SubscriptionEnd { subscription, continue_at: at, code: *code, message };
    write_frame(out, Opcode::SubscriptionEnd, 0, |w| end.write(w));
}

fn write_shard_ended(out: &mut Vec<u8>, subscription: u32, end: Seq, children: &[ChildShard]) {
    let ended = ShardEnded { subscription, end, children: children.to_vec() };
    write_frame(out, Opcode::ShardEnded, 0, |w| ended.write(w));
}

fn bytes_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.len()).sum()
}
