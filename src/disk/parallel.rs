//! The same file operation on thousands of files: a disk does many at once, and a sync of many is
//! one flush. For boot and the offline tools only, where no executor runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Files that are opened, listed or synced at the same time: what keeps a disk busy.
pub const FILES_AT_ONCE: usize = 16;

/// What `work` makes of each item, in the order of the items; `at_once` of them at a time. Hands
/// every result to `done` as it comes.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(&R),
) -> Vec<R> {
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..at_once.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((at, item)) = take(items, next) {
                    // The receiver leaves only when it panics, and then this thread goes as well.
                    if sender.send((at, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (at, result) in receiver {
            done(&result);
            results[at] = Some(result);
        }
    });
    results.into_iter().map(|result| result.expect("every item was worked on")).collect()
}

/// As [`map`], where only failures matter; the first in the order of the items is returned.
pub fn try_each<T: Sync, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    map(items, FILES_AT_ONCE, work, |_| {}).into_iter().collect()
}

fn take<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_and_each_is_reported_once() {
        let items: Vec<u32> = (0..1000).collect();
        for at_once in [1, 3, FILES_AT_ONCE] {
            let mut sum = 0;
            let doubled = map(&items, at_once, |n| n * 2, |n| sum += n);
            assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
            assert_eq!(sum, 999_000);
        }
        assert!(map(&[] as &[u32], 4, |n| *n, |_| {}).is_empty());
    }

    #[test]
    fn the_first_failure_is_returned_and_the_rest_is_done_all_the_same() {
        let seen = AtomicUsize::new(0);
        let outcome = try_each(&[1, 2, 3, 4], |&n| {
            seen.fetch_add(1, Ordering::Relaxed);
            if n % 2 == 0 { Err(n) } else { Ok(()) }
        });
        assert_eq!((outcome, seen.load(Ordering::Relaxed)), (Err(2), 4));
    }
}
