//! The virtio-net header in front of a packet on a TUN with IFF_VNET_HDR (linux/virtio_net.h).

/// Octets of the header.
pub const VNET_HEADER_OCTETS: usize = 10;

const NEEDS_CSUM: u8 = 1;
const ECN: u8 = 0x80;

/// What a super-packet is to be split into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GsoType {
    /// One packet.
    #[default]
    None,
    /// TCP segments.
    Tcp,
    /// UDP datagrams of equal size (USO).
    Udp,
}

/// The header's content, in the machine's byte order on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// The checksum is left to us: where it starts and, from there, where it is put.
    pub checksum: Option<(u16, u16)>,
    /// What to split into.
    pub gso: GsoType,
    /// Upper-layer payload octets of each segment.
    pub gso_size: u16,
    /// Octets of all headers; a hint.
    pub header_octets: u16,
}

impl VnetHeader {
    /// Read it; None when it asks for something that was not agreed with TUNSETOFFLOAD, or is short.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let &[flags, gso, h0, h1, s0, s1, c0, c1, o0, o1] = octets.first_chunk::<VNET_HEADER_OCTETS>()?;
        let gso = match gso & !ECN {
            0 => GsoType::None,
            1 | 4 => GsoType::Tcp,
            5 => GsoType::Udp,
            _ => return None,
        };
        let two = |a, b| u16::from_ne_bytes([a, b]);
        Some(Self {
            checksum: (flags & NEEDS_CSUM != 0).then(|| (two(c0, c1), two(o0, o1))),
            gso,
            gso_size: two(s0, s1),
            header_octets: two(h0, h1),
        })
    }

    /// Write it; `v6` tells the two TCP kinds apart.
    pub fn encode(&self, v6: bool) -> [u8; VNET_HEADER_OCTETS] {
        let gso = match (self.gso, v6) {
            (GsoType::None, _) => 0,
            (GsoType::Tcp, false) => 1,
            (GsoType::Tcp, true) => 4,
            (GsoType::Udp, _) => 5,
        };
        let (start, offset) = self.checksum.unwrap_or_default();
        let [h0, h1] = self.header_octets.to_ne_bytes();
        let [s0, s1] = self.gso_size.to_ne_bytes();
        let [c0, c1] = start.to_ne_bytes();
        let [o0, o1] = offset.to_ne_bytes();
        [if self.checksum.is_some() { NEEDS_CSUM } else { 0 }, gso, h0, h1, s0, s1, c0, c1, o0, o1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for gso in [GsoType::None, GsoType::Tcp, GsoType::Udp] {
            for v6 in [false, true] {
                let header = VnetHeader { checksum: Some((20, 16)), gso, gso_size: 1400, header_octets: 40 };
                assert_eq!(VnetHeader::decode(&header.encode(v6)), Some(header));
            }
        }
        assert_eq!(VnetHeader::decode(&[0; 9]), None);
        assert_eq!(VnetHeader::decode(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 0]), None); // UFO was never offered
        assert_eq!(VnetHeader::decode(&[0, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]).map(|h| h.gso), Some(GsoType::Tcp));
    }
}
