//! Workers over dummies, and over devices that misbehave.

#![allow(clippy::unwrap_used)]

use lookup::Selector;
use netio::{Device, DummyDevice, DummyTransport, Message, Poller, ReceiveBatch, Sent, Transport};
use pipeline::{DataPath, Direction, DontFragment, Lifetime, Reason, SaConfig, Sizes};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn any() -> Vec<Selector> {
    vec![Selector::new(0, 0, u16::MAX, [0, 0, 0, 0].into(), [255, 255, 255, 255].into()).unwrap()]
}

fn sa(id: u64, direction: Direction, spi: u32) -> SaConfig<'static> {
    SaConfig {
        id,
        direction,
        context: 1,
        spi,
        policy_id: 1,
        local: LOCAL,
        remote: SocketAddr::new(LOCAL, 4500),
        encapsulated: true,
        encr: 20,
        key_bits: 128,
        integ: 0,
        encr_key: &[7; 20],
        integ_key: &[],
        local_ts: any(),
        remote_ts: any(),
        esn: false,
        replay_window: 64,
        lifetime: Lifetime::default(),
        sizes: Sizes { mtu: 1400, pre_fragment: 0, count_udp_header: false, dont_fragment: DontFragment::Copy },
        first_sequence: 1,
    }
}

fn wait_for(what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < until, "not in time");
        std::thread::yield_now();
    }
}

fn dropped(datapath: &DataPath, direction: Direction, reason: Reason) -> u64 {
    let counters = datapath.counters().unwrap();
    counters.drops.iter().find(|drop| (drop.0, drop.1) == (direction, reason)).unwrap().2
}

fn packet(octets: u8) -> Vec<u8> {
    let mut p = vec![0x45, 0, 0, 20 + octets, 0, 0, 0x40, 0, 64, 50, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    p.resize(20 + usize::from(octets), 9);
    p
}

fn read(device: &dyn Device) -> Vec<u8> {
    let (mut buf, poller, mut tokens) = (vec![0; 70_000], Poller::new().unwrap(), vec![]);
    poller.add(device.fd(), 1).unwrap();
    loop {
        match device.read(&mut buf) {
            Ok(octets) => return buf[..octets].to_vec(),
            Err(_) => poller.wait(&mut tokens).unwrap(),
        }
    }
}

/// Two data paths joined by dummies, with virtio-net headers on both TUNs; the kernel sides of the TUNs.
fn joined() -> (DataPath, DataPath, DummyDevice, DummyDevice) {
    let (a, b) = (DataPath::new(1, true).unwrap(), DataPath::new(1, true).unwrap());
    let (near, kernel_a) = DummyDevice::pair(true).unwrap();
    let (far, kernel_b) = DummyDevice::pair(true).unwrap();
    let (one, other) = DummyTransport::pair().unwrap();
    a.add_devices(1, vec![Arc::new(near)], 1400).unwrap();
    b.add_devices(1, vec![Arc::new(far)], 1400).unwrap();
    a.add_transport(1, SocketAddr::new(LOCAL, 4500), true, Arc::new(one)).unwrap();
    b.add_transport(1, SocketAddr::new(LOCAL, 4500), true, Arc::new(other)).unwrap();
    a.install(sa(1, Direction::Outbound, 0x10)).unwrap();
    b.install(sa(1, Direction::Inbound, 0x10)).unwrap();
    (a, b, kernel_a, kernel_b)
}

#[test]
fn packets_with_headers_cross() {
    let (_a, _b, kernel_a, kernel_b) = joined();
    kernel_a.write(&[IoSlice::new(&[0; 10]), IoSlice::new(&packet(40))]).unwrap();
    assert_eq!(read(&kernel_b)[10..], packet(40));
}

#[test]
fn an_unknown_offload_is_unsupported() {
    let (a, _b, kernel_a, kernel_b) = joined();
    kernel_a.write(&[IoSlice::new(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 0]), IoSlice::new(&packet(40))]).unwrap();
    wait_for(|| dropped(&a, Direction::Outbound, Reason::Unsupported) == 1);
    // a checksum outside the packet, a super-packet that is none
    kernel_a.write(&[IoSlice::new(&[1, 0, 0, 0, 0, 0, 200, 0, 0, 0]), IoSlice::new(&packet(40))]).unwrap();
    kernel_a.write(&[IoSlice::new(&[0, 1, 0, 0, 9, 0, 0, 0, 0, 0]), IoSlice::new(&packet(40))]).unwrap();
    wait_for(|| dropped(&a, Direction::Outbound, Reason::Malformed) == 2);
    kernel_a.write(&[IoSlice::new(&[0; 10]), IoSlice::new(&packet(40))]).unwrap();
    assert_eq!(read(&kernel_b)[10..], packet(40));
}

