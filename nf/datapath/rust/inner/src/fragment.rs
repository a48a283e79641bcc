//! Cutting an inner IPv4 packet into fragments before it is sealed (RFC 791 section 3.2).

use crate::checksum::{fold, sum};

const MORE: u16 = 0x2000;
const DONT: u16 = 0x4000;

/// An IPv4 packet without DF, to be sent in packets of at most `mtu` octets. Options are left out of all fragments but the
/// first, apart from those with the copy bit; a packet with options is refused, as they are almost extinct.
#[derive(Debug)]
pub struct Fragments<'a> {
    header: &'a [u8; 20],
    payload: &'a [u8],
    size: usize,
    field: u16,
}

impl<'a> Fragments<'a> {
    /// None when the packet must not be cut (DF, IPv6), has options, or `mtu` leaves no room.
    pub fn new(packet: &'a [u8], mtu: usize) -> Option<Self> {
        let (header, payload) = packet.split_first_chunk::<20>()?;
        let field = u16::from_be_bytes([header[6], header[7]]);
        let size = mtu.checked_sub(20)? & !7;
        let offset_end = usize::from(field & 0x1fff) * 8 + payload.len();
        if header[0] != 0x45 || field & DONT != 0 || size == 0 || offset_end > 0xffff {
            return None;
        }
        Some(Self { header, payload, size, field })
    }

    /// How many fragments.
    pub fn count(&self) -> usize {
        self.payload.len().div_ceil(self.size)
    }

    /// Octets of the longest.
    pub fn longest(&self) -> usize {
        20 + self.size.min(self.payload.len())
    }

    /// Write fragment `index` to the start of `out`; None when there is none or no room.
    pub fn write(&self, index: usize, out: &mut [u8]) -> Option<usize> {
        let start = index.checked_mul(self.size)?;
        let rest = self.payload.get(start..).filter(|rest| !rest.is_empty())?;
        let part = rest.get(..self.size).unwrap_or(rest);
        let total = 20 + part.len();
        let (header, body) = out.get_mut(..total)?.split_first_chunk_mut::<20>()?;
        *header = *self.header;
        body.copy_from_slice(part);
        let more = if start + part.len() < self.payload.len() { MORE } else { self.field & MORE };
        let field = more | ((self.field & 0x1fff) + (start / 8) as u16);
        header[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        header[6..8].copy_from_slice(&field.to_be_bytes());
        header[10..12].copy_from_slice(&[0, 0]);
        let check = !fold(sum(header, 0));
        header[10..12].copy_from_slice(&check.to_ne_bytes());
        Some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::packet;

    #[test]
    fn fragments_make_the_packet_again() {
        let mut whole = packet(false, 17, 0, 0, &(0..=255).cycle().take(2500).collect::<Vec<u8>>());
        assert!(Fragments::new(&whole, 1000).is_none()); // DF
        whole[6] = 0;
        let fragments = Fragments::new(&whole, 1000).unwrap();
        let mut joined = vec![];
        for index in 0..fragments.count() {
            let mut out = [0; 1000];
            let octets = fragments.write(index, &mut out).unwrap();
            let field = u16::from_be_bytes([out[6], out[7]]);
            assert_eq!(usize::from(field & 0x1fff) * 8, joined.len());
            assert_eq!(field & MORE != 0, index + 1 < fragments.count());
            assert_eq!(fold(sum(&out[..20], 0)), 0xffff);
            joined.extend_from_slice(&out[20..octets]);
        }
        assert_eq!((fragments.count(), joined), (3, whole[20..].to_vec()));
        assert_eq!(fragments.write(3, &mut [0; 1000]), None);
    }

    #[test]
    fn no_room_and_no_ipv6() {
        let mut whole = packet(false, 17, 0, 0, &[0; 100]);
        whole[6] = 0;
        assert!(Fragments::new(&whole, 27).is_none());
        assert!(Fragments::new(&whole, 28).is_some());
        assert!(Fragments::new(&packet(true, 17, 0, 0, &[0; 100]), 60).is_none());
        assert!(Fragments::new(&[0x45; 5], 60).is_none());
    }
}
