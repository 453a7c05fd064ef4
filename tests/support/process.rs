//! A real server process, and what a test may do to it.
//!
//! Every wait ends with what is waited for, or panics at a deadline that only a hang reaches. A
//! guard ends its own process, by its own id, when the test is over.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use shardway::base::ids::CoreId;
use shardway::client::{Client, ConnectOptions};
use shardway::wire::hello::ANY_CORE;

/// Nothing that works takes this long, not even on a loaded machine in a debug build.
pub const HANG: Duration = Duration::from_secs(60);

/// A new directory on a real disk, which direct I/O needs; gone with its guard.
pub fn new_dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written")
}

/// Says on the terminal itself, where the harness keeps nothing back, what was not tested and why.
pub fn skipped(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "!!!!!!!! NOT TESTED: {what}, because {why}");
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: has not happened within {HANG:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The CPUs that this process may use.
pub fn cpus() -> Vec<usize> {
    core_affinity::get_core_ids().expect("Linux says it").into_iter().map(|c| c.id).collect()
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Setup {
    data_dir: PathBuf,
    cores: String,
    args: Vec<String>,
    port: u16,
}

impl Setup {
    /// One core, the smallest journal, any port. Servers take turns with the CPUs.
    pub fn new(data_dir: &Path) -> Setup {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let cpus = cpus();
        let cpu = cpus[NEXT.fetch_add(1, Ordering::Relaxed) % cpus.len()];
        Setup {
            data_dir: data_dir.to_owned(),
            cores: format!("cpu:{cpu}"),
            args: vec!["--journal-file-bytes".into(), "16MiB".into()],
            port: 0,
        }
    }

    /// The first `n` CPUs.
    pub fn cores(mut self, n: u16) -> Setup {
        self.cores = n.to_string();
        self
    }

    /// The value of `--cores` as it is.
    pub fn cores_text(mut self, text: &str) -> Setup {
        text.clone_into(&mut self.cores);
        self
    }

    /// One more flag with its value.
    pub fn flag(mut self, name: &str, value: &str) -> Setup {
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// One more flag without a value.
    #[allow(dead_code, reason = "for the tests of the AWS endpoint")]
    pub fn switch(mut self, name: &str) -> Setup {
        self.args.push(name.to_owned());
        self
    }

    /// This port instead of any.
    pub fn port(mut self, port: u16) -> Setup {
        self.port = port;
        self
    }

    /// The data dir.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn command(&self) -> Command {
        let mut command = shardway();
        command.arg("serve").arg("--data-dir").arg(&self.data_dir);
        command.args(["--cores", &self.cores, "--listen", &format!("127.0.0.1:{}", self.port)]);
        if !self.args.iter().any(|arg| arg == "--http") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        if !self.args.iter().any(|arg| arg == "--admin") {
            command.args(["--admin", "off"]);
        }
        command.args(&self.args);
        command
    }

    /// Starts a server and waits until it is ready.
    pub fn start(&self) -> Server {
        let server = self.spawn();
        server.wait_ready();
        server
    }

    /// Starts a server and does not wait.
    pub fn spawn(&self) -> Server {
        let stderr = self.data_dir.with_extension("stderr");
        let log = fs::File::create(&stderr).expect("a file beside the data dir");
        let mut command = self.command();
        let child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("it was built");
        Server::of(child, stderr)
    }

    /// A start that must fail: its exit code and its stderr.
    pub fn refused(&self) -> (i32, String) {
        let output = run(&mut self.command());
        let (code, stderr) = (exit_code(output.status), text(&output.stderr));
        assert!(code != 0, "the server was to refuse; it said {}", text(&output.stdout));
        (code, stderr)
    }
}

/// The command under test, with nothing of this machine's environment to change it.
pub fn shardway() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHARDWAY_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, and kills it if it has none.
pub fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("built");
    let readers = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = wait_exit(&mut child, &format!("{command:?}"));
    let read = |reader: thread::JoinHandle<Vec<u8>>| reader.join().expect("it only reads");
    Output { status, stdout: read(readers.0), stderr: read(readers.1) }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("it was asked for");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// Bytes as text, for messages.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit code; 128 and the signal's number where one has ended it, as a shell says it.
pub fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().expect("exited or killed"))
}

fn wait_exit(child: &mut Child, what: &str) -> ExitStatus {
    let deadline = Instant::now() + HANG;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status;
        }
        if Instant::now() >= deadline {
            report_hang(child.id());
            let _ = child.kill();
            panic!("{what} has not ended within {HANG:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The lines that a server has printed, and whether there will be more.
#[derive(Debug, Default)]
struct Printed {
    lines: Mutex<(Vec<String>, bool)>,
    news: Condvar,
}

impl Printed {
    fn follow(self: Arc<Self>, stdout: ChildStdout) {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            self.lines.lock().expect("no panic while it is held").0.push(line);
            self.news.notify_all();
        }
        self.lines.lock().expect("no panic while it is held").1 = true;
        self.news.notify_all();
    }

    /// The first line that starts like this; `None` when the output ends without one.
    fn wait_for(&self, start: &str) -> Option<String> {
        let deadline = Instant::now() + HANG;
        let mut lines = self.lines.lock().expect("no panic while it is held");
        loop {
            if let Some(line) = lines.0.iter().find(|line| line.starts_with(start)) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.1 || left.is_zero() {
                return None;
            }
            lines = self.news.wait_timeout(lines, left).expect("no panic while it is held").0;
        }
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().expect("no panic while it is held").0.clone()
    }
}

/// A server process. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    printed: Arc<Printed>,
    stderr: PathBuf,
    over: bool,
}

