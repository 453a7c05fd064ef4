//! What waits for room is bounded, whatever it waits for.

use super::reshard::{CORES, Cores};
use super::*;
use crate::base::limits::{FORWARDED_BYTES_MAX, HELD_BYTES_MAX};
use crate::record::HashKey;
use crate::service::put_records::PutRequest;

#[test]
fn puts_are_refused_and_not_held_for_a_closing_shard_while_the_disk_is_full() {
    let mut w = world(options());
    let passing = Passing { closing: [KEY].into(), ..Passing::default() };
    w.spread(&passing);
    let bytes = batch(1, 1000 * KIB);
    let view = BatchView::check_client(&bytes).unwrap();
    let put = |w: &mut World, correlation| {
        let request = PutRequest {
            session: ME,
            correlation,
            stream: UUID,
            shard: ShardNumber(0),
            map_version: 1,
            batch: &view,
        };
        w.core.submit_put(w.now, &request).unwrap();
    };
    put(&mut w, 0);
    w.core.refuse("the disk is full".into());
    for correlation in 1..=100 {
        assert!(w.core.has_room(bytes.len()), "a refusal needs no room");
        put(&mut w, correlation);
        let refused = Put(correlation, 1, Err(ErrorCode::InternalFailure));
        assert_eq!(w.said(), [refused], "at once");
    }
    let held = w.core.held.bytes();
    assert!(held <= HELD_BYTES_MAX, "{held} bytes are held");
    w.core.accept_again();
    w.install();
    w.commit();
    assert_eq!(w.said(), [Put(0, 1, Ok(Seq(0)))], "what was held before goes on");
}

const MIB: usize = 1024 * KIB;

/// Puts a MiB on a core, for a shard of whichever core, if there is room.
fn try_put(w: &mut Cores, core: u16, correlation: u64, shard: u32) -> bool {
    let mut builder = BatchBuilder::new();
    builder.push("key", Some(HashKey(1)), &correlation.to_le_bytes()).unwrap();
    builder.push("key", Some(HashKey(1)), &vec![b'd'; MIB - KIB]).unwrap();
    let bytes = builder.finish().to_vec();
    if !w.cores[usize::from(core)].has_room(bytes.len()) {
        return false;
    }
    let batch = BatchView::check_client(&bytes).unwrap();
    let session = SessionId { core: CoreId(core), index: 1, generation: 1 };
    let shard = ShardNumber(shard);
    let request =
        PutRequest { session, correlation, stream: UUID, shard, map_version: 1, batch: &batch };
    w.cores[usize::from(core)].submit_put(w.now, &request).unwrap();
    w.post(core);
    true
}

/// Puts on `core` until there is no room; returns how many.
fn fill(w: &mut Cores, core: u16, shard: u32, next: &mut u64) -> usize {
    let full = (1..200).find(|_| {
        *next += 1;
        !try_put(w, core, *next, shard)
    });
    let puts = full.expect("somebody is told to wait") - 1;
    assert!(puts * (MIB - KIB) < FORWARDED_BYTES_MAX + MIB, "{puts} MiB are on their way");
    puts
}

fn parked_bytes(core: &Core) -> usize {
    core.parked.iter().map(|put| put.batch.len()).sum()
}

/// The disks of all cores go on, and mail comes and goes, until nothing moves any more.
fn go_on(w: &mut Cores) -> Vec<(u64, Vec<PutRun>)> {
    let mut answers = Vec::new();
    loop {
        for core in &mut w.cores {
            while let Some(work) = core.next_work(w.now, 0, true) {
                match work {
                    Work::Write(slot, write) => core.write_done(slot, &write),
                    Work::Sync(slot, _, end) => core.sync_done(slot, end),
                    Work::Seal(slot, ..) => core.seal_done(slot),
                }
            }
        }
        w.settle();
        let more = w.answers();
        if more.is_empty() {
            return answers;
        }
        answers.extend(more);
    }
}

#[test]
fn what_is_on_its_way_to_a_core_that_cannot_keep_up_is_bounded() {
    let mut w = Cores::new(1);
    let home = w.home_of(0);
    let mut next = 0;
    let mut puts = 0;
    // The home core writes nothing.
    for core in (0..CORES).filter(|core| *core != home) {
        puts += fill(&mut w, core, 0, &mut next);
        while w.deliver(core, home) {}
    }
    let parked = parked_bytes(&w.cores[usize::from(home)]);
    assert!(parked > FORWARDED_BYTES_MAX, "{parked} bytes are parked");
    assert!(parked < usize::from(CORES) * FORWARDED_BYTES_MAX, "{parked} bytes are parked");
    // Neither room in the mailbox nor mail for others makes it more.
    for core in 0..CORES {
        assert!(!try_put(&mut w, core, 9999, 0), "core {core} has no room");
    }
    let answers = go_on(&mut w);
    assert_eq!(answers.len(), puts, "each is answered once");
    assert!(answers.iter().all(|(_, runs)| runs[0].outcome.is_ok()));
    for core in 0..CORES {
        assert!(try_put(&mut w, core, 9999, 0), "core {core} has room again");
    }
}

#[test]
fn cores_that_park_for_each_other_go_on() {
    let mut w = Cores::new(16);
    let mut next = 0;
    let mut puts = 0;
    for core in 0..CORES {
        // The shards of the next core: each waits for one, and one waits for it.
        let shard = (0..16).find(|shard| w.home_of(*shard) == (core + 1) % CORES).unwrap();
        puts += fill(&mut w, core, shard, &mut next);
    }
    for core in 0..CORES {
        while w.deliver(core, (core + 1) % CORES) {}
    }
    assert!(w.cores.iter().all(|core| parked_bytes(core) > FORWARDED_BYTES_MAX / 2));
    let answers = go_on(&mut w);
    assert_eq!(answers.len(), puts);
    assert!(answers.iter().all(|(_, runs)| runs[0].outcome.is_ok()));
    assert!(w.cores.iter().all(|core| core.has_room(MIB) && core.forwarded_bytes == 0));
}

#[test]
fn a_core_that_refuses_puts_sends_no_more_to_one_that_cannot_keep_up() {
    let mut w = Cores::new(1);
    let home = w.home_of(0);
    let core = (home + 1) % CORES;
    let mut next = 0;
    let puts = fill(&mut w, core, 0, &mut next);
    w.cores[usize::from(core)].refuse("the disk is full".into());
    for correlation in 1000..1010 {
        assert!(try_put(&mut w, core, correlation, 0), "a refusal needs no room");
    }
    let refused = w.answers();
    assert_eq!(refused.len(), 10, "at once");
    assert!(refused.iter().all(|(_, runs)| runs[0].outcome == Err(ErrorCode::InternalFailure)));
    assert_eq!(go_on(&mut w).len(), puts, "what was on its way is stored");
}
