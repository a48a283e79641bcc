//! A queue of a Linux TUN.

use crate::{Device, owned, sys};
use std::io::{self, IoSlice};
use std::os::fd::{BorrowedFd, OwnedFd};

/// A queue of a TUN that somebody opened with IFF_TUN | IFF_NO_PI.
pub struct Tun {
    fd: OwnedFd,
    header: bool,
    udp: bool,
}

impl Tun {
    /// `offload`: take super-packets, when the queue was opened with IFF_VNET_HDR.
    pub fn new(fd: OwnedFd, offload: bool) -> io::Result<Self> {
        sys::set_nonblocking(owned(&fd))?;
        let header = sys::tun_has_header(owned(&fd));
        let udp = header && sys::tun_set_offload(owned(&fd), offload)?;
        Ok(Self { fd, header, udp })
    }
}

impl Device for Tun {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        sys::read(owned(&self.fd), buf)
    }

    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let parts = if self.header { parts } else { parts.get(1..).unwrap_or_default() };
        sys::write_parts(owned(&self.fd), parts).map(|_| ())
    }

    fn has_header(&self) -> bool {
        self.header
    }

    fn takes_udp(&self) -> bool {
        self.udp
    }

    fn fd(&self) -> BorrowedFd<'_> {
        owned(&self.fd)
    }
}
