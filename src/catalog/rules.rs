//! What the operator of a server has set for all streams.

use crate::base::error::{ApiError, ErrorCode};
use crate::base::stream::StreamStatus;

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
            consumers_max: 20,
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

    /// The error for a stream that exists already.
    #[must_use]
    pub fn already_exists(&self, name: &str) -> ApiError {
        let text = format!("Stream {name} under account {} already exists.", self.account);
        ApiError::new(ErrorCode::ResourceInUse, text)
    }
}
