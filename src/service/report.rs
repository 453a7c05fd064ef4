//! What one core can ask another for people who look at the server, and the answers.

use crate::metrics::CoreMetrics;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Everything that the core counts.
    Metrics,
}

/// The answer.
#[derive(Debug)]
pub enum Report {
    /// To [`Question::Metrics`].
    Metrics(Box<CoreMetrics>),
}
