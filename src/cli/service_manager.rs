//! Tells systemd how far the server is, where systemd asks (`Type=notify`).
//!
//! The protocol is a datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names
//! (sd_notify(3)); a name that starts with `@` is abstract. A server that nobody supervises has no
//! such variable, and what cannot be sent is no reason to stop.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Whoever started this process and wants to know.
#[derive(Debug)]
pub(super) struct ServiceManager(Option<OsString>);

impl ServiceManager {
    /// As the environment says.
    pub(super) fn from_env() -> ServiceManager {
        ServiceManager(std::env::var_os("NOTIFY_SOCKET"))
    }

    /// Clients are served.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// What is in flight is answered and written; then the process ends.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=draining into segments\n");
    }

    fn tell(&self, lines: &str) {
        let Some(name) = self.0.as_ref().filter(|name| !name.is_empty()) else { return };
        if let Err(error) = send(name, lines) {
            tracing::warn!(%error, "systemd cannot be told: {lines:?}");
        }
    }
}

fn send(name: &OsString, lines: &str) -> io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(lines.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_socket_in_the_file_system_hears_ready_and_stopping() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = ServiceManager(Some(path.into()));
        manager.ready("2 cores");
        manager.stopping();
        assert_eq!(received(&socket), "READY=1\nSTATUS=2 cores\n");
        assert!(received(&socket).starts_with("STOPPING=1\n"));
    }

    #[test]
    fn an_abstract_socket_hears_it_too() {
        let name = format!("shardway-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        ServiceManager(Some(format!("@{name}").into())).ready("x");
        assert_eq!(received(&socket), "READY=1\nSTATUS=x\n");
    }

    #[test]
    fn nobody_to_tell_is_no_failure() {
        ServiceManager(None).ready("x");
        ServiceManager(Some(OsString::new())).ready("x");
        ServiceManager(Some("/nonexistent/notify".into())).stopping();
    }
}
