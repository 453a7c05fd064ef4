//! The 24 bytes in front of every frame, both directions.

use thiserror::Error;

use crate::base::crc::crc32;
use crate::base::limits::{CONTROL_PAYLOAD_MAX, FRAME_HEADER_BYTES, FRAME_PAYLOAD_MAX};

/// What a frame is. Requests are below 0x4000, what the server sends unasked is 0x40xx, the answer
/// to a request is its opcode with the top bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Opcode {
    /// First frame of a connection.
    Hello = 1,
    /// Echo.
    Ping = 2,
    /// Creates a stream.
    CreateStream = 3,
    /// Deletes a stream and its records.
    DeleteStream = 4,
    /// Everything about one stream.
    DescribeStream = 5,
    /// Summaries of all streams, paged.
    ListStreams = 6,
    /// Shards with hash ranges and home cores.
    ShardMap = 7,
    /// Stores one batch.
    Put = 8,
    /// A position as an iterator.
    GetIterator = 9,
    /// Records from an iterator.
    Get = 10,
    /// Opens a subscription.
    Subscribe = 11,
    /// Grants a subscription more bytes. Has no answer.
    Credit = 12,
    /// Ends a subscription.
    Unsubscribe = 13,
    /// Shards of a stream, filtered and paged.
    ListShards = 14,
    /// What a core has counted of its shards of a stream.
    ShardStats = 15,
    /// Changes what was chosen for a stream.
    AlterStream = 16,
    /// Splits, merges or scales the shards of a stream.
    ReshardStream = 17,
    /// Registers a consumer of a stream.
    RegisterConsumer = 18,
    /// Removes a consumer of a stream.
    DeregisterConsumer = 19,
    /// One consumer of a stream.
    DescribeConsumer = 20,
    /// Consumers of a stream, paged.
    ListConsumers = 21,
    /// Changes the tags of a consumer.
    TagConsumer = 22,
    /// Tags of a stream or of a consumer.
    ListTags = 23,
    /// Limits and settings of the account.
    DescribeAccount = 24,
    /// Changes the settings of the account.
    UpdateAccount = 25,
    /// Server: records for a subscription.
    Push = 0x4001,
    /// Server: a subscription has ended.
    SubscriptionEnd = 0x4002,
    /// Server: the answer to a request that failed, or the reason for closing.
    Error = 0x4003,
    /// Server: a subscription has come to the end of its closed shard.
    ShardEnded = 0x4004,
    /// Answer to [`Opcode::Hello`].
    HelloAnswer = 0x8001,
    /// Answer to [`Opcode::Ping`].
    PingAnswer = 0x8002,
    /// Answer to [`Opcode::CreateStream`].
    CreateStreamAnswer = 0x8003,
    /// Answer to [`Opcode::DeleteStream`].
    DeleteStreamAnswer = 0x8004,
    /// Answer to [`Opcode::DescribeStream`].
    DescribeStreamAnswer = 0x8005,
    /// Answer to [`Opcode::ListStreams`].
    ListStreamsAnswer = 0x8006,
    /// Answer to [`Opcode::ShardMap`].
    ShardMapAnswer = 0x8007,
    /// Answer to [`Opcode::Put`].
    PutAnswer = 0x8008,
    /// Answer to [`Opcode::GetIterator`].
    GetIteratorAnswer = 0x8009,
    /// Answer to [`Opcode::Get`].
    GetAnswer = 0x800A,
    /// Answer to [`Opcode::Subscribe`].
    SubscribeAnswer = 0x800B,
    /// Answer to [`Opcode::Unsubscribe`].
    UnsubscribeAnswer = 0x800D,
    /// Answer to [`Opcode::ListShards`].
    ListShardsAnswer = 0x800E,
    /// Answer to [`Opcode::ShardStats`].
    ShardStatsAnswer = 0x800F,
    /// Answer to [`Opcode::AlterStream`].
    AlterStreamAnswer = 0x8010,
    /// Answer to [`Opcode::ReshardStream`].
    ReshardStreamAnswer = 0x8011,
    /// Answer to [`Opcode::RegisterConsumer`].
    RegisterConsumerAnswer = 0x8012,
    /// Answer to [`Opcode::DeregisterConsumer`].
    DeregisterConsumerAnswer = 0x8013,
    /// Answer to [`Opcode::DescribeConsumer`].
    DescribeConsumerAnswer = 0x8014,
    /// Answer to [`Opcode::ListConsumers`].
    ListConsumersAnswer = 0x8015,
    /// Answer to [`Opcode::TagConsumer`].
    TagConsumerAnswer = 0x8016,
    /// Answer to [`Opcode::ListTags`].
    ListTagsAnswer = 0x8017,
    /// Answer to [`Opcode::DescribeAccount`].
    DescribeAccountAnswer = 0x8018,
    /// Answer to [`Opcode::UpdateAccount`].
    UpdateAccountAnswer = 0x8019,
}

