use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use tempfile::TempDir;

use super::*;
use crate::base::ids::{Millis, Seq, ShardNumber, StreamUuid};
use crate::base::stream::{Distribution, ShardLimits, ShardMetrics, StreamMode, StreamOptions};
use crate::catalog::frames::scan;
use crate::catalog::{AccountRecord, Alteration, PeakDay, PlannedShard};
use crate::record::{HashKey, HashRange};

const KEY: [u8; 32] = [0x5A; 32];

fn event(n: u8) -> Event {
    Event::StreamCreated {
        name: format!("stream-{n}"),
        uuid: StreamUuid([n; 16]),
        created: Millis(1_700_000_000_000),
        shards: 2,
        options: StreamOptions::default(),
        tags: BTreeMap::new(),
    }
}

fn store(dir: &TempDir) -> FileStore {
    FileStore::new(dir.path(), KEY)
}

/// A data dir whose log holds a snapshot and `events` events; with it the state, the log's bytes
/// and where each frame lies.
fn written(events: u8) -> (TempDir, State, Vec<u8>, Vec<Range<usize>>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir);
    let mut state = store.load().unwrap();
    for n in 0..events {
        store.append(&event(n)).unwrap();
        state.apply(&event(n));
    }
    let bytes = fs::read(&store.path).unwrap();
    let salt = read_file_header(&bytes).unwrap();
    let frames = scan(&bytes, salt)
        .payloads
        .into_iter()
        .map(|payload| frame_offset(&payload) as usize..payload.end)
        .collect();
    (dir, state, bytes, frames)
}

/// What a log of these bytes loads as.
fn load(dir: &TempDir, bytes: &[u8]) -> Result<(State, u64), StoreError> {
    let mut store = store(dir);
    fs::write(&store.path, bytes).unwrap();
    let state = store.load()?;
    Ok((state, store.torn_bytes()))
}

#[test]
fn what_was_appended_is_there_after_a_restart_and_so_is_the_key() {
    let (dir, state, bytes, frames) = written(3);
    assert_eq!(state.iterator_key, KEY);
    assert_eq!((frames.len(), frames[3].end), (4, bytes.len()));
    let mut store = FileStore::new(dir.path(), [1; 32]);
    assert_eq!(store.load().unwrap(), state, "the key of a new data dir is not used");
    store.append(&event(9)).unwrap();
    drop(store);
    assert_eq!(self::store(&dir).load().unwrap().version, 4);
}

/// A log of format 1 with one event, as version 0.1 wrote it: before streams had modes and tags and
/// the account a commitment. It must open for ever.
const LOG_V1: &str = "\
    53574341544c4731e8ea7cd08fbcedb36c000000417d1f80a168536e617073686f74a36c6974657261746f72\
    5f6b65799820185a185a185a185a185a185a185a185a185a185a185a185a185a185a185a185a185a185a185a\
    185a185a185a185a185a185a185a185a185a185a185a185a185a6776657273696f6e006773747265616d73a0\
    e600000045b802afa1654576656e74a16d53747265616d43726561746564a5646e616d656873747265616d2d\
    306475756964900000000000000000000000000000000067637265617465641b0000018bcfe5680066736861\
    72647302676f7074696f6e73a46a6475726162696c6974796764757261626c65666c696d697473a568696e5f\
    62797465731a001000006e696e5f62757273745f62797465731a00a000006a696e5f7265636f7264731903e8\
    696f75745f62797465731a00200000657265616473056f726574656e74696f6e5f686f757273181870726563\
    6f72645f62797465735f6d61781a00100000";

