//! Sealing and opening by every suite, and what opening refuses.

#![allow(clippy::unwrap_used)]

use esp::{Inbound, OpenError, Outbound, Suite, SuiteError};
use proptest::prelude::*;

/// (encr, key_bits, integ, octets of encr_key, octets of integ_key)
const SUITES: &[(u16, u16, u16, usize, usize)] = &[
    (20, 128, 0, 20, 0),
    (20, 192, 0, 28, 0),
    (20, 256, 0, 36, 0),
    (28, 0, 0, 36, 0),
    (28, 256, 0, 36, 0),
    (12, 128, 2, 16, 20),
    (12, 192, 12, 24, 32),
    (12, 256, 12, 32, 32),
    (12, 128, 13, 16, 48),
    (12, 256, 14, 32, 64),
    (11, 0, 2, 0, 20),
    (11, 0, 12, 0, 32),
];

fn suite(which: usize) -> Suite {
    let (encr, bits, integ, encr_key, integ_key) = SUITES[which % SUITES.len()];
    Suite::new(encr, bits, integ, &vec![0x5a; encr_key], &vec![0xa5; integ_key]).unwrap()
}

fn seal(sa: &Outbound, sequence: u64, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut buf = vec![0; sa.sealed_octets(payload.len())];
    buf[sa.prefix_octets()..][..payload.len()].copy_from_slice(payload);
    let octets = sa.seal(sequence, next_header, &mut buf, payload.len(), |iv| iv.fill(sequence as u8)).unwrap();
    assert_eq!(octets, buf.len());
    buf
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_is_opened(which in 0..SUITES.len(), esn: bool, payload in prop::collection::vec(any::<u8>(), 0..200),
                                 sequence in 1u64..=0xffff_ffff, next_header: u8) {
        let out = Outbound::new(0x1234, esn, suite(which), 1);
        let inbound = Inbound::new(esn, suite(which), 64).unwrap();
        let mut packet = seal(&out, sequence, next_header, &payload);
        // an ESN receiver at zero takes numbers near 2^32 for the subspace before the first
        prop_assume!(!esn || sequence < 0xffff_ff00);
        let opened = inbound.open(&mut packet).unwrap();
        prop_assert_eq!(&packet[opened.payload.clone()], &payload[..]);
        prop_assert_eq!((opened.next_header, opened.sequence, opened.newest), (next_header, sequence, true));
    }

    #[test]
    fn a_changed_octet_is_refused(which in 0..SUITES.len(), at: prop::sample::Index, bit in 0u8..8) {
        let out = Outbound::new(0x1234, false, suite(which), 1);
        let inbound = Inbound::new(false, suite(which), 64).unwrap();
        let mut packet = seal(&out, 77, 4, &[9; 61]);
        let at = at.index(packet.len());
        packet[at] ^= 1 << bit;
        prop_assert_eq!(inbound.open(&mut packet), Err(OpenError::Integrity));
        prop_assert_eq!(inbound.sequence(), 0); // a forgery does not move the window
        prop_assert!(inbound.open(&mut seal(&out, 77, 4, &[9; 61])).is_ok());
    }

    #[test]
    fn arbitrary_octets_are_an_error(which in 0..SUITES.len(), esn: bool, mut packet in prop::collection::vec(any::<u8>(), 0..300)) {
        let inbound = Inbound::new(esn, suite(which), 64).unwrap();
        prop_assert!(inbound.open(&mut packet).is_err());
    }
}

#[test]
fn replays_are_refused_once_the_window_has_moved() {
    for which in 0..SUITES.len() {
        let out = Outbound::new(1, false, suite(which), 1);
        let inbound = Inbound::new(false, suite(which), 32).unwrap();
        for sequence in [5, 3, 40] {
            assert!(inbound.open(&mut seal(&out, sequence, 4, b"x")).is_ok());
        }
        for sequence in [5, 3, 40, 8] {
            assert_eq!(inbound.open(&mut seal(&out, sequence, 4, b"x")), Err(OpenError::Replay), "{sequence}");
        }
        assert!(inbound.open(&mut seal(&out, 9, 4, b"x")).is_ok());
    }
}

#[test]
fn an_extended_number_is_part_of_what_is_authenticated() {
    for which in 0..SUITES.len() {
        let out = Outbound::new(1, true, suite(which), 1);
        let inbound = Inbound::new(true, suite(which), 64).unwrap();
        assert!(inbound.open(&mut seal(&out, 0xffff_f000, 4, b"x")).is_ok());
        // the same 32 bits of the second subspace: inferred from the window, authenticated with the high half
        let opened = inbound.open(&mut seal(&out, 0x1_0000_0010, 4, b"y")).unwrap();
        assert_eq!(opened.sequence, 0x1_0000_0010);
        assert_eq!(inbound.open(&mut seal(&out, 0x2_0000_0011, 4, b"z")), Err(OpenError::Integrity));
    }
}

#[test]
fn authenticated_padding_must_still_count_up() {
    let key = [3; 32];
    let out = Outbound::new(1, false, Suite::new(11, 0, 12, &[], &key).unwrap(), 1);
    let inbound = Inbound::new(false, Suite::new(11, 0, 12, &[], &key).unwrap(), 64).unwrap();
    // a payload that pretends to be a trailer: pad length larger than the packet
    let mut packet = seal(&out, 1, 4, &[1, 2]);
    assert!(inbound.open(&mut packet).is_ok());
    for shortest in 0..24 {
        assert_eq!(inbound.open(&mut vec![0; shortest]), Err(OpenError::Malformed), "{shortest}");
    }
}

#[test]
fn suites_refuse_what_does_not_fit() {
    let refused = |encr, bits, integ, encr_key: usize, integ_key: usize| {
        Suite::new(encr, bits, integ, &vec![0; encr_key], &vec![0; integ_key]).unwrap_err()
    };
    assert_eq!(refused(3, 0, 2, 24, 20), SuiteError::UnknownEncryption(3));
    assert_eq!(refused(12, 128, 1, 16, 16), SuiteError::UnknownIntegrity(1));
    assert_eq!(refused(12, 128, 0, 16, 0), SuiteError::BadPair);
    assert_eq!(refused(20, 128, 2, 20, 20), SuiteError::BadPair);
    assert_eq!(refused(11, 0, 0, 0, 0), SuiteError::BadPair);
    assert_eq!(refused(20, 128, 0, 19, 0), SuiteError::BadKeyLength(19));
    assert_eq!(refused(20, 256, 0, 20, 0), SuiteError::BadKeyLength(20));
    assert_eq!(refused(20, 0, 0, 3, 0), SuiteError::BadKeyLength(3));
    assert_eq!(refused(12, 256, 12, 16, 32), SuiteError::BadKeyLength(16));
    assert_eq!(refused(12, 128, 12, 16, 31), SuiteError::BadKeyLength(31));
    assert_eq!(refused(11, 0, 2, 1, 20), SuiteError::BadKeyLength(1));
}
