//! SAs as the packet path sees them: keys, selectors, lifetimes and counters.

use crate::events::{EventKind, Events};
use crate::sync::{lock, read, write};
use lookup::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

/// When an SA is to be rekeyed and when it ends. Octets are inner octets; time starts at installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// Rekey after this.
    pub soft_time: Option<Duration>,
    /// End after this.
    pub hard_time: Option<Duration>,
    /// Rekey after so many.
    pub soft_octets: Option<u64>,
    /// End after so many: the packet that reaches the limit is the last.
    pub hard_octets: Option<u64>,
    /// Rekey after so many.
    pub soft_packets: Option<u64>,
    /// End after so many.
    pub hard_packets: Option<u64>,
}

const SOFT: u8 = 1;
const HARD: u8 = 2;
const FIRST: u8 = 4;
const EXHAUSTED: u8 = 8;

/// What inbound and outbound SAs have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) id: u64,
    pub(crate) context: u32,
    pub(crate) lifetime: Lifetime,
    pub(crate) installed: Instant,
    pub(crate) packets: AtomicU64,
    pub(crate) octets: AtomicU64,
    pub(crate) replay_drops: AtomicU64,
    pub(crate) integrity_failures: AtomicU64,
    /// Milliseconds from installation to the last packet, plus one; 0 is never.
    used: AtomicU64,
    said: AtomicU8,
}

impl Common {
    pub(crate) fn new(id: u64, context: u32, lifetime: Lifetime) -> Self {
        Self {
            id,
            context,
            lifetime,
            installed: Instant::now(),
            packets: AtomicU64::new(0),
            octets: AtomicU64::new(0),
            replay_drops: AtomicU64::new(0),
            integrity_failures: AtomicU64::new(0),
            used: AtomicU64::new(0),
            said: AtomicU8::new(0),
        }
    }

    pub(crate) fn expired(&self) -> bool {
        self.said.load(Ordering::Relaxed) & HARD != 0
    }

    /// Tell an event that is told once.
    fn once(&self, bit: u8, kind: EventKind, events: &Events) {
        if self.said.load(Ordering::Relaxed) & bit == 0 && self.said.fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            events.push(self.id, kind);
        }
    }

    pub(crate) fn soft_expire(&self, events: &Events) {
        self.once(SOFT, EventKind::SoftExpired, events);
    }

    pub(crate) fn hard_expire(&self, events: &Events) {
        self.once(HARD, EventKind::HardExpired, events);
    }

    pub(crate) fn exhaust(&self, events: &Events) {
        self.once(EXHAUSTED, EventKind::SequenceExhausted, events);
    }

    /// Count a packet that was carried, and say which lifetimes it ended.
    pub(crate) fn carried(&self, octets: usize, now: Instant, events: &Events) {
        let packets = self.packets.fetch_add(1, Ordering::Relaxed) + 1;
        let octets = self.octets.fetch_add(octets as u64, Ordering::Relaxed) + octets as u64;
        let used = now.saturating_duration_since(self.installed).as_millis() as u64 + 1;
        self.used.store(used, Ordering::Relaxed);
        let reached = |limit: Option<u64>, count: u64| limit.is_some_and(|limit| count >= limit);
        if reached(self.lifetime.soft_packets, packets) || reached(self.lifetime.soft_octets, octets) {
            self.soft_expire(events);
        }
        if reached(self.lifetime.hard_packets, packets) || reached(self.lifetime.hard_octets, octets) {
            self.hard_expire(events);
        }
    }

    pub(crate) fn last_used_ago(&self, now: Instant) -> Option<Duration> {
        let used = self.used.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_duration_since(self.installed).saturating_sub(Duration::from_millis(used)))
    }
}

/// Where an SA's packets come from, and whom we told of it.
#[derive(Debug)]
struct Peer {
    expected: Option<SocketAddr>,
    reported: Option<SocketAddr>,
}

/// An SA that opens.
#[derive(Debug)]
pub(crate) struct InboundSa {
    pub(crate) common: Common,
    pub(crate) spi: u32,
    pub(crate) esp: esp::Inbound,
    pub(crate) selectors: Entry<()>,
    peer: Mutex<Peer>,
}

impl InboundSa {
    /// `peer`: address and port of an encapsulated SA; None of a native one, whose packets may come from anywhere.
    pub(crate) fn new(
        common: Common,
        spi: u32,
        esp: esp::Inbound,
        selectors: Entry<()>,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self { common, spi, esp, selectors, peer: Mutex::new(Peer { expected: peer, reported: None }) }
    }

    pub(crate) fn set_peer(&self, peer: Option<SocketAddr>) {
        *lock(&self.peer) = Peer { expected: peer, reported: None };
    }

    pub(crate) fn first_packet(&self, events: &Events) {
        self.common.once(FIRST, EventKind::FirstPacket, events);
    }

    /// A packet, the newest so far, came from `from`: tell a move, once for each new place.
    pub(crate) fn seen_from(&self, from: SocketAddr, events: &Events) {
        let mut peer = lock(&self.peer);
        match peer.expected {
            Some(expected) if expected != from => {
                if peer.reported != Some(from) {
                    peer.reported = Some(from);
                    events.push(self.common.id, EventKind::PeerMoved(from));
                }
            }
            _ => peer.reported = None,
        }
    }
}

/// Outer addresses of an outbound SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) local: IpAddr,
    pub(crate) to: SocketAddr,
    pub(crate) encapsulated: bool,
}

/// The outer header's DF bit (TPL-12). An IPv6 header has none: what would have it is not fragmented by us either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DontFragment {
    /// Clear.
    Clear,
    /// As the inner header has it; an inner IPv6 packet counts as having it.
    Copy,
    /// Set.
    Set,
}

/// What outer packets may be, apart from their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Octets of an inner packet; a larger one is answered with ICMP or, where it may be, fragmented.
    pub mtu: usize,
    /// Octets of an outer packet: an inner one that may be fragmented is, so that it fits; 0 is off (WSG-08).
    pub pre_fragment: usize,
    /// Whether the UDP header counts in `pre_fragment` (QOS-21).
    pub count_udp_header: bool,
    /// Whether outer packets may be fragmented.
    pub dont_fragment: DontFragment,
}

/// An SA that seals.
#[derive(Debug)]
pub(crate) struct OutboundSa {
    pub(crate) common: Common,
    pub(crate) policy_id: u64,
    pub(crate) esp: esp::Outbound,
    pub(crate) sizes: Sizes,
    /// Octets of the largest ESP packet that the kernel took whole: a larger one is sent by itself, so that we still have
    /// its inner packet should it be refused.
    pub(crate) proven: AtomicUsize,
    path: RwLock<Path>,
    /// Held while a run of packets is numbered, sealed and sent, where several workers feed one SA: packets that overtake
    /// each other by more than the peer's window would be lost as replays.
    pub(crate) order: Mutex<()>,
}

impl OutboundSa {
    pub(crate) fn new(common: Common, policy_id: u64, esp: esp::Outbound, sizes: Sizes, path: Path) -> Self {
        let proven = AtomicUsize::new(0);
        Self { common, policy_id, esp, sizes, proven, path: RwLock::new(path), order: Mutex::new(()) }
    }

    pub(crate) fn path(&self) -> Path {
        *read(&self.path)
    }

    pub(crate) fn set_path(&self, path: Path) {
        *write(&self.path) = path;
        self.proven.store(0, Ordering::Relaxed);
    }
}
