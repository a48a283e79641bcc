//! From the TUN to the peer: look up, split, seal, send.

use crate::answers::Answers;
use crate::context::{Context, Port};
use crate::events::Events;
use crate::sa::OutboundSa;
use crate::sync::lock;
use crate::totals::{Direction, Reason, Totals};
use inner::{Fragments, GsoType, MAX_ANSWER_OCTETS, Segments, VNET_HEADER_OCTETS, VnetHeader};
use lookup::Flow;
use netio::{Device, Message, SLOT_OCTETS};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
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

/// Which SA and socket the packets of a flow take, while the context's generation stays the same.
struct Route {
    generation: u64,
    context: u32,
    key: (IpAddr, IpAddr, u8, Option<(u16, u16)>),
    sa: Arc<OutboundSa>,
    port: Arc<Port>,
    to: SocketAddr,
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
    fn push(&mut self, octets: usize, to: SocketAddr, segments: bool) {
        let place = self.filled..self.filled + octets;
        self.filled = place.end;
        if let (true, false, Some(last)) = (segments, self.closed, self.messages.last_mut()) {
            let size = if last.segment == 0 { last.place.len() } else { last.segment };
            if last.to == to
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
        self.messages.push(Message { place, segment: 0, to });
        self.closed = false;
    }

    fn flush(&mut self, totals: &Totals) {
        if let (Some(port), false) = (&self.port, self.messages.is_empty()) {
            let sent = port.transport.send(&self.arena, &self.messages);
            totals.carried(OUT, sent.sent, self.octets);
            totals.dropped(OUT, Reason::TooBig, sent.too_big);
            totals.dropped(OUT, Reason::SendFailed, sent.failed);
        }
        self.messages.clear();
        self.filled = 0;
        self.octets = 0;
        self.closed = false;
    }
}

/// The state of an outbound worker.
pub(crate) struct OutboundWork {
    totals: Arc<Totals>,
    events: Arc<Events>,
    buf: Vec<u8>,
    pending: Pending,
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
        self.pending.flush(&self.totals);
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
        self.find_route(context, &flow)?;
        let Some(route) = &self.route else { return Err(Reason::NoPolicy) };
        let (sa, port, to) = (route.sa.clone(), route.port.clone(), route.to);
        if self.pending.port.as_ref().is_none_or(|pending| !Arc::ptr_eq(pending, &port)) {
            self.pending.flush(&self.totals);
            self.pending.port = Some(port.clone());
        }
        let mtu = sa.mtu.min(if tun_mtu == 0 { usize::MAX } else { tun_mtu }).max(SMALLEST_MTU);
        // several queues may carry one SA: what is numbered together must leave together
        let order = (!alone).then(|| lock(&sa.order));
        let result = self.protect(&header, packet, &flow, mtu, &sa, &port, to, device);
        if order.is_some() {
            self.pending.flush(&self.totals);
        }
        result
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one packet's whole situation; a struct for it would be built per packet"
    )]
    fn protect(
        &mut self,
        header: &VnetHeader,
        packet: &mut [u8],
        flow: &Flow,
        mtu: usize,
        sa: &OutboundSa,
        port: &Port,
        to: SocketAddr,
        device: &dyn Device,
    ) -> Result<(), Reason> {
        let next_header = if flow.source.is_ipv6() { esp::NEXT_HEADER_IPV6 } else { esp::NEXT_HEADER_IPV4 };
        if header.gso != GsoType::None {
            let segments = Segments::new(header, packet, flow, mtu).map_err(|_| Reason::Malformed)?;
            if segments.longest() > mtu {
                return Err(self.too_big(packet, flow, mtu, device));
            }
            for index in 0..segments.count() {
                let octets = segments.octets(index);
                let sealed = self.seal(sa, port, to, next_header, octets, |out| segments.write(index, out));
                if let Err(reason) = sealed {
                    let rest = segments.count() - index - 1; // the first of those left is counted by our caller
                    self.totals.dropped(OUT, reason, rest as u64);
                    return Err(reason);
                }
            }
            return Ok(());
        }
        if let Some((start, offset)) = header.checksum {
            inner::complete(packet, start.into(), offset.into()).ok_or(Reason::Malformed)?;
        }
        let packet = packet.get(..flow.length).ok_or(Reason::Malformed)?;
        if packet.len() > mtu {
            let Some(fragments) = Fragments::new(packet, mtu) else {
                return Err(self.too_big(packet, flow, mtu, device));
            };
            for index in 0..fragments.count() {
                self.seal(sa, port, to, next_header, mtu, |out| fragments.write(index, out))?;
            }
            return Ok(());
        }
        self.seal(sa, port, to, next_header, packet.len(), |out| {
            out.get_mut(..packet.len())?.copy_from_slice(packet);
            Some(packet.len())
        })
    }

    /// Seal one inner packet, of at most `room` octets, which `put` writes where it is told.
    fn seal(
        &mut self,
        sa: &OutboundSa,
        port: &Port,
        to: SocketAddr,
        next_header: u8,
        room: usize,
        put: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Result<(), Reason> {
        if sa.common.expired() {
            return Err(Reason::Expired);
        }
        let (prefix, sealed_room) = (sa.esp.prefix_octets(), sa.esp.sealed_octets(room));
        if self.pending.filled + sealed_room > self.pending.arena.len() {
            self.pending.flush(&self.totals);
        }
        let start = self.pending.filled;
        let out = self.pending.arena.get_mut(start..start + sealed_room).ok_or(Reason::Unsupported)?;
        let payload = out.get_mut(prefix..prefix + room).and_then(put).ok_or(Reason::Malformed)?;
        let Ok(reserved) = sa.esp.reserve(1) else {
            sa.common.exhaust(&self.events);
            return Err(Reason::SequenceExhausted);
        };
        let (ivs, mut random) = (&mut self.ivs, true);
        let sealed = sa.esp.seal(reserved.first, next_header, out, payload, |iv| random = ivs.fill(iv));
        let octets = sealed.map_err(|_| Reason::Unsupported)?;
        if !random {
            return Err(Reason::Unsupported); // without randomness there is no IV to send it with
        }
        sa.common.carried(payload, self.now, &self.events);
        self.pending.octets += payload as u64;
        self.pending.push(octets, to, port.transport.segments());
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
        self.route = Some(Route { generation, context: context.index, key, sa, port, to: path.to });
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