/// How a server ended.
#[derive(Debug)]
pub struct Ended {
    /// As a shell says it.
    pub code: i32,
    /// All that it printed.
    pub lines: Vec<String>,
    /// Its log.
    pub stderr: String,
}

impl Server {
    fn of(mut child: Child, stderr: PathBuf) -> Server {
        let printed = Arc::new(Printed::default());
        let stdout = child.stdout.take().expect("it was piped");
        thread::spawn({
            let printed = Arc::clone(&printed);
            move || printed.follow(stdout)
        });
        Server { child, printed, stderr, over: false }
    }

    /// Waits for the line that says so.
    pub fn wait_ready(&self) {
        if self.printed.wait_for("Ready in").is_none() {
            report_hang(self.pid());
            panic!("not ready: it printed {:?} and logged {}", self.printed.all(), self.log());
        }
    }

    /// Waits for a line of its output.
    pub fn wait_line(&self, start: &str) -> String {
        let found = self.printed.wait_for(start);
        found.unwrap_or_else(|| panic!("no line {start:?} among {:?}", self.printed.all()))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn addr(&self) -> String {
        let line = self.wait_line("  native ");
        line.split_whitespace().nth(1).expect("an address").to_owned()
    }

    /// Where it listens for HTTP, without and with TLS.
    pub fn http_addrs(&self) -> (Option<String>, Option<String>) {
        self.wait_ready();
        let lines = self.printed.all();
        let of = |name: &str| {
            let line = lines.iter().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1).map(str::to_owned)
        };
        (of("  http "), of("  https "))
    }

    /// Where its admin port is.
    #[allow(dead_code, reason = "for the tests of the admin port")]
    pub fn admin_addr(&self) -> String {
        let line = self.wait_line("  admin ");
        let url = line.split_whitespace().nth(1).expect("an address");
        url.trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    /// What recovery said.
    pub fn recovery(&self) -> String {
        self.wait_line("  recovery ").trim_start().to_owned()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// A connection that any core serves.
    pub fn client(&self) -> Client {
        self.client_on(ANY_CORE)
    }

    /// A connection that this core serves.
    pub fn client_on(&self, core: CoreId) -> Client {
        connect(&self.addr(), core)
    }

    /// Memory that it has in use.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says it");
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("of KiB") * 1024
    }

    /// Sockets that it has open: listeners and connections.
    pub fn sockets(&self) -> usize {
        let fds = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").flatten();
        let targets = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
        targets.filter(|target| target.display().to_string().starts_with("socket:")).count()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill takes no pointers; the child was not waited for, so the id is still its own.
        let sent = unsafe { libc::kill(self.pid() as i32, signal) };
        assert_eq!(sent, 0, "a running child takes signals");
    }

    /// `kill -9`.
    pub fn kill(mut self) -> Ended {
        self.signal(libc::SIGKILL);
        self.end()
    }

    /// SIGTERM, and the wait for what follows from it.
    pub fn stop(self) -> Ended {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Stops it and expects that everything went well.
    pub fn stop_clean(self) {
        let ended = self.stop();
        assert_eq!(ended.code, 0, "a clean stop; it logged {}", ended.stderr);
        let last = ended.lines.last().map_or("", String::as_str);
        assert!(last.starts_with("Stopped; "), "the last line is {last:?}");
    }

    /// Waits until it ends by itself.
    pub fn wait(mut self) -> Ended {
        self.end()
    }

    fn end(&mut self) -> Ended {
        let status = wait_exit(&mut self.child, "the server");
        self.over = true;
        until("the end of its output", || self.printed.lines.lock().expect("held shortly").1);
        Ended { code: exit_code(status), lines: self.printed.all(), stderr: self.log() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if thread::panicking() {
            report_hang(self.pid());
            eprintln!("the server printed {:?} and logged:\n{}", self.printed.all(), self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to a server.
pub fn connect(addr: &str, core: CoreId) -> Client {
    let options = ConnectOptions { wanted_core: core, timeout: HANG, ..ConnectOptions::default() };
    Client::connect(addr, options).expect("the server accepts connections")
}

/// Where the threads of a process are, for whoever has to explain why it does not answer.
fn report_hang(pid: u32) {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|e| e.to_string());
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let path = task.path();
        let name = read(&path.join("comm"));
        eprintln!("thread {} {}", path.display(), name.trim());
        eprintln!("{}\n{}", read(&path.join("syscall")).trim(), read(&path.join("stack")).trim());
    }
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().take(64) {
        let target = fs::read_link(fd.path()).unwrap_or_default();
        let target = target.display().to_string();
        let info = Path::new("/proc").join(pid.to_string()).join("fdinfo").join(fd.file_name());
        let is_event = target.contains("anon_inode");
        let info = if is_event { read(&info) } else { String::new() };
        eprintln!("fd {} -> {target} {}", fd.file_name().display(), info.replace('\n', " | "));
    }
}
