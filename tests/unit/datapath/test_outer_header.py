"""What is on the wire between two network namespaces, read by a packet socket: DSCP, ECN and DF of the outer header,
sizes, and what comes of a path that takes less (TPL-12, WSG-08, QOS-02, QOS-10 to QOS-13, QOS-21, RFC 4301 section
5.1.2)."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from namespaces import Gateway, gateways, inside, run

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/net/tun"), reason="needs root and /dev/net/tun"),
]
DEADLINE_S = 10.0
MODES = ("clear-bit", "copy-bit", "set-bit")
SOL_IP, MTU_DISCOVER, DONT, DO = 0, 10, 0, 2


@dataclass(frozen=True)
class Outer:
    """One outer packet, or fragment of one: class, DF and more-fragments bits, octets of the whole."""

    traffic_class: int
    df: bool
    fragment: bool
    octets: int


class Wire:
    """Everything that arrives on the veth of a gateway, offloads off, so that a packet is a packet."""

    def __init__(self, gateway: Gateway) -> None:
        with inside(gateway.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind(("veth0", 3))

    def read(self) -> Outer | None:
        """The next ESP packet, native or in UDP to port 4500, or fragment of one; None when nothing more waits."""
        while select.select([self.socket], [], [], 0.0)[0]:
            data = self.socket.recv(70_000)
            if data[0] >> 4 == 4 and data[9] in (17, 50):
                field = int.from_bytes(data[6:8], "big")
                return Outer(data[1], bool(field & 0x4000), bool(field & 0x3FFF), int.from_bytes(data[2:4], "big"))
            if data[0] >> 4 == 6 and data[6] in (17, 44, 50):
                traffic_class = (data[0] << 4 | data[1] >> 4) & 0xFF
                return Outer(traffic_class, False, data[6] == 44, 40 + int.from_bytes(data[4:6], "big"))
        return None

    def rest(self) -> list[Outer]:
        """All that waits."""
        return list(iter(self.read, None))


@contextmanager
def joined(offload: bool, v6: bool, udp: bool, **changes: Any) -> Iterator[tuple[Gateway, Gateway, Wire]]:
    """Two gateways with one Child SA, and the wire at the second. The veth has no offloads."""
    with gateways(offload) as (a, b):
        for gateway in (a, b):
            with inside(gateway.namespace):
                subprocess.run(
                    ["ethtool", "-K", "veth0", "gso", "off", "tso", "off", "gro", "off", "tx-udp-segmentation", "off"],
                    check=False,
                    capture_output=True,
                    timeout=20,
                )
        a.install(b, v6, udp, **changes)
        b.install(a, v6, udp, **changes)
        wire = Wire(b)
        try:
            yield a, b, wire
        finally:
            wire.socket.close()


def sockets(a: Gateway, b: Gateway, inner6: bool) -> tuple[socket.socket, socket.socket]:
    return a.socket(inner6, socket.SOCK_DGRAM), b.socket(inner6, socket.SOCK_DGRAM)


def mark(sock: socket.socket, inner6: bool, traffic_class: int) -> None:
    if inner6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, traffic_class)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, traffic_class)


CASES = [(offload, v6, udp) for offload in (True, False) for v6 in (False, True) for udp in (True, False)]


@pytest.mark.parametrize(("offload", "v6", "udp"), CASES)
def test_class_is_copied(offload: bool, v6: bool, udp: bool) -> None:
    """DSCP and ECN of every inner packet, of both families, next to packets that are marked otherwise (RFC 6040)."""
    with joined(offload, v6, udp) as (a, b, wire):
        for inner6 in (False, True):
            sender, receiver = sockets(a, b, inner6)
            classes = [0x00, 0xB8, 0x29, 0x8A, 0x03, 0xFC]
            for traffic_class in classes:
                mark(sender, inner6, traffic_class)
                sender.sendto(b"x" * 100, receiver.getsockname())
                assert receiver.recv(2000) == b"x" * 100
            assert [outer.traffic_class for outer in wire.rest()] == classes
            if inner6:
                receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            else:
                receiver.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            mark(sender, inner6, 0xBA)
            sender.sendto(b"x", receiver.getsockname())
            _, ((_, _, got),), _, _ = receiver.recvmsg(100, 100)
            assert got[0] == 0xBA
            wire.rest()
            sender.close()
            receiver.close()


@pytest.mark.parametrize(("offload", "v6", "udp"), CASES)
def test_congestion_on_the_path(offload: bool, v6: bool, udp: bool) -> None:
    """RFC 6040 section 4.2: CE of the outer header reaches an ECN-capable inner packet, and ends another. A router
    marks what it forwards; here the second gateway's interface does, on the way in."""
    with joined(offload, v6, udp) as (a, b, _):
        family = "ip6" if v6 else "ip"
        rules = (
            f"add table netdev t\nadd chain netdev t c {{ type filter hook ingress device veth0 priority 0; }}\n"
            f"add rule netdev t c meta protocol {family} {family} ecn set ce\n"
        )
        command = ["ip", "netns", "exec", b.namespace, "nft", "-f", "-"]
        made = subprocess.run(command, input=rules.encode(), capture_output=True, timeout=20)
        if made.returncode:
            pytest.skip("no nft to mark packets with")
        for inner6 in (False, True):
            sender, receiver = sockets(a, b, inner6)
            if inner6:
                receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            else:
                receiver.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            for ecn in (1, 2, 3):
                mark(sender, inner6, 0xB8 | ecn)
                sender.sendto(b"x", receiver.getsockname())
                _, ((_, _, got),), _, _ = receiver.recvmsg(100, 100)
                assert got[0] == 0xBB
            before = b.datapath.counters().drops["inbound.ce-on-not-ect"]
            mark(sender, inner6, 0xB8)
            sender.sendto(b"x", receiver.getsockname())
            wait_for_drop(b, "inbound.ce-on-not-ect", before + 1)
            sender.close()
            receiver.close()


