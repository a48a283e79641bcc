//! From the TUN to the peer: look up, split, seal, send.

use crate::answers::Answers;
use crate::context::{Context, Port};
use crate::events::Events;
use crate::paths::Paths;
use crate::sa::{DontFragment, OutboundSa};
use crate::sync::lock;
use crate::totals::{Direction, Reason, Totals};
use inner::{Fragments, GsoType, MAX_ANSWER_OCTETS, Segments, VNET_HEADER_OCTETS, VnetHeader};
use lookup::Flow;
use netio::{Device, Message, SLOT_OCTETS, Sent};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use zeroize::Zeroizing;

const OUT: Direction = Direction::Outbound;
const ARENA_OCTETS: usize = 512 * 1024;
/// Reads before other queues get a turn.
const READS: usize = 64;
/// Packets in one UDP_SEGMENT send (the kernel's older limit), and octets, which must fit one UDP datagram.
const MAX_SEGMENTS: u64 = 64;
const MAX_MESSAGE_OCTETS: usize = 65_000;
/// Whoever answers a too big packet says at least this (RFC 791).
const SMALLEST_MTU: usize = 68;
/// An IPv6 sender is not asked for less (RFC 2473 section 7.1).
const SMALLEST_MTU_V6: usize = 1280;
const UDP_HEADER_OCTETS: usize = 8;

/// Which SA and socket the packets of a flow take, while the context's generation stays the same.
struct Route {
    generation: u64,
    context: u32,
    key: (IpAddr, IpAddr, u8, Option<(u16, u16)>),
    sa: Arc<OutboundSa>,
    port: Arc<Port>,
    to: SocketAddr,
    /// Octets of the outer IP and UDP headers.
    overhead: usize,
    /// Octets of an inner packet that may be fragmented.
    pre_fragment: usize,
}

/// What one outer header says.
#[derive(Clone, Copy)]
struct Outer {
    to: SocketAddr,
    class: u8,
    whole: bool,
}

/// How long an inner packet may be.
#[derive(Clone, Copy)]
struct Limits {
    /// Any.
    mtu: usize,
    /// One that may be fragmented; at most `mtu`.
    cut: usize,
}

/// Why a packet was not sent.
enum Lost {
    /// Give up on it.
    Dropped(Reason),
    /// The kernel refused its first part as larger than the path.
    Refused,
}

impl From<Reason> for Lost {
    fn from(reason: Reason) -> Self {
        Self::Dropped(reason)
    }
}

/// IVs that nobody can predict, drawn many at a time.
struct RandomIvs {
    octets: Zeroizing<Vec<u8>>,
    used: usize,
}

impl RandomIvs {
    const DRAW: usize = 4096;

    fn new() -> Self {
        Self { octets: Zeroizing::new(vec![0; Self::DRAW]), used: Self::DRAW }
    }

    /// False when the system has no randomness to give.
    fn fill(&mut self, iv: &mut [u8]) -> bool {
        if self.used + iv.len() > self.octets.len() {
            if aws_lc_rs::rand::fill(&mut self.octets).is_err() {
                return false;
            }
            self.used = 0;
        }
        match self.octets.get(self.used..self.used + iv.len()) {
            Some(from) => iv.copy_from_slice(from),
            None => return false,
        }
        self.used += iv.len();
        true
    }
}

/// Packets that are sealed and not sent yet; all leave by one socket.
struct Pending {
    arena: Vec<u8>,
    filled: usize,
    messages: Vec<Message>,
    /// The last message may take no further packet.
    closed: bool,
    port: Option<Arc<Port>>,
    octets: u64,
}

impl Pending {
    /// Note the packet of `octets` octets that now lies at the end of what is filled.
    fn push(&mut self, octets: usize, outer: Outer, segments: bool) {
        let Outer { to, class, whole } = outer;
        let place = self.filled..self.filled + octets;
        self.filled = place.end;
        if let (true, false, Some(last)) = (segments, self.closed, self.messages.last_mut()) {
            let size = if last.segment == 0 { last.place.len() } else { last.segment };
            if last.to == to
                && last.class == class
                && last.whole == whole
                && octets <= size
                && last.place.end == place.start
                && last.packets() < MAX_SEGMENTS
                && last.place.len() + octets <= MAX_MESSAGE_OCTETS
            {
                last.segment = size;
                last.place.end = place.end;
                self.closed = octets < size; // a shorter packet must be the last of its group
                return;
            }
        }
        self.messages.push(Message { place, segment: 0, to, class, whole });
        self.closed = false;
    }

