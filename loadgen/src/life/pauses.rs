//! How long a step held up the writers: of the hash keys whose shards it closed, and of others.
//!
//! A writer's pause is the longest time that one of its puts took which was under way during the
//! step, from its intended time to its answer. Quiet windows of the same length in front of the
//! step say what is usual without it.

use serde::Serialize;

use crate::latency::{Latencies, Percentiles};

/// Quiet windows that a step is compared with, at most.
const QUIET_WINDOWS: u64 = 200;
/// A window is at least so long: a shorter one would hold no put at all.
const WINDOW_NS_MIN: u64 = 1_000_000;

/// A put that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Whose.
    pub writer: u32,
    /// When it was meant to leave.
    pub intended_ns: u64,
    /// When the answer came.
    pub at_ns: u64,
}

/// A step as its writers saw it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// Writers of the group.
    pub writers: u32,
    /// Puts that were under way.
    pub puts: Option<Percentiles>,
    /// The longest time without any answer to one of these writers.
    pub gap_ns: u64,
    /// Their pauses.
    #[serde(skip)]
    pub pauses: Vec<u64>,
}

/// What a group of `writers` (numbered from 0) saw in the window from `start_ns` to `end_ns`.
#[must_use]
pub fn seen(
    answered: &[Answered],
    (start_ns, end_ns): (u64, u64),
    writers: u32,
    of_group: impl Fn(u32) -> bool,
) -> Seen {
    let end_ns = end_ns.max(start_ns + WINDOW_NS_MIN);
    let mut group: Vec<_> = answered.iter().filter(|put| of_group(put.writer)).collect();
    group.sort_by_key(|put| put.at_ns);
    let mut puts = Latencies::new();
    let mut longest: std::collections::BTreeMap<u32, u64> = std::collections::BTreeMap::new();
    for put in &group {
        if put.intended_ns < end_ns && put.at_ns > start_ns {
            let took = put.at_ns - put.intended_ns;
            puts.record(took, 1);
            let pause = longest.entry(put.writer).or_default();
            *pause = took.max(*pause);
        }
    }
    let gaps = group.windows(2).filter(|pair| pair[1].at_ns > start_ns && pair[0].at_ns < end_ns);
    Seen {
        writers: (0..writers).filter(|&writer| of_group(writer)).count() as u32,
        puts: puts.percentiles(),
        gap_ns: gaps.map(|pair| pair[1].at_ns - pair[0].at_ns).max().unwrap_or(0),
        pauses: longest.into_values().collect(),
    }
}

/// Pauses of a group in windows as long as the step, between `from_ns` and the step's `start_ns`.
#[must_use]
pub fn quiet(
    answered: &[Answered],
    from_ns: u64,
    (start_ns, end_ns): (u64, u64),
    of_group: impl Fn(u32) -> bool,
) -> Vec<u64> {
    let window = (end_ns - start_ns).max(WINDOW_NS_MIN);
    let windows = (start_ns.saturating_sub(from_ns) / window).min(QUIET_WINDOWS);
    if windows == 0 {
        return Vec::new();
    }
    let first = start_ns - windows * window;
    let mut longest = std::collections::BTreeMap::new();
    for put in answered.iter().filter(|put| of_group(put.writer)) {
        if put.intended_ns >= start_ns || put.at_ns <= first {
            continue;
        }
        let from = put.intended_ns.max(first) - first;
        let to = put.at_ns.min(start_ns) - 1 - first;
        for n in from / window..=to / window {
            let pause = longest.entry((n, put.writer)).or_insert(0);
            *pause = (put.at_ns - put.intended_ns).max(*pause);
        }
    }
    longest.into_values().collect()
}

/// Pauses of many steps, each writer's once a step.
#[must_use]
pub fn percentiles(pauses: &[u64]) -> Option<Percentiles> {
    let mut all = Latencies::new();
    pauses.iter().for_each(|&pause| all.record(pause, 1));
    all.percentiles()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A put of `writer` every ms, each answered after 0.2 ms; those of writer 0 that are meant for
    /// 100 … 107 ms are answered at 107 ms.
    fn puts() -> Vec<Answered> {
        let put = |writer, n: u64| {
            let intended_ns = n * MS;
            let held = writer == 0 && (100..107).contains(&n);
            let at_ns = if held { 107 * MS } else { intended_ns + MS / 5 };
            Answered { writer, intended_ns, at_ns }
        };
        (0..200).flat_map(|n| [put(0, n), put(1, n)]).collect()
    }

    #[test]
    fn a_pause_is_the_longest_put_that_was_under_way() {
        let window = (99 * MS + MS / 2, 106 * MS);
        let held = seen(&puts(), window, 2, |writer| writer == 0);
        assert_eq!((held.writers, held.pauses), (1, vec![7 * MS]));
        assert_eq!(held.gap_ns, 8 * MS - MS / 5, "from the answer at 99.2 ms to that at 107 ms");
        assert!(held.puts.expect("seven puts").max_ns >= 7 * MS);
        let free = seen(&puts(), window, 2, |writer| writer == 1);
        assert_eq!((free.pauses, free.gap_ns), (vec![MS / 5], MS));
    }

    #[test]
    fn quiet_windows_say_what_is_usual() {
        let step = (99 * MS + MS / 2, 106 * MS);
        let usual = quiet(&puts(), 10 * MS, step, |_| true);
        assert_eq!(usual.len(), 13 * 2, "13 windows of 6.5 ms for two writers");
        assert!(usual.iter().all(|&pause| pause == MS / 5), "{usual:?}");
        let too_late = quiet(&puts(), step.0 - MS, (step.0 + MS / 10, step.1), |_| true);
        assert!(too_late.is_empty(), "there is no window between the steps");
    }

    #[test]
    fn a_put_that_was_answered_before_or_meant_for_later_is_not_under_way() {
        let puts = puts();
        let between = (50 * MS + MS / 2, 50 * MS + 3 * MS / 4);
        // The window is stretched to 1 ms: only what is meant for 51 ms lies in it.
        assert_eq!(seen(&puts, between, 2, |writer| writer == 1).puts.expect("one").records, 1);
    }
}
