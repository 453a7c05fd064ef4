//! One frame: decode, find the core, call the service or send the request there.

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, ShardKey, ShardNumber, StreamUuid, home_core};
use crate::base::limits::{
    CONNECTION_IN_FLIGHT_MAX, CONNECTION_SUBSCRIPTIONS_MAX, FRAME_HEADER_BYTES,
};
use crate::fanout::NewSubscription;
use crate::metrics::Counter;
use crate::native::session::Session;
use crate::native::sessions::Sessions;
use crate::quota::ControlCall;
use crate::record::BatchView;
use crate::service::put_records::PutRequest;
use crate::service::{
    ControlOperation, ControlRequest, Core, Message, Outgoing, ShardOperation, ShardRequest,
};
use crate::wire::error::ErrorFrame;
use crate::wire::frame::{FrameHeader, Opcode, write_frame};
use crate::wire::hello::{ANY_CORE, Hello, HelloAnswer, PROTOCOL_VERSION};
use crate::wire::put::Put;
use crate::wire::read::{Get, GetIterator};
use crate::wire::streams::{CreateStream, DeleteStream, DescribeStream, ListStreams, StreamName};
use crate::wire::subscribe::{Credit, Subscribe, Unsubscribe};
use crate::wire::{Decode, DecodeError};

/// What follows a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next one.
    Next,
    /// The frame has to wait for room; it is served again later.
    Later,
    /// The connection belongs to another core now.
    HandedOver,
}

/// Why a frame has no ordinary answer.
pub(super) enum Refused {
    /// The request failed; the connection goes on.
    Request(ApiError),
    /// The frame breaks the protocol; the connection ends.
    Connection(String),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Refused::Request(error)
    }
}

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Refused::Connection(error.to_string())
    }
}

/// One frame with what it needs.
pub(super) struct Request<'a> {
    pub(super) now: Now,
    pub(super) correlation: u64,
    pub(super) opcode: Opcode,
    pub(super) payload: &'a [u8],
}

impl Sessions {
    /// Serves a whole frame. `rest`: what was received behind it.
    pub(super) fn serve_frame(
        &mut self,
        core: &mut Core,
        now: Now,
        session: &mut Session,
        header: &FrameHeader,
        frame: &[u8],
        rest: &[u8],
    ) -> Step {
        let payload = &frame[FRAME_HEADER_BYTES..];
        let correlation = header.correlation;
        if !session.greeted {
            return self.serve_hello(core, session, header, payload, rest);
        }
        let too_many_gets = header.opcode == Opcode::Get && session.gets.len() >= GETS_MAX;
        if session.in_flight >= CONNECTION_IN_FLIGHT_MAX || too_many_gets {
            return Step::Later;
        }
        if self.is_stopping() {
            let error = ApiError::new(ErrorCode::ShuttingDown, "the server is stopping");
            fail(session, correlation, &error);
            return Step::Next;
        }
        let request = Request { now, correlation, opcode: header.opcode, payload };
        match self.serve_request(core, session, &request) {
            Ok(step) => step,
            Err(Refused::Request(error)) => {
                fail(session, correlation, &error);
                Step::Next
            }
            Err(Refused::Connection(why)) => {
                self.refuse(core, session, correlation, &why);
                Step::Next
            }
        }
    }

    fn serve_hello(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        header: &FrameHeader,
        payload: &[u8],
        rest: &[u8],
    ) -> Step {
        if header.opcode != Opcode::Hello {
            self.refuse(core, session, header.correlation, "the first frame must be a hello");
            return Step::Next;
        }
        let hello = match Hello::decode(payload) {
            Ok(hello) => hello,
            Err(error) => {
                self.refuse(core, session, header.correlation, &error.to_string());
                return Step::Next;
            }
        };
        if !(hello.version_min..=hello.version_max).contains(&PROTOCOL_VERSION) {
            let why = format!(
                "this server speaks protocol version {PROTOCOL_VERSION}, the client {} to {}",
                hello.version_min, hello.version_max
            );
            self.refuse(core, session, header.correlation, &why);
            return Step::Next;
        }
        let wanted = hello.wanted_core;
        let elsewhere = wanted != ANY_CORE && wanted != self.me && wanted.0 < self.cores;
        if elsewhere {
            session.handover = Some((wanted, header.correlation, rest.to_vec()));
            return Step::HandedOver;
        }
        self.greet(session, header.correlation);
        Step::Next
    }

