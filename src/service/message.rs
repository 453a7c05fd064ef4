//! What cores say to each other. Owned data only; one message per batch, never per record.

use std::sync::Arc;

use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Millis, Seq, SessionId, ShardKey, ShardNumber, StreamUuid};
use crate::base::stream::{Position, ShardLoad, StreamOptions};
use crate::catalog::View;
use crate::fanout::NewSubscription;
use crate::net::Socket;
use crate::security::iterator::IteratorClaims;
use crate::service::report::{Question, Report};
use crate::wire::account::AccountDescription;
use crate::wire::alter::StreamChange;
use crate::wire::consumers::ConsumerDescription;
use crate::wire::put::PutRun;
use crate::wire::reshard::{Reshard, Resharded};
use crate::wire::streams::{StreamDescription, StreamSummary};

/// A message for another core.
#[derive(Debug)]
pub struct Outgoing {
    /// Which.
    pub to: CoreId,
    /// What.
    pub message: Message,
}

/// A message on its way.
#[derive(Debug)]
pub struct Envelope {
    /// Version of the sender's view: the receiver looks at the message when it has that too, so
    /// that neither knows of streams and shards that are new to the other.
    pub view: u64,
    /// What.
    pub message: Message,
}

/// A message from one core to another.
#[derive(Debug)]
pub enum Message {
    /// A connection whose client wants the other core, and the frames it has sent behind its
    /// hello.
    Handover {
        /// The socket.
        socket: Socket,
        /// Correlation of the hello that is still to be answered.
        hello: u64,
        /// Bytes received behind it.
        received: Vec<u8>,
    },
    /// Records for a shard at home there.
    Put {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// Which part of it.
        part: Option<u16>,
        /// The shard.
        shard: ShardKey,
        /// A checked batch.
        batch: Vec<u8>,
    },
    /// What became of such records.
    PutDone {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// Which part of it.
        part: Option<u16>,
        /// The outcome.
        run: PutRun,
        /// Its reason, if it failed.
        message: String,
        /// Bytes of the batch.
        bytes: u32,
    },
    /// A request for a shard at home there.
    Shard(ShardRequest),
    /// A whole frame for a connection of that core.
    Frame {
        /// Whose.
        session: SessionId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A connection has gone: its subscriptions and waiting requests end.
    SessionClosed(SessionId),
    /// A connection has enough to send, or takes more again.
    SessionBlocked {
        /// Which.
        session: SessionId,
        /// Which of the two.
        blocked: bool,
    },
    /// A change of the catalog, for core 0.
    Control(ControlRequest),
    /// What became of it, for the core of its connection.
    ControlDone {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// What became of it.
        outcome: ControlOutcome,
    },
    /// The sender routes no more puts to these shards at home there: all that it has sent before
    /// this are the last.
    Fence {
        /// Version of the view that announced the closing: one that was given up does not count
        /// for the next.
        attempt: u64,
        /// Which.
        shards: Vec<ShardKey>,
    },
    /// For core 0: a closing shard has made durable what it ever will.
    Drained {
        /// Version of the view that announced the closing.
        attempt: u64,
        /// Which.
        shard: ShardKey,
        /// Behind its last record.
        end: Seq,
        /// When that arrived.
        arrival: Millis,
    },
    /// For core 0: what on-demand shards at home there have taken in since the last report.
    Loads {
        /// From where.
        core: CoreId,
        /// Those that have taken in anything.
        loads: Vec<ShardLoad>,
    },
    /// A connection asks what the shards of a stream at home there have counted.
    ShardStats {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// The stream.
        stream: StreamUuid,
        /// Behind this shard; `None` from the first.
        after: Option<ShardNumber>,
    },
    /// Somebody on another core, such as the admin port, wants to know something.
    Ask {
        /// Who.
        from: CoreId,
        /// Comes back with the answer.
        ticket: u64,
        /// What.
        question: Question,
    },
    /// The answer to such a question.
    Told {
        /// Of the question.
        ticket: u64,
        /// Who answers.
        core: CoreId,
        /// What it has to say.
        report: Report,
    },
    /// The disk has failed under the catalog: nobody knows whether its last change is there. No
    /// core acknowledges any more what that change may have excluded.
    StopWrites(String),
    /// The catalog has changed.
    ViewChanged(Arc<View>),
    /// That core uses this version.
    ViewInstalled {
        /// Which core.
        core: CoreId,
        /// Version of the view.
        version: u64,
    },
}

/// A request about one shard.
#[derive(Debug)]
pub struct ShardRequest {
    /// Who asked.
    pub session: SessionId,
    /// The request.
    pub correlation: u64,
    /// The shard.
    pub shard: ShardKey,
    /// What.
    pub operation: ShardOperation,
}

/// What can be asked of a shard besides a put.
#[derive(Debug)]
pub enum ShardOperation {
    /// A position as an iterator.
    GetIterator(Position),
    /// Records.
    Get {
        /// From here.
        claims: IteratorClaims,
        /// At most so many records.
        limit: u32,
        /// At most so many bytes.
        bytes_max: u32,
        /// Wait so long for the first.
        wait_ms: u32,
    },
    /// Opens a subscription.
    Subscribe {
        /// What the client chose.
        new: NewSubscription,
        /// Where it starts.
        position: Position,
    },
    /// Grants a subscription more bytes.
    Credit {
        /// The client's number of it.
        wire_id: u32,
        /// How many.
        bytes: u64,
    },
    /// Ends a subscription.
    Unsubscribe {
        /// The client's number of it.
        wire_id: u32,
    },
}

/// A change of the catalog.
#[derive(Debug)]
pub struct ControlRequest {
    /// Who asked.
    pub session: SessionId,
    /// The request.
    pub correlation: u64,
    /// What.
    pub operation: ControlOperation,
}

/// What can change in the catalog.
#[derive(Debug)]
pub enum ControlOperation {
    /// A new stream.
    Create {
        /// Name.
        name: String,
        /// Number of shards; 0 where the server chooses it.
        shards: u32,
        /// The rest.
        options: StreamOptions,
        /// By key.
        tags: Vec<(String, String)>,
    },
    /// A stream and its records go.
    Delete {
        /// Name.
        name: String,
        /// Also when it has consumers.
        with_consumers: bool,
    },
    /// Something that was chosen for a stream changes.
    Alter {
        /// Name.
        name: String,
        /// What.
        change: StreamChange,
    },
    /// The shards of a stream change.
    Reshard {
        /// Name.
        name: String,
        /// How.
        reshard: Reshard,
    },
    /// A new consumer.
    Register {
        /// Name of the stream.
        stream: String,
        /// Name of the consumer.
        consumer: String,
        /// By key.
        tags: Vec<(String, String)>,
    },
    /// A consumer goes.
    Deregister {
        /// Name of the stream.
        stream: String,
        /// Name of the consumer.
        consumer: String,
    },
    /// The tags of a consumer change.
    TagConsumer {
        /// Name of the stream.
        stream: String,
        /// Name of the consumer.
        consumer: String,
        /// Added or replaced.
        add: Vec<(String, String)>,
        /// Removed.
        remove: Vec<String>,
    },
    /// The account's commitment begins or ends.
    UpdateAccount {
        /// Whether it shall hold.
        commitment: bool,
    },
}

/// What a change has brought, for the connection that asked for it.
#[derive(Debug)]
pub enum ControlAnswer {
    /// The stream exists.
    Created(Box<StreamDescription>),
    /// The stream is being removed.
    Deleted,
    /// The stream as it is now.
    Altered(Box<StreamSummary>),
    /// The shards have changed.
    Resharded(Box<Resharded>),
    /// The consumer exists.
    Registered(Box<ConsumerDescription>),
    /// The consumer is gone.
    Deregistered,
    /// Its tags are changed.
    ConsumerTagged,
    /// The account as it is now.
    Account(Box<AccountDescription>),
}

/// The outcome of a change.
pub type ControlOutcome = Result<ControlAnswer, ApiError>;
