//! What waits for room is bounded, whatever it waits for.

use super::*;
use crate::base::limits::HELD_BYTES_MAX;
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
