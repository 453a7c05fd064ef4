//! Rank 1: what a core counts, as plain cells that only it writes.
//!
//! The core is the registry: nothing is looked up by name, nothing is shared, and whoever wants
//! the numbers of the server asks each core for a copy and merges them.

mod cells;
mod histogram;
mod http_requests;
mod table;

pub use cells::CoreMetrics;
pub use histogram::HistogramCell;
pub use http_requests::HttpRequests;
pub use table::{Counter, Gauge, Histogram, HttpClass, HttpStatus, Metric, Unit};

#[cfg(test)]
mod tests;
