//! The highest write throughput of a stream, day by day.

use crate::base::ids::StreamUuid;
use crate::base::limits::PEAK_DAYS;
use crate::catalog::event::Event;
use crate::catalog::state::{PeakDay, State};

/// Notes a stream's write throughput. `None` unless it is higher than anything before on that
/// `day` (since the Unix epoch), and the day is none that is long forgotten.
#[must_use]
pub fn observe_peak(
    state: &State,
    uuid: StreamUuid,
    day: u32,
    bytes_per_s: u64,
    records_per_s: u64,
) -> Option<Event> {
    let stream = state.living().find(|stream| stream.uuid == uuid)?;
    let newest = stream.peaks.last().map_or(0, |peak| peak.day);
    if newest.saturating_sub(day) >= PEAK_DAYS {
        return None;
    }
    let known = stream.peaks.iter().find(|peak| peak.day == day);
    let known = known.copied().unwrap_or(PeakDay { day, bytes_per_s: 0, records_per_s: 0 });
    let peak = PeakDay {
        day,
        bytes_per_s: bytes_per_s.max(known.bytes_per_s),
        records_per_s: records_per_s.max(known.records_per_s),
    };
    (peak != known).then(|| Event::PeakObserved { name: stream.name.clone(), uuid, peak })
}
