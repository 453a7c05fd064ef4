//! The account's limits and settings, and tokens of its lists.

use crate::base::ids::Millis;
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::gateway::names::next_token::NextToken;
use crate::quota::ControlCall;
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::account::Commitment;

use super::{Call, Outcome};

/// Time for which a commitment holds at least (AWS).
const COMMITMENT_MILLIS: u64 = 24 * 3_600_000;

impl<H: Host> Call<'_, H> {
    pub(super) fn describe_limits(&self) -> Outcome {
        self.admit(ControlCall::DescribeLimits, None)?;
        let (view, now) = self.view();
        let account = view.account(now.wall);
        Ok(self.write(|e| {
            e.key("ShardLimit").int(account.shards_max.into());
            e.key("OpenShardCount").int(account.open_shards.into());
            e.key("OnDemandStreamCount").int(account.on_demand.into());
            e.key("OnDemandStreamCountLimit").int(account.on_demand_max.into());
            e.key("ChannelCount").int(0);
            e.key("ChannelCountLimit").int(0);
        }))
    }

    pub(super) fn describe_account_settings(&self) -> Outcome {
        self.admit(ControlCall::DescribeAccountSettings, None)?;
        let (view, now) = self.view();
        Ok(self.write(|e| write_commitment(e, view.account(now.wall).commitment)))
    }

    pub(super) async fn update_account_settings(&self) -> Outcome {
        let member = "MinimumThroughputBillingCommitment";
        let commitment = self.input.structure(member).expect("the model requires it");
        let commitment = commitment.text("Status") == Some("ENABLED");
        match self.caller().change(ControlOperation::UpdateAccount { commitment }).await? {
            ControlAnswer::Account(account) => {
                Ok(self.write(|e| write_commitment(e, account.commitment)))
            }
            other => unreachable!("a change of the account is not answered with {other:?}"),
        }
    }

    /// A token that continues a list, for 300 s.
    pub(super) fn next_token(&self, token: &NextToken, now: Millis) -> String {
        self.host.look(|_, exchange, _| exchange.token_key().issue(token, now))
    }

    /// What a token says, if this server has made it lately.
    pub(super) fn open_token(&self, text: &str, now: Millis) -> Result<NextToken, Refusal> {
        self.host.look(|_, exchange, _| exchange.token_key().open(text, now))
    }
}

/// A token of another list.
pub(super) fn foreign_token() -> Refusal {
    Refusal::invalid_argument("Invalid NextToken.")
}

fn write_commitment(e: &mut Encoder<'_>, commitment: Commitment) {
    e.key("MinimumThroughputBillingCommitment").map(|e| match commitment {
        Commitment::Disabled => {
            e.key("Status").text("DISABLED");
        }
        Commitment::Enabled { since } => {
            e.key("Status").text("ENABLED");
            e.key("StartedAt").time(since);
            e.key("EarliestAllowedEndAt").time(Millis(since.0 + COMMITMENT_MILLIS));
        }
        Commitment::EnabledUntil { since, until } => {
            e.key("Status").text("ENABLED_UNTIL_EARLIEST_ALLOWED_END");
            e.key("StartedAt").time(since);
            e.key("EndedAt").time(until);
            e.key("EarliestAllowedEndAt").time(until);
        }
    });
}
