//! Effects of this core, and frames from other cores, as news for a place.

use super::batches::Batches;
use super::{Got, News, PutOutcome};
use crate::base::error::ApiError;
use crate::base::ids::SessionId;
use crate::base::limits::FRAME_HEADER_BYTES;
use crate::disk::dma::Chunk;
use crate::fanout::Effect;
use crate::wire::error::ErrorFrame;
use crate::wire::frame::{FrameHeader, Opcode};
use crate::wire::read::GetAnswer;
use crate::wire::subscribe::{Push, ShardEnded, SubscribeAnswer, SubscriptionEnd};
use crate::wire::{Decode, DecodeError};

/// An effect for a place, and for which.
pub(super) fn of_effect(effect: Effect, all: &[Chunk]) -> (SessionId, News) {
    let chunks = |range: crate::fanout::ChunkRange| {
        Batches::Chunks(all[range.start as usize..range.end as usize].to_vec())
    };
    match effect {
        Effect::PutDone { session, run, message, .. } => {
            let (runs, run_of) = (vec![run], Vec::new());
            (session, News::Put(PutOutcome { runs, run_of, message }))
        }
        Effect::PutInPartsDone { session, runs, run_of, message, .. } => {
            (session, News::Put(PutOutcome { runs, run_of, message }))
        }
        Effect::Push { session, first, behind_ms, chunks: range, .. } => {
            (session, News::Pushed { first, behind_ms, batches: chunks(range) })
        }
        Effect::SubscriptionEnd { session, continue_at, error, .. } => {
            (session, News::Ended { continue_at, error })
        }
        Effect::ShardEnded { session, end, children, .. } => {
            (session, News::ShardEnded { end, children })
        }
        Effect::GetDone {
            session,
            iterator,
            children,
            behind_ms,
            first,
            end,
            chunks: range,
            ..
        } => {
            let batches = chunks(range);
            (session, News::Got(Got { iterator, children, behind_ms, first, end, batches }))
        }
        Effect::IteratorDone { session, iterator, .. } => (session, News::Iterator(iterator)),
        Effect::Subscribed { session, start, .. } => (session, News::Subscribed { start }),
        Effect::Unsubscribed { session, .. } => (session, News::Unsubscribed),
        Effect::Failed { session, error, .. } => (session, News::Failed(error)),
    }
}

/// A frame of another core.
pub(super) fn of_frame(bytes: Vec<u8>) -> News {
    let (header, _) = bytes.split_first_chunk().expect("a core sends whole frames");
    let opcode = FrameHeader::decode(header).expect("a core sends right frames").opcode;
    read_frame(opcode, bytes).expect("a core sends right frames")
}

fn read_frame(opcode: Opcode, bytes: Vec<u8>) -> Result<News, DecodeError> {
    let payload = &bytes[FRAME_HEADER_BYTES..];
    Ok(match opcode {
        Opcode::Push => {
            let Push { first, behind_ms, batches, .. } = Push::decode(payload)?;
            let start = bytes.len() - batches.len();
            News::Pushed { first, behind_ms, batches: Batches::Frame { bytes, start } }
        }
        Opcode::SubscriptionEnd => {
            let SubscriptionEnd { continue_at, code, message, .. } =
                SubscriptionEnd::decode(payload)?;
            News::Ended { continue_at, error: ApiError::new(code, message) }
        }
        Opcode::ShardEnded => {
            let ShardEnded { end, children, .. } = ShardEnded::decode(payload)?;
            News::ShardEnded { end, children }
        }
        Opcode::GetAnswer => {
            let GetAnswer { next_iterator, behind_ms, first, end, children, batches } =
                GetAnswer::decode(payload)?;
            let iterator = next_iterator.try_into().ok();
            let start = bytes.len() - batches.len();
            let batches = Batches::Frame { bytes, start };
            News::Got(Got { iterator, children, behind_ms, first, end, batches })
        }
        Opcode::GetIteratorAnswer => {
            News::Iterator(payload.try_into().expect("a core sends whole iterators"))
        }
        Opcode::SubscribeAnswer => {
            News::Subscribed { start: SubscribeAnswer::decode(payload)?.start }
        }
        Opcode::UnsubscribeAnswer => News::Unsubscribed,
        Opcode::Error => {
            let ErrorFrame { code, message, .. } = ErrorFrame::decode(payload)?;
            News::Failed(ApiError::new(code, message))
        }
        other => unreachable!("no core answers an HTTP request with {other:?}"),
    })
}
