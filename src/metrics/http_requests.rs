//! Requests over HTTP, by what they asked for and how they were answered.

use super::table::{HttpClass, HttpStatus, Metric, Unit};

/// One count for each class of operations and statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpRequests([[u64; HttpStatus::ALL.len()]; HttpClass::ALL.len()]);

impl HttpRequests {
    /// The line of all of them; the labels are `operation` and `status`.
    pub const METRIC: Metric = Metric {
        name: "shardway_http_requests_total",
        unit: Unit::Count,
        help: "Requests of the AWS API that were answered.",
        label: "",
        per_core: false,
    };

    /// All zero.
    #[must_use]
    pub const fn new() -> HttpRequests {
        HttpRequests([[0; HttpStatus::ALL.len()]; HttpClass::ALL.len()])
    }

    /// Counts a request.
    #[inline]
    pub fn add(&mut self, class: HttpClass, status: HttpStatus) {
        self.0[class as usize][status as usize] += 1;
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self, class: HttpClass, status: HttpStatus) -> u64 {
        self.0[class as usize][status as usize]
    }

    /// Adds those of another core.
    pub fn merge(&mut self, other: &HttpRequests) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *mine += theirs;
        }
    }
}
