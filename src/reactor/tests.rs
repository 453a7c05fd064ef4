use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;

/// Nothing that works takes this long.
const HANG: Duration = Duration::from_secs(60);

fn settings(memory: usize) -> Settings {
    Settings { name: "tested".to_owned(), cpu: None, memory, spin: Duration::ZERO }
}

fn start_core<T: Send + 'static, F: Future<Output = T> + 'static>(
    memory: usize,
    main: impl FnOnce() -> F + Send + 'static,
) -> (JoinHandle<()>, mpsc::Receiver<T>) {
    let (sender, receiver) = mpsc::channel();
    let thread = start(settings(memory), move || {
        let main = main();
        async move { sender.send(main.await).unwrap() }
    });
    (thread.unwrap(), receiver)
}

/// What a core's first task makes, when its thread has ended.
fn on_a_core<T: Send + 'static, F: Future<Output = T> + 'static>(
    memory: usize,
    main: impl FnOnce() -> F + Send + 'static,
) -> T {
    let (thread, receiver) = start_core(memory, main);
    let result = receiver.recv_timeout(HANG).expect("it ends");
    thread.join().unwrap();
    result
}

/// Lets all others run once.
async fn pause() {
    let mut paused = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn tasks_take_turns_and_give_their_results() {
    let seen = on_a_core(0, || async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<Task<usize>> = (0..3)
            .map(|n| {
                let seen = seen.clone();
                spawn(async move {
                    for round in 0..2 {
                        seen.borrow_mut().push((round, n));
                        pause().await;
                    }
                    n * 10
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await);
        }
        (seen.take(), results)
    });
    assert_eq!(seen.0, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(seen.1, [0, 10, 20]);
}

#[test]
fn a_cancelled_task_is_dropped_where_it_stands_and_its_place_is_used_again() {
    struct Dropped(Rc<Cell<u32>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = on_a_core(0, || async {
        let dropped = Rc::new(Cell::new(0));
        for round in 1..=100 {
            let guard = Dropped(dropped.clone());
            let task = spawn(async move {
                sleep(HANG).await;
                drop(guard);
            });
            pause().await;
            task.cancel();
            assert_eq!(dropped.get(), round);
        }
        let ended = spawn(async {});
        pause().await;
        ended.cancel();
        dropped.get()
    });
    assert_eq!(dropped, 100);
}

#[test]
fn sleepers_wake_in_the_order_of_their_times_and_never_early() {
    let woken = on_a_core(0, || async {
        let start = Instant::now();
        let woken = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [30, 10, 20, 0]
            .map(|ms| {
                let woken = woken.clone();
                spawn(async move {
                    sleep(Duration::from_millis(ms)).await;
                    assert!(start.elapsed() >= Duration::from_millis(ms));
                    woken.borrow_mut().push(ms);
                })
            })
            .into();
        for task in tasks {
            task.await;
        }
        woken.take()
    });
    assert_eq!(woken, [0, 10, 20, 30]);
}

#[test]
fn other_threads_wake_a_core_that_sleeps() {
    let sum = on_a_core(0, || async {
        let mut sum = 0;
        for n in 0..1000 {
            sum += blocking(move || n).await;
        }
        sum
    });
    assert_eq!(sum, 499_500);
}

#[test]
fn what_panics_on_the_helper_panics_on_the_core_and_ends_its_thread() {
    let (thread, _) = start_core(0, || blocking(|| panic!("as the test wants")));
    assert!(thread.join().is_err());
}

#[test]
fn bytes_come_back_from_a_file_as_they_were_written() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let path = dir.path().join("file");
    // In registered memory, and beyond it.
    for memory in [0, 1 << 20, 64 << 20] {
        let path = path.clone();
        on_a_core(memory, move || async move {
            let flags = libc::O_RDWR | libc::O_CREAT | libc::O_DIRECT;
            let file = Rc::new(open(&path, flags, 0o600).await.unwrap());
            let writes: Vec<_> = (0..600u64)
                .map(|n| {
                    let file = file.clone();
                    spawn(async move {
                        let mut buffer = Buffer::alloc(8192);
                        buffer.bytes_mut().fill(n as u8);
                        write_at(&file, &Rc::new(buffer), n * 8192).await.unwrap()
                    })
                })
                .collect();
            for write in writes {
                assert_eq!(write.await, 8192);
            }
            sync_data(&file).await.unwrap();
            for n in 0..600u64 {
                let read = read_at(&file, Buffer::alloc(8192), n * 8192).await.unwrap();
                assert!(read.bytes().len() == 8192 && read.bytes().iter().all(|b| *b == n as u8));
            }
            let end = read_at(&file, Buffer::alloc(8192), 600 * 8192).await.unwrap();
            assert!(end.bytes().is_empty());
            close(file).await.unwrap();
            let missing = open(&path.with_extension("none"), libc::O_RDWR, 0).await.unwrap_err();
            assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
        });
    }
}

#[test]
fn an_operation_that_is_given_up_ends_with_the_core() {
    let waited = on_a_core(0, || async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut given_up = 0;
        for _ in 0..1000 {
            let mut waiting = Box::pin(readable(reader.as_fd()));
            let ready = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await;
            given_up += u32::from(!ready);
        }
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        readable(reader.as_fd()).await.unwrap();
        given_up
    });
    assert_eq!(waited, 1000);
}

#[test]
fn a_busy_core_looks_at_its_ring_all_the_same() {
    let done = on_a_core(0, || async {
        let over = Rc::new(Cell::new(false));
        let until = over.clone();
        let busy = spawn(async move {
            while !until.get() {
                pause().await;
            }
        });
        blocking(|| ()).await;
        sleep(Duration::from_millis(5)).await;
        over.set(true);
        busy.await;
        true
    });
    assert!(done);
}
