//! Splitting a TSO or USO super-packet into packets.

use crate::checksum::{fold, pseudo_header, sum};
use crate::vnet::{GsoType, VnetHeader};
use lookup::Flow;

const TCP: u8 = 6;
const UDP: u8 = 17;
const FIN_PSH: u8 = 0x09;
const CWR: u8 = 0x80;

/// The super-packet's headers do not say what its virtio-net header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentError;

/// A super-packet, ready to be split. Each segment gets the headers of the whole, with lengths, identification, TCP
/// sequence number, flags and checksums of its own.
#[derive(Debug)]
pub struct Segments<'a> {
    headers: &'a [u8],
    payload: &'a [u8],
    size: usize,
    transport: usize,
    v6: bool,
    protocol: u8,
}

impl<'a> Segments<'a> {
    /// `max_packet`: no segment is longer, which for TCP means smaller segments than asked for; UDP datagrams are never cut
    /// smaller, they are their sender's. `flow` is of `packet`.
    pub fn new(header: &VnetHeader, packet: &'a [u8], flow: &Flow, max_packet: usize) -> Result<Self, SegmentError> {
        let transport = flow.transport;
        let upper = match (header.gso, flow.protocol) {
            _ if flow.fragment => return Err(SegmentError),
            (GsoType::Tcp, TCP) => usize::from(packet.get(transport + 12).ok_or(SegmentError)? >> 4) * 4,
            (GsoType::Udp, UDP) => 8,
            _ => return Err(SegmentError),
        };
        let shortest = if header.gso == GsoType::Tcp { 20 } else { 8 };
        let (headers, payload) =
            packet.get(..flow.length).and_then(|p| p.split_at_checked(transport + upper)).ok_or(SegmentError)?;
        let mut size = usize::from(header.gso_size);
        if header.gso == GsoType::Tcp {
            size = size.min(max_packet.saturating_sub(headers.len()));
        }
        if upper < shortest || size == 0 || payload.is_empty() {
            return Err(SegmentError);
        }
        Ok(Self { headers, payload, size, transport, v6: flow.source.is_ipv6(), protocol: flow.protocol })
    }

    /// How many packets it becomes.
    pub fn count(&self) -> usize {
        self.payload.len().div_ceil(self.size)
    }

    /// Octets of the longest packet.
    pub fn longest(&self) -> usize {
        self.headers.len() + self.size.min(self.payload.len())
    }

    /// Octets of packet `index`.
    pub fn octets(&self, index: usize) -> usize {
        self.headers.len() + self.payload.len().saturating_sub(index * self.size).min(self.size)
    }

    /// Write packet `index` to the start of `out`; None when there is no such packet or no room.
    pub fn write(&self, index: usize, out: &mut [u8]) -> Option<usize> {
        let start = index.checked_mul(self.size)?;
        let rest = self.payload.get(start..).filter(|rest| !rest.is_empty())?;
        let part = rest.get(..self.size).unwrap_or(rest);
        let last = start + part.len() == self.payload.len();
        let out = out.get_mut(..self.headers.len() + part.len())?;
        let (headers, body) = out.split_at_mut(self.headers.len());
        headers.copy_from_slice(self.headers);
        body.copy_from_slice(part);
        let total = out.len();
        let (ip, upper) = out.split_at_mut(self.transport);
        let addresses: &[u8] = if self.v6 {
            put16(ip, 4, (total - 40) as u16)?;
            ip.get(8..40)?
        } else {
            put16(ip, 2, total as u16)?;
            let id = u16::from_be_bytes(*ip.get(4..)?.first_chunk()?);
            put16(ip, 4, id.wrapping_add(index as u16))?;
            put16(ip, 10, 0)?;
            let check = !fold(sum(ip, 0));
            ip.get_mut(10..12)?.copy_from_slice(&check.to_ne_bytes());
            ip.get(12..20)?
        };
        let field = if self.protocol == TCP {
            let sequence = u32::from_be_bytes(*upper.get(4..)?.first_chunk()?);
            upper.get_mut(4..8)?.copy_from_slice(&sequence.wrapping_add(start as u32).to_be_bytes());
            let flags = upper.get_mut(13)?;
            if !last {
                *flags &= !FIN_PSH;
            }
            if index > 0 {
                *flags &= !CWR;
            }
            16
        } else {
            let octets = upper.len() as u16;
            put16(upper, 4, octets)?;
            6
        };
        put16(upper, field, 0)?;
        let check = match !fold(sum(upper, pseudo_header(addresses, self.protocol, upper.len()))) {
            0 if self.protocol == UDP => 0xffff,
            value => value,
        };
        upper.get_mut(field..field + 2)?.copy_from_slice(&check.to_ne_bytes());
        Some(total)
    }
}