impl Opcode {
    /// Every opcode, for decoders and golden tests.
    pub const ALL: [Opcode; 53] = {
        use Opcode::*;
        [
            Hello,
            Ping,
            CreateStream,
            DeleteStream,
            DescribeStream,
            ListStreams,
            ShardMap,
            Put,
            GetIterator,
            Get,
            Subscribe,
            Credit,
            Unsubscribe,
            ListShards,
            ShardStats,
            AlterStream,
            ReshardStream,
            RegisterConsumer,
            DeregisterConsumer,
            DescribeConsumer,
            ListConsumers,
            TagConsumer,
            ListTags,
            DescribeAccount,
            UpdateAccount,
            Push,
            SubscriptionEnd,
            Error,
            ShardEnded,
            HelloAnswer,
            PingAnswer,
            CreateStreamAnswer,
            DeleteStreamAnswer,
            DescribeStreamAnswer,
            ListStreamsAnswer,
            ShardMapAnswer,
            PutAnswer,
            GetIteratorAnswer,
            GetAnswer,
            SubscribeAnswer,
            UnsubscribeAnswer,
            ListShardsAnswer,
            ShardStatsAnswer,
            AlterStreamAnswer,
            ReshardStreamAnswer,
            RegisterConsumerAnswer,
            DeregisterConsumerAnswer,
            DescribeConsumerAnswer,
            ListConsumersAnswer,
            TagConsumerAnswer,
            ListTagsAnswer,
            DescribeAccountAnswer,
            UpdateAccountAnswer,
        ]
    };

    /// The opcode with this number.
    #[must_use]
    pub fn from_wire(n: u16) -> Option<Opcode> {
        Self::ALL.into_iter().find(|o| *o as u16 == n)
    }

    /// The largest payload of such a frame: checked before a byte of it is read.
    #[must_use]
    pub fn payload_max(self) -> usize {
        match self {
            Opcode::Hello | Opcode::Credit | Opcode::Unsubscribe => 1024,
            Opcode::Ping | Opcode::PingAnswer => 4096,
            Opcode::DeleteStream | Opcode::DescribeStream | Opcode::DeregisterConsumer => 4096,
            Opcode::DescribeConsumer | Opcode::ListConsumers | Opcode::ListTags => 4096,
            Opcode::ListShards | Opcode::ShardStats | Opcode::ReshardStream => 4096,
            Opcode::DescribeAccount | Opcode::UpdateAccount => 4096,
            // With up to 50 tags of 128 and 256 characters.
            Opcode::CreateStream | Opcode::AlterStream => CHANGE_PAYLOAD_MAX,
            Opcode::RegisterConsumer | Opcode::TagConsumer => CHANGE_PAYLOAD_MAX,
            Opcode::ListStreams | Opcode::ShardMap => 4096,
            Opcode::GetIterator | Opcode::Get | Opcode::Subscribe => 4096,
            Opcode::Put | Opcode::Push | Opcode::GetAnswer => FRAME_PAYLOAD_MAX,
            _ => CONTROL_PAYLOAD_MAX,
        }
    }
}

/// Payload of a request that may carry tags.
const CHANGE_PAYLOAD_MAX: usize = 128 * 1024;

/// A decoded frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame is.
    pub opcode: Opcode,
    /// Bytes behind the header.
    pub payload_bytes: u32,
    /// Chosen by whoever asks; the answer carries it back.
    pub correlation: u64,
}

/// Why a frame header is refused. The connection cannot go on: its framing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Header CRC.
    #[error("frame header CRC does not match: not a Shardway client, or framing was lost")]
    Crc,
    /// Unknown opcode.
    #[error("opcode {0:#06x} is not known")]
    Opcode(u16),
    /// Flags or reserved bits are set.
    #[error("reserved bits of the frame header are set")]
    Reserved,
    /// The payload is larger than such a frame may be.
    #[error("a payload of {found} bytes is above the {max} that {opcode:?} may have")]
    Oversized {
        /// Of which frame.
        opcode: Opcode,
        /// Declared.
        found: u32,
        /// Allowed.
        max: usize,
    },
}

impl FrameHeader {
    /// Decodes a header.
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<FrameHeader, FrameError> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        if u32_at(20) != crc32(&bytes[..20]) {
            return Err(FrameError::Crc);
        }
        let opcode = u16::from_le_bytes([bytes[4], bytes[5]]);
        let opcode = Opcode::from_wire(opcode).ok_or(FrameError::Opcode(opcode))?;
        if bytes[6] != 0 || bytes[7] != 0 || u32_at(16) != 0 {
            return Err(FrameError::Reserved);
        }
        let header = FrameHeader {
            opcode,
            payload_bytes: u32_at(0),
            correlation: u64::from_le_bytes(bytes[8..16].try_into().expect("8 bytes")),
        };
        let max = opcode.payload_max();
        if header.payload_bytes as usize > max {
            return Err(FrameError::Oversized { opcode, found: header.payload_bytes, max });
        }
        Ok(header)
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4..6].copy_from_slice(&(self.opcode as u16).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.correlation.to_le_bytes());
        let crc = crc32(&bytes[..20]);
        bytes[20..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// Appends a whole frame to `out`: header, then what `payload` writes.
pub fn write_frame(
    out: &mut Vec<u8>,
    opcode: Opcode,
    correlation: u64,
    payload: impl FnOnce(&mut super::Writer<'_>),
) {
    write_frame_with_body(out, opcode, correlation, 0, payload);
}

/// Like [`write_frame`], for a frame whose payload ends with `body_bytes` that the caller sends
/// behind `out` itself.
pub fn write_frame_with_body(
    out: &mut Vec<u8>,
    opcode: Opcode,
    correlation: u64,
    body_bytes: usize,
    payload: impl FnOnce(&mut super::Writer<'_>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    payload(&mut super::Writer::new(out));
    let payload_bytes = out.len() - start - FRAME_HEADER_BYTES + body_bytes;
    debug_assert!(payload_bytes <= opcode.payload_max(), "{opcode:?} of {payload_bytes} bytes");
    let payload_bytes = u32::try_from(payload_bytes).expect("frames are below 4 GiB");
    let header = FrameHeader { opcode, payload_bytes, correlation }.encode();
    out[start..start + FRAME_HEADER_BYTES].copy_from_slice(&header);
}
