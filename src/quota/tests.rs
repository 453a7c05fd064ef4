use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::base::stream::ShardLimits;

mod rates;

const MIB: u64 = 1024 * 1024;

fn at(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(10, 30, t);
    assert!(bucket.try_take(t, 30));
    assert!(!bucket.try_take(t, 1));
    assert!(!bucket.try_take(at(t, 99), 1));
    assert!(bucket.try_take(at(t, 100), 1));
    assert_eq!(bucket.available(at(t, 60_000)), 30, "no more than the burst is saved up");
}

#[test]
fn looking_at_a_bucket_every_nanosecond_loses_no_credit() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(3, 1, t);
    assert!(bucket.try_take(t, 1));
    for ns in (0..333_333_333).step_by(333_333) {
        assert!(!bucket.has(t + Duration::from_nanos(ns), 1));
    }
    assert!(!bucket.has(t + Duration::from_nanos(333_333_333), 1));
    assert!(bucket.has(t + Duration::from_nanos(333_333_334), 1));
}

#[test]
fn rate_zero_is_no_limit() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(0, 5, t);
    assert!(bucket.try_take(t, u64::MAX) && bucket.try_take(t, u64::MAX));
    assert_eq!((bucket.available(t), bucket.next_ready(t, u64::MAX)), (u64::MAX, t));
}

#[test]
fn more_than_the_burst_goes_when_the_bucket_is_full_and_leaves_a_debt() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(10, 10, t);
    assert!(bucket.try_take(t, 1));
    assert!(!bucket.try_take(t, 25), "it is not full");
    assert!(bucket.try_take(at(t, 100), 25));
    assert_eq!(bucket.available(at(t, 100)), 0);
    // 15 of debt and 1 of credit.
    assert_eq!(bucket.next_ready(at(t, 100), 1), at(t, 1700));
    assert!(!bucket.try_take(at(t, 1699), 1));
    assert!(bucket.try_take(at(t, 1700), 1));
}

#[test]
fn a_clock_that_steps_back_gives_nothing_twice() {
    let t = at(Instant::now(), 10_000);
    let mut bucket = TokenBucket::new(10, 10, t);
    assert!(bucket.try_take(t, 10));
    assert!(!bucket.try_take(t - Duration::from_secs(5), 1));
    assert_eq!(bucket.available(at(t, 500)), 5);
}

#[test]
fn extreme_rates_and_pauses_do_not_overflow() {
    let t = Instant::now();
    let year = Duration::from_secs(365 * 86_400);
    let mut fast = TokenBucket::new(u64::MAX, u64::MAX, t);
    assert!(fast.try_take(t, u64::MAX));
    assert_eq!(fast.available(t + 100 * year), u64::MAX);
    let mut slow = TokenBucket::new(1, 1, t);
    assert!(slow.try_take(t, u64::MAX));
    assert!(slow.next_ready(t, 1) > t + 100 * year);
    assert!(!slow.try_take(t + 100 * year, 1));
}

proptest! {
    #[test]
    fn over_any_time_no_more_goes_than_burst_and_rate_allow(
        rate in 1..5000u64,
        burst in 1..5000u64,
        takes in prop::collection::vec((0..5_000_000_000u64, 1..5000u64), 1..100),
    ) {
        let t = Instant::now();
        let mut bucket = TokenBucket::new(rate, burst, t);
        let (mut now, mut taken) = (t, 0u128);
        for (pause, n) in takes {
            now += Duration::from_nanos(pause);
            let allowed = u128::from(burst)
                + u128::from(rate) * (now - t).as_nanos() / 1_000_000_000;
            if bucket.try_take(now, n) {
                // What goes into debt was below its limit before.
                prop_assert!(taken + u128::from(n.min(burst)) <= allowed);
                taken += u128::from(n);
            }
            let ready = bucket.next_ready(now, n);
            prop_assert!(bucket.clone().has(ready, n));
            if ready > now {
                prop_assert!(!bucket.clone().has(ready - Duration::from_nanos(1), n));
            }
        }
    }
}

#[test]
fn a_shard_takes_large_records_in_a_burst_of_10_mib_as_on_aws() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, t);
    assert!(shard.try_take(t, 1, 10 * MIB));
    assert!(!shard.try_take(t, 1, 1));
    assert!(!shard.try_take(at(t, 4999), 1, 5 * MIB));
    assert!(shard.try_take(at(t, 5000), 1, 5 * MIB));
}

