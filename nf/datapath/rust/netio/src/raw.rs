//! Native ESP over a raw socket of IP protocol 50.

use crate::dont_fragment::DontFragment;
use crate::udp::SOCKET_BUFFER_OCTETS;
use crate::{Message, ReceiveBatch, Sent, Transport, owned, sys};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// A raw socket. The kernel writes the outer header; on receipt an IPv4 socket gives it with the packet and it is cut off.
pub struct RawEsp {
    fd: OwnedFd,
    v6: bool,
    whole: DontFragment,
}

impl RawEsp {
    /// `v6`: the family of the socket.
    pub fn new(fd: OwnedFd, v6: bool) -> io::Result<Self> {
        if v6 {
            sys::receive_class(owned(&fd), v6)?; // an IPv4 socket gives the header itself
        }
        let whole = DontFragment::new(owned(&fd), v6)?;
        sys::set_buffers(owned(&fd), SOCKET_BUFFER_OCTETS);
        Ok(Self { fd, v6, whole })
    }
}

impl Transport for RawEsp {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        sys::receive(owned(&self.fd), batch)?;
        if !self.v6 {
            let buf = &batch.buf;
            batch.received.retain_mut(|received| {
                let header = buf.get(received.place.start).map_or(0, |octet| usize::from(octet & 15) * 4);
                received.class = buf.get(received.place.start + 1).copied().unwrap_or_default();
                received.place.start += header;
                received.segment = received.place.len();
                header >= 20 && !received.place.is_empty()
            });
        }
        Ok(())
    }

    fn send(&self, arena: &[u8], messages: &[Message]) -> Sent {
        self.whole.send(owned(&self.fd), arena, messages, false)
    }

    fn segments(&self) -> bool {
        false
    }

    fn fd(&self) -> BorrowedFd<'_> {
        owned(&self.fd)
    }
}
