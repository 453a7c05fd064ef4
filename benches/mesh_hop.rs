//! What does it cost to hand a batch to another core?
//!
//! Resource: CPU of both cores, once for each batch that arrives at a core which is not its home.
//! Floor: a push and a pop of a bounded queue whose lines both cores touch, 20 to 100 ns; and,
//! where the receiver has gone to sleep, one write and one read of an eventfd, about 1 us of system
//! calls, and the wake-up of a CPU: a few us on iron, tens of us in a virtual machine.

use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use criterion::{Criterion, Throughput};
use shardway::base::ids::CoreId;
use shardway::mesh::{Endpoint, connect};

const HERE: CoreId = CoreId(0);
const THERE: CoreId = CoreId(1);
/// What a core posts in one turn while it is busy.
const BURST: u64 = 64;

/// A message of the size of those that carry a batch: a few words and a pointer.
type Message = [u64; 8];

/// Both ends on one thread: what queue and bell cost, without a wake-up.
fn post_and_take(c: &mut Criterion) {
    let ends = connect::<Message>(2).expect("eventfds can be made");
    let mut group = c.benchmark_group("mesh_hop");
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("64 messages and one ring", |b| {
        b.iter(|| {
            for i in 0..BURST {
                ends[0].send(THERE, black_box([i; 8])).expect("the mailbox has room");
            }
            ends[1].listen();
            while let Some(message) = ends[1].receive(HERE) {
                black_box(message);
            }
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("one message and one ring", |b| {
        b.iter(|| {
            ends[0].send(THERE, black_box([7; 8])).expect("the mailbox has room");
            ends[1].listen();
            ends[1].receive(HERE)
        });
    });
    group.finish();
}

/// There and back between two CPUs that sleep in between: two hops with their wake-ups.
fn there_and_back(c: &mut Criterion) {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    let mut ends = connect::<Message>(2).expect("eventfds can be made");
    let (far, near) = (ends.pop().expect("two"), ends.pop().expect("two"));
    let [first, .., last] = cpus[..] else { return };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            core_affinity::set_for_current(last);
            while wait(&far, HERE) != [0; 8] {
                far.send(HERE, [1; 8]).expect("the mailbox has room");
            }
        });
        core_affinity::set_for_current(first);
        let mut group = c.benchmark_group("mesh_hop");
        group.bench_function("there and back, both asleep", |b| {
            b.iter_custom(|times| {
                let started = Instant::now();
                for _ in 0..times {
                    near.send(THERE, [1; 8]).expect("the mailbox has room");
                    wait(&near, THERE);
                }
                started.elapsed()
            });
        });
        group.finish();
        near.send(THERE, [0; 8]).expect("the mailbox has room");
    });
}

/// Sleeps until a message is there.
fn wait(end: &Endpoint<Message>, from: CoreId) -> Message {
    loop {
        end.listen();
        if let Some(message) = end.receive(from) {
            return message;
        }
        let events = libc::POLLIN;
        let mut bell = libc::pollfd { fd: end.as_fd().as_raw_fd(), events, revents: 0 };
        // SAFETY: one entry, which outlives the call.
        unsafe { libc::poll(&mut bell, 1, -1) };
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    post_and_take(&mut criterion);
    there_and_back(&mut criterion);
    criterion.final_summary();
}
