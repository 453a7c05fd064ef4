use super::*;
use crate::wire::account::Commitment;

#[test]
fn a_commitment_that_is_ended_early_holds_for_its_first_day() {
    let mut world = World::new();
    let commitment = |world: &World| world.state.account.commitment(world.now);
    assert_eq!(world.commit(false), Ok(false));
    assert_eq!(world.commit(true), Ok(true));
    assert_eq!(world.commit(true), Ok(false));
    assert_eq!(commitment(&world), Commitment::Enabled { since: NOW });
    world.pass(HOUR);
    assert_eq!(world.commit(false), Ok(true));
    let until = Millis(NOW.0 + 24 * HOUR);
    assert_eq!(commitment(&world), Commitment::EnabledUntil { since: NOW, until });
    assert_eq!(world.commit(false), Ok(false));
    world.pass(23 * HOUR - 1);
    assert_eq!(commitment(&world), Commitment::EnabledUntil { since: NOW, until });
    world.pass(1);
    assert_eq!(commitment(&world), Commitment::Disabled, "it lapses by itself");
    assert_eq!(world.commit(false), Ok(false));
    assert_eq!(world.commit(true), Ok(true));
    assert_eq!(commitment(&world), Commitment::Enabled { since: until });
}

#[test]
fn a_commitment_that_is_older_than_a_day_ends_at_once() {
    let mut world = World::new();
    world.commit(true).unwrap();
    world.pass(24 * HOUR);
    world.commit(false).unwrap();
    assert_eq!(world.state.account.commitment(world.now), Commitment::Disabled);
}

#[test]
fn an_early_end_is_taken_back() {
    let mut world = World::new();
    world.commit(true).unwrap();
    world.commit(false).unwrap();
    assert_eq!(world.commit(true), Ok(true));
    world.pass(1000 * HOUR);
    assert_eq!(world.state.account.commitment(world.now), Commitment::Enabled { since: NOW });
}

#[test]
fn warm_throughput_is_removed_before_the_commitment_ends_and_not_begun_while_it_does() {
    let mut world = World::new();
    world.commit(true).unwrap();
    world.create("a", 0, StreamOptions { warm_mib: 5, ..on_demand() }).unwrap();
    assert_eq!(code(world.commit(false)), ErrorCode::Validation);
    world.alter("a", StreamChange::WarmThroughput(0)).unwrap();
    world.commit(false).unwrap();
    let refused = world.alter("a", StreamChange::WarmThroughput(5));
    assert_eq!(code(refused), ErrorCode::Validation);
}

#[test]
fn the_account_counts_its_open_shards_and_on_demand_streams() {
    let mut world = World::with(&[("a", 3), ("b", 2), ("c", 7)]);
    world.create("d", 0, on_demand()).unwrap();
    world.reshard("a", split(0)).unwrap();
    world.delete("c", false).unwrap();
    world.commit(true).unwrap();
    let account = decide::account(&world.state, &world.rules, world.now);
    assert_eq!((account.open_shards, account.on_demand), (4 + 2 + 4, 1));
    assert_eq!((account.shards_max, account.on_demand_max), (20_000, 50));
    assert_eq!(account.commitment, Commitment::Enabled { since: NOW });
    assert_eq!(world.view().account(world.now), account);
}

#[test]
fn a_view_after_a_change_of_the_account_has_the_same_streams() {
    let mut world = World::with(&[("a", 1)]);
    let before = world.view();
    world.commit(true).unwrap();
    let after = before.with_account(&world.state);
    assert_eq!(after.version(), before.version() + 1);
    assert_eq!(after.account(world.now).commitment, Commitment::Enabled { since: NOW });
    assert!(Arc::ptr_eq(&before.streams()[0], &after.streams()[0]));
}

#[test]
fn the_peak_of_a_day_only_grows_and_thirty_days_are_kept() {
    let mut world = World::with(&[("a", 1)]);
    let uuid = world.stream("a").uuid;
    let mut observe = |day, bytes, records| {
        let event = decide::observe_peak(&world.state, uuid, day, bytes, records);
        let is_new = event.is_some();
        event.into_iter().for_each(|event| world.apply(event));
        (is_new, world.stream("a").peaks.clone())
    };
    assert!(!observe(100, 0, 0).0);
    assert!(observe(100, 10, 5).0);
    assert!(!observe(100, 10, 5).0);
    let (grown, peaks) = observe(100, 7, 6);
    assert!(grown);
    assert_eq!(peaks, [PeakDay { day: 100, bytes_per_s: 10, records_per_s: 6 }]);
    assert_eq!(observe(129, 1, 1).1.len(), 2);
    let (_, peaks) = observe(130, 1, 1);
    assert_eq!(peaks.iter().map(|p| p.day).collect::<Vec<_>>(), [129, 130], "day 100 is over");
    assert!(!observe(100, 99, 99).0, "nor does it come back");
    assert_eq!(observe(115, 1, 1).1.len(), 3, "a report may be late");
    let none = decide::observe_peak(&world.state, StreamUuid([9; 16]), 130, 9, 9);
    assert_eq!(none, None);
}
