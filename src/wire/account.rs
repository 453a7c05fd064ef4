//! The account: its limits and what it has committed to.

use super::codec::{Decode, DecodeError, Reader, Writer};
use crate::base::ids::Millis;

/// The commitment to a minimum throughput (AWS: `MinimumThroughputBillingCommitment`), which
/// unlocks warm throughput and 50 consumers a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commitment {
    /// There is none.
    #[default]
    Disabled,
    /// It holds.
    Enabled {
        /// Since.
        since: Millis,
    },
    /// It was ended and holds until its first day is over.
    EnabledUntil {
        /// Since.
        since: Millis,
        /// Its end.
        until: Millis,
    },
}

/// What the account may have and has (AWS: `DescribeLimits`, `DescribeAccountSettings`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDescription {
    /// 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// Open shards over all streams at most; 0 is no limit.
    pub shards_max: u32,
    /// Open shards now.
    pub open_shards: u32,
    /// On-demand streams at most; 0 is no limit.
    pub on_demand_max: u32,
    /// On-demand streams now.
    pub on_demand: u32,
    /// The commitment.
    pub commitment: Commitment,
}

impl AccountDescription {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(&self.account).text(&self.region).u32(self.shards_max).u32(self.open_shards);
        w.u32(self.on_demand_max).u32(self.on_demand);
        let (kind, since, until) = match self.commitment {
            Commitment::Disabled => (0, 0, 0),
            Commitment::Enabled { since } => (1, since.0, 0),
            Commitment::EnabledUntil { since, until } => (2, since.0, until.0),
        };
        w.u8(kind).u64(since).u64(until);
    }
}

impl Decode<'_> for AccountDescription {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(AccountDescription {
            account: r.text("account")?.to_owned(),
            region: r.text("region")?.to_owned(),
            shards_max: r.u32("shards_max")?,
            open_shards: r.u32("open_shards")?,
            on_demand_max: r.u32("on_demand_max")?,
            on_demand: r.u32("on_demand")?,
            commitment: match (r.u8("commitment")?, r.u64("since")?, r.u64("until")?) {
                (0, 0, 0) => Commitment::Disabled,
                (1, since, 0) => Commitment::Enabled { since: Millis(since) },
                (2, since, until) => {
                    Commitment::EnabledUntil { since: Millis(since), until: Millis(until) }
                }
                _ => return Err(DecodeError::Value("commitment")),
            },
        })
    }
}

/// Begins or ends the commitment. The answer is the [`AccountDescription`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateAccount {
    /// Whether it shall hold.
    pub commitment: bool,
}

impl UpdateAccount {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(self.commitment));
    }
}

impl Decode<'_> for UpdateAccount {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(UpdateAccount { commitment: r.flag("commitment")? })
    }
}
