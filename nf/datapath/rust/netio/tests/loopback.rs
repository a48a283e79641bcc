//! The Linux transports over loopback, and the dummies.

#![allow(clippy::unwrap_used)]

use netio::{Device, DummyDevice, Message, Poller, ReceiveBatch, Transport, Udp, Waker};
use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;

fn pair(address: &str) -> (Udp, Udp) {
    let socket = || Udp::new(OwnedFd::from(UdpSocket::bind((address, 0)).unwrap()), true).unwrap();
    (socket(), socket())
}

fn receive_all(udp: &Udp, octets: usize) -> Vec<Vec<u8>> {
    let poller = Poller::new().unwrap();
    poller.add(udp.fd(), 9).unwrap();
    let (mut batch, mut out, mut tokens) = (ReceiveBatch::new(4), vec![], vec![]);
    while out.iter().map(Vec::len).sum::<usize>() < octets {
        poller.wait(&mut tokens).unwrap();
        if tokens == [9] && udp.receive(&mut batch).is_ok() {
            for got in &batch.received {
                out.extend(batch.buf[got.place.clone()].chunks(got.segment).map(<[u8]>::to_vec));
            }
        }
    }
    out
}

#[test]
fn segments_arrive_as_datagrams() {
    for address in ["127.0.0.1", "::1"] {
        let (a, b) = pair(address);
        let arena: Vec<u8> = (0..2500u32).map(|n| (n % 251) as u8).collect();
        let messages = [
            Message { place: 0..2100, segment: 1000, to: b.local(), class: 0, whole: false },
            Message { place: 2100..2500, segment: 0, to: b.local(), class: 0, whole: false },
        ];
        assert_eq!(a.send(&arena, &messages).sent, 4);
        let got = receive_all(&b, 2500);
        assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 100, 400]);
        assert_eq!(got.concat(), arena);
    }
}

#[test]
fn what_cannot_be_sent_is_counted() {
    let (a, b) = pair("127.0.0.1");
    let arena = vec![0; 70_000];
    let sent = a.send(&arena, &[Message { place: 0..70_000, segment: 0, to: b.local(), class: 0, whole: false }]);
    assert_eq!((sent.sent, sent.too_big, sent.failed), (0, 1, 0));
    let other = "[::1]:9".parse().unwrap();
    let sent = a.send(&arena, &[Message { place: 0..10, segment: 0, to: other, class: 0, whole: false }]);
    assert_eq!((sent.sent, sent.failed), (0, 1));
    let sent = a.send(&arena, &[Message { place: 69_999..70_001, segment: 0, to: b.local(), class: 0, whole: false }]);
    assert_eq!((sent.sent, sent.failed), (0, 1));
}

#[test]
fn more_messages_than_one_call_takes() {
    let (a, b) = pair("127.0.0.1");
    let arena: Vec<u8> = (0..50).collect();
    let messages: Vec<Message> =
        (0..50).map(|n| Message { place: n..n + 1, segment: 0, to: b.local(), class: 0, whole: false }).collect();
    assert_eq!(a.send(&arena, &messages).sent, 50);
    assert_eq!(receive_all(&b, 50).concat(), arena);
}

#[test]
fn a_dummy_device_hands_over_packets() {
    for header in [false, true] {
        let (a, b) = DummyDevice::pair(header).unwrap();
        a.write(&[IoSlice::new(&[0; 10]), IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap();
        let mut buf = [0; 100];
        let octets = b.read(&mut buf).unwrap();
        assert_eq!(&buf[if header { 10 } else { 0 }..octets], b"abc");
        assert_eq!(b.read(&mut buf).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_waker_wakes_until_it_is_cleared() {
    let (poller, waker, other) = (Poller::new().unwrap(), Waker::new().unwrap(), Waker::new().unwrap());
    poller.add(waker.fd(), 1).unwrap();
    poller.add(other.fd(), 2).unwrap();
    let mut tokens = vec![];
    waker.wake();
    waker.wake();
    poller.wait(&mut tokens).unwrap();
    assert_eq!(tokens, [1]);
    waker.clear();
    other.wake();
    poller.wait(&mut tokens).unwrap();
    assert_eq!(tokens, [2]);
    poller.remove(other.fd()).unwrap();
    waker.wake();
    poller.wait(&mut tokens).unwrap();
    assert_eq!(tokens, [1]);
}
