//! Devices and transports without a network: the other end is the test's.

use crate::{Device, Message, ReceiveBatch, Received, SLOT_OCTETS, Sent, Transport, owned, sys};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

/// A TUN queue whose kernel side is another one of its kind.
pub struct DummyDevice {
    fd: OwnedFd,
    header: bool,
}

impl DummyDevice {
    /// Two ends: what is written to one is read from the other. With `header`, packets have a virtio-net header.
    pub fn pair(header: bool) -> io::Result<(Self, Self)> {
        let (a, b) = sys::socket_pair()?;
        Ok((Self { fd: a, header }, Self { fd: b, header }))
    }
}

impl Device for DummyDevice {
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
        self.header
    }

    fn fd(&self) -> BorrowedFd<'_> {
        owned(&self.fd)
    }
}

/// A transport whose network is another one of its kind. Everything seems to come from 192.0.2.1 port 4500.
pub struct DummyTransport {
    fd: OwnedFd,
}

impl DummyTransport {
    /// Two ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = sys::socket_pair()?;
        Ok((Self { fd: a }, Self { fd: b }))
    }
}

impl Transport for DummyTransport {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        batch.received.clear();
        let from = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4500));
        for (index, slot) in batch.buf.chunks_exact_mut(SLOT_OCTETS).enumerate() {
            match sys::read(owned(&self.fd), slot) {
                Ok(octets) => {
                    let start = index * SLOT_OCTETS;
                    batch.received.push(Received { place: start..start + octets, segment: octets, from, class: 0 });
                }
                Err(error) if index == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn send(&self, arena: &[u8], messages: &[Message]) -> Sent {
        let mut result = Sent::default();
        for message in messages {
            let whole = arena.get(message.place.clone()).unwrap_or_default();
            let size = if message.segment == 0 { whole.len() } else { message.segment };
            for packet in whole.chunks(size.max(1)) {
                match sys::write_parts(owned(&self.fd), &[IoSlice::new(packet)]) {
                    Ok(_) => result.sent += 1,
                    Err(_) => result.failed += 1,
                }
            }
        }
        result
    }

    fn segments(&self) -> bool {
        true
    }

    fn fd(&self) -> BorrowedFd<'_> {
        owned(&self.fd)
    }
}
