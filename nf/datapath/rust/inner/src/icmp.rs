//! The answer to a packet that is larger than its tunnel takes (RFC 1191, RFC 4443 section 3.2).

use crate::checksum::{fold, pseudo_header, sum};
use lookup::Flow;
use std::net::IpAddr;

/// An answer is never longer.
pub const MAX_ANSWER_OCTETS: usize = 1280;

/// Octets of the packet that an ICMPv4 error quotes (RFC 1812 section 4.3.2.3: as much as fits in 576).
const QUOTE_V4: usize = 576 - 28;
const QUOTE_V6: usize = MAX_ANSWER_OCTETS - 48;

/// Write "fragmentation needed" or "packet too big" to the start of `out`; its octets. The answer comes from the packet's
/// destination: it is the tunnel that speaks, and its interface need not have an address.
///
/// None when no answer may be sent: to an ICMP error, to multicast, to a later fragment, from an unspecified or
/// multicast address (RFC 1122 section 3.2.2, RFC 4443 section 2.4), or when `out` is too small.
pub fn packet_too_big(packet: &[u8], flow: &Flow, mtu: u16, out: &mut [u8]) -> Option<usize> {
    let error = match (flow.protocol, flow.ports) {
        (1, Some((kind, _))) => !matches!(kind >> 8, 0 | 8 | 13 | 14),
        (58, Some((kind, _))) => kind >> 8 < 128,
        _ => false,
    };
    let odd = |address: IpAddr| address.is_unspecified() || address.is_multicast();
    if error || odd(flow.source) || odd(flow.destination) || (flow.fragment && flow.ports.is_none()) {
        return None;
    }
    if flow.source.is_ipv6() { answer_v6(packet, mtu, out) } else { answer_v4(packet, mtu, out) }
}

fn answer_v4(packet: &[u8], mtu: u16, out: &mut [u8]) -> Option<usize> {
    let quote = packet.get(..packet.len().min(QUOTE_V4))?;
    let total = 28 + quote.len();
    let out = out.get_mut(..total)?;
    let (header, icmp) = out.split_first_chunk_mut::<20>()?;
    *header = [0x45, 0xc0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..4].copy_from_slice(&(total as u16).to_be_bytes());
    header[12..16].copy_from_slice(packet.get(16..20)?);
    header[16..20].copy_from_slice(packet.get(12..16)?);
    let check = !fold(sum(header, 0));
    header[10..12].copy_from_slice(&check.to_ne_bytes());
    let (head, body) = icmp.split_first_chunk_mut::<8>()?;
    let [a, b] = mtu.to_be_bytes();
    *head = [3, 4, 0, 0, 0, 0, a, b];
    body.copy_from_slice(quote);
    let check = !fold(sum(icmp, 0));
    icmp.get_mut(2..4)?.copy_from_slice(&check.to_ne_bytes());
    Some(total)
}

fn answer_v6(packet: &[u8], mtu: u16, out: &mut [u8]) -> Option<usize> {
    let quote = packet.get(..packet.len().min(QUOTE_V6))?;
    let total = 48 + quote.len();
    let out = out.get_mut(..total)?;
    let (header, icmp) = out.split_first_chunk_mut::<40>()?;
    *header = [0; 40];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&((total - 40) as u16).to_be_bytes());
    header[6] = 58;
    header[7] = 64;
    header[8..24].copy_from_slice(packet.get(24..40)?);
    header[24..40].copy_from_slice(packet.get(8..24)?);
    let (head, body) = icmp.split_first_chunk_mut::<8>()?;
    let [a, b] = mtu.to_be_bytes();
    *head = [2, 0, 0, 0, 0, 0, a, b];
    body.copy_from_slice(quote);
    let check = !fold(sum(icmp, pseudo_header(header.get(8..40)?, 58, total - 40)));
    icmp.get_mut(2..4)?.copy_from_slice(&check.to_ne_bytes());
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::packet;

    #[test]
    fn answers_go_back_with_the_mtu() {
        for (v6, total) in [(false, 576), (true, 1280)] {
            let big = packet(v6, 17, 0, 0, &[7; 1500]);
            let mut out = [0; MAX_ANSWER_OCTETS];
            let octets = packet_too_big(&big, &Flow::parse(&big).unwrap(), 1400, &mut out).unwrap();
            assert_eq!(octets, total);
            let answer = &out[..octets];
            let (asked, got) = (Flow::parse(&big).unwrap(), Flow::parse(answer).unwrap());
            assert_eq!((got.source, got.destination), (asked.destination, asked.source));
            let icmp = &answer[got.transport..];
            assert_eq!(&icmp[4..8], &1400u32.to_be_bytes());
            assert_eq!(&icmp[8..], &big[..icmp.len() - 8]);
            let start = if v6 { pseudo_header(&answer[8..40], 58, icmp.len()) } else { 0 };
            assert_eq!(fold(sum(icmp, start)), 0xffff);
        }
    }

    #[test]
    fn errors_and_later_fragments_get_none() {
        let mut p = packet(false, 17, 0, 0, &[7; 100]);
        let mut out = [0; MAX_ANSWER_OCTETS];
        p[9] = 1;
        for (kind, answered) in [(8, true), (3, false), (11, false)] {
            p[20] = kind;
            let answer = packet_too_big(&p, &Flow::parse(&p).unwrap(), 1400, &mut out);
            assert_eq!(answer.is_some(), answered, "{kind}");
        }
        p[20] = 8;
        p[7] = 1;
        assert_eq!(packet_too_big(&p, &Flow::parse(&p).unwrap(), 1400, &mut out), None);
        p[7] = 0;
        p[16] = 224;
        assert_eq!(packet_too_big(&p, &Flow::parse(&p).unwrap(), 1400, &mut out), None);
    }
}