def wait_for_drop(gateway: Gateway, reason: str, count: int) -> None:
    until = time.monotonic() + DEADLINE_S
    while gateway.datapath.counters().drops[reason] != count:
        assert time.monotonic() < until, gateway.datapath.counters().drops
        time.sleep(0.001)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("offload", "udp"), [(o, u) for o in (True, False) for u in (True, False)])
def test_df(mode: str, offload: bool, udp: bool) -> None:
    """TPL-12, in turns, so that neighbours differ; an inner IPv6 packet counts as having DF."""
    with joined(offload, False, udp, dont_fragment=mode) as (a, b, wire):
        sender, receiver = sockets(a, b, False)
        sender6, receiver6 = sockets(a, b, True)
        for df in (True, False, False, True):
            sender.setsockopt(SOL_IP, MTU_DISCOVER, DO if df else DONT)
            sender.sendto(b"x" * 500, receiver.getsockname())
            receiver.recv(2000)
        sender6.sendto(b"x", receiver6.getsockname())
        receiver6.recv(2000)
        expected = {
            "clear-bit": [False] * 5,
            "copy-bit": [True, False, False, True, True],
            "set-bit": [True] * 5,
        }
        assert [outer.df for outer in wire.rest()] == expected[mode]
        for sock in (sender, receiver, sender6, receiver6):
            sock.close()


def path_mtu(a: Gateway, b: Gateway, mtu: int) -> None:
    """The route to the peer takes no more."""
    for v6 in (False, True):
        run(f"ip -n {a.namespace} route add {b.outer(v6)} dev veth0 mtu {mtu}")


@pytest.mark.parametrize(("offload", "v6", "udp"), CASES)
def test_a_small_path_is_answered(offload: bool, v6: bool, udp: bool) -> None:
    """QOS-13: with DF, what the path does not take is dropped, and the very first is answered; what just fits goes."""
    with joined(offload, v6, udp, mtu=1400) as (a, b, wire):
        path_mtu(a, b, 1340)
        sender, receiver = sockets(a, b, False)
        sender.setsockopt(SOL_IP, MTU_DISCOVER, DO)
        # outer IP, UDP, ESP header, IV and ICV; then the trailer, in fours
        esp = 1340 - (40 if v6 else 20) - (8 if udp else 0) - 8 - 8 - 16
        fits = esp // 4 * 4 - 2 - 28
        sender.sendto(b"x" * (fits + 1), receiver.getsockname())
        until = time.monotonic() + DEADLINE_S
        while (learnt := inner_mtu(a, receiver)) == 1400 and time.monotonic() < until:
            time.sleep(0.001)
        assert learnt == fits + 28
        assert a.datapath.counters().drops["outbound.too-big"] == 1
        assert wire.rest() == []
        sender.sendto(b"x" * fits, receiver.getsockname())
        assert len(receiver.recv(2000)) == fits
        (outer,) = wire.rest()
        assert outer.df is not v6
        assert 1340 - 4 < outer.octets <= 1340
        assert not outer.fragment
        sender.close()
        receiver.close()


