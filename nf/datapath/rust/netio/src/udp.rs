//! UDP-encapsulated ESP (RFC 3948) over a bound UDP socket.

use crate::dont_fragment::DontFragment;
use crate::{Message, ReceiveBatch, Sent, Transport, owned, sys};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Octets of socket buffer to ask for.
pub(crate) const SOCKET_BUFFER_OCTETS: i32 = 4 << 20;

/// A bound UDP socket.
pub struct Udp {
    fd: OwnedFd,
    offload: bool,
    local: SocketAddr,
    whole: DontFragment,
}

impl Udp {
    /// `offload`: UDP_GRO and UDP_SEGMENT. Off is for comparison: in a reuseport group one socket without UDP_GRO takes receive
    /// offload from flows of the others as well.
    pub fn new(fd: OwnedFd, offload: bool) -> io::Result<Self> {
        let local = sys::local_address(owned(&fd))?;
        sys::set_udp_gro(owned(&fd), offload)?;
        sys::receive_class(owned(&fd), local.is_ipv6())?;
        let whole = DontFragment::new(owned(&fd), local.is_ipv6())?;
        sys::set_buffers(owned(&fd), SOCKET_BUFFER_OCTETS);
        Ok(Self { fd, offload, local, whole })
    }

    /// What it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

impl Transport for Udp {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        sys::receive(owned(&self.fd), batch)
    }

    fn send(&self, arena: &[u8], messages: &[Message]) -> Sent {
        self.whole.send(owned(&self.fd), arena, messages, true)
    }

    fn segments(&self) -> bool {
        self.offload
    }

    fn fd(&self) -> BorrowedFd<'_> {
        owned(&self.fd)
    }
}
