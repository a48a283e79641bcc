//! What one lookup costs with more and more SAs: `cargo run --release -p lookup --example lookup_cost`.
//!
//! Prints nanoseconds for a host selector, for a /24, and for an SPI. The numbers are to stay level down the table, apart
//! from what the processor's caches say to a larger table.

#![allow(clippy::unwrap_used)]

use lookup::{Entry, Flow, Sad, Selector, Spd};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: u32 = 400_000;

fn range(first: u32, last: u32) -> Vec<Selector> {
    let address = |n: u32| IpAddr::V4(Ipv4Addr::from(n));
    vec![Selector::new(0, 0, u16::MAX, address(first), address(last)).unwrap()]
}

fn nanoseconds(mut what: impl FnMut(u32)) -> f64 {
    let start = Instant::now();
    for n in 0..ROUNDS {
        what(n.wrapping_mul(2_654_435_761));
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
}

fn main() {
    println!("{:>8} {:>10} {:>10} {:>10}", "SAs", "host ns", "prefix ns", "SPI ns");
    for count in [10u32, 100, 1_000, 10_000, 100_000] {
        let (mut hosts, mut prefixes, sad) = (Spd::default(), Spd::default(), Sad::default());
        for n in 0..count {
            let value = Arc::new(n);
            let host = 0x0a00_0000 + n;
            hosts.insert(
                n.into(),
                &Entry { local: range(0, u32::MAX), remote: range(host, host), value: value.clone() },
            );
            let net = 0x0a00_0000 + (n << 8);
            prefixes.insert(
                n.into(),
                &Entry { local: range(0, u32::MAX), remote: range(net, net + 255), value: value.clone() },
            );
            sad.insert(1, n.wrapping_mul(0x9e37_79b1), value);
        }
        let flow = |destination: u32| Flow {
            source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            destination: IpAddr::V4(Ipv4Addr::from(destination)),
            protocol: 17,
            ports: Some((1000, 2152)),
            length: 100,
            transport: 20,
            fragment: false,
        };
        let host = nanoseconds(|n| {
            black_box(hosts.find(&flow(0x0a00_0000 + n % count))).unwrap();
        });
        let prefix = nanoseconds(|n| {
            black_box(prefixes.find(&flow(0x0a00_0000 + ((n % count) << 8) + 7))).unwrap();
        });
        let spi = nanoseconds(|n| {
            black_box(sad.get(1, (n % count).wrapping_mul(0x9e37_79b1))).unwrap();
        });
        println!("{count:>8} {host:>10.0} {prefix:>10.0} {spi:>10.0}");
    }
}
