//! Totals over the life of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// Seen from the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Opens what peers send.
    Inbound,
    /// Seals what the TUN delivers.
    Outbound,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];

    /// Its name in counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Why a packet was dropped. A closed set: metrics have one label value for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Reason {
    /// Inbound: no SA has this SPI.
    UnknownSpi,
    /// Too short, wrong lengths or padding, or no IP packet inside.
    Malformed,
    /// Inbound: seen before, or left of the window.
    Replay,
    /// Inbound: the ICV is wrong.
    Integrity,
    /// Inbound: the inner packet is not what the SA may carry.
    SelectorMismatch,
    /// Outbound: no SPD entry protects it.
    NoPolicy,
    /// The SA's hard lifetime is over.
    Expired,
    /// Outbound: the SA has no sequence numbers left.
    SequenceExhausted,
    /// Outbound: larger than the tunnel takes, and answered with ICMP where that is allowed; or than the path takes.
    TooBig,
    /// No socket has the SA's local address, or the context has no TUN.
    NoRoute,
    /// The kernel refused it.
    SendFailed,
    /// A next header, offload or family that is not carried.
    Unsupported,
    /// Inbound: a dummy packet (RFC 4303 section 2.6), discarded as meant.
    Dummy,
    /// Inbound: a NAT keepalive (RFC 3948 section 2.3), ignored as meant.
    Keepalive,
    /// Inbound: IKE on a data path socket while too much of it waits already.
    IkeOverflow,
    /// Inbound: the path was congested, and the inner sender does not understand ECN (RFC 6040 section 4.2).
    CeOnNotEct,
    /// A bug of ours: a worker panicked over a batch, and went on.
    Panicked,
}

impl Reason {
    /// All.
    pub const ALL: [Self; 17] = [
        Self::UnknownSpi,
        Self::Malformed,
        Self::Replay,
        Self::Integrity,
        Self::SelectorMismatch,
        Self::NoPolicy,
        Self::Expired,
        Self::SequenceExhausted,
        Self::TooBig,
        Self::NoRoute,
        Self::SendFailed,
        Self::Unsupported,
        Self::Dummy,
        Self::Keepalive,
        Self::IkeOverflow,
        Self::CeOnNotEct,
        Self::Panicked,
    ];

    /// Its name in counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownSpi => "unknown-spi",
            Self::Malformed => "malformed",
            Self::Replay => "replay",
            Self::Integrity => "integrity",
            Self::SelectorMismatch => "selector-mismatch",
            Self::NoPolicy => "no-policy",
            Self::Expired => "expired",
            Self::SequenceExhausted => "sequence-exhausted",
            Self::TooBig => "too-big",
            Self::NoRoute => "no-route",
            Self::SendFailed => "send-failed",
            Self::Unsupported => "unsupported",
            Self::Dummy => "dummy",
            Self::Keepalive => "keepalive",
            Self::IkeOverflow => "ike-overflow",
            Self::CeOnNotEct => "ce-on-not-ect",
            Self::Panicked => "panicked",
        }
    }
}

/// Counters that all workers share. Workers add a batch at a time.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    packets: [AtomicU64; 2],
    octets: [AtomicU64; 2],
    drops: [[AtomicU64; Reason::ALL.len()]; 2],
}

impl Totals {
    pub(crate) fn carried(&self, direction: Direction, packets: u64, octets: u64) {
        self.packets[direction as usize].fetch_add(packets, Ordering::Relaxed);
        self.octets[direction as usize].fetch_add(octets, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, direction: Direction, reason: Reason, packets: u64) {
        if packets > 0 {
            self.drops[direction as usize][reason as usize].fetch_add(packets, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self, direction: Direction) -> (u64, u64) {
        let at = direction as usize;
        (self.packets[at].load(Ordering::Relaxed), self.octets[at].load(Ordering::Relaxed))
    }

    pub(crate) fn drops(&self, direction: Direction, reason: Reason) -> u64 {
        self.drops[direction as usize][reason as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_of_its_own() {
        let totals = Totals::default();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            totals.dropped(Direction::Outbound, reason, index as u64 + 1);
        }
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(totals.drops(Direction::Outbound, reason), index as u64 + 1);
            assert_eq!(totals.drops(Direction::Inbound, reason), 0);
        }
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
