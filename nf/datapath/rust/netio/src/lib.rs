//! Devices and transports of the data path: what the packet path needs of them as traits, and Linux behind them.
//!
//! All unsafe code of the workspace is in `sys`, one system call to a function.

mod dont_fragment;
mod dummy;
mod poll;
mod raw;
mod sys;
mod tun;
mod udp;

pub use dummy::{DummyDevice, DummyTransport};
pub use poll::{Poller, Waker};
pub use raw::RawEsp;
pub use tun::Tun;
pub use udp::Udp;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Octets of one receive slot: the largest thing that a socket or a TUN gives at once.
pub const SLOT_OCTETS: usize = 65_536 + 64;

/// A file descriptor of the caller's, duplicated.
pub fn duplicate(fd: i32) -> io::Result<OwnedFd> {
    sys::duplicate(fd)
}

/// One queue of a TUN.
pub trait Device: Send + Sync {
    /// Read one packet, behind its virtio-net header if there is one. WouldBlock when there is none.
    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Write one packet in pieces; the first piece is the virtio-net header, and is left out on a device without.
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()>;
    /// Whether packets have a virtio-net header.
    fn has_header(&self) -> bool;
    /// Whether UDP super-packets may be written; TCP ones may where there is a header.
    fn takes_udp(&self) -> bool;
    /// For polling.
    fn fd(&self) -> BorrowedFd<'_>;
}

/// Where ESP packets come from and go to.
pub trait Transport: Send + Sync {
    /// Receive what waits, as far as `batch` has room. WouldBlock when nothing does.
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()>;
    /// Send; says how each packet fared, in sum.
    fn send(&self, arena: &[u8], messages: &[Message]) -> Sent;
    /// Whether several packets of one size may leave as one message.
    fn segments(&self) -> bool;
    /// For polling.
    fn fd(&self) -> BorrowedFd<'_>;
}

/// One message to send: a place in an arena.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it lies.
    pub place: Range<usize>,
    /// Octets of each packet in it, the last may be shorter; 0 when it is one packet.
    pub segment: usize,
    /// Who gets it; the port is ignored without UDP.
    pub to: SocketAddr,
    /// DSCP and ECN of the outer header.
    pub class: u8,
    /// The outer packet may not be fragmented, here or on its way.
    pub whole: bool,
}

impl Message {
    /// How many packets are in it.
    pub fn packets(&self) -> u64 {
        if self.segment == 0 { 1 } else { self.place.len().div_ceil(self.segment) as u64 }
    }
}

/// How sending went, in packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Handed to the kernel.
    pub sent: u64,
    /// Larger than the path takes.
    pub too_big: u64,
    /// Refused for another reason.
    pub failed: u64,
    /// Messages that are larger than their path takes and may not be fragmented, the last of each receiver.
    pub refused: Vec<Refused>,
}

/// A path that takes less than what was sent on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who was to get it.
    pub to: SocketAddr,
    /// Octets of the largest outer packet that the path takes; 0 when the kernel did not say.
    pub mtu: usize,
    place: Range<usize>,
}

/// What was received: places in the batch's buffer.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it lies: one datagram, or several of `segment` octets joined by the kernel.
    pub place: Range<usize>,
    /// Octets of each datagram; all of it when it is one.
    pub segment: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// DSCP and ECN of the outer header.
    pub class: u8,
}

/// Room for one round of receiving.
pub struct ReceiveBatch {
    /// The octets; `slots` slots of SLOT_OCTETS.
    pub buf: Vec<u8>,
    /// What the last receive filled.
    pub received: Vec<Received>,
    slots: usize,
}

impl ReceiveBatch {
    /// Room for `slots` messages.
    pub fn new(slots: usize) -> Self {
        Self { buf: vec![0; slots * SLOT_OCTETS], received: Vec::with_capacity(slots), slots }
    }
}

/// What all Linux transports and devices are made of.
fn owned(fd: &OwnedFd) -> BorrowedFd<'_> {
    fd.as_fd()
}