#[test]
fn a_log_of_the_first_version_opens() {
    let (_dir, state, _, _) = written(1);
    let old: Vec<u8> = (0..LOG_V1.len() / 2)
        .map(|i| u8::from_str_radix(&LOG_V1[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("catalog")).unwrap();
    assert_eq!(load(&dir, &old).unwrap(), (state, 0));
}

/// A log with every kind of event and alteration. It must open for ever: new kinds go to a new
/// file beside it.
const EVERY_EVENT: &[u8] = include_bytes!("../../../tests/fixtures/catalog/every_event.log");

/// What happened in it.
fn every_event() -> Vec<Event> {
    let (name, uuid) = ("orders".to_owned(), StreamUuid([0xAB; 16]));
    let at = Millis(1_700_000_100_000);
    let tags = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
    let created = Event::StreamCreated {
        name: name.clone(),
        uuid,
        created: Millis(1_700_000_000_000),
        shards: 2,
        options: StreamOptions::default(),
        tags: tags.clone(),
    };
    let alterations = [
        Alteration::Retention { hours: 48, floor: Millis(1_699_913_700_000) },
        Alteration::Limits(ShardLimits::OFF),
        Alteration::RecordBytesMax(4096),
        Alteration::Mode { mode: StreamMode::OnDemand, warm_mib: 8 },
        Alteration::WarmThroughput(9),
        Alteration::Distribution(Distribution::Auto),
        Alteration::Metrics(ShardMetrics::ALL),
        Alteration::Tags(BTreeMap::new()),
    ];
    let altered = alterations.map(|alteration| {
        let name = name.clone();
        Event::StreamAltered { name, uuid, at, alteration }
    });
    let (stream, consumer) = (name.clone(), "reader".to_owned());
    let peak = PeakDay { day: 19_675, bytes_per_s: 1_000_000, records_per_s: 500 };
    let account = AccountRecord { committed_at: Some(at), ends_at: Some(Millis(at.0 + 1)) };
    let mut events = vec![created];
    events.extend(altered);
    events.extend([
        resharded(at),
        Event::ShardsExpired { name: name.clone(), uuid, shards: vec![ShardNumber(0)] },
        Event::ConsumerRegistered {
            stream: stream.clone(),
            uuid,
            consumer: consumer.clone(),
            created: at,
            tags: tags.clone(),
        },
        Event::ConsumerTagged { stream: stream.clone(), uuid, consumer: consumer.clone(), tags },
        Event::ConsumerDeregistered { stream, uuid, consumer },
        Event::AccountChanged { account },
        Event::PeakObserved { name: name.clone(), uuid, peak },
        Event::StreamDeleted { name: name.clone(), uuid },
        Event::StreamRemoved { name, uuid },
    ]);
    events
}

/// A split and a merge with one of its halves, at once.
fn resharded(at: Millis) -> Event {
    let range = |start, end| HashRange { start: HashKey(start), end: HashKey(end) };
    let child = |number, range, parent, adjacent_parent: Option<u32>, open| PlannedShard {
        number: ShardNumber(number),
        range,
        parent: ShardNumber(parent),
        adjacent_parent: adjacent_parent.map(ShardNumber),
        open,
    };
    let half = 1 << 127;
    Event::Resharded {
        name: "orders".to_owned(),
        uuid: StreamUuid([0xAB; 16]),
        at,
        scaling: true,
        parents: vec![(ShardNumber(0), Seq(7)), (ShardNumber(1), Seq::ZERO)],
        children: vec![
            child(2, range(0, 999), 0, None, true),
            child(3, range(1000, half - 1), 0, None, false),
            child(4, range(1000, u128::MAX), 3, Some(1), true),
        ],
    }
}

#[test]
fn a_log_with_every_kind_of_event_opens_at_each_of_its_frames() {
    let (events, mut state) = (every_event(), State::new(KEY));
    let salt = read_file_header(EVERY_EVENT).unwrap();
    let payloads = scan(EVERY_EVENT, salt).payloads;
    assert_eq!(payloads.len(), 1 + events.len());
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("catalog")).unwrap();
    for (payload, event) in payloads[1..].iter().zip(&events) {
        state.apply(event);
        let (loaded, _) = load(&dir, &EVERY_EVENT[..payload.end]).unwrap();
        assert_eq!(loaded, state, "after {event:?}");
    }
}

#[test]
fn events_are_written_as_in_the_log_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir);
    store.load().unwrap();
    for event in every_event() {
        store.append(&event).unwrap();
    }
    let bytes = fs::read(&store.path).unwrap();
    assert!(bytes == EVERY_EVENT, "older versions must be able to read it: keep both logs");
}