    /// Answers a hello.
    pub(super) fn greet(&self, session: &mut Session, correlation: u64) {
        session.greeted = true;
        let answer = HelloAnswer {
            version: PROTOCOL_VERSION,
            features: 0,
            core: self.me,
            cores: self.cores,
            server: self.server,
            release: env!("CARGO_PKG_VERSION"),
        };
        session.outbound.frames(|out| {
            write_frame(out, Opcode::HelloAnswer, correlation, |w| answer.write(w));
        });
    }

    fn serve_request(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<Step, Refused> {
        match r.opcode {
            Opcode::Put => return self.put(core, session, r),
            Opcode::Ping => answer(session, Opcode::PingAnswer, r.correlation, |w| {
                w.bytes(r.payload);
            }),
            Opcode::GetIterator => {
                let get = GetIterator::decode(r.payload)?;
                let operation = ShardOperation::GetIterator(get.position);
                self.ask_shard(core, session, r, (get.stream, get.shard), operation)?;
            }
            Opcode::Get => self.get(core, session, r)?,
            Opcode::Subscribe => self.subscribe(core, session, r)?,
            Opcode::Credit => self.credit(core, session, r)?,
            Opcode::Unsubscribe => self.unsubscribe(core, session, r)?,
            Opcode::CreateStream => {
                let CreateStream { name, shards, options, tags } = CreateStream::decode(r.payload)?;
                let name = name.to_owned();
                let operation = ControlOperation::Create { name, shards, options, tags };
                self.ask_catalog(session, r.correlation, operation);
            }
            Opcode::DeleteStream => {
                let DeleteStream { name, with_consumers } = DeleteStream::decode(r.payload)?;
                let operation = ControlOperation::Delete { name: name.to_owned(), with_consumers };
                self.ask_catalog(session, r.correlation, operation);
            }
            Opcode::DescribeStream => {
                let DescribeStream { name, after, limit } = DescribeStream::decode(r.payload)?;
                core.admit_query(r.now, ControlCall::DescribeStream, Some(name))?;
                let description = core.view().require_name(name)?.describe(after, limit)?;
                answer(session, Opcode::DescribeStreamAnswer, r.correlation, |w| {
                    description.write(w);
                });
            }
            Opcode::ShardMap => {
                let stream = core.view().require_name(StreamName::decode(r.payload)?.name)?;
                let map = stream.shard_map();
                answer(session, Opcode::ShardMapAnswer, r.correlation, |w| map.write(w));
            }
            Opcode::ListStreams => {
                let ListStreams { after, limit } = ListStreams::decode(r.payload)?;
                core.admit_query(r.now, ControlCall::ListStreams, None)?;
                let list = core.view().list(after, limit)?;
                answer(session, Opcode::ListStreamsAnswer, r.correlation, |w| list.write(w));
            }
            _ => self.query(core, session, r)?,
        }
        Ok(Step::Next)
    }

    fn put(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<Step, Refused> {
        let put = Put::decode(r.payload)?;
        if !core.has_room(put.batch.len()) {
            return Ok(Step::Later);
        }
        let batch = BatchView::check_client(put.batch)
            .map_err(|error| Refused::Connection(error.to_string()))?;
        let Put { stream, shard, map_version, .. } = put;
        let request = PutRequest {
            session: session.id,
            correlation: r.correlation,
            stream,
            shard,
            map_version,
            batch: &batch,
        };
        core.submit_put(r.now, &request)?;
        session.in_flight += 1;
        Ok(Step::Next)
    }

    fn get(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        let get = Get::decode(r.payload)?;
        let claims = core.iterator_key().open(get.iterator, r.now.wall)?;
        let Get { limit, bytes_max, wait_ms, .. } = get;
        let shard = (claims.shard.stream, claims.shard.number);
        let operation = ShardOperation::Get { claims, limit, bytes_max, wait_ms };
        self.ask_shard(core, session, r, shard, operation)?;
        session.gets.push(r.correlation);
        Ok(())
    }

    fn subscribe(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        let s = Subscribe::decode(r.payload)?;
        if session.subscriptions.contains_key(&s.subscription) {
            let why = format!("subscription {} is open on this connection already", s.subscription);
            return Err(ApiError::invalid(why).into());
        }
        if session.subscriptions.len() >= CONNECTION_SUBSCRIPTIONS_MAX {
            let why =
                format!("a connection has at most {CONNECTION_SUBSCRIPTIONS_MAX} subscriptions");
            return Err(ApiError::new(ErrorCode::LimitExceeded, why).into());
        }
        let new = NewSubscription {
            wire_id: s.subscription,
            consumer: s.consumer.to_owned(),
            credit: s.credit,
        };
        let home = home_core(ShardKey { stream: s.stream, number: s.shard }, self.cores);
        let operation = ShardOperation::Subscribe { new, position: s.position };
        self.ask_shard(core, session, r, (s.stream, s.shard), operation)?;
        session.subscriptions.insert(s.subscription, home);
        session.subscribing.push((r.correlation, s.subscription));
        Ok(())
    }

    fn credit(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        let Credit { subscription: wire_id, bytes } = Credit::decode(r.payload)?;
        // One that the server has just ended is no mistake of the client.
        let Some(home) = session.subscriptions.get(&wire_id).copied() else { return Ok(()) };
        let operation = ShardOperation::Credit { wire_id, bytes };
        self.ask_core(core, session, r, home, any_shard(), operation);
        session.in_flight -= 1;
        Ok(())
    }

    fn unsubscribe(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        let Unsubscribe { subscription: wire_id } = Unsubscribe::decode(r.payload)?;
        let home = session
            .subscriptions
            .remove(&wire_id)
            .ok_or_else(|| ApiError::not_found(format!("subscription {wire_id} is not open")))?;
        // If that is still to be answered, its failure is none of the next one with this number.
        session.subscribing.retain(|(_, subscribing)| *subscribing != wire_id);
        let operation = ShardOperation::Unsubscribe { wire_id };
        self.ask_core(core, session, r, home, any_shard(), operation);
        Ok(())
    }

    /// Asks the home core of a shard that exists.
    fn ask_shard(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
        (stream, number): (StreamUuid, ShardNumber),
        operation: ShardOperation,
    ) -> Result<(), Refused> {
        let view = core.view().require_uuid(stream)?;
        view.require_usable()?;
        view.require_shard(number)?;
        let shard = ShardKey { stream, number };
        self.ask_core(core, session, r, home_core(shard, self.cores), shard, operation);
        Ok(())
    }

    fn ask_core(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
        home: CoreId,
        shard: ShardKey,
        operation: ShardOperation,
    ) {
        session.in_flight += 1;
        let is_new = session.known_to & (1 << home.0) == 0;
        session.known_to |= 1 << home.0;
        if is_new && session.blocked {
            // That core has not heard of it yet.
            self.tell_blocked(core, session, true);
        }
        let (session, correlation) = (session.id, r.correlation);
        let request = ShardRequest { session, correlation, shard, operation };
        if home == self.me {
            core.serve(r.now, request);
        } else {
            core.metrics.add(Counter::ForwardedRequests, 1);
            self.outgoing.push(Outgoing { to: home, message: Message::Shard(request) });
        }
    }

    pub(super) fn ask_catalog(
        &mut self,
        session: &mut Session,
        correlation: u64,
        operation: ControlOperation,
    ) {
        session.in_flight += 1;
        let request = ControlRequest { session: session.id, correlation, operation };
        // Also from core 0: the catalog has a queue of its own there.
        self.outgoing.push(Outgoing { to: CoreId(0), message: Message::Control(request) });
    }
}

/// Gets of one connection on their way: each may bring a MiB that waits to be sent.
const GETS_MAX: usize = 64;

/// Requests about a subscription find it by its connection, not by its shard.
fn any_shard() -> ShardKey {
    ShardKey { stream: StreamUuid([0; 16]), number: ShardNumber::ANY }
}

fn fail(session: &mut Session, correlation: u64, error: &ApiError) {
    answer(session, Opcode::Error, correlation, |w| ErrorFrame::of(error, false).write(w));
}

pub(super) fn answer(
    session: &mut Session,
    opcode: Opcode,
    correlation: u64,
    payload: impl FnOnce(&mut crate::wire::Writer<'_>),
) {
    session.outbound.frames(|out| write_frame(out, opcode, correlation, payload));
}
