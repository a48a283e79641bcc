//! The Internet checksum (RFC 1071). Sums are kept in the machine's byte order, which one's complement addition allows.

/// Add the octets to a running sum.
pub fn sum(octets: &[u8], start: u64) -> u64 {
    let mut total = start;
    let mut add = |word: u64| {
        let (next, carry) = total.overflowing_add(word);
        total = next + u64::from(carry);
    };
    let mut chunks = octets.chunks_exact(8);
    for chunk in &mut chunks {
        if let Some(word) = chunk.first_chunk::<8>() {
            add(u64::from_ne_bytes(*word));
        }
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    add(u64::from_ne_bytes(last));
    total
}

/// Fold a sum to 16 bits, in the machine's byte order; not complemented.
pub fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// Sum of the pseudo-header: addresses (4 + 4 or 16 + 16 octets, as they lie in the header), protocol, upper-layer length.
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: usize) -> u64 {
    let [a, b, c, d] = (length as u32).to_be_bytes();
    sum(addresses, sum(&[a, b, c, d, 0, 0, 0, protocol], 0))
}

/// Finish a checksum that was left to the device: the field at `start + offset` holds the sum of the pseudo-header.
/// None when the field lies outside the packet.
pub fn complete(packet: &mut [u8], start: usize, offset: usize) -> Option<()> {
    let region = packet.get_mut(start..)?;
    let value = match !fold(sum(region, 0)) {
        0 => 0xffff, // the other zero: UDP keeps 0 for "none", and TCP reads both alike
        value => value,
    };
    region.get_mut(offset..)?.first_chunk_mut::<2>()?.copy_from_slice(&value.to_ne_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(octets: &[u8]) -> u16 {
        let mut total = 0u32;
        for pair in octets.chunks(2) {
            total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            total = (total & 0xffff) + (total >> 16);
        }
        (total as u16).to_be()
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(octets in prop::collection::vec(any::<u8>(), 0..100)) {
            let (fast, slow) = (fold(sum(&octets, 0)), slow(&octets));
            // 0 and 0xffff are both zero
            prop_assert!(fast == slow || (fast % 0xffff == 0 && slow % 0xffff == 0));
        }
    }

    #[test]
    fn rfc_1071_example() {
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0)), 0xddf2_u16.to_be());
    }

    #[test]
    fn a_field_outside_is_refused() {
        assert_eq!(complete(&mut [0; 10], 8, 0), Some(()));
        assert_eq!(complete(&mut [0; 10], 8, 1), None);
        assert_eq!(complete(&mut [0; 10], 11, 0), None);
    }
}
