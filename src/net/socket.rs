//! A connected TCP socket that never blocks.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::iovecs::IoVecs;

/// Outcome of a receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The peer has closed its side.
    Closed,
}

/// Outcome of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// So many bytes.
    Bytes(usize),
    /// The peer's window is full.
    Full,
}

/// A socket. `Send`, so that a core can hand it to another.
#[derive(Debug)]
pub struct Socket(TcpStream);

impl Socket {
    /// Takes over an accepted stream: no blocking, no delay of small frames.
    pub fn new(stream: TcpStream) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Socket(stream))
    }

    /// A second handle of the same connection, for another core.
    pub fn try_clone(&self) -> io::Result<Socket> {
        self.0.try_clone().map(Socket)
    }

    /// The other end.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Tells the peer that nothing more comes.
    pub fn finish(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// Receives into `into`, which is not empty.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Received> {
        // SAFETY: the slice is writable memory of that length.
        unsafe { self.receive_at(into.as_mut_ptr(), into.len()) }
    }

    /// Receives into memory that holds nothing yet; what it says is filled, is.
    pub fn receive_uninit(&self, into: &mut [MaybeUninit<u8>]) -> io::Result<Received> {
        // SAFETY: the slice is writable memory of that length, whatever it holds.
        unsafe { self.receive_at(into.as_mut_ptr().cast(), into.len()) }
    }

    /// Receives behind the bytes of a buffer, until that has `upto` bytes at most.
    pub fn receive_behind(&self, bytes: &mut Vec<u8>, upto: usize) -> io::Result<Received> {
        let len = bytes.len();
        let room = upto.saturating_sub(len);
        bytes.reserve_exact(room);
        // SAFETY: `room` bytes behind `len` are reserved.
        let received =
            unsafe { self.receive_at(bytes.spare_capacity_mut().as_mut_ptr().cast(), room) };
        if let Ok(Received::Bytes(n)) = received {
            // SAFETY: the kernel has filled `n` bytes behind `len`.
            unsafe { bytes.set_len(len + n) };
        }
        received
    }

    /// # Safety
    ///
    /// `at` is writable for `room` bytes.
    unsafe fn receive_at(&self, at: *mut u8, room: usize) -> io::Result<Received> {
        assert!(room > 0, "a receive has room");
        loop {
            let fd = self.0.as_raw_fd();
            // SAFETY: the kernel writes at most `room` bytes, which the caller vouches for.
            let n = unsafe { libc::recv(fd, at.cast(), room, libc::MSG_DONTWAIT) };
            if n > 0 {
                return Ok(Received::Bytes(n as usize));
            }
            if n == 0 {
                return Ok(Received::Closed);
            }
            match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            }
        }
    }

    /// Sends as much of `parts` as fits now, in one system call.
    pub fn send(&self, parts: &mut IoVecs<'_>) -> io::Result<Sent> {
        loop {
            // SAFETY: an all-zero msghdr is valid: no name, no control data.
            let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
            message.msg_iov = parts.as_mut_ptr();
            message.msg_iovlen = parts.len();
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the parts borrow live memory for as long as `parts` exists.
            let n = unsafe { libc::sendmsg(self.0.as_raw_fd(), &message, flags) };
            if n >= 0 {
                return Ok(Sent::Bytes(n as usize));
            }
            match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Full),
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