/// Panics once over the next packet.
struct Trap<T> {
    inner: T,
    armed: AtomicBool,
}

impl<T> Trap<T> {
    fn new(inner: T) -> Self {
        Self { inner, armed: AtomicBool::new(true) }
    }

    fn spring(&self) {
        assert!(!self.armed.swap(false, Ordering::Relaxed), "sprung: this message belongs to the test");
    }
}

impl Device for Trap<DummyDevice> {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.spring();
        self.inner.read(buf)
    }
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.inner.write(parts)
    }
    fn has_header(&self) -> bool {
        self.inner.has_header()
    }
    fn takes_udp(&self) -> bool {
        self.inner.takes_udp()
    }
    fn fd(&self) -> BorrowedFd<'_> {
        self.inner.fd()
    }
}

impl Transport for Trap<DummyTransport> {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        self.spring();
        self.inner.receive(batch)
    }
    fn send(&self, arena: &[u8], messages: &[Message]) -> Sent {
        self.inner.send(arena, messages)
    }
    fn segments(&self) -> bool {
        true
    }
    fn fd(&self) -> BorrowedFd<'_> {
        self.inner.fd()
    }
}

#[test]
fn a_panic_is_counted_and_the_worker_goes_on() {
    let (a, b) = (DataPath::new(1, true).unwrap(), DataPath::new(1, true).unwrap());
    let (near, kernel_a) = DummyDevice::pair(false).unwrap();
    let (far, kernel_b) = DummyDevice::pair(false).unwrap();
    let (one, other) = DummyTransport::pair().unwrap();
    a.add_devices(1, vec![Arc::new(Trap::new(near))], 1400).unwrap();
    b.add_devices(1, vec![Arc::new(far)], 1400).unwrap();
    a.add_transport(1, SocketAddr::new(LOCAL, 4500), true, Arc::new(one)).unwrap();
    b.add_transport(1, SocketAddr::new(LOCAL, 4500), true, Arc::new(Trap::new(other))).unwrap();
    a.install(sa(1, Direction::Outbound, 0x10)).unwrap();
    b.install(sa(1, Direction::Inbound, 0x10)).unwrap();
    for octets in 1..=3 {
        kernel_a.write(&[IoSlice::new(&[]), IoSlice::new(&packet(octets))]).unwrap();
        assert_eq!(read(&kernel_b), packet(octets));
    }
    assert_eq!(dropped(&a, Direction::Outbound, Reason::Panicked), 1);
    assert_eq!(dropped(&b, Direction::Inbound, Reason::Panicked), 1);
}

#[test]
fn ten_thousand_tunnels_find_their_own_sa() {
    let (a, b, kernel_a, kernel_b) = joined();
    let address = |n: u64| IpAddr::V4(Ipv4Addr::from(0x0a80_0000 + n as u32));
    let count = 10_000;
    for n in 0..count {
        let host = vec![Selector::new(0, 0, u16::MAX, address(n), address(n)).unwrap()];
        let spi = 0x1000 + n as u32;
        let out = sa(10 + n, Direction::Outbound, spi);
        a.install(SaConfig { policy_id: 10 + n, remote_ts: host.clone(), ..out }).unwrap();
        b.install(SaConfig { local_ts: host, ..sa(10 + n, Direction::Inbound, spi) }).unwrap();
    }
    for n in [0, 1, 4_999, count - 1] {
        let mut p = packet(30);
        let IpAddr::V4(to) = address(n) else { return };
        p[16..20].copy_from_slice(&to.octets());
        kernel_a.write(&[IoSlice::new(&[0; 10]), IoSlice::new(&p)]).unwrap();
        assert_eq!(read(&kernel_b)[10..], p);
        let counters = b.sa_counters(Some(&[10 + n])).unwrap();
        assert_eq!(counters[0].packets, 1, "{n}");
    }
    a.remove_context(1).unwrap();
    assert_eq!(a.counters().unwrap().sas, 0);
}
