//! Boot recovery against data directories as a crash, a bad disk or a bad hand leaves them.

#[path = "support/log_writer.rs"]
mod log_writer;

use log_writer::*;

#[test]
fn what_was_durable_when_the_server_crashed_is_there_after_boot() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 2);
    for i in 0..30 {
        server.put(shard(1, i % 5), 1 + i % 3, 100 * i as usize);
    }
    server.flush(shard(1, 0), 3);
    let durable = server.crash();
    let server = boot(dir.path(), 2);
    assert_eq!(read_back(dir.path()), durable);
    assert_eq!(server.recovered.stats.batches, 27);
    assert_eq!(server.recovered.stats.torn_tail, None);
    assert_eq!(server.recovered.term.0, 2);
}
