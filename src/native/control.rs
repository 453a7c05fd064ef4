//! The answer to a change of the catalog becomes a frame.

use crate::base::ids::SessionId;
use crate::native::sessions::Sessions;
use crate::service::{ControlAnswer, ControlOutcome, Message, Outgoing};
use crate::wire::error::ErrorFrame;
use crate::wire::frame::{Opcode, write_frame};
use crate::wire::shards::ShardCounts;

impl Sessions {
    /// A change that a connection here asked for was made or refused.
    pub fn control_done(&mut self, id: SessionId, correlation: u64, outcome: &ControlOutcome) {
        let mut bytes = Vec::new();
        match outcome {
            Ok(answer) => write_answer(&mut bytes, correlation, answer),
            Err(error) => write_frame(&mut bytes, Opcode::Error, correlation, |w| {
                ErrorFrame::of(error, false).write(w);
            }),
        }
        self.frame(id, &bytes);
    }
}

impl Sessions {
    /// What shards here have counted goes to the connection that asked for it, on whichever core.
    pub fn shard_stats(&mut self, id: SessionId, correlation: u64, counts: &ShardCounts) {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, Opcode::ShardStatsAnswer, correlation, |w| counts.write(w));
        if id.core == self.me {
            self.frame(id, &bytes);
        } else {
            let message = Message::Frame { session: id, bytes };
            self.outgoing.push(Outgoing { to: id.core, message });
        }
    }
}

fn write_answer(out: &mut Vec<u8>, correlation: u64, answer: &ControlAnswer) {
    match answer {
        ControlAnswer::Created(stream) => {
            write_frame(out, Opcode::CreateStreamAnswer, correlation, |w| stream.write(w));
        }
        ControlAnswer::Deleted => {
            write_frame(out, Opcode::DeleteStreamAnswer, correlation, |_| {});
        }
        ControlAnswer::Altered(stream) => {
            write_frame(out, Opcode::AlterStreamAnswer, correlation, |w| stream.write(w));
        }
        ControlAnswer::Resharded(resharded) => {
            write_frame(out, Opcode::ReshardStreamAnswer, correlation, |w| resharded.write(w));
        }
        ControlAnswer::Registered(consumer) => {
            write_frame(out, Opcode::RegisterConsumerAnswer, correlation, |w| consumer.write(w));
        }
        ControlAnswer::Deregistered => {
            write_frame(out, Opcode::DeregisterConsumerAnswer, correlation, |_| {});
        }
        ControlAnswer::ConsumerTagged => {
            write_frame(out, Opcode::TagConsumerAnswer, correlation, |_| {});
        }
        ControlAnswer::Account(account) => {
            write_frame(out, Opcode::UpdateAccountAnswer, correlation, |w| account.write(w));
        }
    }
}