#[test]
fn small_records_have_a_burst_of_a_second_and_then_their_rate() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, t);
    assert!((0..4).all(|_| shard.try_take(t, 1, MIB / 4)));
    assert!(!shard.try_take(t, 1, 1));
    assert!(shard.try_take(at(t, 1), 1, MIB / 4), "on any credit");
    assert!(!shard.try_take(at(t, 250), 1, 1), "and then in debt");
    assert!(shard.try_take(at(t, 251), 1, 1));
    let later = at(t, 60_000);
    assert!((0..4).all(|_| shard.try_take(later, 1, MIB / 4)));
    assert!(!shard.try_take(later, 1, 1), "a minute saved up no more");
}

#[test]
fn a_large_record_does_not_keep_small_ones_waiting_once_it_is_paid_for() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, t);
    assert!(shard.try_take(t, 1, 10 * MIB));
    assert!(!shard.try_take(t, 1, 1000), "nothing is left");
    assert!((1..100).all(|ms| shard.try_take(at(t, ms), 1, 1000)), "they go at their rate");
}

#[test]
fn a_shard_takes_a_thousand_records_a_second_all_of_a_batch_or_none() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, t);
    assert!(shard.try_take(t, 500, 500) && shard.try_take(t, 500, 500));
    assert!(!shard.try_take(t, 1, 1));
    assert_eq!(shard.next_ready(t, 500, 500), at(t, 1));
    assert!(shard.try_take(at(t, 1), 500, 500), "a batch is taken on any credit");
    assert!(!shard.try_take(at(t, 500), 1, 1), "and leaves a debt");
    assert_eq!(shard.next_ready(at(t, 500), 1, 1), at(t, 501));
    assert!(shard.try_take(at(t, 501), 1, 1));
}

#[test]
fn a_refused_batch_takes_nothing() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, t);
    assert!(shard.try_take(t, 1, 6 * MIB));
    for _ in 0..100 {
        assert!(!shard.try_take(t, 1, 5 * MIB));
    }
    assert!(shard.try_take(t, 1, 4 * MIB), "what is left is left");
}

#[test]
fn credit_for_a_refused_take_is_kept_until_the_next_take() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(10, 10, t);
    bucket.spend(t, 30);
    bucket.keep(t, 40);
    assert_eq!(bucket.available(at(t, 60_000)), 40);
    bucket.spend(at(t, 60_000), 1);
    assert_eq!(bucket.available(at(t, 60_001)), 10);
}

#[test]
fn changed_limits_keep_what_was_taken() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(10, 30, t);
    assert!(bucket.try_take(t, 10));
    bucket.set_limits(20, 100, t);
    assert_eq!((bucket.available(t), bucket.available(at(t, 1000))), (20, 40));
    bucket.set_limits(20, 5, at(t, 1000));
    assert_eq!(bucket.available(at(t, 1000)), 5, "no more than the new burst");
    bucket.set_limits(0, 0, at(t, 1000));
    assert!(bucket.try_take(at(t, 1000), u64::MAX));
    bucket.set_limits(7, 0, at(t, 1000));
    assert_eq!(bucket.available(at(t, 1000)), 7, "what had no limit starts full");
}

#[test]
fn the_time_before_a_change_counts_at_the_old_rate() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(10, 100, t);
    assert!(bucket.try_take(t, 100));
    bucket.set_limits(1000, 1000, at(t, 2000));
    assert_eq!(bucket.available(at(t, 2000)), 20);
}

#[test]
fn a_debt_outlives_a_change_but_never_grows_into_ages() {
    let t = Instant::now();
    let mut bucket = TokenBucket::new(10, 10, t);
    bucket.spend(t, 20);
    bucket.set_limits(20, 20, t);
    assert_eq!(bucket.next_ready(t, 1), at(t, 550), "10 of debt and 1 of credit at 20 a second");
    bucket.spend(t, 1000);
    bucket.set_limits(1, 1, t);
    assert_eq!(bucket.next_ready(t, 1), at(t, 2000));
}

#[test]
fn a_shard_follows_changed_limits_at_once() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, t);
    assert!(shard.try_take(t, 1000, MIB));
    assert!(!shard.try_take(t, 1, 1));
    shard.set_limits(&ShardLimits::OFF, t);
    assert!(shard.try_take(t, 500, 10 * MIB) && shard.try_take(t, 500, 10 * MIB));
    shard.set_limits(&ShardLimits::AWS, t);
    assert!(shard.try_take(t, 1, 9 * MIB) && shard.try_take(t, 999, MIB));
    assert!(!shard.try_take(t, 1, 1));
    let double = ShardLimits { in_records: 2000, ..ShardLimits::AWS };
    shard.set_limits(&double, t);
    assert!(!shard.try_take(t, 1, 1), "a change is no present");
    assert!(shard.try_take(at(t, 1), 1, 1));
    assert_eq!(shard.next_ready(at(t, 1), 1, 1), at(t, 1), "two records come in a millisecond");
}

