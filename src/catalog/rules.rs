//! What the operator of a server has set for all streams.

use super::state::AccountRecord;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::Millis;
use crate::base::limits::{CONSUMERS_COMMITTED_MAX, CONSUMERS_MAX};
use crate::base::stream::StreamStatus;
use crate::wire::account::{AccountDescription, Commitment};

/// See the module. A limit of 0 is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// 12 digits, in ARNs and error texts.
    pub account: String,
    /// In ARNs and error texts.
    pub region: String,
    /// Open shards over all streams.
    pub shards_max: u32,
    /// On-demand streams.
    pub on_demand_max: u32,
    /// Registered consumers of a stream; with the account's commitment it is 50 where this is 20.
    pub consumers_max: u32,
    /// Whether the control-plane rates of AWS are enforced.
    pub control_rates: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            shards_max: 20_000,
            on_demand_max: 50,
            consumers_max: CONSUMERS_MAX as u32,
            control_rates: false,
        }
    }
}

impl Rules {
    /// `arn:aws:kinesis:{region}:{account}:stream/{name}`.
    #[must_use]
    pub fn stream_arn(&self, name: &str) -> String {
        format!("arn:aws:kinesis:{}:{}:stream/{name}", self.region, self.account)
    }

    /// The error for a stream that does not exist.
    #[must_use]
    pub fn stream_not_found(&self, name: &str) -> ApiError {
        ApiError::not_found(format!("Stream {name} under account {} not found.", self.account))
    }

    /// The error for a stream whose state does not allow the request.
    #[must_use]
    pub fn not_active(&self, name: &str, status: StreamStatus) -> ApiError {
        let text = format!(
            "Stream {name} under account {} not ACTIVE, instead in state {}",
            self.account,
            status.word()
        );
        ApiError::new(ErrorCode::ResourceInUse, text)
    }

    /// The error for a request that comes too often; `None` where it names no stream.
    #[must_use]
    pub fn rate_exceeded(&self, stream: Option<&str>) -> ApiError {
        let stream = stream.unwrap_or("*");
        let text = format!("Rate exceeded for stream {stream} under account {}.", self.account);
        ApiError::new(ErrorCode::LimitExceeded, text)
    }

    /// The error for a stream that exists already.
    #[must_use]
    pub fn already_exists(&self, name: &str) -> ApiError {
        let text = format!("Stream {name} under account {} already exists.", self.account);
        ApiError::new(ErrorCode::ResourceInUse, text)
    }

    /// `{stream ARN}/consumer/{name}:{creation, epoch seconds}`.
    #[must_use]
    pub fn consumer_arn(&self, stream: &str, name: &str, created: Millis) -> String {
        format!("{}/consumer/{name}:{}", self.stream_arn(stream), created.0 / 1000)
    }

    /// The error for a consumer that does not exist. Nobody knows when it was created, so its ARN
    /// ends with its name.
    #[must_use]
    pub fn consumer_not_found(&self, stream: &str, name: &str) -> ApiError {
        let arn = format!("{}/consumer/{name}", self.stream_arn(stream));
        ApiError::not_found(format!("Consumer {arn}, account {} not found.", self.account))
    }

    /// A stream as error texts name it.
    #[must_use]
    pub fn stream_subject(&self, name: &str) -> String {
        format!("stream {name} under account {}", self.account)
    }

    /// Consumers of a stream at most; 0 is no limit.
    #[must_use]
    pub fn consumers_of_stream_max(&self, commitment: Commitment) -> u32 {
        let committed = commitment != Commitment::Disabled;
        match committed && self.consumers_max == CONSUMERS_MAX as u32 {
            true => CONSUMERS_COMMITTED_MAX as u32,
            false => self.consumers_max,
        }
    }

    /// The error for a request that would make `more` shards where there are `now`.
    #[must_use]
    pub fn over_shard_limit(&self, now: usize, more: usize) -> ApiError {
        let Rules { account, region, shards_max, .. } = self;
        let text = format!(
            "This request would exceed the shard limit for the account {account} in {region}. \
             Current shard count for the account: {now}. Limit: {shards_max}. Number of \
             additional shards that would have resulted from this request: {more}. Refer to the \
             AWS Service Limits page \
             (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current \
             limits and how to request higher limits."
        );
        ApiError::new(ErrorCode::LimitExceeded, text)
    }

    /// What the account may have and has.
    pub(super) fn describe_account(
        &self,
        account: &AccountRecord,
        open_shards: usize,
        on_demand: usize,
        now: Millis,
    ) -> AccountDescription {
        AccountDescription {
            account: self.account.clone(),
            region: self.region.clone(),
            shards_max: self.shards_max,
            open_shards: open_shards as u32,
            on_demand_max: self.on_demand_max,
            on_demand: on_demand as u32,
            commitment: account.commitment(now),
        }
    }
}
