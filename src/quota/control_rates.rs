//! How often the control plane may be asked (AWS: "Quotas and limits").

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::token_bucket::TokenBucket;

/// An operation with a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlCall {
    /// `AddTagsToStream`, also as `TagResource`.
    AddTags,
    /// `CreateStream`.
    CreateStream,
    /// `DecreaseStreamRetentionPeriod`.
    DecreaseRetention,
    /// `DeleteStream`.
    DeleteStream,
    /// `DeregisterStreamConsumer`.
    DeregisterConsumer,
    /// `DescribeAccountSettings`.
    DescribeAccountSettings,
    /// `DescribeLimits`.
    DescribeLimits,
    /// `DescribeStream`.
    DescribeStream,
    /// `DescribeStreamConsumer`.
    DescribeConsumer,
    /// `DescribeStreamSummary`.
    DescribeSummary,
    /// `DisableEnhancedMonitoring`.
    DisableMetrics,
    /// `EnableEnhancedMonitoring`.
    EnableMetrics,
    /// `IncreaseStreamRetentionPeriod`.
    IncreaseRetention,
    /// `ListShards`.
    ListShards,
    /// `ListStreamConsumers`.
    ListConsumers,
    /// `ListStreams`.
    ListStreams,
    /// `ListTagsForStream`, also as `ListTagsForResource`.
    ListTags,
    /// `MergeShards`.
    MergeShards,
    /// `PutResourcePolicy`, `GetResourcePolicy` and `DeleteResourcePolicy`.
    Policy,
    /// `RegisterStreamConsumer`.
    RegisterConsumer,
    /// `RemoveTagsFromStream`, also as `UntagResource`.
    RemoveTags,
    /// `SplitShard`.
    SplitShard,
    /// `UpdateAccountSettings`.
    UpdateAccountSettings,
    /// `UpdateShardCount`.
    UpdateShardCount,
    /// `UpdateStreamWarmThroughput`.
    UpdateWarmThroughput,
}

/// What shares the calls a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// All streams of the account.
    Account,
    /// Each stream has its own.
    Stream,
}

impl ControlCall {
    /// Calls a second, and who shares them. One row for each published quota.
    fn rate(self) -> (u64, Scope) {
        match self {
            ControlCall::AddTags => (5, Scope::Account),
            ControlCall::CreateStream => (5, Scope::Account),
            ControlCall::DecreaseRetention => (5, Scope::Stream),
            ControlCall::DeleteStream => (5, Scope::Account),
            ControlCall::DeregisterConsumer => (5, Scope::Stream),
            ControlCall::DescribeAccountSettings => (5, Scope::Account),
            ControlCall::DescribeLimits => (1, Scope::Account),
            ControlCall::DescribeStream => (10, Scope::Account),
            ControlCall::DescribeConsumer => (20, Scope::Stream),
            ControlCall::DescribeSummary => (20, Scope::Account),
            ControlCall::DisableMetrics => (5, Scope::Stream),
            ControlCall::EnableMetrics => (5, Scope::Stream),
            ControlCall::IncreaseRetention => (5, Scope::Stream),
            ControlCall::ListShards => (1000, Scope::Stream),
            ControlCall::ListConsumers => (5, Scope::Stream),
            ControlCall::ListStreams => (5, Scope::Account),
            ControlCall::ListTags => (5, Scope::Stream),
            ControlCall::MergeShards => (5, Scope::Stream),
            ControlCall::Policy => (5, Scope::Account),
            ControlCall::RegisterConsumer => (5, Scope::Stream),
            ControlCall::RemoveTags => (5, Scope::Stream),
            ControlCall::SplitShard => (5, Scope::Stream),
            ControlCall::UpdateAccountSettings => (5, Scope::Account),
            ControlCall::UpdateShardCount => (10, Scope::Stream),
            ControlCall::UpdateWarmThroughput => (5, Scope::Account),
        }
    }
}

/// A bucket for each operation and, where each stream has its own, stream. Buckets that are full
/// are forgotten, so that it holds no more than what was asked for in the last second.
#[derive(Debug)]
pub struct ControlRates {
    /// So many count the calls of a server between them.
    counters: u64,
    buckets: HashMap<(ControlCall, String), TokenBucket>,
    /// Look for full buckets when there are so many,
    sweep_at: usize,
    /// and it is so late.
    sweep_from: Option<Instant>,
}

impl Default for ControlRates {
    fn default() -> ControlRates {
        ControlRates::one_of(1)
    }
}

impl ControlRates {
    /// No operation was asked for yet.
    #[must_use]
    pub fn new() -> ControlRates {
        ControlRates::default()
    }

    /// One of so many that know nothing of each other and take any call of a server: each allows
    /// its share of the rates, rounded up.
    #[must_use]
    pub fn one_of(counters: u16) -> ControlRates {
        ControlRates {
            counters: u64::from(counters),
            buckets: HashMap::new(),
            sweep_at: BUCKETS_MIN,
            sweep_from: None,
        }
    }