#[test]
fn a_shards_output_follows_changed_limits_at_once() {
    let t = Instant::now();
    let faster = ShardLimits { out_bytes: 4 * MIB, reads: 10, ..ShardLimits::AWS };
    let mut out = ShardOut::shared(&ShardLimits::AWS, t);
    assert!((0..5).all(|_| out.try_start(t)));
    out.set_limits(&faster, t);
    assert!(!out.try_start(t));
    assert!(out.try_start(at(t, 100)), "10 reads a second");
    let mut consumer = ShardOut::consumer(&ShardLimits::AWS, t);
    consumer.spend(t, 2 * MIB);
    consumer.set_consumer_limits(&faster, t);
    assert_eq!(consumer.available(at(t, 500)), 2 * MIB);
    assert!((0..1000).all(|_| consumer.try_start(at(t, 500))), "nobody counts pushes");
}

#[test]
fn without_limits_a_shard_takes_everything() {
    let t = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::OFF, t);
    assert!((0..1000).all(|_| shard.try_take(t, 500, 10 * MIB)));
    let mut out = ShardOut::shared(&ShardLimits::OFF, t);
    assert!((0..1000).all(|_| out.try_start(t)));
    out.spend(t, u64::MAX);
    assert_eq!(out.available(t), u64::MAX);
}

#[test]
fn a_shard_answers_five_reads_a_second() {
    let t = Instant::now();
    let mut out = ShardOut::shared(&ShardLimits::AWS, t);
    assert!((0..5).all(|_| out.try_start(t)));
    assert!(!out.try_start(t));
    assert_eq!(out.next_ready(t), at(t, 200));
    assert!(out.try_start(at(t, 200)));
    assert!(!out.try_start(at(t, 200)));
}

#[test]
fn after_a_read_of_10_mib_the_next_waits_until_the_debt_is_paid() {
    let t = Instant::now();
    let mut out = ShardOut::shared(&ShardLimits::AWS, t);
    assert!(out.try_start(t));
    out.spend(t, 10 * MIB);
    assert!(!out.try_start(at(t, 4000)));
    assert!(out.try_start(at(t, 4001)));
}

#[test]
fn a_refused_read_counts_no_read() {
    let t = Instant::now();
    let mut out = ShardOut::shared(&ShardLimits::AWS, t);
    out.spend(t, 2 * MIB);
    assert!((0..100).all(|_| !out.try_start(t)));
    assert!((0..5).all(|_| out.try_start(at(t, 1))));
}

#[test]
fn a_consumer_is_limited_in_bytes_only() {
    let t = Instant::now();
    let mut out = ShardOut::consumer(&ShardLimits::AWS, t);
    for _ in 0..1000 {
        assert!(out.try_start(t));
    }
    out.spend(t, 2 * MIB);
    assert!(!out.try_start(t));
    assert_eq!(out.available(at(t, 500)), MIB);
}

#[test]
fn permits_never_grant_more_than_there_is_and_come_back_when_dropped() {
    let permits = Permits::new(100);
    let first = permits.try_take(60).unwrap();
    assert_eq!((permits.held(), permits.available()), (60, 40));
    assert!(permits.clone().try_take(41).is_none(), "a clone is the same budget");
    let second = permits.try_take(40).unwrap();
    assert!(permits.try_take(1).is_none() && permits.try_take(0).is_some());
    drop(first);
    assert_eq!(permits.available(), 60);
    drop(second);
    assert_eq!((permits.held(), permits.total()), (0, 100));
    assert!(permits.try_take(101).is_none());
    assert!(permits.try_take(usize::MAX).is_none());
}

#[test]
fn parts_of_a_permit_add_up() {
    let permits = Permits::new(100);
    let mut whole = permits.try_take(90).unwrap();
    let part = whole.split(30);
    assert_eq!((whole.bytes(), part.bytes(), permits.held()), (60, 30, 90));
    whole.shrink_to(10);
    assert_eq!(permits.held(), 40);
    drop(part);
    assert_eq!(permits.held(), 10);
    drop(whole);
    assert_eq!(permits.held(), 0);
}
