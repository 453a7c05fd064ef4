//! A server in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};

/// A server that does not end for so long after it was asked to hangs.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// An ended process is looked for so often.
const LOOK: Duration = Duration::from_millis(1);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
    http: Option<SocketAddr>,
    /// From the call to the line that says it is ready.
    pub started_in: Duration,
    /// Stays open: the server has more to say when it stops.
    _output: BufReader<ChildStdout>,
}

/// Where the server's program is.
pub fn program(wanted: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = wanted {
        return Ok(path.to_owned());
    }
    let own = std::env::current_exe().map_err(Failure::io("finding this program"))?;
    let beside = own.with_file_name("shardway");
    if beside.is_file() {
        return Ok(beside);
    }
    let what = format!("{} does not exist; build it, or use --program", beside.display());
    Err(Failure::Usage(what))
}

impl ServerProcess {
    /// Starts a server on one CPU and waits until it is ready. `http` is the value of its option:
    /// an address, or `off`.
    pub fn start(program: &Path, data_dir: &Path, cpu: usize, http: &str) -> Result<ServerProcess> {
        let doing = format!("starting {}", program.display());
        let start = Instant::now();
        let mut child = Command::new(program)
            .arg("serve")
            // Several run at once. As a variable: a server that is too old for it runs, too.
            .env("SHARDWAY_ADMIN", "off")
            .args(["--http", http])
            .args(["--listen", "127.0.0.1:0", "--log", "error"])
            .args(["--cores", &format!("cpu:{cpu}")])
            .arg("--data-dir")
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::io(&doing))?;
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (mut address, mut api, mut line) = (None, None, String::new());
        while !line.starts_with("Ready") {
            line.clear();
            let read = output.read_line(&mut line).map_err(Failure::io(&doing))?;
            if read == 0 {
                let status = child.wait().map_err(Failure::io(&doing))?;
                return Err(Failure::Usage(format!("the server does not start: {status}")));
            }
            address = address.or_else(|| address_of("native", &line));
            api = api.or_else(|| address_of("http", &line));
        }
        let started_in = start.elapsed();
        let unknown = || Failure::Usage("the server does not say where it listens".to_owned());
        let address = address.ok_or_else(unknown)?;
        Ok(ServerProcess { child, address, http: api, started_in, _output: output })
    }

    /// Where it takes native connections.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it takes requests of the AWS API.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory now and at most so far, in bytes.
    pub fn memory(&self) -> Result<(u64, u64)> {
        memory_of(self.child.id())
    }

    /// Asks it to stop, waits until it has, and says how long that took.
    pub fn stop(mut self) -> Result<Duration> {
        let start = Instant::now();
        let pid = libc::pid_t::try_from(self.child.id()).expect("process numbers are positive");
        // SAFETY: takes numbers only; the process is ours and was not waited for, so its number is
        // still its own.
        let sent = unsafe { libc::kill(pid, libc::SIGTERM) };
        if sent != 0 {
            return Err(Failure::io("stopping the server")(std::io::Error::last_os_error()));
        }
        while start.elapsed() < STOP_TIMEOUT {
            match self.child.try_wait().map_err(Failure::io("stopping the server"))? {
                Some(status) if status.success() => return Ok(start.elapsed()),
                Some(status) => {
                    return Err(Failure::Stalled(format!("the server ended: {status}")));
                }
                None => std::thread::sleep(LOOK),
            }
        }
        Err(Failure::Stalled(format!("the server does not stop within {STOP_TIMEOUT:?}")))
    }

    /// Ends it at once, as a crash would.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory of a process, now and at most so far, in bytes.
pub fn memory_of(pid: u32) -> Result<(u64, u64)> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(Failure::io(&path))?;
    let field = |name| kib(&status, name).map(|kib| kib << 10);
    let unknown = || Failure::Usage(format!("{path} does not say how much memory is used"));
    field("VmRSS").zip(field("VmHWM")).ok_or_else(unknown)
}

/// The address in a line such as `  native    127.0.0.1:4570`.
fn address_of(what: &str, line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix(what)?.trim().parse().ok()
}

/// The value of a line such as `VmRSS:      1234 kB`.
fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_among_the_lines_of_a_start() {
        assert_eq!(address_of("native", "  data      /native/dir\n"), None);
        let address = address_of("native", "  native    127.0.0.1:40123\n");
        assert_eq!(address, Some(SocketAddr::from(([127, 0, 0, 1], 40123))));
    }

    #[test]
    fn memory_is_read_from_the_kernels_table() {
        let status = "Name:\tshardway\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!((kib(status, "VmRSS"), kib(status, "VmHWM")), (Some(10240), Some(20480)));
        assert_eq!(kib(status, "Vm"), None);
    }
}
