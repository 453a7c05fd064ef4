//! The two clocks. Domain code never reads them: drivers read once a turn and pass the value on.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::base::ids::Millis;

/// Wall-clock time. Stamped on records; may step backwards, so shards never use it unclamped.
#[must_use]
pub fn wall_now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).expect("the year is below 500 million"))
}

/// One reading of both clocks, as drivers hand it to domain code.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Wall-clock time, for arrival stamps and retention.
    pub wall: Millis,
    /// Monotonic time, for deadlines, token buckets and latencies.
    pub mono: Instant,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Now {
        Now { wall: wall_now(), mono: Instant::now() }
    }
}
