//! A closed shard ends where the catalog says, or the start says what is missing.

use super::*;

/// What a start makes of a closed shard.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It ends where it was closed.
    Whole,
    /// It ends here, and that is no damage.
    Short(u64),
    /// Damage in which this stands; a start that accepts loss ends it here.
    Damage(&'static str, u64),
}
use Outcome::{Damage as Damaged, Short, Whole};

/// Shard 1 of stream 1 has 12 records in 6 batches: 3 batches in segments, all in the journal.
fn closed_shard(dir: &Path) -> Batches {
    let mut server = boot(dir, 1);
    for _ in 0..6 {
        server.put(shard(1, 1), 2, 700);
        server.put(shard(1, 0), 1, 100);
    }
    server.flush(shard(1, 1), 3);
    server.crash()
}

#[test]
fn a_closed_shard_ends_where_it_was_closed_or_the_start_is_refused() {
    const NOTHING: Case<'_> = ("nothing", &|_| {});
    let journals_emptied: Case<'_> = ("power cut takes the journal", &|d| {
        for path in sorted_files(d, "jnl").into_keys() {
            let bytes = vec![0; fs::metadata(&path).unwrap().len() as usize];
            fs::write(path, bytes).unwrap();
        }
    });
    let all_gone: Case<'_> = ("journal and segments gone", &|d| {
        journals_emptied.1(d);
        fs::remove_dir_all(layout::shard_dir(d, shard(1, 1))).unwrap();
    });
    let written = |end| Some(ClosedEnd { end: Seq(end), durable: false });
    let short = "sequences 6 to 12 (exclusive) are missing; proof: it was closed at sequence 12";
    let cases = [
        (NOTHING, closed_at(12), Whole),
        (journals_emptied, closed_at(6), Whole),
        (journals_emptied, closed_at(12), Damaged(short, 6)),
        (all_gone, closed_at(12), Damaged("sequences 0 to 12 (exclusive) are missing", 0)),
        (all_gone, closed_at(0), Whole),
        (NOTHING, closed_at(4), Damaged("records reach up to sequence 12, but it was", 12)),
        (NOTHING, closed_at(8), Damaged("records reach up to sequence 12, but it was", 12)),
        (journals_emptied, closed_at(5), Damaged("records reach up to sequence 6, but", 6)),
        (NOTHING, written(12), Whole),
        (journals_emptied, written(12), Short(6)),
        (all_gone, written(12), Short(0)),
        (NOTHING, written(8), Damaged("records reach up to sequence 12, but it was", 12)),
    ];
    let dir = tempfile::tempdir().unwrap();
    let durable = closed_shard(dir.path());
    for ((what, damage), end, outcome) in cases {
        println!("{what}, closed at {end:?}: {outcome:?}");
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        damage(copy.path());
        let open = (shard(1, 0), None);
        let found = match outcome {
            Whole => end.unwrap().end.0,
            Short(found) => found,
            Damaged(text, found) => {
                let damage = refused_by(copy.path(), &catalog(&[open, (shard(1, 1), end)]));
                assert_eq!(damage.len(), 1, "{damage:#?}");
                assert!(damage[0].to_string().contains(text), "{}", damage[0]);
                found
            }
        };
        let accept = matches!(outcome, Damaged(..));
        let expected = catalog(&[open, (shard(1, 1), end)]);
        let recovered = recover_expecting(copy.path(), &expected, accept).unwrap();
        assert_eq!(recovered.losses.damage.is_empty(), !accept);
        let moved = if outcome == Whole { vec![] } else { vec![(shard(1, 1), Seq(found))] };
        assert_eq!(recovered.moved_ends, moved);
        let back = read_back(copy.path()).remove(&shard(1, 1)).unwrap_or_default();
        let kept = back.last().map_or(0, |b| BatchHeader::decode_stamped(b).unwrap().end().0);
        assert_eq!(kept, found);
        assert_eq!(back, durable[&shard(1, 1)][..back.len()]);
        // Once the catalog knows, everything is in order.
        let told = catalog(&[open, (shard(1, 1), closed_at(found))]);
        let again = recover_expecting(copy.path(), &told, false).unwrap();
        assert_eq!((again.moved_ends, again.losses.damage), (vec![], vec![]));
        let report = check(copy.path(), &checking(&told), &mut NoProgress).unwrap();
        assert!(report.is_sound(), "{:#?}", report.findings);
    }
}

#[test]
fn a_closed_shard_that_lost_its_last_segment_after_a_clean_stop_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    server.segment_bytes = 8192;
    for _ in 0..20 {
        server.put(shard(1, 0), 2, 1500);
    }
    server.stop();
    // No journal and no checkpoint of this start would tell: only the catalog does.
    fs::remove_dir_all(layout::journal_dir(dir.path())).unwrap();
    let (last, _) = sorted_files(dir.path(), "seg").pop_last().unwrap();
    fs::remove_file(&last).unwrap();
    let expected = catalog(&[(shard(1, 0), closed_at(40))]);
    let damage = refused_by(dir.path(), &expected);
    let DamageKind::MissingRecords { until, .. } = damage[0].kind else {
        panic!("{}", damage[0]);
    };
    assert_eq!(until, Seq(40));
    assert!(damage[0].kind.advice().contains("--accept-loss"));
}
