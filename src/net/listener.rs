//! A listening socket on every core, on one port: the kernel spreads new connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::poller::check;
use super::socket::Socket;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A listener that shares its port with those of the other cores.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens on `address`. Port 0 picks a free one, which the other cores then name.
    ///
    /// `first` probes without SO_REUSEPORT, so that a port of another process is an error and not
    /// silently shared.
    pub fn bind(address: SocketAddr, first: bool) -> io::Result<Listener> {
        if first && address.port() != 0 {
            drop(open(address, false)?);
        }
        Ok(Listener(TcpListener::from(open(address, true)?)))
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next waiting connection, or `None`.
    pub fn accept(&self) -> io::Result<Option<Socket>> {
        match self.0.accept() {
            Ok((stream, _)) => Socket::new(stream).map(Some),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // The client gave up while it waited.
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn open(address: SocketAddr, shared: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes no pointers.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    switch_on(&fd, libc::SO_REUSEADDR)?;
    if shared {
        switch_on(&fd, libc::SO_REUSEPORT)?;
    }
    let (storage, len) = encode(address);
    // SAFETY: `storage` holds an address of `len` bytes.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const storage).cast(), len) })?;
    // SAFETY: listen takes no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), BACKLOG) })?;
    Ok(fd)
}

fn switch_on(fd: &OwnedFd, option: i32) -> io::Result<()> {
    let on = 1i32;
    let len = size_of::<i32>() as libc::socklen_t;
    let (fd, value) = (fd.as_raw_fd(), (&raw const on).cast());
    // SAFETY: the option's value is an int that lives through the call.
    check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value, len) }).map(|_| ())
}

fn encode(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all-zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let len = match address {
        SocketAddr::V4(v4) => {
            let encoded = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is large enough and aligned for every address family.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(encoded) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let encoded = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: sockaddr_storage is large enough and aligned for every address family.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(encoded) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, len as libc::socklen_t)
}
