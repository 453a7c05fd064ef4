//! This machine's own limits, measured in the same run as everything else.
//!
//! No server can acknowledge a durable record faster than one durable write and one round trip.

pub mod disk;
pub mod loopback;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::failure::Result;
use crate::pin::Cpus;
use crate::progress::Progress;
use disk::DiskFloor;
use loopback::LoopbackFloor;

/// Measured time of each floor where time is short.
pub const BRIEF: Duration = Duration::from_millis(500);
/// Measured time of each floor in `loadgen floor`.
pub const LONG: Duration = Duration::from_secs(2);

/// The limits.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    /// Durable writes, one in flight, by size.
    pub disk: Vec<DiskFloor>,
    /// Round trip of a small message.
    pub loopback: LoopbackFloor,
}

impl Floor {
    /// Measures each limit for about `each`.
    pub fn measure(dir: &Path, cpus: Cpus, each: Duration, progress: &Progress) -> Result<Floor> {
        progress.stage("floor: loopback round trip");
        let loopback = loopback::measure(cpus, each)?;
        progress.stage("floor: durable writes");
        let disk = disk::measure(dir, each)?;
        Ok(Floor { disk, loopback })
    }

    /// One durable write of `bytes` and one round trip, p50: nothing is acknowledged faster.
    /// Between the measured sizes the time grows in a straight line.
    #[must_use]
    pub fn ack_ns(&self, bytes: usize) -> f64 {
        self.write_ns(bytes) + self.loopback.round_trip.p50_ns as f64
    }

    fn write_ns(&self, bytes: usize) -> f64 {
        let point = |floor: &DiskFloor| (floor.bytes as f64, floor.write.p50_ns as f64);
        let bytes = bytes as f64;
        let above = self.disk.iter().position(|floor| floor.bytes as f64 >= bytes);
        match above {
            Some(0) => point(&self.disk[0]).1,
            Some(at) => {
                let ((x0, y0), (x1, y1)) = (point(&self.disk[at - 1]), point(&self.disk[at]));
                y0 + (y1 - y0) * (bytes - x0) / (x1 - x0)
            }
            None => {
                let (x, y) = self.disk.last().map_or((1.0, 0.0), point);
                y * bytes / x
            }
        }
    }

    /// The highest rate of durable writes, one in flight.
    #[must_use]
    pub fn disk_mb_per_s(&self) -> f64 {
        self.disk.iter().map(|floor| floor.mb_per_s).fold(0.0, f64::max)
    }

    /// Durable 4 KiB writes a second, one in flight.
    #[must_use]
    pub fn commits_per_s(&self) -> f64 {
        1e9 / self.write_ns(disk::SIZES[0])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::latency::Latencies;

    /// 4 KiB take 100 us, 1 MiB 400 us, the round trip 20 us.
    pub(crate) fn sample() -> Floor {
        let times = [100_000, 120_000, 160_000, 400_000];
        let disk = disk::SIZES.iter().zip(times).map(|(&bytes, ns)| {
            let mut write = Latencies::new();
            write.record(ns, 1);
            let write = write.percentiles().expect("one");
            DiskFloor { bytes, write, mb_per_s: bytes as f64 * 1e3 / ns as f64 }
        });
        let mut trip = Latencies::new();
        trip.record(20_000, 1);
        let round_trip = trip.percentiles().expect("one");
        let message_bytes = loopback::MESSAGE_BYTES;
        let loopback = LoopbackFloor { message_bytes, apart: true, round_trip };
        Floor { disk: disk.collect(), loopback }
    }

    #[test]
    fn the_ack_floor_is_a_write_of_its_size_and_a_round_trip() {
        let floor = sample();
        let close = |found: f64, wanted: f64| (found - wanted).abs() < wanted / 500.0;
        assert!(close(floor.ack_ns(1024), 120_000.0));
        assert!(close(floor.ack_ns(4096), 120_000.0));
        assert!(close(floor.ack_ns(256 << 10), 180_000.0));
        assert!(close(floor.ack_ns(160 << 10), 160_000.0), "between 120 and 160 us");
        assert!(close(floor.ack_ns(2 << 20), 820_000.0));
    }
}