    /// Counts a call, unless there were too many in the last second: then the caller answers
    /// `LimitExceededException`. `stream` is what the call names; `None` is the account.
    #[must_use]
    pub fn try_take(&mut self, now: Instant, call: ControlCall, stream: Option<&str>) -> bool {
        let (rate, scope) = call.rate();
        let rate = rate.div_ceil(self.counters);
        let own = match scope {
            Scope::Account => None,
            Scope::Stream => stream,
        };
        self.sweep(now);
        let key = (call, own.unwrap_or_default().to_owned());
        if self.buckets.len() >= BUCKETS_MAX && !self.buckets.contains_key(&key) {
            return false;
        }
        let bucket = self.buckets.entry(key);
        bucket.or_insert_with(|| TokenBucket::new(rate, rate, now)).try_take(now, 1)
    }

    /// Buckets in memory.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    fn sweep(&mut self, now: Instant) {
        if self.buckets.len() < self.sweep_at || self.sweep_from.is_some_and(|from| now < from) {
            return;
        }
        let full = |call: &ControlCall| call.rate().0.div_ceil(self.counters);
        self.buckets.retain(|(call, _), bucket| bucket.available(now) < full(call));
        // Each look is paid for by as many new buckets as it finds old ones.
        self.sweep_at = (2 * self.buckets.len()).clamp(BUCKETS_MIN, BUCKETS_MAX);
        self.sweep_from = Some(now + SWEEP_PAUSE);
    }
}

/// So few need no looking for full ones.
const BUCKETS_MIN: usize = 64;
/// So many streams are not asked about in a second but by somebody who wants to fill the memory:
/// 16 MiB with the longest names.
const BUCKETS_MAX: usize = 65_536;
/// Between two looks: a flood does not make each call look at all buckets.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rates: &mut ControlRates, now: Instant, call: ControlCall, stream: &str) -> usize {
        (0..5000).take_while(|_| rates.try_take(now, call, Some(stream))).count()
    }

    #[test]
    fn each_operation_has_its_published_rate_and_scope() {
        let (mut rates, now) = (ControlRates::new(), Instant::now());
        // (operation, calls of one stream in a second, calls of another stream in the same one)
        let table = [
            (ControlCall::CreateStream, 5, 0),
            (ControlCall::AddTags, 5, 0),
            (ControlCall::DescribeLimits, 1, 0),
            (ControlCall::DescribeStream, 10, 0),
            (ControlCall::DescribeSummary, 20, 0),
            (ControlCall::DescribeConsumer, 20, 20),
            (ControlCall::SplitShard, 5, 5),
            (ControlCall::MergeShards, 5, 5),
            (ControlCall::UpdateShardCount, 10, 10),
            (ControlCall::RegisterConsumer, 5, 5),
            (ControlCall::ListShards, 1000, 1000),
            (ControlCall::ListStreams, 5, 0),
        ];
        for (call, one, other) in table {
            assert_eq!(taken(&mut rates, now, call, "a"), one, "{call:?}");
            assert_eq!(taken(&mut rates, now, call, "b"), other, "{call:?} of another stream");
        }
        let later = now + Duration::from_millis(400);
        assert_eq!(taken(&mut rates, later, ControlCall::SplitShard, "a"), 2, "it comes back");
    }

    #[test]
    fn each_of_several_counters_allows_its_share() {
        let (mut rates, now) = (ControlRates::one_of(4), Instant::now());
        // (operation, a quarter of its calls a second, rounded up)
        let table = [
            (ControlCall::DescribeLimits, 1),
            (ControlCall::ListStreams, 2),
            (ControlCall::DescribeStream, 3),
            (ControlCall::DescribeSummary, 5),
            (ControlCall::ListShards, 250),
        ];
        for (call, share) in table {
            assert_eq!(taken(&mut rates, now, call, "a"), share, "{call:?}");
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(taken(&mut rates, later, ControlCall::DescribeStream, "a"), 3);
    }

    #[test]
    fn the_account_is_the_same_whatever_stream_is_named() {
        let (mut rates, now) = (ControlRates::new(), Instant::now());
        assert!(rates.try_take(now, ControlCall::DescribeLimits, None));
        assert!(!rates.try_take(now, ControlCall::DescribeLimits, Some("a")));
    }

    #[test]
    fn what_was_not_asked_for_lately_is_forgotten_and_what_was_is_not() {
        let (mut rates, mut now) = (ControlRates::new(), Instant::now());
        assert_eq!(taken(&mut rates, now, ControlCall::SplitShard, "busy"), 5);
        for n in 0..100_000 {
            assert!(rates.try_take(now, ControlCall::ListTags, Some(&format!("stream-{n}"))));
            now += Duration::from_millis(1);
            let busy = rates.try_take(now, ControlCall::SplitShard, Some("busy"));
            assert_eq!(busy, n % 200 == 199, "call {n}");
        }
        assert!(rates.buckets() < 1000, "{} buckets", rates.buckets());
    }

    #[test]
    fn a_flood_of_names_is_refused_before_it_fills_the_memory() {
        let (mut rates, now) = (ControlRates::new(), Instant::now());
        let admitted = (0..2 * BUCKETS_MAX)
            .filter(|n| rates.try_take(now, ControlCall::ListTags, Some(&n.to_string())));
        assert_eq!(admitted.count(), BUCKETS_MAX);
        assert!(rates.try_take(now, ControlCall::ListTags, Some("7")), "a known one goes on");
        let later = now + Duration::from_secs(1);
        assert!(rates.try_take(later, ControlCall::ListTags, Some("new")));
        assert!(rates.buckets() < 10);
    }
}