def inner_mtu(a: Gateway, receiver: socket.socket) -> int:
    """What the inner host knows of the path through the tunnel."""
    with a.socket(False, socket.SOCK_DGRAM) as probe:
        probe.connect(receiver.getsockname())
        return probe.getsockopt(SOL_IP, 14)


@pytest.mark.parametrize(("offload", "v6", "udp"), CASES)
def test_without_df_the_kernel_fragments(offload: bool, v6: bool, udp: bool) -> None:
    with joined(offload, v6, udp, mtu=1400) as (a, b, wire):
        path_mtu(a, b, 1300)
        sender, receiver = sockets(a, b, False)
        sender.setsockopt(SOL_IP, MTU_DISCOVER, DONT)
        sender.sendto(b"x" * 1372, receiver.getsockname())
        assert len(receiver.recv(2000)) == 1372
        outers = wire.rest()
        assert len(outers) == 2
        assert all(outer.fragment and outer.octets <= 1300 and not outer.df for outer in outers)
        sender.close()
        receiver.close()


@pytest.mark.parametrize(("offload", "v6", "udp"), CASES)
@pytest.mark.parametrize("counted", [True, False])
def test_pre_fragment(offload: bool, v6: bool, udp: bool, counted: bool) -> None:
    """WSG-08, QOS-12, QOS-21: the largest inner packet that fits stays whole, one octet more is two; with DF it stays
    whole. Outer packets are never fragments."""
    limit = 1000
    changes = {"mtu": 1400, "pre_fragment": limit, "count_udp_header": counted}
    with joined(offload, v6, udp, **changes) as (a, b, wire):
        sender, receiver = sockets(a, b, False)
        outer_limit = limit + (8 if udp and not counted else 0)
        esp = outer_limit - (40 if v6 else 20) - (8 if udp else 0) - 8 - 8 - 16
        fits = esp // 4 * 4 - 2 - 28
        for df, octets, packets in ((False, fits, 1), (False, fits + 1, 2), (False, 1372, 2), (True, 1372, 1)):
            sender.setsockopt(SOL_IP, MTU_DISCOVER, DO if df else DONT)
            sender.sendto(b"x" * octets, receiver.getsockname())
            assert len(receiver.recv(2000)) == octets
            outers = wire.rest()
            assert len(outers) == packets
            assert not any(outer.fragment for outer in outers)
            assert all(df or outer.octets <= outer_limit for outer in outers)
            assert octets != fits or outer_limit - 4 < outers[0].octets
        sender.close()
        receiver.close()


@pytest.mark.parametrize("udp", [True, False])
def test_super_packets_without_df_are_pre_fragmented(udp: bool) -> None:
    """UDP segmentation offload without DF: each datagram is cut, none is lost (WSG-08)."""
    with joined(True, False, udp, mtu=1400, pre_fragment=800) as (a, b, wire):
        sender, receiver = sockets(a, b, False)
        sender.setsockopt(SOL_IP, MTU_DISCOVER, DONT)
        sender.setsockopt(17, 103, 1200)
        data = bytes(n % 251 for n in range(5000))
        sender.sendto(data, receiver.getsockname())
        assert b"".join(receiver.recv(2000) for _ in range(5)) == data
        outers = wire.rest()
        assert len(outers) == 9
        assert all(outer.octets <= 800 + (8 if udp else 0) and not outer.fragment for outer in outers)
        sender.close()
        receiver.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("v6", [False, True])
def test_bulk_tcp_over_a_small_path(mode: str, v6: bool) -> None:
    """QOS-13: TCP finds its way in each mode, and marked."""
    with joined(True, v6, True, mtu=1400, dont_fragment=mode) as (a, b, wire):
        path_mtu(a, b, 1300)
        server = b.socket(False, socket.SOCK_STREAM)
        server.listen(1)
        client = a.socket(False, socket.SOCK_STREAM)
        mark(client, False, 0x28)
        client.connect(server.getsockname())
        peer, _ = server.accept()
        peer.settimeout(20)
        data = os.urandom(300_000)
        got = b""
        view = memoryview(data)
        while len(got) < len(data):
            if view:
                view = view[client.send(view[:20_000]) :]
            got += peer.recv(20_000)
        assert got == data
        outers = wire.rest()
        assert all(outer.octets <= 1300 for outer in outers)
        big = [outer for outer in outers if outer.octets > 1000 and outer.traffic_class]
        assert big
        assert {outer.traffic_class & 0xFC for outer in big} == {0x28}
        assert {outer.df for outer in big} == {mode != "clear-bit" and not v6}
        assert mode == "clear-bit" or not any(outer.fragment for outer in outers)
        for sock in (client, peer, server):
            sock.close()
