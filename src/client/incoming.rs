//! What a server sends, decoded and owned.

use super::answers::{Batches, Fetched, PutAnswer};
use crate::base::error::ApiError;
use crate::base::ids::Seq;
use crate::wire::error::ErrorFrame;
use crate::wire::subscribe::{Push, ShardEnded, SubscriptionEnd};
use crate::wire::{Decode, DecodeError, FrameHeader, Opcode};

/// One frame from the server.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// The answer to [`super::Client::send_put`].
    Put {
        /// Of the request.
        correlation: u64,
        /// What became of the records.
        answer: PutAnswer,
    },
    /// The answer to [`super::Client::send_get`].
    Fetched {
        /// Of the request.
        correlation: u64,
        /// The records.
        answer: Fetched,
    },
    /// Records for a subscription.
    Pushed(Pushed),
    /// The server ended a subscription.
    Ended(Ended),
    /// A subscription has come to the end of its closed shard, and is over.
    ShardEnded(ShardEnded),
    /// A request failed.
    Failed {
        /// Of the request; 0 when the error is about the connection.
        correlation: u64,
        /// Why.
        error: ApiError,
        /// Whether the server closes the connection behind it.
        closes: bool,
    },
    /// The answer to any other request.
    Answer {
        /// Of the request.
        correlation: u64,
        /// What kind of answer.
        opcode: Opcode,
        /// Its payload.
        payload: Vec<u8>,
    },
}

/// Records for a subscription.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Which.
    pub subscription: u32,
    /// How far the last record is behind the newest, in ms; 0 at the tip.
    pub behind_ms: u64,
    /// The records that are new.
    pub batches: Batches,
}

/// A subscription that the server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub subscription: u32,
    /// Where a new one would continue.
    pub continue_at: Seq,
    /// Why.
    pub error: ApiError,
}

impl Incoming {
    /// The request that this answers, if it answers one.
    #[must_use]
    pub fn correlation(&self) -> Option<u64> {
        match self {
            Incoming::Put { correlation, .. }
            | Incoming::Fetched { correlation, .. }
            | Incoming::Failed { correlation, .. }
            | Incoming::Answer { correlation, .. } => Some(*correlation),
            Incoming::Pushed(_) | Incoming::Ended(_) | Incoming::ShardEnded(_) => None,
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match self {
            Incoming::Put { .. } => "a put's answer".to_owned(),
            Incoming::Fetched { .. } => "a get's answer".to_owned(),
            Incoming::Pushed(_) => "a push".to_owned(),
            Incoming::Ended(_) => "a subscription's end".to_owned(),
            Incoming::ShardEnded(_) => "the end of a subscription's shard".to_owned(),
            Incoming::Failed { error, .. } => format!("the error {error}"),
            Incoming::Answer { opcode, .. } => format!("{opcode:?}"),
        }
    }

    pub(super) fn decode(header: &FrameHeader, payload: Vec<u8>) -> Result<Incoming, DecodeError> {
        let correlation = header.correlation;
        Ok(match header.opcode {
            Opcode::PutAnswer => {
                Incoming::Put { correlation, answer: PutAnswer::decode(&payload)? }
            }
            Opcode::GetAnswer => {
                Incoming::Fetched { correlation, answer: Fetched::decode(payload)? }
            }
            Opcode::Push => {
                let push = Push::decode(&payload)?;
                let Push { subscription, first, behind_ms, batches } = push;
                let start = payload.len() - batches.len();
                let batches = Batches::from_push(payload, start, first);
                Incoming::Pushed(Pushed { subscription, behind_ms, batches })
            }
            Opcode::SubscriptionEnd => {
                let end = SubscriptionEnd::decode(&payload)?;
                Incoming::Ended(Ended {
                    subscription: end.subscription,
                    continue_at: end.continue_at,
                    error: ApiError::new(end.code, end.message),
                })
            }
            Opcode::ShardEnded => Incoming::ShardEnded(ShardEnded::decode(&payload)?),
            Opcode::Error => {
                let ErrorFrame { code, closes, message } = ErrorFrame::decode(&payload)?;
                Incoming::Failed { correlation, error: ApiError::new(code, message), closes }
            }
            opcode if (opcode as u16) & 0x8000 != 0 => {
                Incoming::Answer { correlation, opcode, payload }
            }
            _ => return Err(DecodeError::Value("opcode")),
        })
    }
}
