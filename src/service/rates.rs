//! How often streams, shards and consumers may be described and listed (AWS), where the operator
//! wants that.
//!
//! Every core answers such calls from its own view and shares nothing with the others, so each
//! allows its share of the rate. A client with one connection has only the share of its core.
//! Changes are counted on core 0, which makes them all.

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::quota::ControlCall;
use crate::service::core::Core;

impl Core {
    /// Counts a call that is answered from this core's view, or refuses it. `stream` is what the
    /// call names.
    pub fn admit_query(
        &mut self,
        now: Now,
        call: ControlCall,
        stream: Option<&str>,
    ) -> Result<(), ApiError> {
        let rules = self.view.rules();
        if !rules.control_rates || self.query_rates.try_take(now.mono, call, stream) {
            return Ok(());
        }
        Err(rules.rate_exceeded(stream))
    }
}
