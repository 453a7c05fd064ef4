//! Many connections, and connections that change their core.

use std::fs;

use shardway::base::ids::{CoreId, ShardNumber};
use shardway::record::BatchBuilder;

use crate::process::{Server, Setup, connect, cpus, new_dir, skipped, until};
use crate::unlimited;

/// Raises this process's limit of open files as far as it may go; the server inherits it.
fn raise_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only use the struct that they are given.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(1 << 20);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    limit.rlim_cur
}

#[test]
fn thousands_of_connections_are_all_answered_and_all_freed() {
    let limit = raise_file_limit();
    let wanted = 3000.min((limit.saturating_sub(500)) as usize);
    if wanted < 3000 {
        skipped("3000 connections", &format!("{limit} open files allow {wanted}"));
    }
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).cores(cpus().len().min(2) as u16).start();
    let stream = server.client().create_stream("crowd", 2, unlimited()).unwrap();
    let (before, addr) = (server.sockets(), server.addr());
    let mut builder = BatchBuilder::new();
    builder.push("key", None, b"data").unwrap();
    let batch = builder.finish();
    let any = shardway::wire::hello::ANY_CORE;
    let mut clients: Vec<_> = (0..wanted).map(|_| connect(&addr, any)).collect();
    // All at once: every request is on its way before the first answer is looked at.
    for (i, client) in clients.iter_mut().enumerate() {
        client.send_put(stream.summary.uuid, ShardNumber(i as u32 % 2), 1, batch).unwrap();
    }
    for client in &mut clients {
        client.ping().unwrap();
        let answer = client.next_event(crate::process::HANG).unwrap();
        let Some(shardway::client::Incoming::Put { answer, .. }) = answer else {
            panic!("{answer:?} for a put");
        };
        assert!(answer.is_stored());
    }
    assert!(server.sockets() >= wanted);
    println!("{wanted} connections: {} MiB", server.resident_bytes() >> 20);
    let mut stored = 0;
    for shard in [0, 1].map(ShardNumber) {
        stored += crate::oracle::tip_of(&mut clients[0], stream.summary.uuid, shard).0;
    }
    assert_eq!(stored, wanted as u64);
    drop(clients);
    until("the end of all connections", || server.sockets() <= before + 1);
    server.client().ping().unwrap();
    server.stop_clean();
}

/// How often a core's thread was woken.
fn wake_ups(server: &Server, core: usize) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let of = |path: std::path::PathBuf| {
        let comm = fs::read_to_string(path.join("comm")).ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt"))?;
        let name = comm.trim().starts_with(&format!("core-{core}"));
        name.then(|| line.split_whitespace().nth(1)?.parse::<u64>().ok())?
    };
    tasks.filter_map(|task| of(task.unwrap().path())).sum()
}

#[test]
fn a_connection_that_was_handed_over_is_served_by_the_wanted_core_alone() {
    if cpus().len() < 2 {
        skipped("handing over", "two cores need two CPUs");
        return;
    }
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).cores(2).start();
    for wanted in [0, 1] {
        let mut clients: Vec<_> = (0..32).map(|_| server.client_on(CoreId(wanted))).collect();
        assert!(clients.iter().all(|client| client.server().core == CoreId(wanted)));
        let other = usize::from(1 - wanted);
        let (before, pings) = (wake_ups(&server, other), 200 * clients.len() as u64);
        let started = std::time::Instant::now();
        for _ in 0..200 {
            clients.iter_mut().for_each(|client| client.ping().unwrap());
        }
        // The other core ticks 40 times a second. About half of the sockets were its own.
        let ticks = started.elapsed().as_millis() as u64 / 25;
        let woken = wake_ups(&server, other) - before;
        println!("{pings} pings on core {wanted}: core {other} woke {woken} times, {ticks} ticks");
        assert!(woken < pings / 4 + 3 * ticks, "core {other} looks at sockets of core {wanted}");
    }
    // A core that does not exist is no mistake.
    server.client_on(CoreId(77)).ping().unwrap();
}
