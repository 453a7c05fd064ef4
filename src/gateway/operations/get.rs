//! GetShardIterator and GetRecords.

use crate::base::ids::{Millis, ShardKey};
use crate::catalog::{ShardView, StreamView};
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::exchange::Got;
use crate::gateway::host::Host;
use crate::gateway::names::iterator_text;
use crate::gateway::names::position::Start;
use crate::gateway::names::sequence_number::{Origin, Request, SequenceNumber};
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
        let (view, now) = self.view();
        let stream = stream(&view, input)?;
        let shard = self.shard_number(self.text("ShardId"), &stream.name)?;
        let shard = stream.require_shard(shard)?;
        let start = Start::of_iterator(input);
        let (origin, request) = (origin_of(shard), request_of("GetShardIterator", stream));
        let position = start.position(origin, request, now.wall)?;
        let key = ShardKey { stream: stream.uuid, number: shard.number };
        if input.flag("DryRun") {
            stream.require_usable()?;
            return Err(Refusal::dry_run());
        }
        let iterator = self.caller().iterator(key, position).await;
        let iterator = iterator.map_err(|error| start.refusal(error, shard.number, request))?;
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

/// What the sequence numbers of a shard say of it.
pub(super) fn origin_of(shard: &ShardView) -> Origin {
    Origin { shard: shard.number, created: shard.created }
}

/// Whose sequence numbers `operation` was given, for errors.
pub(super) fn request_of<'a>(operation: &'a str, stream: &'a StreamView) -> Request<'a> {
    Request { operation, stream: stream.name.as_str(), account: stream.account() }
}
