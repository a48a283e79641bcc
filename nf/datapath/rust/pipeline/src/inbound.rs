//! From the peer to the TUN: tell apart, look up, open, check, merge, write.

use crate::context::{Context, Port, TunSet};
use crate::events::{Events, ForeignIke};
use crate::sa::InboundSa;
use crate::totals::{Direction, Reason, Totals};
use esp::OpenError;
use inner::{Merger, VnetHeader};
use lookup::{Flow, Sad};
use netio::{Device, ReceiveBatch, Received};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const IN: Direction = Direction::Inbound;
const SLOTS: usize = 16;
/// Rounds of receiving before other sockets get a turn.
const ROUNDS: usize = 4;
const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// The SAD with the number of its last change.
#[derive(Default)]
pub(crate) struct SharedSad {
    pub(crate) table: Sad<InboundSa>,
    pub(crate) generation: AtomicU64,
}

/// The SA that was found last.
struct Found {
    generation: u64,
    context: u32,
    sa: Arc<InboundSa>,
}

/// The state of an inbound worker.
pub(crate) struct InboundWork {
    index: usize,
    totals: Arc<Totals>,
    events: Arc<Events>,
    sad: Arc<SharedSad>,
    batch: ReceiveBatch,
    merger: Merger,
    found: Option<Found>,
    now: Instant,
}

impl InboundWork {
    pub(crate) fn new(index: usize, totals: Arc<Totals>, events: Arc<Events>, sad: Arc<SharedSad>) -> Self {
        Self {
            index,
            totals,
            events,
            sad,
            batch: ReceiveBatch::new(SLOTS),
            merger: Merger::new(),
            found: None,
            now: Instant::now(),
        }
    }

    /// Work off what waits in one socket, up to a limit.
    pub(crate) fn turn(&mut self, context: &Context, port: &Port) -> io::Result<()> {
        self.now = Instant::now();
        let mut batch = std::mem::replace(&mut self.batch, ReceiveBatch::new(0));
        let mut result = Ok(());
        for round in 0..ROUNDS {
            match port.transport.receive(&mut batch) {
                Ok(()) => {
                    let full = batch.received.len() >= SLOTS;
                    self.batch(context, port, &mut batch);
                    if !full {
                        break; // nothing waits: polling says when there is more
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    if round == 0 {
                        result = Err(error);
                    }
                    break;
                }
            }
        }
        self.batch = batch;
        result
    }

    /// Forget what a panic may have left half done.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.index, self.totals.clone(), self.events.clone(), self.sad.clone());
    }

    /// Drop what is kept of SAs, so that a removed one's keys are not held on to.
    pub(crate) fn forget(&mut self) {
        self.found = None;
    }

    fn batch(&mut self, context: &Context, port: &Port, batch: &mut ReceiveBatch) {
        let tun = context.tun();
        let received = std::mem::take(&mut batch.received);
        for Received { place, segment, from, class } in &received {
            let mut start = place.start;
            while start < place.end {
                // an aggregate may hold packets of several SAs, and IKE: nothing is known of one from the one before
                let end = place.end.min(start.saturating_add((*segment).max(1)));
                match self.datagram(context, port, &mut batch.buf, start..end, *from, *class) {
                    Ok(Some(packet)) => self.deliver(tun.as_deref(), &mut batch.buf, packet),
                    Ok(None) => {}
                    Err(reason) => self.totals.dropped(IN, reason, 1),
                }
                start = end;
            }
        }
        self.write_merged(tun.as_deref(), &mut batch.buf);
        batch.received = received;
    }

