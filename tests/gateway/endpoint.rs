//! A server with the AWS endpoint, and its directory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::json;

use crate::call::{Caller, Wire};
use crate::http1::Conn;
use crate::process::{Ended, Server, Setup, new_dir};

/// See the module.
pub struct Endpoint {
    pub server: Server,
    /// The plain port of the AWS API.
    pub addr: SocketAddr,
    /// Where its data dir is.
    pub dir: tempfile::TempDir,
}

impl Endpoint {
    /// With nothing but defaults.
    pub fn start() -> Endpoint {
        Endpoint::with(|setup| setup)
    }

    /// With more options.
    pub fn with(options: impl FnOnce(Setup) -> Setup) -> Endpoint {
        Endpoint::on(new_dir(), options)
    }

    fn on(dir: tempfile::TempDir, options: impl FnOnce(Setup) -> Setup) -> Endpoint {
        let server = options(Setup::new(&dir.path().join("data"))).start();
        let line = server.wait_line("  http ");
        let addr = line.split_whitespace().nth(1).expect("an address").parse().expect("of IP");
        Endpoint { server, addr, dir }
    }

    /// One that the tests that run now have in common. Each uses streams of its own.
    pub fn shared() -> Arc<Endpoint> {
        static SHARED: Mutex<Weak<Endpoint>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Endpoint::start());
        *shared = Arc::downgrade(&started);
        started
    }

    /// A connection that has said nothing yet.
    pub fn connect(&self) -> Conn {
        Conn::connect(self.addr)
    }

    /// A well-behaved client.
    pub fn caller(&self, wire: Wire) -> Caller {
        Caller::new(self.addr, wire)
    }

    /// The same, which speaks JSON.
    pub fn json(&self) -> Caller {
        self.caller(Wire::Json)
    }

    /// Others are served, and nothing has panicked.
    pub fn assert_well(&self) {
        self.json().ok("ListStreams", json!({}));
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Stops it.
    pub fn stop(self) -> Ended {
        self.server.stop()
    }

    /// Waits until it has stopped in order, and starts one on its data dir.
    pub fn restart(self) -> Endpoint {
        let ended = self.server.wait();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        Endpoint::on(self.dir, |setup| setup)
    }
}