#[test]
fn only_the_servers_user_can_read_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, ..) = written(0);
    let mode = fs::metadata(dir.path().join("catalog/catalog.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_event_that_does_not_fit_is_not_written() {
    let (dir, state, bytes, _) = written(1);
    let mut store = store(&dir);
    store.load().unwrap();
    assert!(matches!(store.append(&event(0)), Err(StoreError::Misfit(_))));
    assert_eq!(fs::read(&store.path).unwrap(), bytes);
    drop(store);
    assert_eq!(self::store(&dir).load().unwrap(), state);
}

#[test]
fn a_last_frame_cut_at_any_byte_is_cut_off_and_the_log_goes_on() {
    let (dir, _, bytes, frames) = written(2);
    let last = frames.last().unwrap().clone();
    for end in last.start..last.end {
        let (state, torn) = load(&dir, &bytes[..end]).unwrap();
        assert_eq!((state.version, torn), (1, (end - last.start) as u64), "cut at {end}");
        let mut store = store(&dir);
        store.load().unwrap();
        store.append(&event(7)).unwrap();
        let state = self::store(&dir).load().unwrap();
        assert!(state.stream("stream-7").is_some(), "cut at {end}");
    }
}

#[test]
fn zeros_and_garbage_behind_the_log_are_cut_off() {
    let (dir, state, bytes, _) = written(2);
    for tail in [vec![0; 1], vec![0; 5000], vec![0xFF; 100], (0..=255).collect::<Vec<u8>>()] {
        let (loaded, torn) = load(&dir, &[&bytes[..], &tail].concat()).unwrap();
        assert_eq!((loaded, torn), (state.clone(), tail.len() as u64));
    }
}

#[test]
fn a_flipped_bit_anywhere_but_in_the_last_frame_refuses_with_file_and_offset() {
    let (dir, _, mut bytes, frames) = written(2);
    let last = frames.last().unwrap().clone();
    for at in 0..bytes.len() {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        let loaded = load(&dir, &bytes);
        let frame = frames.iter().find(|frame| frame.contains(&at));
        match (frame, loaded) {
            (None, Err(StoreError::Foreign { .. })) => {}
            (Some(frame), Ok((state, torn))) if *frame == last => {
                assert_eq!((state.version, torn), (1, frame.len() as u64));
            }
            (Some(frame), Err(StoreError::Corrupt { offset, path })) if *frame != last => {
                assert_eq!(offset as usize, frame.start);
                assert!(path.ends_with("catalog/catalog.log"));
            }
            (_, loaded) => panic!("a flip at {at}: {loaded:?}"),
        }
        bytes[at] ^= bit;
    }
}

#[test]
fn damage_leaves_the_file_as_it_was() {
    let (dir, _, mut bytes, frames) = written(3);
    bytes[frames[1].start + 20] ^= 1;
    assert!(load(&dir, &bytes).is_err());
    assert_eq!(fs::read(store(&dir).path).unwrap(), bytes);
}

#[test]
fn a_snapshot_is_never_torn_so_a_bad_one_is_damage() {
    let (dir, _, bytes, frames) = written(0);
    for end in [frames[0].start, frames[0].start + 5, frames[0].end - 1] {
        let refused = load(&dir, &bytes[..end]);
        assert!(matches!(refused, Err(StoreError::Corrupt { offset: 16, .. })), "{refused:?}");
    }
}

#[test]
fn entries_that_cannot_be_are_refused() {
    let (dir, state, bytes, _) = written(1);
    let salt = read_file_header(&bytes).unwrap();
    let with = |payload: &[u8]| {
        let mut bytes = bytes.clone();
        write_frame(&mut bytes, salt, payload);
        load(&dir, &bytes).unwrap_err()
    };
    let at = bytes.len() as u64;
    let again = encode(&Entry::Event(event(0)));
    assert!(
        matches!(with(&again), StoreError::Contradiction { offset, .. } if offset == at),
        "a creation of what exists"
    );
    let second = encode(&Entry::Snapshot(state));
    assert!(matches!(with(&second), StoreError::Corrupt { offset, .. } if offset == at));
    let mut later = Vec::new();
    ciborium::into_writer("AnEventOfTheFuture", &mut later).unwrap();
    let refused = with(&later);
    assert!(matches!(refused, StoreError::Unknown { offset, .. } if offset == at), "{refused}");
}

#[test]
fn a_grown_log_is_replaced_by_a_snapshot_that_loads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir);
    store.compact_bytes = 2000;
    let mut state = store.load().unwrap();
    let mut largest = 0;
    for n in 0..60 {
        let uuid = StreamUuid([n; 16]);
        let name = format!("stream-{n}");
        let life = [
            event(n),
            Event::StreamDeleted { name: name.clone(), uuid },
            Event::StreamRemoved { name, uuid },
        ];
        // Every tenth stays.
        for event in &life[..if n % 10 == 0 { 1 } else { 3 }] {
            store.append(event).unwrap();
            state.apply(event);
        }
        largest = largest.max(fs::metadata(&store.path).unwrap().len());
        if n % 7 == 0 {
            store = self::store(&dir);
            store.compact_bytes = 2000;
            assert_eq!(store.load().unwrap(), state);
        }
    }
    assert!(largest < 20_000, "the log grew to {largest} bytes");
    assert_eq!(self::store(&dir).load().unwrap(), state);
}