    /// One datagram: where its inner packet lies, or None when it was something else.
    fn datagram(
        &mut self,
        context: &Context,
        port: &Port,
        buf: &mut [u8],
        place: Range<usize>,
        from: SocketAddr,
        class: u8,
    ) -> Result<Option<Range<usize>>, Reason> {
        let start = place.start;
        let packet = buf.get_mut(place).ok_or(Reason::Malformed)?;
        if port.encapsulated {
            if packet.len() == 1 {
                return Err(Reason::Keepalive);
            }
            if let Some((&NON_ESP_MARKER, ike)) = packet.split_first_chunk::<4>() {
                let (local, local_port) = (port.local.ip(), port.local.port());
                let ike = ForeignIke { context: context.index, local, local_port, from, data: ike.to_vec() };
                return if self.events.push_ike(ike) { Ok(None) } else { Err(Reason::IkeOverflow) };
            }
        }
        let spi = esp::peek(packet).ok_or(Reason::Malformed)?.spi;
        let sa = self.find(context.index, spi).ok_or(Reason::UnknownSpi)?;
        if sa.common.expired() {
            return Err(Reason::Expired);
        }
        let opened = sa.esp.open(packet).map_err(|error| match error {
            OpenError::Malformed => Reason::Malformed,
            OpenError::Replay => {
                sa.common.replay_drops.fetch_add(1, Ordering::Relaxed);
                Reason::Replay
            }
            OpenError::Integrity => {
                sa.common.integrity_failures.fetch_add(1, Ordering::Relaxed);
                Reason::Integrity
            }
        })?;
        sa.first_packet(&self.events);
        if port.encapsulated && opened.newest {
            sa.seen_from(from, &self.events);
        }
        let version = match opened.next_header {
            esp::NEXT_HEADER_IPV4 => 4,
            esp::NEXT_HEADER_IPV6 => 6,
            esp::NEXT_HEADER_DUMMY => return Err(Reason::Dummy),
            _ => return Err(Reason::Unsupported),
        };
        let inner = packet.get(opened.payload.clone()).ok_or(Reason::Malformed)?;
        let flow = Flow::parse(inner).map_err(|_| Reason::Malformed)?;
        if flow.source.is_ipv6() != (version == 6) {
            return Err(Reason::Malformed);
        }
        if !sa.selectors.matches_inbound(&flow) {
            return Err(Reason::SelectorMismatch);
        }
        let whole = packet.get_mut(opened.payload.clone()).and_then(|payload| payload.get_mut(..flow.length));
        inner::decapsulate(whole.ok_or(Reason::Malformed)?, class).map_err(|_| Reason::CeOnNotEct)?;
        sa.common.carried(flow.length, self.now, &self.events);
        let inner_start = start + opened.payload.start;
        Ok(Some(inner_start..inner_start + flow.length))
    }

    fn find(&mut self, context: u32, spi: u32) -> Option<Arc<InboundSa>> {
        let generation = self.sad.generation.load(Ordering::Acquire);
        if let Some(found) = &self.found {
            if found.generation == generation && found.context == context && found.sa.spi == spi {
                return Some(found.sa.clone());
            }
        }
        let sa = self.sad.table.get(context, spi)?;
        self.found = Some(Found { generation, context, sa: sa.clone() });
        Some(sa)
    }

    fn deliver(&mut self, tun: Option<&TunSet>, buf: &mut [u8], packet: Range<usize>) {
        let Some(device) = self.device(tun) else {
            self.totals.dropped(IN, Reason::NoRoute, 1);
            return;
        };
        if tun.is_some_and(|tun| tun.merge) && device.has_header() {
            let udp = device.takes_udp();
            if !self.merger.take(buf, packet.clone(), udp) {
                self.write_merged(tun, buf);
                self.merger.take(buf, packet, udp);
            }
            return;
        }
        let octets = packet.len();
        let header = VnetHeader::default().encode(false);
        let result = device.write(&[IoSlice::new(&header), IoSlice::new(buf.get(packet).unwrap_or_default())]);
        self.written(result, 1, octets);
    }

    fn device<'a>(&self, tun: Option<&'a TunSet>) -> Option<&'a dyn Device> {
        let queues = &tun?.queues;
        queues.get(self.index.checked_rem(queues.len())?).map(AsRef::as_ref)
    }

    fn write_merged(&mut self, tun: Option<&TunSet>, buf: &mut [u8]) {
        let Some(device) = self.device(tun) else { return };
        let (packets, octets) = (self.merger.len() as u64, self.merger.octets());
        if let Some(result) = self.merger.flush(buf, |parts| device.write(parts)) {
            self.written(result, packets, octets);
        }
    }

    fn written(&self, result: io::Result<()>, packets: u64, octets: usize) {
        match result {
            Ok(()) => self.totals.carried(IN, packets, octets as u64),
            Err(_) => self.totals.dropped(IN, Reason::SendFailed, packets),
        }
    }
}
