//! Waiting for several descriptors, and being woken.

use crate::sys;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Tells which descriptors have something to read. Adding and removing may happen in other threads.
pub struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: sys::epoll_create()? })
    }

    /// Watch a descriptor; `token` names it in what `wait` gives.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        sys::epoll_add(self.epoll.as_fd(), fd, token)
    }

    /// Watch it no more.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        sys::epoll_remove(self.epoll.as_fd(), fd)
    }

    /// Wait until something is readable; the tokens of what is. Empty after a signal.
    pub fn wait(&self, tokens: &mut Vec<u64>) -> io::Result<()> {
        sys::epoll_wait(self.epoll.as_fd(), tokens)
    }
}

/// An eventfd: readable from `wake` until `clear`.
pub struct Waker {
    fd: OwnedFd,
}

impl Waker {
    /// Not readable yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self { fd: sys::eventfd()? })
    }

    /// Make it readable. It cannot fail for long: a full counter is readable as well.
    pub fn wake(&self) {
        let _ = sys::write_parts(self.fd.as_fd(), &[IoSlice::new(&1u64.to_ne_bytes())]);
    }

    /// Make it unreadable.
    pub fn clear(&self) {
        let _ = sys::read(self.fd.as_fd(), &mut [0; 8]);
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The descriptor's number, for a caller who polls in another language.
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}
