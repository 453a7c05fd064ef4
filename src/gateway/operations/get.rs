//! GetShardIterator and GetRecords.

use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, ShardKey};
use crate::base::stream::Position;
use crate::catalog::{ShardView, StreamView};
use crate::gateway::check::Input;
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::exchange::Got;
use crate::gateway::host::Host;
use crate::gateway::names::iterator_text;
use crate::gateway::names::sequence_number::{self, Origin, SequenceNumber};
use crate::record::RecordRef;
use crate::wire::shards::ChildShard;

use super::resource::stream;
use super::shards::write_range;
use super::streams::count;
use super::{Call, Outcome};

/// Records of an answer (AWS).
const RECORDS_MAX: u32 = 10_000;
/// What a record needs beside its data, in an answer, about.
const RECORD_FRAME_BYTES: usize = 200;

impl<H: Host> Call<'_, H> {
    pub(super) async fn get_shard_iterator(&self) -> Outcome {
        let input = self.input;
        let (view, _) = self.view();
        let stream = stream(&view, input)?;
        let shard = self.shard_number(self.text("ShardId"), &stream.name)?;
        let shard = stream.require_shard(shard)?;
        let kind = self.text("ShardIteratorType");
        let from = From {
            operation: "GetShardIterator",
            kind,
            number: input.text("StartingSequenceNumber"),
            number_name: "StartingSequenceNumber",
            time: input.time("Timestamp"),
        };
        let position = from.position(stream, shard)?;
        let key = ShardKey { stream: stream.uuid, number: shard.number };
        if input.flag("DryRun") {
            stream.require_usable()?;
            return Err(Refusal::dry_run());
        }
        let iterator = self.caller().iterator(key, position).await;
        let iterator = iterator.map_err(|error| from.refusal(error, stream, shard))?;
        Ok(self.write(|e| {
            e.key("ShardIterator").text(&iterator_text::write(&iterator));
        }))
    }

    pub(super) async fn get_records(&self) -> Outcome {
        let caller = self.caller();
        let bytes = iterator_text::read(self.text("ShardIterator"))?;
        let claims = caller.claims(&bytes)?;
        let limit = self.input.int("Limit").map_or(RECORDS_MAX, count);
        let (view, _) = self.view();
        let stream = view.require_uuid(claims.shard.stream)?;
        let shard = stream.require_shard(claims.shard.number)?;
        if self.input.flag("DryRun") {
            stream.require_usable()?;
            return Err(Refusal::dry_run());
        }
        let got = caller.get(claims, limit).await?;
        Ok(self.write_records(shard, stream, &got))
    }

    fn write_records(&self, shard: &ShardView, stream: &StreamView, got: &Got) -> Vec<u8> {
        let mut body = Vec::with_capacity(got.batches.bytes() / 3 * 4 + RECORD_FRAME_BYTES);
        Encoder::new(self.format, &mut body).map(|e| {
            let Got { first, end, .. } = *got;
            let encrypted = stream.key_id.is_some();
            e.key("Records").list(|e| {
                got.batches.for_each(first, Some(end), |record, arrival| {
                    write_record(e, shard, record, arrival, encrypted);
                });
            });
            if let Some(next) = &got.iterator {
                e.key("NextShardIterator").text(&iterator_text::write(next));
            }
            e.key("MillisBehindLatest").int(got.behind_ms as i64);
            if !got.children.is_empty() {
                write_children(e, &got.children);
            }
        });
        body
    }
}

/// A `Record` of AWS.
pub(super) fn write_record(
    e: &mut Encoder<'_>,
    shard: &ShardView,
    record: &RecordRef<'_>,
    arrival: Millis,
    encrypted: bool,
) {
    let number = SequenceNumber::of_record(origin_of(shard), record.seq, arrival);
    e.map(|e| {
        e.key("SequenceNumber").text(&number.to_string());
        e.key("ApproximateArrivalTimestamp").time(arrival);
        e.key("Data").blob(record.data);
        if !record.partition_key.is_empty() {
            e.key("PartitionKey").text(record.partition_key);
        }
        if encrypted {
            e.key("EncryptionType").text("KMS");
        }
    });
}

