//! The selectors of an inner packet, read from its headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Extension headers that are walked before a packet counts as malformed.
const MAX_EXTENSION_HEADERS: usize = 8;

/// What RFC 4301 section 4.4.1.1 calls the selector values of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Upper-layer protocol.
    pub protocol: u8,
    /// Source and destination port; ICMP type and code, or the MH type in the high octet, count as both (RFC 7296 section
    /// 3.13.1). None is OPAQUE: a protocol without ports, or a later fragment.
    pub ports: Option<(u16, u16)>,
    /// Octets of the packet by its own length field; what follows is TFC padding.
    pub length: usize,
    /// Where the upper-layer header starts.
    pub transport: usize,
    /// A fragment, first or later.
    pub fragment: bool,
}

/// The octets are no IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowError;

impl Flow {
    /// Read a packet's headers; everything past them is left alone.
    pub fn parse(packet: &[u8]) -> Result<Self, FlowError> {
        match packet.first().map(|octet| octet >> 4) {
            Some(4) => parse_v4(packet),
            Some(6) => parse_v6(packet),
            _ => None,
        }
        .ok_or(FlowError)
    }
}

fn parse_v4(packet: &[u8]) -> Option<Flow> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let transport = usize::from(header[0] & 15) * 4;
    let length = usize::from(be16(header, 2)?);
    if transport < 20 || length < transport || length > packet.len() {
        return None;
    }
    let offset = be16(header, 6)?;
    let protocol = header[9];
    let ports = if offset & 0x1fff == 0 { ports(protocol, packet.get(transport..length)?)? } else { None };
    Some(Flow {
        source: IpAddr::V4(Ipv4Addr::from(*packet.get(12..16)?.first_chunk::<4>()?)),
        destination: IpAddr::V4(Ipv4Addr::from(*packet.get(16..20)?.first_chunk::<4>()?)),
        protocol,
        ports,
        length,
        transport,
        fragment: offset & 0x3fff != 0,
    })
}

fn parse_v6(packet: &[u8]) -> Option<Flow> {
    let header: &[u8; 40] = packet.first_chunk()?;
    let length = 40 + usize::from(be16(header, 4)?);
    let whole = packet.get(..length)?;
    let (mut next, mut at, mut fragment, mut later) = (header[6], 40, false, false);
    for _ in 0..MAX_EXTENSION_HEADERS {
        match next {
            0 | 43 | 60 => {
                let head = whole.get(at..)?.first_chunk::<2>()?;
                next = head[0];
                at += (usize::from(head[1]) + 1) * 8;
            }
            44 => {
                let head = whole.get(at..)?.first_chunk::<8>()?;
                next = head[0];
                fragment = true;
                later = be16(head, 2)? & 0xfff8 != 0;
                at += 8;
                if later {
                    break; // what follows is the middle of something
                }
            }
            51 => {
                let head = whole.get(at..)?.first_chunk::<2>()?;
                next = head[0];
                at += (usize::from(head[1]) + 2) * 4;
            }
            _ => break,
        }
    }
    if !later && matches!(next, 0 | 43 | 44 | 51 | 60) {
        return None; // more extension headers than anyone needs
    }
    let rest = whole.get(at..)?;
    Some(Flow {
        source: IpAddr::V6(Ipv6Addr::from(*packet.get(8..24)?.first_chunk::<16>()?)),
        destination: IpAddr::V6(Ipv6Addr::from(*packet.get(24..40)?.first_chunk::<16>()?)),
        protocol: next,
        ports: if later { None } else { ports(next, rest)? },
        length,
        transport: at,
        fragment,
    })
}

/// None when the header is cut off before its ports; Some(None) for a protocol without.
fn ports(protocol: u8, header: &[u8]) -> Option<Option<(u16, u16)>> {
    Some(match protocol {
        6 | 17 | 33 | 132 | 136 => Some((be16(header, 0)?, be16(header, 2)?)),
        1 | 58 => {
            let both = be16(header, 0)?;
            Some((both, both))
        }
        135 => {
            let both = be16(header, 2)? & 0xff00;
            Some((both, both))
        }
        _ => None,
    })
}

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk::<2>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(protocol: u8, offset: u16, body: &[u8]) -> Vec<u8> {
        let mut p = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        p.extend_from_slice(body);
        let length = p.len() as u16;
        p[2..4].copy_from_slice(&length.to_be_bytes());
        p[6..8].copy_from_slice(&offset.to_be_bytes());
        p
    }

    fn v6(next: u8, body: &[u8]) -> Vec<u8> {
        let mut p = vec![0x60, 0, 0, 0, 0, body.len() as u8, next, 64];
        p.extend_from_slice(&[0xfd; 32]);
        p.extend_from_slice(body);
        p
    }

    #[test]
    fn ports_of_what_has_them() {
        assert_eq!(Flow::parse(&v4(17, 0, &[0, 53, 1, 2, 0, 0, 0, 0])).unwrap().ports, Some((53, 258)));
        assert_eq!(Flow::parse(&v4(1, 0, &[8, 0, 0, 0])).unwrap().ports, Some((0x0800, 0x0800)));
        assert_eq!(Flow::parse(&v4(50, 0, &[])).unwrap().ports, None);
        assert_eq!(Flow::parse(&v4(17, 0, &[0, 53, 1])), Err(FlowError));
    }

    #[test]
    fn later_fragments_are_opaque() {
        let first = Flow::parse(&v4(17, 0x2000, &[0, 53, 1, 2])).unwrap();
        assert_eq!((first.ports, first.fragment), (Some((53, 258)), true));
        let later = Flow::parse(&v4(17, 3, &[])).unwrap();
        assert_eq!((later.ports, later.fragment), (None, true));
        let later = Flow::parse(&v6(44, &[17, 0, 0, 8, 0, 0, 0, 0, 9, 9])).unwrap();
        assert_eq!((later.protocol, later.ports, later.fragment), (17, None, true));
    }

    #[test]
    fn extension_headers_are_walked_to_a_limit() {
        let mut body = vec![];
        for _ in 0..7 {
            body.extend_from_slice(&[60, 0, 0, 0, 0, 0, 0, 0]);
        }
        body.extend_from_slice(&[17, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
        let flow = Flow::parse(&v6(60, &body)).unwrap();
        assert_eq!((flow.protocol, flow.ports, flow.transport), (17, Some((1, 2)), 104));
        body.splice(0..0, [60, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Flow::parse(&v6(60, &body)), Err(FlowError));
    }

    #[test]
    fn lengths_are_checked() {
        let mut p = v4(50, 0, &[1, 2, 3]);
        assert_eq!(Flow::parse(&p[..22]), Err(FlowError));
        p.extend_from_slice(&[0; 9]); // TFC padding
        assert_eq!(Flow::parse(&p).unwrap().length, 23);
        p[0] = 0x44;
        assert_eq!(Flow::parse(&p), Err(FlowError));
        assert_eq!(Flow::parse(&[]), Err(FlowError));
        assert_eq!(Flow::parse(&[0x50; 60]), Err(FlowError));
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(mut packet in prop::collection::vec(any::<u8>(), 0..120), version in 0u8..3) {
            if let (Some(first), 1..) = (packet.first_mut(), version) { *first = if version == 1 { 0x45 } else { 0x60 }; }
            if let Ok(flow) = Flow::parse(&packet) {
                prop_assert!(flow.length <= packet.len() && flow.transport <= flow.length);
            }
        }
    }
}
