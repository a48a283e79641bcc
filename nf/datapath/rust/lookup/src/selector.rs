//! One traffic selector (RFC 7296 section 3.13.1).

use std::fmt;
use std::net::IpAddr;

/// Addresses of one family, a protocol (0 is any) and ports; all ranges are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector {
    v6: bool,
    first: u128,
    last: u128,
    protocol: u8,
    first_port: u16,
    last_port: u16,
}

/// Addresses of two families, or a range that ends before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectorError;

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a selector's range has two families or ends before it starts")
    }
}

impl std::error::Error for SelectorError {}

/// An address as a number, IPv4 in the low 32 bits.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

impl Selector {
    /// A selector from both ends of its ranges. Ports first 65535 and last 0 are OPAQUE: they match only what has no ports.
    pub fn new(
        protocol: u8,
        first_port: u16,
        last_port: u16,
        first: IpAddr,
        last: IpAddr,
    ) -> Result<Self, SelectorError> {
        let opaque = (first_port, last_port) == (u16::MAX, 0);
        if first.is_ipv6() != last.is_ipv6() || number(first) > number(last) || (first_port > last_port && !opaque) {
            return Err(SelectorError);
        }
        Ok(Self { v6: first.is_ipv6(), first: number(first), last: number(last), protocol, first_port, last_port })
    }

    /// Whether an address, protocol and port of a packet lie inside.
    pub fn matches(&self, address: IpAddr, protocol: u8, port: Option<u16>) -> bool {
        let ports = match port {
            _ if (self.first_port, self.last_port) == (0, u16::MAX) => true,
            Some(port) => self.first_port <= port && port <= self.last_port,
            None => (self.first_port, self.last_port) == (u16::MAX, 0),
        };
        address.is_ipv6() == self.v6
            && (self.first..=self.last).contains(&number(address))
            && (self.protocol == 0 || self.protocol == protocol)
            && ports
    }

    /// Whether it is of IPv6.
    pub fn is_v6(&self) -> bool {
        self.v6
    }

    fn width(&self) -> u8 {
        if self.v6 { 128 } else { 32 }
    }

    /// The longest prefix that covers the addresses: (network, length).
    pub(crate) fn cover(&self) -> (u128, u8) {
        let differ = self.first ^ self.last;
        let host_bits = (128 - differ.leading_zeros()) as u8;
        (mask(self.first, self.width(), self.width() - host_bits), self.width() - host_bits)
    }

    /// For order among entries of one bucket: how many addresses and ports it leaves out, roughly.
    pub(crate) fn span(&self) -> (u128, bool, u16) {
        (self.last - self.first, self.protocol == 0, self.last_port.saturating_sub(self.first_port))
    }
}

/// The first `length` of `width` bits of a number.
pub(crate) fn mask(number: u128, width: u8, length: u8) -> u128 {
    let host_bits = u32::from(width.saturating_sub(length));
    number.checked_shr(host_bits).and_then(|n| n.checked_shl(host_bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sel(protocol: u8, ports: (u16, u16), first: &str, last: &str) -> Selector {
        Selector::new(protocol, ports.0, ports.1, first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    #[test]
    fn edges_of_every_range() {
        let s = sel(17, (100, 200), "10.0.0.5", "10.0.1.9");
        for (address, protocol, port, good) in [
            ("10.0.0.5", 17, Some(100), true),
            ("10.0.1.9", 17, Some(200), true),
            ("10.0.0.4", 17, Some(100), false),
            ("10.0.1.10", 17, Some(100), false),
            ("10.0.0.5", 17, Some(99), false),
            ("10.0.0.5", 17, Some(201), false),
            ("10.0.0.5", 6, Some(100), false),
            ("10.0.0.5", 17, None, false),
            ("::a00:5", 17, Some(100), false),
        ] {
            assert_eq!(s.matches(address.parse().unwrap(), protocol, port), good, "{address} {protocol} {port:?}");
        }
    }

    #[test]
    fn any_port_takes_what_has_none_and_opaque_only_that() {
        let a = "10.0.0.1".parse().unwrap();
        assert!(sel(0, (0, 65535), "0.0.0.0", "255.255.255.255").matches(a, 50, None));
        assert!(sel(17, (65535, 0), "10.0.0.1", "10.0.0.1").matches(a, 17, None));
        assert!(!sel(17, (65535, 0), "10.0.0.1", "10.0.0.1").matches(a, 17, Some(1)));
    }

    #[test]
    fn bad_ranges() {
        let new = |fp, lp, f: &str, l: &str| Selector::new(0, fp, lp, f.parse().unwrap(), l.parse().unwrap());
        assert_eq!(new(0, 65535, "10.0.0.2", "10.0.0.1"), Err(SelectorError));
        assert_eq!(new(0, 65535, "10.0.0.2", "::1"), Err(SelectorError));
        assert_eq!(new(2, 1, "10.0.0.1", "10.0.0.1"), Err(SelectorError));
    }

    #[test]
    fn covers() {
        let ip = |s: &str| number(s.parse().unwrap());
        assert_eq!(sel(0, (0, 65535), "10.0.0.1", "10.0.0.254").cover(), (ip("10.0.0.0"), 24));
        assert_eq!(sel(0, (0, 65535), "10.0.0.1", "10.0.0.1").cover(), (ip("10.0.0.1"), 32));
        assert_eq!(sel(0, (0, 65535), "0.0.0.0", "255.255.255.255").cover(), (0, 0));
        assert_eq!(sel(0, (0, 65535), "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").cover(), (0, 0));
        assert_eq!(sel(0, (0, 65535), "fd00::", "fd00::ffff").cover(), (ip("fd00::"), 112));
    }
}
