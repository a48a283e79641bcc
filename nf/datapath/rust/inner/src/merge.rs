//! Merging consecutive segments of one flow into a super-packet towards the TUN.

use crate::checksum::{fold, pseudo_header, sum};
use crate::vnet::{GsoType, VNET_HEADER_OCTETS, VnetHeader};
use std::io::IoSlice;
use std::ops::Range;

/// Packets in one super-packet at most.
pub const MAX_MERGED: usize = 64;

const MAX_OCTETS: usize = 65_000;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

/// What of a packet is looked at before it may be merged.
#[derive(Clone, Copy)]
struct Shape {
    v6: bool,
    protocol: u8,
    transport: usize,
    headers: usize,
    payload: usize,
    sequence: u32,
    push: bool,
}

impl Shape {
    /// None for what must stay alone: fragments, options, flags, no payload, and above all a wrong checksum, which merging
    /// would hide from the receiver.
    fn of(packet: &[u8]) -> Option<Self> {
        let (v6, protocol, transport) = match packet.first()? {
            0x45 if packet.get(6)? & 0xbf == 0 && *packet.get(7)? == 0 => (false, *packet.get(9)?, 20),
            0x60..=0x6f => (true, *packet.get(6)?, 40),
            _ => return None,
        };
        let upper = packet.get(transport..)?;
        let addresses = if v6 { packet.get(8..40)? } else { packet.get(12..20)? };
        let (header, sequence, push) = match protocol {
            TCP => {
                let head = upper.first_chunk::<20>()?;
                if head[13] & !PSH != ACK {
                    return None;
                }
                let [a, b, c, d] = [head[4], head[5], head[6], head[7]];
                (usize::from(head[12] >> 4) * 4, u32::from_be_bytes([a, b, c, d]), head[13] & PSH != 0)
            }
            UDP => {
                let head = upper.first_chunk::<8>()?;
                if [head[6], head[7]] == [0, 0] || usize::from(u16::from_be_bytes([head[4], head[5]])) != upper.len() {
                    return None;
                }
                (8, 0, false)
            }
            _ => return None,
        };
        let payload = upper.len().checked_sub(header).filter(|octets| *octets > 0)?;
        if header < 8 || (protocol == TCP && header < 20) {
            return None;
        }
        if fold(sum(upper, pseudo_header(addresses, protocol, upper.len()))) != 0xffff {
            return None;
        }
        if !v6 && fold(sum(packet.get(..20)?, 0)) != 0xffff {
            return None;
        }
        Some(Self { v6, protocol, transport, headers: transport + header, payload, sequence, push })
    }

    /// Whether the headers of `next` differ from those of `first` only in what segmentation would write.
    fn follows(&self, first: &[u8], next_shape: &Self, next: &[u8]) -> bool {
        let same = |range: Range<usize>| first.get(range.clone()) == next.get(range);
        let t = self.transport;
        let ip = if self.v6 { same(0..4) && same(6..40) } else { same(0..2) && same(6..10) && same(12..20) };
        let upper = if self.protocol == TCP {
            // ports; acknowledgement; window and urgent pointer; options
            same(t..t + 4) && same(t + 8..t + 13) && same(t + 14..t + 16) && same(t + 18..self.headers)
        } else {
            same(t..t + 4)
        };
        self.v6 == next_shape.v6
            && self.protocol == next_shape.protocol
            && self.headers == next_shape.headers
            && ip
            && upper
    }
}

/// Gathers packets of one buffer until one comes that does not follow; then the gathered ones are to be written as one.
///
/// Packets are named by their place in the caller's buffer, and nothing is copied: the first packet's headers become the
/// super-packet's, the others give their payload.
#[derive(Default)]
pub struct Merger {
    first: Option<Shape>,
    packets: Vec<Range<usize>>,
    octets: usize,
    next_sequence: u32,
    closed: bool,
}

impl Merger {
    /// An empty one.
    pub fn new() -> Self {
        Self { packets: Vec::with_capacity(MAX_MERGED), ..Self::default() }
    }

    /// Take the packet at `place` of `buf`; false when it does not belong to those gathered: write them, and offer it again.
    /// `udp`: the device takes UDP super-packets.
    pub fn take(&mut self, buf: &[u8], place: Range<usize>, udp: bool) -> bool {
        let Some(packet) = buf.get(place.clone()) else { return true };
        if self.packets.is_empty() {
            self.first = Shape::of(packet).filter(|shape| udp || shape.protocol != UDP);
            self.closed = self.first.is_none_or(|shape| shape.push);
            self.octets = packet.len();
            self.next_sequence = self.first.map_or(0, |s| s.sequence.wrapping_add(s.payload as u32));
            self.packets.push(place);
            return true;
        }
        let (Some(first), false) = (self.first, self.closed) else { return false };
        if self.packets.len() >= MAX_MERGED {
            return false;
        }
        let (Some(shape), Some(first_packet)) =
            (Shape::of(packet), self.packets.first().and_then(|place| buf.get(place.clone())))
        else {
            return false;
        };
        let in_order = shape.protocol == UDP || shape.sequence == self.next_sequence;
        if !in_order
            || shape.payload > first.payload
            || self.octets + shape.payload > MAX_OCTETS
            || !first.follows(first_packet, &shape, packet)
        {
            return false;
        }
        self.octets += shape.payload;
        self.next_sequence = self.next_sequence.wrapping_add(shape.payload as u32);
        self.closed = shape.payload < first.payload || shape.push;
        if shape.push {
            self.first = Some(Shape { push: true, ..first });
        }
        self.packets.push(place);
        true
    }

