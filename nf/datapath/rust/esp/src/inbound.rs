//! Inbound: replay check, verification, decryption, then the window moves.

use crate::{ESP_HEADER_OCTETS, ReplayWindow, Suite};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clear part of an ESP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Security Parameters Index.
    pub spi: u32,
    /// The sequence number's 32 bits on the wire.
    pub sequence: u32,
}

/// SPI and sequence number, or None under 8 octets.
pub fn peek(packet: &[u8]) -> Option<Peek> {
    let (header, _) = packet.split_first_chunk::<ESP_HEADER_OCTETS>()?;
    let [a, b, c, d, e, f, g, h] = *header;
    Some(Peek { spi: u32::from_be_bytes([a, b, c, d]), sequence: u32::from_be_bytes([e, f, g, h]) })
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Too short, no whole number of blocks, or wrong padding.
    Malformed,
    /// Seen before, or left of the window.
    Replay,
    /// The ICV is wrong.
    Integrity,
}

/// A packet that was good: where its payload lies in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Payload octets, without padding.
    pub payload: Range<usize>,
    /// What the payload is.
    pub next_header: u8,
    /// The full sequence number.
    pub sequence: u64,
    /// True when no higher number had come before: only such a packet may move a peer's address.
    pub newest: bool,
}

/// The receiving half of an ESP SA. The window sits behind a lock of its own, held for the check and the move only.
#[derive(Debug)]
pub struct Inbound {
    esn: bool,
    suite: Suite,
    window: Mutex<ReplayWindow>,
}

impl Inbound {
    /// None when the window size is not one of 0, 32..=512.
    pub fn new(esn: bool, suite: Suite, replay_window: u32) -> Option<Self> {
        Some(Self { esn, suite, window: Mutex::new(ReplayWindow::new(replay_window, esn)?) })
    }

    fn window(&self) -> MutexGuard<'_, ReplayWindow> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner) // plain numbers: no half-made state to fear
    }

    /// The highest sequence number that was accepted.
    pub fn sequence(&self) -> u64 {
        self.window().top()
    }

    /// The transforms.
    pub fn suite(&self) -> &Suite {
        &self.suite
    }

    /// Open in place (RFC 4303 section 3.4). What `packet` holds after an error is undefined.
    pub fn open(&self, packet: &mut [u8]) -> Result<Opened, OpenError> {
        let iv_octets = self.suite.iv_octets();
        let prefix = ESP_HEADER_OCTETS + iv_octets;
        let shortest = prefix + self.suite.alignment() + self.suite.icv_octets();
        if packet.len() < shortest || (packet.len() - shortest) % self.suite.alignment() != 0 {
            return Err(OpenError::Malformed);
        }
        let Some(Peek { sequence, .. }) = peek(packet) else { return Err(OpenError::Malformed) };
        let sequence = {
            let window = self.window();
            let sequence = window.infer(sequence).map_err(|_| OpenError::Replay)?;
            window.check(sequence).map_err(|_| OpenError::Replay)?;
            sequence
        };
        let Some((header, rest)) = packet.split_first_chunk_mut::<ESP_HEADER_OCTETS>() else {
            return Err(OpenError::Malformed);
        };
        let (iv, body) = rest.split_at_mut(iv_octets); // in range: `shortest` has the IV in it
        let high = self.esn.then_some((sequence >> 32) as u32);
        let octets = self.suite.unprotect(header, high, iv, body).map_err(|_| OpenError::Integrity)?;
        let newest = self.window().accept(sequence).map_err(|_| OpenError::Replay)?;
        let plain = body.get(..octets).ok_or(OpenError::Malformed)?;
        let (payload, next_header) = unpad(plain).ok_or(OpenError::Malformed)?;
        Ok(Opened { payload: prefix..prefix + payload, next_header, sequence, newest })
    }
}

/// Octets of payload and the next header; None when the padding is not 1, 2, 3, ... (RFC 4303 section 2.4).
fn unpad(plain: &[u8]) -> Option<(usize, u8)> {
    let (rest, &[pad, next_header]) = plain.split_last_chunk::<2>()?;
    let payload = rest.len().checked_sub(usize::from(pad))?;
    let right = rest.get(payload..)?.iter().zip(1u8..=255).all(|(&octet, value)| octet == value);
    right.then_some((payload, next_header))
}
