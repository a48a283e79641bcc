//! ESP (RFC 4303) in place: transforms, padding, extended sequence numbers and the anti-replay window.
//!
//! Nothing here does I/O, reads a clock or owns randomness. Octets that came from a peer are only reached through checked
//! slices; a bad packet is an [`OpenError`], never a panic.

#![forbid(unsafe_code)]

mod inbound;
mod outbound;
mod replay;
mod suite;

pub use inbound::{Inbound, OpenError, Opened, Peek, peek};
pub use outbound::{Exhausted, Outbound, Reserved, SealError};
pub use replay::{MAX_WINDOW, MIN_WINDOW, ReplayError, ReplayWindow};
pub use suite::{IvKind, MAX_ICV_OCTETS, MAX_IV_OCTETS, Suite, SuiteError};

/// Octets of SPI and sequence number in front of the IV (RFC 4303 section 2).
pub const ESP_HEADER_OCTETS: usize = 8;

/// Next Header of a dummy packet, which a receiver discards without prejudice (RFC 4303 section 2.6).
pub const NEXT_HEADER_DUMMY: u8 = 59;
/// Next Header of an IPv4 packet in tunnel mode.
pub const NEXT_HEADER_IPV4: u8 = 4;
/// Next Header of an IPv6 packet in tunnel mode.
pub const NEXT_HEADER_IPV6: u8 = 41;