    /// Send all. What was too big is for the caller to count.
    fn flush(&mut self, totals: &Totals) -> Sent {
        let mut sent = Sent::default();
        if let (Some(port), false) = (&self.port, self.messages.is_empty()) {
            sent = port.transport.send(&self.arena, &self.messages);
            totals.carried(OUT, sent.sent, self.octets);
            totals.dropped(OUT, Reason::SendFailed, sent.failed);
        }
        self.messages.clear();
        self.filled = 0;
        self.octets = 0;
        self.closed = false;
        sent
    }
}

/// The state of an outbound worker.
pub(crate) struct OutboundWork {
    totals: Arc<Totals>,
    events: Arc<Events>,
    buf: Vec<u8>,
    pending: Pending,
    /// The context of what is pending.
    context: u32,
    paths: Paths,
    /// One segment that is to be fragmented.
    scratch: Vec<u8>,
    route: Option<Route>,
    ivs: RandomIvs,
    answers: Answers,
    now: Instant,
}

impl OutboundWork {
    pub(crate) fn new(totals: Arc<Totals>, events: Arc<Events>) -> Self {
        let pending = Pending {
            arena: vec![0; ARENA_OCTETS],
            filled: 0,
            messages: Vec::new(),
            closed: false,
            port: None,
            octets: 0,
        };
        Self {
            totals,
            events,
            buf: vec![0; SLOT_OCTETS + VNET_HEADER_OCTETS],
            pending,
            context: 0,
            paths: Paths::default(),
            scratch: Vec::new(),
            route: None,
            ivs: RandomIvs::new(),
            answers: Answers::new(Instant::now()),
            now: Instant::now(),
        }
    }

