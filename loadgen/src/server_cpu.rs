//! CPU time of the server for each record: the number that a busy machine disturbs least, and so
//! the first one by which two builds are compared.
//!
//! It is the time of the server's whole process, so that work which moves to another thread does
//! not look like work saved: for a server in this process all time but the calling thread's, for
//! another one the clock of the process that listens at the server's address. A server on another
//! machine, or of another user, has none.

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// The clock of a process in the numbers of clock_gettime(2): the inverted process number, and the
/// kernel's constant for scheduled time (`CPUCLOCK_SCHED`, `linux/posix-timers_types.h`).
const SCHEDULED_TIME: i32 = 2;
/// A listening socket, in the fourth column of `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Reads the server's CPU time at both ends of a run's window.
#[derive(Debug)]
pub struct ServerCpu {
    clock: Option<Clock>,
    start_ns: Option<u64>,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// This process without the calling thread.
    Here,
    /// Another process.
    Process(i32),
}

impl ServerCpu {
    /// Of the server that listens at `address`.
    #[must_use]
    pub fn at(address: SocketAddr) -> ServerCpu {
        ServerCpu { clock: Clock::at(address), start_ns: None }
    }

    /// Where the window begins; what is called later changes nothing.
    pub fn start(&mut self) {
        if self.start_ns.is_none() {
            self.start_ns = self.clock.and_then(Clock::read_ns);
        }
    }

    /// What was spent since then, in ns, where it can be read.
    #[must_use]
    pub fn spent_ns(&self) -> Option<u64> {
        self.clock?.read_ns()?.checked_sub(self.start_ns?)
    }
}

impl Clock {
    fn at(address: SocketAddr) -> Option<Clock> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
        let sockets: Vec<String> = tables
            .iter()
            .flatten()
            .flat_map(|table| table.lines().filter_map(|line| listener(line, address)))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        if has_one("self", &sockets) {
            return Some(Clock::Here);
        }
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.find(|pid: &i32| has_one(&pid.to_string(), &sockets)).map(Clock::Process)
    }

    fn read_ns(self) -> Option<u64> {
        match self {
            Clock::Here => {
                let all = clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)?;
                all.checked_sub(clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)?)
            }
            Clock::Process(pid) => clock_ns((!pid << 3) | SCHEDULED_TIME),
        }
    }
}

fn clock_ns(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call; a clock that does not exist is an error.
    let read = unsafe { libc::clock_gettime(clock, &mut time) };
    (read == 0).then(|| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Whether a process has one of these sockets open.
fn has_one(process: &str, sockets: &[String]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.to_str().is_some_and(|t| sockets.iter().any(|s| s == t)))
}

/// The inode of a line of `/proc/net/tcp`, if something listens there for `address`.
fn listener(line: &str, address: SocketAddr) -> Option<u64> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let (host, port) = local.split_once(':')?;
    let same_port = u16::from_str_radix(port, 16) == Ok(address.port());
    let anyone = host.bytes().all(|byte| byte == b'0');
    let same_host = anyone || host == hex(address.ip());
    // Behind the state: both queues, timer, retransmits, user, timeout; then the inode.
    (same_port && same_host && state == LISTENING).then(|| words.nth(5)?.parse().ok()).flatten()
}

/// An address as the kernel prints it: words of the machine's own byte order.
fn hex(ip: IpAddr) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let word = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().expect("chunks of four"));
    octets.chunks(4).map(|bytes| format!("{:08X}", word(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_process_that_listens_is_found_by_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        assert_eq!(Clock::at(address), Some(Clock::Here));
        drop(listener);
        assert_eq!(Clock::at(address), None);
    }

    #[test]
    fn a_line_of_the_kernels_table_names_address_state_and_inode() {
        let line = "  2: 0100007F:11DA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    1000        0 48123 1 0000000000000000 100 0 0 10 0";
        let at = |text: &str| text.parse().expect("an address");
        assert_eq!(listener(line, at("127.0.0.1:4570")), Some(48123));
        assert_eq!(listener(line, at("127.0.0.2:4570")), None);
        assert_eq!(listener(line, at("127.0.0.1:4571")), None);
        assert_eq!(listener(&line.replace(" 0A ", " 01 "), at("127.0.0.1:4570")), None);
        let any = line.replace("0100007F", "00000000");
        assert_eq!(listener(&any, at("127.0.0.2:4570")), Some(48123));
    }

    #[test]
    fn only_the_work_of_other_threads_counts_as_the_servers() {
        let (before, mut x) = (Clock::Here.read_ns().expect("a clock"), 1_u64);
        let work = |x: &mut u64| (0..20_000_000_u64).for_each(|i| *x = x.wrapping_mul(31) ^ i);
        std::thread::scope(|scope| scope.spawn(|| work(&mut x)).join().expect("it works"));
        let theirs = Clock::Here.read_ns().expect("a clock") - before;
        // SAFETY: takes no pointers.
        let pid = unsafe { libc::getpid() };
        let all = Clock::Process(pid).read_ns().expect("a clock");
        assert!(std::hint::black_box(x) != 0 && theirs > 0);
        assert!(all >= theirs, "the process has the time of all its threads");
    }

    #[test]
    fn time_is_counted_from_the_start_and_without_one_there_is_none() {
        let clock = Some(Clock::Here);
        assert_eq!(ServerCpu { clock, start_ns: None }.spent_ns(), None);
        assert_eq!(ServerCpu { clock: None, start_ns: Some(0) }.spent_ns(), None);
        let mut cpu = ServerCpu { clock, start_ns: None };
        cpu.start();
        let (since, first) = (cpu.spent_ns(), cpu.start_ns);
        cpu.start();
        assert!(since.is_some() && cpu.start_ns == first, "only the first start counts");
    }
}
