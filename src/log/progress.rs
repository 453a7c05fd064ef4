//! How long work (boot, check, journal creation) tells how far it is.

/// Receives progress. Every method may be ignored.
pub trait Progress {
    /// Work of `bytes` more was found. May be called several times; the totals add up.
    fn total_bytes(&mut self, bytes: u64);
    /// `bytes` of the total are done.
    fn advance(&mut self, bytes: u64);
    /// What is being done now.
    fn message(&mut self, text: &str);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn total_bytes(&mut self, _: u64) {}
    fn advance(&mut self, _: u64) {}
    fn message(&mut self, _: &str) {}
}
