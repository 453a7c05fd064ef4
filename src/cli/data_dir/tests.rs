use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::base::ids::StreamUuid;
use crate::base::stream::StreamOptions;
use crate::catalog::{Event, FileStore, MetaStore};
use crate::cli::tests::run;
use crate::cli::{check, inspect};
use crate::disk::blocking::DirLock;
use crate::log::check::CheckReport;
use crate::log::layout;
use crate::log::progress::NoProgress;

/// A crashed data dir with two streams, of which the catalog names the first.
fn data_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FileStore::new(dir.path(), [7; 32]);
    store.load().unwrap();
    let event = Event::StreamCreated {
        name: "orders".into(),
        uuid: StreamUuid([1; 16]),
        created: Millis(1_700_000_000_000),
        shards: 1,
        options: StreamOptions::default(),
        tags: Default::default(),
    };
    store.append(&event).unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1"), dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => fs::write(to, fs::read(entry.path()).unwrap()).unwrap(),
        }
    }
}

fn damage_a_segment(dir: &Path) {
    let path = dir
        .join("streams/01010101-0101-0101-0101-010101010101/000000000000/00000000000000000000.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 150] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn exit(line: &str, dir: &Path) -> Exit {
    run(&format!("{line} {}", dir.display())).map_or_else(|failure| failure.exit, |()| Exit::Done)
}

fn report(dir: &Path) -> (CheckReport, Names) {
    check::examine(dir, &mut NoProgress).unwrap()
}

#[test]
fn a_sound_data_dir_is_checked_and_inspected() {
    let dir = data_dir();
    assert_eq!(exit("check", dir.path()), Exit::Done);
    assert_eq!(exit("check --json", dir.path()), Exit::Done);
    assert_eq!(exit("inspect", dir.path()), Exit::Done);
    assert_eq!(exit("inspect --json", dir.path()), Exit::Done);
    let (report, names) = report(dir.path());
    let text = check::text(&report, &names, &check::verdict(&report));
    assert!(text.contains("orders"), "{text}");
    assert!(text.contains(" is sound: 6 records in 1 shard; 0 warnings, "), "{text}");
    let left = "02020202-0202-0202-0202-020202020202 at offset 0: left over from a deleted stream";
    assert!(text.contains(left), "not in the catalog\n{text}");
    let report = crate::log::inspect::inspect(dir.path(), &mut NoProgress).unwrap();
    let text = inspect::text(&report, &names);
    assert!(text.contains("02020202-0202-0202-0202-020202020202"), "no name: its uuid\n{text}");
    assert!(text.contains("GENERATION") && text.contains("shardId-000000000007"), "{text}");
}

#[test]
fn damage_is_one_line_with_place_and_advice_and_has_its_exit_code() {
    let dir = data_dir();
    damage_a_segment(dir.path());
    assert_eq!(exit("check", dir.path()), Exit::Damaged);
    assert_eq!(exit("check --json", dir.path()), Exit::Damaged);
    assert_eq!(exit("inspect", dir.path()), Exit::Done, "inspect does not judge");
    let (report, names) = report(dir.path());
    let text = check::text(&report, &names, &check::verdict(&report));
    let line = text.lines().find(|line| line.starts_with("damage: ")).unwrap();
    let place = "000000000000/00000000000000000000.seg at offset ";
    assert!(line.contains(place) && line.contains("backup"), "{text}");
    assert!(text.lines().last().unwrap().contains(" is damaged in "), "{text}");
}

#[test]
fn a_catalog_that_is_lost_or_rotten_is_damage() {
    let dir = data_dir();
    let log = dir.path().join("catalog/catalog.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes[20] ^= 1;
    fs::write(&log, bytes).unwrap();
    assert_eq!(exit("check", dir.path()), Exit::Damaged);
    assert_eq!(exit("inspect", dir.path()), Exit::Done);
    fs::remove_file(&log).unwrap();
    assert_eq!(exit("check", dir.path()), Exit::Damaged);
    let (report, _) = report(dir.path());
    assert_eq!(report.findings[0].file, log);
}

#[test]
fn what_is_no_stopped_data_dir_has_its_exit_codes() {
    let dir = data_dir();
    let server = DirLock::exclusive(&layout::lock_file(dir.path())).unwrap();
    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("holiday.jpg"), "x").unwrap();
    let rotten = data_dir();
    fs::write(layout::identity_file(rotten.path()), "uuid = 1").unwrap();
    let newer = data_dir();
    fs::write(layout::identity_file(newer.path()), "format = 9").unwrap();
    for command in ["check", "inspect"] {
        assert_eq!(exit(command, dir.path()), Exit::Unfit, "a server runs");
        assert_eq!(exit(command, foreign.path()), Exit::Usage);
        assert_eq!(exit(command, Path::new("/nowhere/at/all")), Exit::Usage);
        assert_eq!(exit(command, rotten.path()), Exit::Damaged);
        assert_eq!(exit(command, newer.path()), Exit::Unfit);
    }
    drop(server);
}

#[test]
fn long_tables_end_with_a_count() {
    let rows = (0..ROWS_MAX + 3).map(|n| [n.to_string()]);
    let text = capped_table(&["N"], "shards", rows);
    assert_eq!(text.lines().count(), ROWS_MAX + 2);
    assert!(text.ends_with("… and 3 more shards; --json lists all\n"), "{text}");
    assert_eq!(capped_table(&["N"], "shards", [["1".to_owned()]].into_iter()).lines().count(), 2);
}
