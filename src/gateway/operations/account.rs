//! The account's limits and settings, and tokens of its lists.

use crate::base::ids::Millis;
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::gateway::names::token::{NextToken, TokenError};
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::account::Commitment;

use super::{Call, Outcome};

/// Time for which a commitment holds at least (AWS).
const COMMITMENT_MILLIS: u64 = 24 * 3_600_000;

impl<H: Host> Call<'_, H> {
    pub(super) fn describe_limits(&self) -> Outcome {
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

    /// A token that continues a list behind `after`, for 300 s.
    pub(super) fn next_token(&self, stream: &str, after: &str, now: Millis) -> String {
        let token = NextToken { stream: stream.to_owned(), after: after.to_owned(), issued: now };
        self.host.look(|core, _, _| token.seal(core.token_key()))
    }

    /// What a token says, if this server has made it lately.
    pub(super) fn open_token(&self, text: &str, now: Millis) -> Result<NextToken, Refusal> {
        let opened = self.host.look(|core, _, _| NextToken::open(text, core.token_key(), now));
        opened.map_err(|error| match error {
            TokenError::Invalid => Refusal::invalid_argument("NextToken is invalid."),
            TokenError::Expired => Refusal::client(
                "ExpiredNextTokenException",
                "The NextToken has expired: it is valid for 300 seconds.",
            ),
        })
    }
}

fn write_commitment(e: &mut Encoder<'_>, commitment: Commitment) {
    e.key("MinimumThroughputBillingCommitment").map(|e| match commitment {
        Commitment::None => {
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