    /// How many packets are gathered.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Octets of the inner packets gathered, the headers of all but the first left out.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Whether none is gathered.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Give the gathered packets to `write`, as one, and forget them. The parts are the virtio-net header and the packet's
    /// pieces in order. None when there was nothing to write.
    pub fn flush<R>(&mut self, buf: &mut [u8], write: impl FnOnce(&[IoSlice<'_>]) -> R) -> Option<R> {
        let packets = std::mem::take(&mut self.packets);
        let result = self.parts(buf, &packets, write);
        self.packets = packets; // keep the allocation
        self.packets.clear();
        result
    }

    fn parts<R>(&self, buf: &mut [u8], packets: &[Range<usize>], write: impl FnOnce(&[IoSlice<'_>]) -> R) -> Option<R> {
        let first = packets.first()?.clone();
        let mut header = VnetHeader::default();
        let mut skip = 0;
        if let (Some(shape), 2..) = (self.first, packets.len()) {
            self.rewrite(buf.get_mut(first.clone())?, &shape)?;
            let offset = if shape.protocol == TCP { 16 } else { 6 };
            header = VnetHeader {
                checksum: Some((shape.transport as u16, offset)),
                gso: if shape.protocol == TCP { GsoType::Tcp } else { GsoType::Udp },
                gso_size: shape.payload as u16,
                header_octets: shape.headers as u16,
            };
            skip = shape.headers;
        }
        let header: [u8; VNET_HEADER_OCTETS] = header.encode(self.first.is_some_and(|shape| shape.v6));
        let mut parts = [IoSlice::new(&[]); MAX_MERGED + 1];
        let mut count = 0;
        let pieces = packets.iter().enumerate().map(|(index, place)| match index {
            0 => place.clone(),
            _ => place.start + skip..place.end,
        });
        for (slot, piece) in parts.iter_mut().skip(1).zip(pieces) {
            *slot = IoSlice::new(buf.get(piece)?);
            count += 1;
        }
        let (front, _) = parts.split_first_mut()?;
        *front = IoSlice::new(&header);
        Some(write(parts.get(..=count)?))
    }

    /// The first packet's headers for the whole: lengths, PSH, and the pseudo-header's sum where the checksum goes.
    fn rewrite(&self, packet: &mut [u8], shape: &Shape) -> Option<()> {
        let upper_octets = self.octets - shape.transport;
        if shape.v6 {
            packet.get_mut(4..6)?.copy_from_slice(&((self.octets - 40) as u16).to_be_bytes());
        } else {
            packet.get_mut(2..4)?.copy_from_slice(&(self.octets as u16).to_be_bytes());
            packet.get_mut(10..12)?.copy_from_slice(&[0, 0]);
            let check = !fold(sum(packet.get(..20)?, 0));
            packet.get_mut(10..12)?.copy_from_slice(&check.to_ne_bytes());
        }
        let addresses = if shape.v6 { packet.get(8..40)? } else { packet.get(12..20)? };
        let check = fold(pseudo_header(addresses, shape.protocol, upper_octets));
        let upper = packet.get_mut(shape.transport..)?;
        let field = if shape.protocol == TCP {
            if shape.push {
                *upper.get_mut(13)? |= PSH;
            }
            16
        } else {
            upper.get_mut(4..6)?.copy_from_slice(&(upper_octets as u16).to_be_bytes());
            6
        };
        upper.get_mut(field..field + 2)?.copy_from_slice(&check.to_ne_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segments;
    use crate::segment::tests::{checksums_are_right, packet};
    use lookup::Flow;
    use proptest::prelude::*;

    /// Merge packets as the receiver does; each write as (header, packet).
    fn merge(packets: &[Vec<u8>]) -> Vec<(VnetHeader, Vec<u8>)> {
        merge_for(packets, true)
    }

    fn merge_for(packets: &[Vec<u8>], udp: bool) -> Vec<(VnetHeader, Vec<u8>)> {
        let mut buf = packets.concat();
        let (mut merger, mut out, mut at) = (Merger::new(), vec![], 0);
        let keep = |parts: &[IoSlice<'_>]| {
            let header = VnetHeader::decode(&parts[0]).unwrap();
            (header, parts[1..].iter().flat_map(|part| part.to_vec()).collect())
        };
        for p in packets {
            let place = at..at + p.len();
            at += p.len();
            if !merger.take(&buf, place.clone(), udp) {
                out.extend(merger.flush(&mut buf, keep));
                assert!(merger.take(&buf, place, udp));
            }
        }
        out.extend(merger.flush(&mut buf, keep));
        assert!(merger.is_empty() && merger.flush(&mut buf, |_| ()).is_none());
        out
    }

    fn stream(v6: bool, sizes: &[usize]) -> Vec<Vec<u8>> {
        let mut sequence = 0xffff_f000_u32;
        sizes
            .iter()
            .map(|&octets| {
                let p = packet(v6, TCP, sequence, ACK, &vec![octets as u8; octets]);
                sequence = sequence.wrapping_add(octets as u32);
                p
            })
            .collect()
    }

    #[test]
    fn what_is_merged_splits_again_into_the_same() {
        for v6 in [false, true] {
            for udp in [false, true] {
                let mut packets = stream(v6, &[1000, 1000, 1000, 400]);
                if udp {
                    packets = [9, 8, 7].map(|n| packet(v6, UDP, 0, 0, &[n; 600])).to_vec();
                }
                if !v6 {
                    for (index, p) in packets.iter_mut().enumerate() {
                        p[5] += index as u8; // identification, as segmentation numbers it
                        p[10..12].copy_from_slice(&[0, 0]);
                        let check = !fold(sum(&p[..20], 0));
                        p[10..12].copy_from_slice(&check.to_ne_bytes());
                    }
                }
                let merged = merge(&packets);
                assert_eq!(merged.len(), 1);
                let (header, whole) = &merged[0];
                let segments = Segments::new(header, whole, &Flow::parse(whole).unwrap(), 1500).unwrap();
                let again: Vec<Vec<u8>> = (0..segments.count())
                    .map(|index| {
                        let mut out = vec![0; 1500];
                        let octets = segments.write(index, &mut out).unwrap();
                        out.truncate(octets);
                        out
                    })
                    .collect();
                assert_eq!(again, packets);
            }
        }
    }

    #[test]
    fn the_device_can_finish_the_checksum() {
        let (header, mut whole) = merge(&stream(false, &[1000, 1000])).remove(0);
        let (start, offset) = header.checksum.unwrap();
        crate::complete(&mut whole, usize::from(start), usize::from(offset)).unwrap();
        assert!(checksums_are_right(&whole));
    }

    #[test]
    fn what_does_not_follow_starts_anew() {
        let count = |packets: &[Vec<u8>]| merge(packets).len();
        assert_eq!(count(&stream(false, &[1000, 400, 1000])), 2); // a short one ends its group
        assert_eq!(count(&stream(false, &[400, 1000])), 2);
        let mut lost = stream(false, &[1000, 1000, 1000]);
        lost.remove(1);
        assert_eq!(count(&lost), 2);
        let mut bad = stream(false, &[1000, 1000, 1000]);
        bad[1][60] ^= 1; // a wrong checksum is handed on as it is
        let merged = merge(&bad);
        assert_eq!(merged.len(), 3);
        assert_eq!(merged[1], (VnetHeader::default(), bad[1].clone()));
        let mut fin = stream(false, &[1000]);
        fin.push(packet(false, TCP, 0xffff_f3e8, 0x11, &[1; 1000]));
        assert_eq!(count(&fin), 2);
        let mut push = stream(false, &[1000]);
        push.push(packet(false, TCP, 0xffff_f3e8, 0x18, &[1; 1000]));
        let merged = merge(&push);
        assert_eq!((merged.len(), merged[0].1[33]), (1, 0x18));
        assert_eq!(count(&[packet(false, 50, 0, 0, &[1; 100]), packet(false, 50, 0, 0, &[1; 100])]), 2);
    }

    #[test]
    fn udp_stays_alone_where_the_device_does_not_take_it() {
        let packets = [9, 8, 7].map(|n| packet(false, UDP, 0, 0, &[n; 600])).to_vec();
        assert_eq!(merge_for(&packets, true).len(), 1);
        let alone = merge_for(&packets, false);
        assert_eq!(alone, packets.into_iter().map(|p| (VnetHeader::default(), p)).collect::<Vec<_>>());
        assert_eq!(merge_for(&stream(false, &[1000, 1000]), false).len(), 1);
    }

    #[test]
    fn a_super_packet_has_an_end() {
        assert_eq!(merge(&stream(true, &[100; 130])).len(), 3);
        assert_eq!(merge(&stream(true, &[1400; 60])).len(), 2);
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..10), version: bool) {
            let packets: Vec<Vec<u8>> = packets.into_iter().map(|mut p| {
                if let Some(first) = p.first_mut() { *first = if version { 0x45 } else { 0x60 }; }
                p
            }).collect();
            let octets: usize = merge(&packets).iter().map(|(_, p)| p.len()).sum();
            prop_assert_eq!(octets, packets.iter().map(Vec::len).sum::<usize>());
        }
    }
}