#[test]
fn a_snapshot_that_a_crash_left_beside_the_log_is_removed() {
    let (dir, state, _, _) = written(1);
    let scratch = store(&dir).scratch();
    fs::write(&scratch, b"half a snapshot").unwrap();
    assert_eq!(store(&dir).load().unwrap(), state);
    assert!(!scratch.exists());
}

#[test]
fn streams_without_a_catalog_are_not_forgotten() {
    let (dir, _, _, _) = written(1);
    fs::create_dir_all(dir.path().join("streams/some-uuid")).unwrap();
    fs::remove_file(store(&dir).path).unwrap();
    let refused = store(&dir).load();
    assert!(matches!(refused, Err(StoreError::Lost { .. })), "{refused:?}");
}

#[test]
fn examining_finds_what_loading_would_and_changes_nothing() {
    let (dir, state, bytes, frames) = written(2);
    assert_eq!(FileStore::examine(dir.path()).unwrap(), Some(state));
    let torn = &bytes[..frames[2].end - 1];
    fs::write(store(&dir).path, torn).unwrap();
    assert_eq!(FileStore::examine(dir.path()).unwrap().unwrap().version, 1);
    assert_eq!(fs::read(store(&dir).path).unwrap(), torn, "cutting is for the server");
    fs::remove_dir_all(dir.path().join("catalog")).unwrap();
    assert_eq!(FileStore::examine(dir.path()).unwrap(), None);
    assert!(!dir.path().join("catalog").exists());
    fs::create_dir_all(dir.path().join("streams/some-uuid")).unwrap();
    let lost = FileStore::examine(dir.path()).unwrap_err();
    assert_eq!(lost.damage(), Some((store(&dir).path.as_path(), 0)));
}

#[test]
fn after_a_failed_write_nothing_is_appended_until_a_restart() {
    let (dir, state, _, _) = written(1);
    let mut store = store(&dir);
    store.load().unwrap();
    // A handle that cannot write stands for a disk that does not.
    let bad = BlockingFile::open(&store.path).unwrap();
    let good = std::mem::replace(&mut store.log.as_mut().unwrap().file, bad);
    assert!(matches!(store.append(&event(5)), Err(StoreError::Disk(_))));
    store.log.as_mut().unwrap().file = good;
    assert!(matches!(store.append(&event(5)), Err(StoreError::Poisoned { .. })));
    assert_eq!(self::store(&dir).load().unwrap(), state);
}

#[test]
fn a_snapshot_that_cannot_be_written_does_not_fail_the_append() {
    let (dir, _, _, _) = written(0);
    let mut store = store(&dir);
    store.compact_bytes = 0;
    store.load().unwrap();
    fs::create_dir(store.scratch()).unwrap();
    for n in 0..10 {
        store.append(&event(n)).unwrap();
    }
    fs::remove_dir(store.scratch()).unwrap();
    assert_eq!(self::store(&dir).load().unwrap().version, 10);
}