fn put16(octets: &mut [u8], at: usize, value: u16) -> Option<()> {
    octets.get_mut(at..)?.first_chunk_mut::<2>()?.copy_from_slice(&value.to_be_bytes());
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A TCP or UDP packet with right checksums.
    pub(crate) fn packet(v6: bool, protocol: u8, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let upper = if protocol == TCP { 20 } else { 8 };
        let length = upper + payload.len();
        let mut p = if v6 {
            let mut p = vec![0x60, 0, 0, 0, (length >> 8) as u8, length as u8, protocol, 64];
            p.extend_from_slice(&[0xfd; 15]);
            p.push(1);
            p.extend_from_slice(&[0xfd; 15]);
            p.push(2);
            p
        } else {
            let total = length + 20;
            let mut p = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 9, 0x40, 0, 64, protocol, 0, 0];
            p.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
            let check = !fold(sum(&p, 0));
            p[10..12].copy_from_slice(&check.to_ne_bytes());
            p
        };
        let transport = p.len();
        p.extend_from_slice(&[0x30, 0x39, 0x14, 0x51]);
        if protocol == TCP {
            p.extend_from_slice(&sequence.to_be_bytes());
            p.extend_from_slice(&[0, 0, 0, 7, 0x50, flags, 1, 0, 0, 0, 0, 0]);
        } else {
            p.extend_from_slice(&[(length >> 8) as u8, length as u8, 0, 0]);
        }
        p.extend_from_slice(payload);
        let addresses = if v6 { p[8..40].to_vec() } else { p[12..20].to_vec() };
        let field = transport + if protocol == TCP { 16 } else { 6 };
        let check = !fold(sum(&p[transport..], pseudo_header(&addresses, protocol, length)));
        p[field..field + 2].copy_from_slice(&check.to_ne_bytes());
        p
    }

    pub(crate) fn checksums_are_right(p: &[u8]) -> bool {
        let v6 = p[0] >> 4 == 6;
        let (at, addresses, protocol) = if v6 { (40, &p[8..40], p[6]) } else { (20, &p[12..20], p[9]) };
        (v6 || fold(sum(&p[..20], 0)) == 0xffff)
            && fold(sum(&p[at..], pseudo_header(addresses, protocol, p.len() - at))) == 0xffff
    }

    fn split(v6: bool, protocol: u8, octets: usize, gso_size: u16, max: usize) -> Vec<Vec<u8>> {
        let payload: Vec<u8> = (0..octets).map(|n| (n % 251) as u8).collect();
        let whole = packet(v6, protocol, 0xffff_ff00, 0x99, &payload);
        let gso = if protocol == TCP { GsoType::Tcp } else { GsoType::Udp };
        let header = VnetHeader { gso, gso_size, ..VnetHeader::default() };
        let segments = Segments::new(&header, &whole, &Flow::parse(&whole).unwrap(), max).unwrap();
        let packets: Vec<Vec<u8>> = (0..segments.count())
            .map(|index| {
                let mut out = vec![0; 2000];
                let octets = segments.write(index, &mut out).unwrap();
                assert_eq!(octets, segments.octets(index));
                assert!(octets <= segments.longest());
                out.truncate(octets);
                out
            })
            .collect();
        let at = whole.len() - octets;
        assert_eq!(packets.iter().flat_map(|p| p[at..].to_vec()).collect::<Vec<_>>(), payload);
        assert!(packets.iter().all(|p| checksums_are_right(p) && Flow::parse(p).unwrap().length == p.len()));
        assert_eq!(segments.write(segments.count(), &mut [0; 2000]), None);
        packets
    }

    #[test]
    fn tcp_segments_follow_each_other() {
        for v6 in [false, true] {
            let at = if v6 { 40 } else { 20 };
            let packets = split(v6, TCP, 3001, 1000, 1500);
            assert_eq!(packets.len(), 4);
            let sequence = |p: &[u8]| u32::from_be_bytes(p[at + 4..at + 8].try_into().unwrap());
            assert_eq!(packets.iter().map(|p| sequence(p)).collect::<Vec<_>>(), [0xffff_ff00, 744, 1744, 2744]);
            // CWR on the first only, FIN and PSH on the last only
            assert_eq!(packets.iter().map(|p| p[at + 13]).collect::<Vec<_>>(), [0x90, 0x10, 0x10, 0x19]);
        }
    }

    #[test]
    fn tcp_is_cut_smaller_for_a_smaller_tunnel_and_udp_is_not() {
        assert_eq!(split(false, TCP, 3000, 1400, 1040).len(), 3);
        assert_eq!(split(false, UDP, 3000, 1400, 1040).iter().map(Vec::len).max(), Some(1428));
        assert_eq!(split(true, UDP, 1000, 500, 1500).len(), 2);
    }

    #[test]
    fn what_does_not_fit_its_header_is_refused() {
        let tcp = packet(false, TCP, 1, 0, &[1; 100]);
        let refused = |gso, gso_size, p: &[u8], max| {
            let header = VnetHeader { gso, gso_size, ..VnetHeader::default() };
            Segments::new(&header, p, &Flow::parse(p).unwrap(), max).is_err()
        };
        assert!(refused(GsoType::Udp, 50, &tcp, 1500));
        assert!(refused(GsoType::None, 50, &tcp, 1500));
        assert!(refused(GsoType::Tcp, 0, &tcp, 1500));
        assert!(refused(GsoType::Tcp, 50, &tcp, 40));
        assert!(!refused(GsoType::Tcp, 50, &tcp, 41));
        let mut short = tcp.clone();
        short[32] = 0x40; // a TCP header of 16 octets
        assert!(refused(GsoType::Tcp, 50, &short, 1500));
        assert!(refused(GsoType::Tcp, 50, &packet(false, TCP, 1, 0, &[]), 1500));
    }
}