/// `ChildShards`: only at the end of a closed shard.
pub(super) fn write_children(e: &mut Encoder<'_>, children: &[ChildShard]) {
    e.key("ChildShards").list(|e| {
        for child in children {
            e.map(|e| {
                e.key("ShardId").text(&child.number.to_string());
                e.key("ParentShards").list(|e| {
                    for parent in child.parents() {
                        e.text(&parent.to_string());
                    }
                });
                e.key("HashKeyRange");
                write_range(e, child.range);
            });
        }
    });
}

/// Where a reader wants to start, as iterators and subscriptions say it.
#[derive(Clone, Copy, Debug)]
pub(super) struct From<'a> {
    /// For errors.
    pub(super) operation: &'a str,
    pub(super) kind: &'a str,
    pub(super) number: Option<&'a str>,
    /// The member's name, for errors.
    pub(super) number_name: &'a str,
    pub(super) time: Option<Millis>,
}

impl<'a> From<'a> {
    /// `StartingPosition` of a subscription.
    pub(super) fn of_subscription(position: &'a Input<'_>) -> From<'a> {
        From {
            operation: "SubscribeToShard",
            kind: position.text("Type").expect("the model requires it"),
            number: position.text("SequenceNumber"),
            number_name: "SequenceNumber",
            time: position.time("Timestamp"),
        }
    }

    pub(super) fn position(
        self,
        stream: &StreamView,
        shard: &ShardView,
    ) -> Result<Position, Refusal> {
        let From { kind, number, number_name, time, .. } = self;
        let by_number = || match number {
            Some(text) => sequence_number::starting(text, origin_of(shard), self.request(stream)),
            None => Err(Refusal::invalid_argument(format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER/AFTER_SEQUENCE_NUMBER and \
                 {number_name} or (2) TRIM_HORIZON/LATEST and no {number_name}. Request specified \
                 {kind} and no {number_name}."
            ))),
        };
        let at = |number: SequenceNumber, seq| match shard.closed {
            // Its index is far behind the last record.
            Some(_) if number.is_end() => Position::Latest,
            _ => Position::AtSequence(seq),
        };
        match kind {
            "AT_SEQUENCE_NUMBER" => by_number().map(|number| at(number, number.at())),
            "AFTER_SEQUENCE_NUMBER" => by_number().map(|number| at(number, number.after())),
            "AT_TIMESTAMP" => match time {
                Some(time) => Ok(Position::AtTimestamp(time)),
                None => Err(Refusal::invalid_argument(
                    "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. \
                     Current request has no timestamp parameter.",
                )),
            },
            _ if number.is_some() => Err(Refusal::invalid_argument(format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER/AFTER_SEQUENCE_NUMBER and \
                 {number_name} or (2) TRIM_HORIZON/LATEST and no {number_name}. Request specified \
                 {kind} and also a {number_name}."
            ))),
            "LATEST" => Ok(Position::Latest),
            _ => Ok(Position::TrimHorizon),
        }
    }

    /// Why the position was refused by its shard: a number that it has not reached yet is told as
    /// the client has sent it.
    pub(super) fn refusal(
        self,
        error: ApiError,
        stream: &StreamView,
        shard: &ShardView,
    ) -> Refusal {
        match self.number {
            Some(text) if error.code == ErrorCode::InvalidArgument => {
                sequence_number::foreign(text, shard.number, self.request(stream))
            }
            _ => error.into(),
        }
    }

    fn request<'s>(self, stream: &'s StreamView) -> sequence_number::Request<'s>
    where
        'a: 's,
    {
        let (stream, account) = (stream.name.as_str(), stream.account());
        sequence_number::Request { operation: self.operation, stream, account }
    }
}

/// What the sequence numbers of a shard say of it.
pub(super) fn origin_of(shard: &ShardView) -> Origin {
    Origin { shard: shard.number, created: shard.created }
}