    /// Work off what waits in one queue, up to a limit.
    pub(crate) fn turn(&mut self, context: &Context, device: &dyn Device, mtu: usize, alone: bool) -> io::Result<()> {
        self.now = Instant::now();
        let mut buf = std::mem::take(&mut self.buf);
        let mut result = Ok(());
        for reads in 0..READS {
            match device.read(&mut buf) {
                Ok(octets) => {
                    if let Err(reason) = self.packet(context, device, &mut buf[..octets], mtu, alone) {
                        self.totals.dropped(OUT, reason, 1);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if reads == 0 => {
                    result = Err(error);
                    break;
                }
                Err(_) => break,
            }
        }
        self.buf = buf;
        self.flush();
        self.pending.port = None;
        result
    }

    /// Forget what a panic may have left half done.
    pub(crate) fn reset(&mut self) {
        let (totals, events) = (self.totals.clone(), self.events.clone());
        *self = Self::new(totals, events);
    }

    /// Drop what is kept of SAs, so that a removed one's keys are not held on to.
    pub(crate) fn forget(&mut self) {
        self.route = None;
    }

    fn packet(
        &mut self,
        context: &Context,
        device: &dyn Device,
        octets: &mut [u8],
        tun_mtu: usize,
        alone: bool,
    ) -> Result<(), Reason> {
        let (header, packet) = if device.has_header() {
            let header = VnetHeader::decode(octets).ok_or(Reason::Unsupported)?;
            (header, octets.get_mut(VNET_HEADER_OCTETS..).ok_or(Reason::Malformed)?)
        } else {
            (VnetHeader::default(), octets)
        };
        let flow = Flow::parse(packet).map_err(|_| Reason::Malformed)?;
        if let (GsoType::None, Some((start, offset))) = (header.gso, header.checksum) {
            inner::complete(packet, start.into(), offset.into()).ok_or(Reason::Malformed)?;
        }
        let packet: &[u8] = packet;
        self.find_route(context, &flow)?;
        let Some(route) = &self.route else { return Err(Reason::NoPolicy) };
        let (sa, port, to) = (route.sa.clone(), route.port.clone(), route.to);
        let (overhead, pre_fragment) = (route.overhead, route.pre_fragment);
        if self.pending.port.as_ref().is_none_or(|pending| !Arc::ptr_eq(pending, &port)) {
            self.flush();
            self.pending.port = Some(port.clone());
            self.context = context.index;
        }
        let uncut = inner::dont_fragment(packet);
        let whole = match sa.sizes.dont_fragment {
            DontFragment::Clear => false,
            DontFragment::Copy => uncut,
            DontFragment::Set => true,
        };
        let mut outer = Outer { to, class: inner::traffic_class(packet), whole };
        let mut limits = Limits { mtu: sa.sizes.mtu.min(if tun_mtu == 0 { usize::MAX } else { tun_mtu }), cut: 0 };
        // several queues may carry one SA: what is numbered together must leave together
        let order = (!alone).then(|| lock(&sa.order));
        let mut path_mtu = if whole { self.paths.mtu(context.index, to.ip(), self.now) } else { None };
        let result = loop {
            if let Some(path_mtu) = path_mtu {
                let room = sa.esp.payload_room(path_mtu.saturating_sub(overhead));
                let smallest = if flow.source.is_ipv6() { SMALLEST_MTU_V6 } else { SMALLEST_MTU };
                limits.mtu = limits.mtu.min(room.max(smallest));
                outer.whole = room >= smallest; // a sender cannot make its packets smaller than that
            }
            limits.mtu = limits.mtu.max(SMALLEST_MTU);
            limits.cut = if uncut { limits.mtu } else { limits.mtu.min(pre_fragment).max(SMALLEST_MTU) };
            let result = self.protect(&header, packet, &flow, limits, &sa, &port, outer, device);
            if !matches!(result, Err(Lost::Refused)) {
                break result;
            }
            // nothing of it was sent: what fits may be, and its sender gets an answer
            let learnt = self.paths.mtu(context.index, to.ip(), self.now);
            if learnt.is_none() || learnt == path_mtu {
                break result; // there is nothing to be learnt from the kernel
            }
            path_mtu = learnt;
        };
        if order.is_some() {
            self.flush();
        }
        result.map_err(|lost| match lost {
            Lost::Dropped(reason) => reason,
            Lost::Refused => Reason::TooBig,
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one packet's whole situation; a struct for it would be built per packet"
    )]
    fn protect(
        &mut self,
        header: &VnetHeader,
        packet: &[u8],
        flow: &Flow,
        limits: Limits,
        sa: &OutboundSa,
        port: &Port,
        outer: Outer,
        device: &dyn Device,
    ) -> Result<(), Lost> {
        let next_header = if flow.source.is_ipv6() { esp::NEXT_HEADER_IPV6 } else { esp::NEXT_HEADER_IPV4 };
        if header.gso != GsoType::None {
            let segments = Segments::new(header, packet, flow, limits.cut).map_err(|_| Reason::Malformed)?;
            let large = segments.longest() > limits.cut;
            if large && (segments.longest() > limits.mtu && inner::dont_fragment(packet)) {
                return Err(self.too_big(packet, flow, limits.mtu, device).into());
            }
            for index in 0..segments.count() {
                let octets = segments.octets(index);
                let sealed = if large && octets > limits.cut {
                    let mut segment = std::mem::take(&mut self.scratch);
                    segment.resize(octets, 0);
                    let written = segments.write(index, &mut segment).ok_or(Reason::Malformed);
                    let sealed = written
                        .map_err(Lost::from)
                        .and_then(|_| self.whole_or_cut(&segment, flow, limits, sa, port, outer, device));
                    self.scratch = segment;
                    sealed
                } else {
                    self.seal(sa, port, outer, next_header, octets, |out| segments.write(index, out))
                };
                if let Err(lost) = sealed {
                    let (reason, lost) = match lost {
                        Lost::Refused if index == 0 => return Err(lost),
                        Lost::Refused => (Reason::TooBig, Lost::Dropped(Reason::TooBig)),
                        Lost::Dropped(reason) => (reason, lost),
                    };
                    let rest = segments.count() - index - 1; // the first of those left is counted by our caller
                    self.totals.dropped(OUT, reason, rest as u64);
                    return Err(lost);
                }
            }
            return Ok(());
        }
        let packet = packet.get(..flow.length).ok_or(Reason::Malformed)?;
        self.whole_or_cut(packet, flow, limits, sa, port, outer, device)
    }

    /// Seal a packet, in fragments where it is too large and that is allowed.
    #[expect(clippy::too_many_arguments, reason = "as for `protect`")]
    fn whole_or_cut(
        &mut self,
        packet: &[u8],
        flow: &Flow,
        limits: Limits,
        sa: &OutboundSa,
        port: &Port,
        outer: Outer,
        device: &dyn Device,
    ) -> Result<(), Lost> {
        let next_header = if flow.source.is_ipv6() { esp::NEXT_HEADER_IPV6 } else { esp::NEXT_HEADER_IPV4 };
        if packet.len() > limits.cut {
            match Fragments::new(packet, limits.cut) {
                Some(fragments) => {
                    for index in 0..fragments.count() {
                        let put = |out: &mut [u8]| fragments.write(index, out);
                        self.seal(sa, port, outer, next_header, fragments.longest(), put).map_err(
                            |lost| match lost {
                                Lost::Refused if index > 0 => Lost::Dropped(Reason::TooBig),
                                _ => lost,
                            },
                        )?;
                    }
                    return Ok(());
                }
                None if packet.len() > limits.mtu => {
                    return Err(self.too_big(packet, flow, limits.mtu, device).into());
                }
                None => {}
            }
        }
        self.seal(sa, port, outer, next_header, packet.len(), |out| {
            out.get_mut(..packet.len())?.copy_from_slice(packet);
            Some(packet.len())
        })
    }

    /// Send what is pending, and remember which paths refused something.
    fn flush(&mut self) {
        let sent = self.pending.flush(&self.totals);
        self.totals.dropped(OUT, Reason::TooBig, sent.too_big);
        self.learn(&sent);
    }

    fn learn(&mut self, sent: &Sent) {
        for refused in &sent.refused {
            if refused.mtu > 0 {
                self.paths.learn(self.context, refused.to.ip(), refused.mtu, self.now);
            }
        }
    }

    /// Seal one inner packet, of at most `room` octets, which `put` writes where it is told.
    fn seal(
        &mut self,
        sa: &OutboundSa,
        port: &Port,
        outer: Outer,
        next_header: u8,
        room: usize,
        put: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Result<(), Lost> {
        if sa.common.expired() {
            return Err(Reason::Expired.into());
        }
        let (prefix, sealed_room) = (sa.esp.prefix_octets(), sa.esp.sealed_octets(room));
        let untried = outer.whole && sealed_room > sa.proven.load(Ordering::Relaxed);
        if untried || self.pending.filled + sealed_room > self.pending.arena.len() {
            self.flush();
        }
        let start = self.pending.filled;
        let out = self.pending.arena.get_mut(start..start + sealed_room).ok_or(Reason::Unsupported)?;
        let payload = out.get_mut(prefix..prefix + room).and_then(put).ok_or(Reason::Malformed)?;
        let Ok(reserved) = sa.esp.reserve(1) else {
            sa.common.exhaust(&self.events);
            return Err(Reason::SequenceExhausted.into());
        };
        let (ivs, mut random) = (&mut self.ivs, true);
        let sealed = sa.esp.seal(reserved.first, next_header, out, payload, |iv| random = ivs.fill(iv));
        let octets = sealed.map_err(|_| Reason::Unsupported)?;
        if !random {
            return Err(Reason::Unsupported.into()); // without randomness there is no IV to send it with
        }
        sa.common.carried(payload, self.now, &self.events);
        self.pending.octets += payload as u64;
        self.pending.push(octets, outer, port.transport.segments());
        if untried {
            let sent = self.pending.flush(&self.totals);
            self.learn(&sent);
            if sent.too_big > 0 {
                return Err(Lost::Refused); // counted by whoever gives up on it
            }
            sa.proven.fetch_max(octets, Ordering::Relaxed);
        }
        Ok(())
    }

    fn find_route(&mut self, context: &Context, flow: &Flow) -> Result<(), Reason> {
        let key = (flow.source, flow.destination, flow.protocol, flow.ports);
        let generation = context.generation();
        if let Some(route) = &self.route {
            if route.generation == generation && route.context == context.index && route.key == key {
                return Ok(());
            }
        }
        self.route = None;
        let sa = context.find(flow).ok_or(Reason::NoPolicy)?;
        let path = sa.path();
        let port = context.port(path.local, path.encapsulated).ok_or(Reason::NoRoute)?;
        let overhead = if path.to.is_ipv6() { 40 } else { 20 } + if path.encapsulated { UDP_HEADER_OCTETS } else { 0 };
        let pre_fragment = match sa.sizes.pre_fragment {
            0 => usize::MAX,
            octets if path.encapsulated && !sa.sizes.count_udp_header => octets + UDP_HEADER_OCTETS,
            octets => octets,
        };
        let pre_fragment = match pre_fragment {
            usize::MAX => usize::MAX,
            octets => sa.esp.payload_room(octets.saturating_sub(overhead)),
        };
        let to = path.to;
        self.route = Some(Route { generation, context: context.index, key, sa, port, to, overhead, pre_fragment });
        Ok(())
    }

    /// Answer a packet that is too big, where an answer is allowed and not too many were given of late.
    fn too_big(&mut self, packet: &[u8], flow: &Flow, mtu: usize, device: &dyn Device) -> Reason {
        let mut answer = [0; MAX_ANSWER_OCTETS];
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        if let (true, Some(octets)) =
            (self.answers.take(self.now), inner::packet_too_big(packet, flow, mtu, &mut answer))
        {
            let header = VnetHeader::default().encode(false);
            // a TUN that takes no answer loses it: the sender will try again
            let _ = device.write(&[IoSlice::new(&header), IoSlice::new(answer.get(..octets).unwrap_or_default())]);
        }
        Reason::TooBig
    }
}
