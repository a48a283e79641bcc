//! What the outer header takes from the inner one, and what it gives back (RFC 4301 section 5.1.2, RFC 6040).

use crate::checksum::{fold, sum};

const ECN: u8 = 3;
const ECT_0: u8 = 2;
const ECT_1: u8 = 1;
const CE: u8 = 3;

/// The outer header says that the path was congested, and the inner sender would not understand: the packet is to be
/// dropped (RFC 6040 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCapable;

/// The TOS octet of IPv4 or the traffic class of IPv6: DSCP and ECN. 0 of what is no IP packet.
pub fn traffic_class(packet: &[u8]) -> u8 {
    match packet {
        [first, second, ..] if first >> 4 == 6 => (first << 4) | (second >> 4),
        [_, second, ..] => *second,
        _ => 0,
    }
}

/// Whether a packet may not be fragmented on its way: IPv4 with DF, and all IPv6.
pub fn dont_fragment(packet: &[u8]) -> bool {
    match packet {
        [first, ..] if first >> 4 == 6 => true,
        [_, _, _, _, _, _, flags, ..] => flags & 0x40 != 0,
        _ => false,
    }
}

/// The inner ECN field after decapsulation (RFC 6040 figure 4).
pub fn combine_ecn(inner: u8, outer: u8) -> Result<u8, NotCapable> {
    match (inner & ECN, outer & ECN) {
        (0, CE) => Err(NotCapable),
        (0, _) => Ok(0),
        (_, CE) | (CE, _) => Ok(CE),
        (ECT_0, ECT_1) => Ok(ECT_1),
        (inner, _) => Ok(inner),
    }
}

/// Bring an inner packet's ECN field up to date with the class of the outer header it came in. Its DSCP stays (RFC 4301
/// section 5.1.2.1). `packet` is a whole IP packet; its checksum stays right, or wrong, as it was.
pub fn decapsulate(packet: &mut [u8], outer: u8) -> Result<(), NotCapable> {
    if matches!(outer & ECN, 0 | ECT_0) {
        return Ok(()); // as the inner field is
    }
    let inner = traffic_class(packet) & ECN;
    let ecn = combine_ecn(inner, outer)?;
    let [first, second, ..] = packet else { return Ok(()) };
    if *first >> 4 == 6 {
        *second = (*second & !(ECN << 4)) | (ecn << 4);
        return Ok(());
    }
    let (old, new) = ([*first, *second], [*first, (*second & !ECN) | ecn]);
    *second = new[1];
    if let Some(field) = packet.get_mut(10..12) {
        // RFC 1624 equation 3: ~(~check + ~old + new)
        let check = [!field[0], !field[1], !old[0], !old[1], new[0], new[1]];
        field.copy_from_slice(&(!fold(sum(&check, 0))).to_ne_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::{checksums_are_right, packet};

    /// RFC 6040 figure 4, a row for each inner field: Not-ECT, ECT(1), ECT(0), CE; columns are the outer field in the same
    /// order. None is a drop.
    const FIGURE_4: [[Option<u8>; 4]; 4] = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3), Some(3), Some(3), Some(3)],
    ];

    fn with_class(v6: bool, class: u8) -> Vec<u8> {
        let mut p = packet(v6, 17, 0, 0, &[5; 40]);
        if v6 {
            p[0] = 0x60 | (class >> 4);
            p[1] = class << 4 | 0x0a; // and some flow label
        } else {
            p[1] = class;
            p[10..12].copy_from_slice(&[0, 0]);
            let check = !fold(sum(&p[..20], 0));
            p[10..12].copy_from_slice(&check.to_ne_bytes());
        }
        p
    }

    #[test]
    fn ecn_is_combined_as_figure_4_says() {
        for v6 in [false, true] {
            for dscp in [0, 10, 46, 63] {
                for inner in 0..4u8 {
                    for outer in 0..4u8 {
                        let mut p = with_class(v6, dscp << 2 | inner);
                        let expected = FIGURE_4[usize::from(inner)][usize::from(outer)];
                        let got = decapsulate(&mut p, 0xfc | outer).ok().map(|()| traffic_class(&p));
                        assert_eq!(got, expected.map(|ecn| dscp << 2 | ecn), "{v6} {inner} {outer}");
                        assert!(checksums_are_right(&p));
                        assert_eq!(p, with_class(v6, traffic_class(&p)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let mut p = with_class(false, 2);
        p[10] ^= 0x40;
        decapsulate(&mut p, 3).unwrap();
        assert!(!checksums_are_right(&p));
    }

    #[test]
    fn ipv6_and_df_must_stay_whole() {
        let mut p = packet(false, 17, 0, 0, &[0; 9]);
        assert!(dont_fragment(&p));
        p[6] = 0x20;
        assert!(!dont_fragment(&p));
        assert!(dont_fragment(&packet(true, 17, 0, 0, &[0; 9])));
    }

    #[test]
    fn short_octets_do_no_harm() {
        for octets in 0..12 {
            for first in [0x45, 0x60] {
                let mut p = vec![first; octets];
                let _ = decapsulate(&mut p, 3);
                let _ = (traffic_class(&p), dont_fragment(&p));
            }
        }
    }
}
