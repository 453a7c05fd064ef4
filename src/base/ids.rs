//! Identifiers and positions, each a type of its own so that none is passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stream's identity: a random UUID, new for every creation, so that a recreated stream of the
/// same name is another stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamUuid(pub [u8; 16]);

impl fmt::Display for StreamUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for StreamUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A shard's number inside its stream: counted from 0, never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ShardNumber(pub u32);

impl ShardNumber {
    /// "Any shard": the server routes each record by its hash key.
    pub const ANY: ShardNumber = ShardNumber(u32::MAX);
}

/// Prints the AWS form, `shardId-000000000007`.
impl fmt::Display for ShardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shardId-{:012}", self.0)
    }
}

/// A shard anywhere on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardKey {
    /// The stream that it belongs to.
    pub stream: StreamUuid,
    /// Its number there.
    pub number: ShardNumber,
}

impl fmt::Display for ShardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stream, self.number)
    }
}

/// Position of a record in its shard: dense, from 0, 63 bits.
///
/// Ends of ranges and all watermarks are exclusive: `durable` = 5 means that 0 … 4 are durable.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl Seq {
    /// The first position of a shard.
    pub const ZERO: Seq = Seq(0);
    /// The greatest position that fits the AWS layout's 63 bits.
    pub const MAX: Seq = Seq(i64::MAX as u64);

    /// The position `n` records further.
    #[must_use]
    pub fn plus(self, n: u64) -> Seq {
        Seq(self.0.checked_add(n).expect("sequence numbers stay below 2^63"))
    }

    /// How many records lie from `start` (inclusive) to `self` (exclusive).
    #[must_use]
    pub fn since(self, start: Seq) -> u64 {
        self.0.checked_sub(start.0).expect("a range ends at or after its start")
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The boot epoch that wrote something: grows by one with each start of the server.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Index of an executor among this server's cores, from 0. Not a CPU number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CoreId(pub u16);

impl fmt::Display for CoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection: which core serves it, and which of its connections it is. The generation tells a
/// new connection from an old one in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The core that owns the socket.
    pub core: CoreId,
    /// Place in that core's table.
    pub index: u32,
    /// Grows each time the place is used again.
    pub generation: u32,
}

impl SessionId {
    /// Places with this bit belong to requests over HTTP, the others to native connections.
    pub const EXCHANGE: u32 = 1 << 31;

    /// Whether it is a request over HTTP.
    #[must_use]
    pub fn is_exchange(self) -> bool {
        self.index & SessionId::EXCHANGE != 0
    }
}

/// Wall-clock time in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Millis(pub u64);

impl Millis {
    /// Milliseconds from `earlier` to `self`, 0 if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Millis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The core that owns `shard` on a server with `cores` cores.
///
/// Rendezvous hashing (xxh3): when the number of cores changes, only the shards move whose new
/// core wins, and every client computes the same answer.
#[must_use]
pub fn home_core(shard: ShardKey, cores: u16) -> CoreId {
    assert!(cores > 0, "a server has at least one core");
    let mut bytes = [0u8; 22];
    bytes[..16].copy_from_slice(&shard.stream.0);
    bytes[16..20].copy_from_slice(&shard.number.0.to_le_bytes());
    let weight = |core: u16| {
        let mut key = bytes;
        key[20..22].copy_from_slice(&core.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&key)
    };
    CoreId((0..cores).max_by_key(|&core| weight(core)).expect("the range is not empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(n: u32) -> ShardKey {
        ShardKey { stream: StreamUuid([7; 16]), number: ShardNumber(n) }
    }

    #[test]
    fn a_new_core_only_takes_shards_and_never_shuffles_the_rest() {
        for n in 0..1000 {
            let before = home_core(shard(n), 3);
            let after = home_core(shard(n), 4);
            assert!(after == before || after == CoreId(3), "shard {n} moved {before} -> {after}");
        }
    }

    #[test]
    fn shards_spread_over_all_cores() {
        let mut counts = [0u32; 4];
        for n in 0..4000 {
            counts[usize::from(home_core(shard(n), 4).0)] += 1;
        }
        assert!(counts.iter().all(|&c| (850..1150).contains(&c)), "{counts:?}");
    }

    #[test]
    fn shard_numbers_print_as_aws_prints_them() {
        assert_eq!(ShardNumber(7).to_string(), "shardId-000000000007");
    }
}
