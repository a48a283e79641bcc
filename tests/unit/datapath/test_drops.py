"""Each drop reason, caused once; and what is not a drop."""

from __future__ import annotations

import socket

import pytest
from ends import ANY4, End, Pair, host, packet, wait_for

from nf.datapath._rust import EspOutbound
from nf.datapath.port import Selector

REASONS = {
    "unknown-spi",
    "malformed",
    "replay",
    "integrity",
    "selector-mismatch",
    "no-policy",
    "expired",
    "sequence-exhausted",
    "too-big",
    "no-route",
    "send-failed",
    "unsupported",
    "dummy",
    "keepalive",
    "ike-overflow",
    "ce-on-not-ect",
    "panicked",
}


def test_every_reason_is_there_from_the_start(pair: Pair) -> None:
    expected = {f"{direction}.{reason}" for direction in ("inbound", "outbound") for reason in REASONS}
    assert pair.a.datapath.counters().drops == dict.fromkeys(expected, 0)


class Peer:
    """A peer of one End: a bare socket and the same keys."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.sequence = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.esp = EspOutbound(0x1000, 20, 256, 0, bytes(range(36)), b"", False)
        sa = end.inn(self.socket.getsockname()[1], local_ts=(host("10.1.0.1"),), remote_ts=(host("10.2.0.1"),))
        end.datapath.install_sa(sa)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, ("127.0.0.1", self.end.port))

    def send_inner(self, inner: bytes, next_header: int = 4) -> None:
        self.sequence += 1
        self.send(self.esp.seal(self.sequence, next_header, inner, self.sequence.to_bytes(8, "big")))


GOOD = packet("10.2.0.1", "10.1.0.1")


def inbound(pair: Pair) -> Peer:
    peer = Peer(pair.a)
    peer.send_inner(GOOD)
    assert pair.a.receive() == GOOD
    return peer


@pytest.mark.parametrize(
    ("reason", "inner", "next_header"),
    [
        ("selector-mismatch", packet("10.2.0.2", "10.1.0.1"), 4),
        ("selector-mismatch", packet("10.2.0.1", "10.1.0.2"), 4),
        ("selector-mismatch", packet("10.1.0.1", "10.2.0.1"), 4),
        ("selector-mismatch", packet("fd00::1", "fd00::2"), 41),
        ("malformed", GOOD, 41),
        ("malformed", GOOD[:-1], 4),
        ("malformed", b"", 4),
        ("malformed", b"\x45" + bytes(30), 4),
        ("unsupported", GOOD, 17),
        ("dummy", bytes(50), 59),
    ],
)
def test_inner_packets(pair: Pair, reason: str, inner: bytes, next_header: int) -> None:
    peer = inbound(pair)
    peer.send_inner(inner, next_header)
    wait_for(lambda: pair.a.drops() == {f"inbound.{reason}": 1})
    peer.send_inner(GOOD)
    assert pair.a.receive() == GOOD
    assert pair.a.silent()
    peer.socket.close()


def test_outer_packets(pair: Pair) -> None:
    peer = inbound(pair)
    peer.send(b"\x12\x34\x56\x78" + bytes(60))
    wait_for(lambda: pair.a.drops() == {"inbound.unknown-spi": 1})
    peer.send(b"\0\0\x10\0" + bytes(30))
    wait_for(lambda: pair.a.drops() == {"inbound.unknown-spi": 1, "inbound.malformed": 1})
    peer.socket.close()


def test_later_fragments_need_a_selector_for_all_ports(pair: Pair) -> None:
    """RFC 4301 section 7.1: without ports, only an entry for every port matches."""
    fragment = bytearray(GOOD)
    fragment[7] = 9
    peer = inbound(pair)
    peer.send_inner(bytes(fragment))
    assert pair.a.receive() == fragment
    pair.a.datapath.remove_sa(2)
    ports = (Selector(17, 0, 5000, "10.2.0.1", "10.2.0.1"),)
    pair.a.datapath.install_sa(pair.a.inn(9, local_ts=(ANY4,), remote_ts=ports))
    peer.send_inner(GOOD)
    assert pair.a.receive() == GOOD
    peer.send_inner(bytes(fragment))
    wait_for(lambda: pair.a.drops() == {"inbound.selector-mismatch": 1})
    peer.socket.close()


def test_ike_overflow(pair: Pair) -> None:
    peer = inbound(pair)
    sent = 0
    while not pair.a.drops():
        for _ in range(64):
            peer.send(bytes(4) + b"x")
        sent += 64
        assert sent < 100_000
    wait_for(lambda: len(pair.a.datapath.foreign_ike()) == 4096)
    assert set(pair.a.drops()) == {"inbound.ike-overflow"}
    peer.socket.close()


def test_no_tun(pair: Pair) -> None:
    peer = inbound(pair)
    pair.a.datapath.remove_context(1)
    pair.a.datapath.add_udp(1, "127.0.0.1", pair.a.udp.fileno())
    pair.a.datapath.install_sa(pair.a.inn(9))
    peer.send_inner(GOOD)
    wait_for(lambda: pair.a.drops() == {"inbound.no-route": 1})
    peer.socket.close()


@pytest.mark.parametrize(
    ("reason", "inner"),
    [
        ("no-policy", packet("10.1.0.2")),
        ("no-policy", packet(destination="10.2.0.2")),
        ("no-policy", packet("fd00::1", "fd00::2")),
        ("no-policy", packet(protocol=6)),
        ("no-policy", packet(ports=(999, 2000))),
        ("no-policy", packet(ports=(1000, 2001))),
        ("malformed", b"\x45"),
        ("malformed", bytes(40)),
        ("malformed", packet()[:-1]),
    ],
)
def test_outbound(pair: Pair, reason: str, inner: bytes) -> None:
    a, b = pair.a, pair.b
    local = (Selector(17, 1000, 65535, "10.1.0.1", "10.1.0.1"),)
    remote = (Selector(17, 0, 2000, "10.2.0.1", "10.2.0.1"),)
    a.datapath.install_sa(a.out(b.port, local_ts=local, remote_ts=remote))
    b.datapath.install_sa(b.inn(a.port))
    a.kernel[0].send(inner)
    wait_for(lambda: a.drops() == {f"outbound.{reason}": 1})
    a.kernel[0].send(packet())
    assert b.receive() == packet()


def test_send_failed(pair: Pair) -> None:
    pair.a.datapath.install_sa(pair.a.out(9, remote="240.0.0.1"))  # no host may have this address
    pair.a.kernel[0].send(packet())
    wait_for(lambda: pair.a.drops() == {"outbound.send-failed": 1})


@pytest.mark.parametrize("mtu", [576, 1280, 1438])
def test_too_big_is_answered_at_the_edge(pair: Pair, mtu: int) -> None:
    """RFC 1191, RFC 4443 section 3.2: an octet over the tunnel's MTU, and the answer goes to the sender."""
    a, b = pair.a, pair.b
    pair.connect(mtu=mtu)
    for addresses, header in ((("10.1.0.1", "10.2.0.1"), 20), (("fd00::1", "fd00::2"), 40)):
        fits = packet(*addresses, octets=mtu - header, df=True)
        a.kernel[0].send(fits)
        assert b.receive() == fits
        before = a.datapath.counters().drops["outbound.too-big"]
        big = packet(*addresses, octets=mtu - header + 1, df=True)
        a.kernel[0].send(big)
        answer = a.receive()
        assert a.datapath.counters().drops["outbound.too-big"] == before + 1 or wait_for(
            lambda before=before: a.datapath.counters().drops["outbound.too-big"] == before + 1
        )
        if header == 20:
            assert (answer[9], answer[12:16], answer[16:20]) == (1, big[16:20], big[12:16])
            icmp = answer[20:]
            assert (icmp[0], icmp[1], int.from_bytes(icmp[6:8], "big")) == (3, 4, mtu)
        else:
            assert (answer[6], answer[8:24], answer[24:40]) == (58, big[24:40], big[8:24])
            icmp = answer[40:]
            assert (icmp[0], icmp[1], int.from_bytes(icmp[4:8], "big")) == (2, 0, mtu)
        assert big.startswith(icmp[8:])
    assert b.silent()


def test_without_df_a_big_packet_is_cut(pair: Pair) -> None:
    a, b = pair.a, pair.b
    pair.connect(mtu=1000)
    a.kernel[0].send(packet(octets=2500))
    pieces = [b.receive() for _ in range(3)]
    assert b"".join(piece[20:] for piece in pieces) == packet(octets=2500)[20:]
    assert all(len(piece) <= 1000 for piece in pieces)
    assert [int.from_bytes(piece[6:8], "big") for piece in pieces] == [0x2000, 0x2000 + 122, 244]
    assert a.drops() == {}
