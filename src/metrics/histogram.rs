//! A distribution in fixed memory: each power of two in 16 equal steps.
//!
//! Values below 32 are exact, others are off by at most 1/16; from 2^40 (12 days in microseconds)
//! on, they count as the last step. Recording is a shift and an increment.

/// Steps in a power of two: 2^4.
const STEP_BITS: u32 = 4;
const STEPS: usize = 1 << STEP_BITS;
/// Values from 2^40 on share the last bucket.
const VALUE_BITS: u32 = 40;
/// Below 16 each value has a bucket; each further power of two has 16.
const BUCKETS: usize = STEPS * (VALUE_BITS - STEP_BITS + 1) as usize;

/// One distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramCell {
    buckets: [u64; BUCKETS],
    count: u64,
    sum: u64,
    max: u64,
}

impl Default for HistogramCell {
    fn default() -> Self {
        Self::new()
    }
}

impl HistogramCell {
    /// Empty.
    #[must_use]
    pub const fn new() -> HistogramCell {
        HistogramCell { buckets: [0; BUCKETS], count: 0, sum: 0, max: 0 }
    }

    /// Adds a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.buckets[bucket_of(value)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all values.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The largest value, exact; 0 without values.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that `percent` of all values do not exceed, rounded up to its step; 0 without
    /// values. 100 gives the exact maximum.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        assert!((0.0..=100.0).contains(&percent), "{percent} is no percentage");
        let rank = ((percent / 100.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, &n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank {
                // The last bucket has no end of its own.
                let last = bucket + 1 == BUCKETS;
                return if last { self.max } else { highest_of(bucket).min(self.max) };
            }
        }
        self.max
    }

    /// For each of `bounds`, which rise, how many values are below it. Exact where each bound is
    /// the first value of a step, as those of [`crate::metrics::Histogram::bounds`] are.
    pub fn below<'a>(&'a self, bounds: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
        let (mut bucket, mut seen) = (0, 0);
        bounds.iter().map(move |&bound| {
            let end = bucket_of(bound);
            let exact = end == 0 || highest_of(end - 1) + 1 == bound;
            debug_assert!(exact, "{bound} is within a step");
            while bucket < end {
                seen += self.buckets[bucket];
                bucket += 1;
            }
            seen
        })
    }

    /// Adds another distribution.
    pub fn merge(&mut self, other: &HistogramCell) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

/// The bucket that counts `value`.
fn bucket_of(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - STEP_BITS;
    // 16 … 31: the leading bit and the four behind it.
    let step = (value >> shift) as usize;
    (STEPS * shift as usize + step).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn highest_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    let step = (bucket % STEPS + STEPS) as u64;
    ((step + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_hole_or_overlap() {
        assert_eq!((bucket_of(0), highest_of(0)), (0, 0));
        for bucket in 1..BUCKETS {
            let lowest = highest_of(bucket - 1) + 1;
            assert_eq!(bucket_of(lowest), bucket);
            assert_eq!(bucket_of(highest_of(bucket)), bucket);
        }
        assert_eq!(highest_of(BUCKETS - 1), (1 << VALUE_BITS) - 1);
        assert_eq!(bucket_of(1 << VALUE_BITS), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }
}
