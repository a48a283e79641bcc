"""The software data path: what it carries, tells and refuses."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import replace

import pytest
from ends import GCM, End, Pair, host, packet, wait_for

from nf.datapath.port import DatapathError, DatapathEvent, EventKind, Lifetime, Selector
from nf.datapath.software import SoftwareDatapath

SUITES = [
    {"encr": 20, "key_bits": 128, "integ": 0, "encr_key": bytes(20), "integ_key": b""},
    {"encr": 28, "key_bits": 256, "integ": 0, "encr_key": bytes(36), "integ_key": b""},
    {"encr": 12, "key_bits": 256, "integ": 12, "encr_key": bytes(32), "integ_key": bytes(32)},
    {"encr": 12, "key_bits": 128, "integ": 2, "encr_key": bytes(16), "integ_key": bytes(20)},
    {"encr": 11, "key_bits": 0, "integ": 14, "encr_key": b"", "integ_key": bytes(64)},
]
V6 = {"source": "fd00:1::1", "destination": "fd00:2::1"}


@pytest.mark.parametrize("outer", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("offload", [False, True])
def test_both_families_in_both_families(outer: str, offload: bool) -> None:
    pair = Pair(End(outer, offload), End(outer, offload))
    try:
        pair.connect()
        for inner in (packet(), packet(**V6), packet(octets=4), packet(octets=1400)):
            pair.a.kernel[0].send(inner)
            assert pair.b.receive() == inner
            pair.b.kernel[0].send(inner)
            assert pair.a.receive() == inner
        wait_for(lambda: pair.a.datapath.counters().packets_out + pair.a.datapath.counters().packets_in == 8)
        totals = pair.a.datapath.counters()
        assert (totals.packets_in, totals.octets_in) == (4, totals.octets_out)
        assert totals.sas == 2
        assert pair.a.drops() == pair.b.drops() == {}
    finally:
        pair.close()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"{suite['encr']}-{suite['integ']}")
@pytest.mark.parametrize("esn", [False, True])
def test_every_kind_of_suite(pair: Pair, suite: dict[str, object], esn: bool) -> None:
    pair.connect(**suite, esn=esn)
    for octets in range(20, 60):
        pair.a.kernel[0].send(packet(octets=octets))
    for octets in range(20, 60):
        assert pair.b.receive() == packet(octets=octets)


def test_a_burst_keeps_its_order(tunnel: Pair) -> None:
    burst = [packet(ports=(n + 1, 9), octets=1000 if n % 7 else 90) for n in range(100)]
    tunnel.a.kernel[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    for inner in burst:
        tunnel.a.kernel[0].send(inner)
    assert [tunnel.b.receive() for _ in burst] == burst
    (counters,) = tunnel.b.datapath.sa_counters((2,))
    assert (counters.packets, counters.octets, counters.sequence) == (100, sum(map(len, burst)), 100)
    assert counters.last_used_s_ago is not None
    assert counters.last_used_s_ago < 10


def test_several_queues_feed_one_sa_without_replays() -> None:
    """Packets of two threads reach the peer in the order of their numbers, or at least inside its window."""
    pair = Pair(End(queues=2), End())
    try:
        pair.connect(replay_window=32)
        for n in range(400):
            pair.a.kernel[n % 2].send(packet(ports=(n + 1, 9)))
            assert pair.b.receive()
        assert pair.b.drops() == {}
    finally:
        pair.close()


def test_tfc_padding_is_cut_off(tunnel: Pair) -> None:
    """Octets behind the inner packet's own length are padding (RFC 4303 section 2.7); the kernel may add them too."""
    tunnel.a.kernel[0].send(packet() + bytes(40))
    assert tunnel.b.receive() == packet()


def test_first_packet_is_told_once(tunnel: Pair) -> None:
    descriptor = tunnel.b.datapath.event_fd()
    assert not select.select([descriptor], [], [], 0)[0]
    for _ in range(3):
        tunnel.a.kernel[0].send(packet())
        tunnel.b.receive()
    assert select.select([descriptor], [], [], 10)[0]
    assert tunnel.b.datapath.poll_events() == [DatapathEvent(EventKind.FIRST_PACKET, 2)]
    assert not select.select([descriptor], [], [], 0)[0]


def test_a_rekey_takes_over_at_once_and_the_old_one_comes_back(tunnel: Pair) -> None:
    """RFC 7296 section 2.8: the newest outbound SA of a policy carries, inbound ones coexist."""
    a, b = tunnel.a, tunnel.b
    key = {**GCM, "encr_key": bytes(range(100, 136))}
    b.datapath.install_sa(b.inn(a.port, sa_id=3, spi=0x1001, **key))
    a.datapath.install_sa(a.out(b.port, sa_id=3, spi=0x1001, **key))

    def carried() -> list[int]:
        a.kernel[0].send(packet())
        b.receive()
        return [c.packets for c in sorted(b.datapath.sa_counters((2, 3)), key=lambda c: c.sa_id)]

    assert carried() == [0, 1]
    a.datapath.remove_sa(3)
    assert carried() == [1, 1]
    a.datapath.remove_sa(1)
    a.kernel[0].send(packet())
    wait_for(lambda: a.drops() == {"outbound.no-policy": 1})
    b.datapath.remove_sa(2)
    b.datapath.remove_sa(2)  # an unknown id is not an error
    assert [c.sa_id for c in b.datapath.sa_counters((1, 2, 99))] == [1]


def test_the_narrowest_policy_carries(pair: Pair) -> None:
    a, b = pair.a, pair.b
    for n, address in ((1, "10.2.0.1"), (2, "10.2.0.2")):
        ts = {"local_ts": (host("10.1.0.1"),), "remote_ts": (host(address),), "policy_id": n}
        back = {"remote_ts": (host("10.1.0.1"),), "local_ts": (host(address),)}
        a.datapath.install_sa(a.out(b.port, sa_id=n, spi=0x1000 + n, **ts))
        b.datapath.install_sa(b.inn(a.port, sa_id=n, spi=0x1000 + n, **back))
    a.datapath.install_sa(a.out(9, sa_id=3, policy_id=3))  # everything else goes nowhere
    for n, address in ((1, "10.2.0.1"), (2, "10.2.0.2")):
        a.kernel[0].send(packet(destination=address))
        assert b.receive() == packet(destination=address)
        assert [c.packets for c in b.datapath.sa_counters((n,))] == [1]


def test_soft_and_hard_packets(tunnel: Pair) -> None:
    """RKY-02: at the limit the SA says so, and carries nothing more."""
    a, b = tunnel.a, tunnel.b
    a.datapath.remove_sa(1)
    life = Lifetime(soft_packets=2, hard_packets=4)
    a.datapath.install_sa(a.out(b.port, lifetime=life))
    events = []
    for _ in range(4):
        a.kernel[0].send(packet())
        b.receive()
        events.append([event.kind for event in a.datapath.poll_events()])
    assert events == [[], [EventKind.SOFT_EXPIRED], [], [EventKind.HARD_EXPIRED]]
    a.kernel[0].send(packet())
    wait_for(lambda: a.drops() == {"outbound.expired": 1})
    assert b.silent()


def test_soft_and_hard_octets_inbound(pair: Pair) -> None:
    a, b = pair.a, pair.b
    size = len(packet())
    a.datapath.install_sa(a.out(b.port))
    b.datapath.install_sa(b.inn(a.port, lifetime=Lifetime(soft_octets=size + 1, hard_octets=2 * size + 1)))
    for _ in range(3):
        a.kernel[0].send(packet())
        b.receive()
    kinds = [event.kind for event in b.datapath.poll_events()]
    assert kinds == [EventKind.FIRST_PACKET, EventKind.SOFT_EXPIRED, EventKind.HARD_EXPIRED]
    a.kernel[0].send(packet())
    wait_for(lambda: b.drops() == {"inbound.expired": 1})


def test_time_lifetimes_need_no_traffic(pair: Pair) -> None:
    a, b = pair.a, pair.b
    a.datapath.install_sa(a.out(b.port, lifetime=Lifetime(soft_seconds=0.02, hard_seconds=0.06)))
    a.datapath.install_sa(a.inn(b.port, lifetime=Lifetime(hard_seconds=3600)))
    events: list[DatapathEvent] = []
    wait_for(lambda: len(events.extend(a.datapath.poll_events()) or events) == 2)
    assert [event.kind for event in events] == [EventKind.SOFT_EXPIRED, EventKind.HARD_EXPIRED]
    assert {event.sa_id for event in events} == {1}
    a.kernel[0].send(packet())
    wait_for(lambda: a.drops() == {"outbound.expired": 1})


def test_sequence_numbers_end(pair: Pair) -> None:
    """RFC 4303 section 3.3.3: without ESN number 2^32-1 is the last."""
    a, b = pair.a, pair.b
    a.datapath.install_sa(a.out(b.port), first_sequence=2**32 - 2)
    b.datapath.install_sa(b.inn(a.port))
    for _ in range(2):
        a.kernel[0].send(packet())
        b.receive()
    assert a.datapath.sa_counters((1,))[0].sequence == 2**32 - 1
    a.kernel[0].send(packet())
    wait_for(lambda: a.drops() == {"outbound.sequence-exhausted": 1})
    a.kernel[0].send(packet())
    wait_for(lambda: a.drops() == {"outbound.sequence-exhausted": 2})
    assert [event.kind for event in a.datapath.poll_events()] == [EventKind.SEQUENCE_EXHAUSTED]
    assert b.silent()


def test_extended_numbers_go_on(pair: Pair) -> None:
    """ESN-16, on both sides of 2^32."""
    a, b = pair.a, pair.b
    a.datapath.install_sa(a.out(b.port, esn=True), first_sequence=2**32 - 2)
    b.datapath.install_sa(b.inn(a.port, esn=True, replay_window=0))  # without a window the nearest number is meant
    a.kernel[0].send(packet())
    wait_for(lambda: b.drops() == {"inbound.replay": 1})  # a fresh receiver stands at 0: nothing lies before it
    a.datapath.remove_sa(1)
    a.datapath.install_sa(a.out(b.port, esn=True), first_sequence=2**31 - 1)
    for first in (2**31 - 1, 2**32 - 2):
        a.datapath.remove_sa(1)
        a.datapath.install_sa(a.out(b.port, esn=True), first_sequence=first)
        for n in range(4):
            a.kernel[0].send(packet())
            b.receive()
            assert b.datapath.sa_counters((2,))[0].sequence == first + n


def test_replays_are_counted(tunnel: Pair) -> None:
    """ESN-07. The packet is caught on its way: the SA sends to a socket of the test, which sends it on twice."""
    a, b = tunnel.a, tunnel.b
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as middle:
        middle.bind(("127.0.0.1", 0))
        middle.settimeout(10)
        a.datapath.update_sa_path(1, "127.0.0.1", "127.0.0.1", a.port, middle.getsockname()[1])
        a.kernel[0].send(packet())
        sealed = middle.recv(2000)
        for _ in range(3):
            middle.sendto(sealed, ("127.0.0.1", b.port))
        b.receive()
        wait_for(lambda: b.drops() == {"inbound.replay": 2})
        (counters,) = b.datapath.sa_counters((2,))
        assert (counters.replay_drops, counters.packets) == (2, 1)
        forged = bytearray(sealed)
        forged[7] += 1
        middle.sendto(forged, ("127.0.0.1", b.port))
        wait_for(lambda: b.drops() == {"inbound.replay": 2, "inbound.integrity": 1})
        assert b.datapath.sa_counters((2,))[0].integrity_failures == 1


def test_a_move_of_the_peer_is_told_once_for_each_place(tunnel: Pair) -> None:
    """RFC 3948 section 3: a good packet from elsewhere; a forged one moves nothing."""
    a, b = tunnel.a, tunnel.b
    b.datapath.poll_events()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nat:
        nat.bind(("127.0.0.1", 0))
        nat.settimeout(10)
        a.datapath.update_sa_path(1, "127.0.0.1", "127.0.0.1", a.port, nat.getsockname()[1])
        for _ in range(2):
            a.kernel[0].send(packet())
            nat.sendto(nat.recv(2000), ("127.0.0.1", b.port))
            b.receive()
        moved = DatapathEvent(EventKind.PEER_MOVED, 2, "127.0.0.1", nat.getsockname()[1])
        assert b.datapath.poll_events() == [DatapathEvent(EventKind.FIRST_PACKET, 2), moved]
        b.datapath.update_sa_path(2, "127.0.0.1", "127.0.0.1", b.port, nat.getsockname()[1])
        a.kernel[0].send(packet())
        sealed = nat.recv(2000)
        nat.sendto(sealed, ("127.0.0.1", b.port))
        b.receive()
        assert b.datapath.poll_events() == []
        nat.sendto(sealed[:-1] + b"x", ("127.0.0.1", b.port))
        wait_for(lambda: b.drops())
        assert b.datapath.poll_events() == []


def test_ike_and_keepalives_on_the_same_socket(tunnel: Pair) -> None:
    """RFC 3948 sections 2.2 and 2.3."""
    b = tunnel.b
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        for data in (b"\xff", bytes(4) + b"ike message", b"\0\0\0", b"\1\2\3\4"):
            peer.sendto(data, ("127.0.0.1", b.port))
        wait_for(lambda: b.drops() == {"inbound.keepalive": 1, "inbound.malformed": 2})
        assert select.select([b.datapath.event_fd()], [], [], 10)[0]
        (ike,) = wait_for(b.datapath.foreign_ike)
        assert (ike.data, ike.local, ike.local_port) == (b"ike message", "127.0.0.1", b.port)
        assert (ike.remote, ike.remote_port, ike.context_index) == (*peer.getsockname(), 1)
        assert b.datapath.foreign_ike() == []


def test_refusals(pair: Pair) -> None:
    a = pair.a
    good = a.inn(9)
    a.datapath.install_sa(good)
    other = {"sa_id": 7, "spi": 0x7777}
    for why, sa in (
        ("id 2 is taken", good),
        ("SPI 00001000 is taken", replace(good, sa_id=3)),
        ("unknown encryption transform 3", replace(good, **other, encr=3)),
        ("unknown integrity transform 1", replace(good, **other, encr=11, key_bits=0, encr_key=b"", integ=1)),
        ("does not fit", replace(good, **other, encr_key=bytes(35))),
        ("window", replace(good, **other, replay_window=31)),
        ("window", replace(good, **other, replay_window=513)),
        ("two families", replace(good, **other, remote="::1")),
        ("address", replace(good, **other, remote="localhost")),
        ("SPI 0", replace(good, sa_id=7, spi=0)),
        ("range", replace(good, **other, local_ts=(Selector(0, 9, 8, "10.0.0.1", "10.0.0.1"),))),
        ("int", replace(good, sa_id=7, spi=2**32)),
    ):
        with pytest.raises(DatapathError, match=why):
            a.datapath.install_sa(sa)
    assert a.datapath.counters().sas == 1
    assert bytes(range(36)).hex() not in repr(good)
    with pytest.raises(DatapathError, match="9"):
        a.datapath.update_sa_path(9, "127.0.0.1", "127.0.0.1", 0, 0)


def test_devices_come_and_go(tunnel: Pair) -> None:
    a, b = tunnel.a, tunnel.b
    with pytest.raises(DatapathError, match="TUN of context 1"):
        a.datapath.add_tun(1, [a.kernel[0].fileno()], 0)
    with pytest.raises(DatapathError, match=r"UDP socket of 127\.0\.0\.1"):
        a.datapath.add_udp(1, "127.0.0.1", a.udp.fileno())
    with pytest.raises(DatapathError, match="queue"):
        a.datapath.add_tun(2, [], 0)
    with pytest.raises(DatapathError, match="descriptor"):
        a.datapath.add_udp(2, "127.0.0.1", 9999)
    with pytest.raises(DatapathError, match="IPv6"):
        a.datapath.add_raw(2, "127.0.0.1", 6, a.udp.fileno())
    a.datapath.remove_udp(1, "127.0.0.1")
    a.datapath.remove_udp(1, "127.0.0.1")
    a.kernel[0].send(packet())
    wait_for(lambda: a.drops() == {"outbound.no-route": 1})
    a.datapath.add_udp(1, "127.0.0.1", a.udp.fileno())
    a.kernel[0].send(packet())
    assert b.receive() == packet()
    b.datapath.remove_context(1)
    b.datapath.remove_context(1)
    assert b.datapath.counters().sas == 0
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    b.kernel.append(ours)
    b.datapath.add_tun(1, [theirs.fileno()], 0)
    theirs.close()
    b.datapath.add_udp(1, "127.0.0.1", b.udp.fileno())
    b.datapath.install_sa(b.inn(a.port))
    a.kernel[0].send(packet())
    assert b.receive() == packet()


def test_a_dead_queue_keeps_nobody_busy(tunnel: Pair) -> None:
    """The kernel's side of a TUN goes away: the worker goes on with what is left."""
    a, b = tunnel.a, tunnel.b
    b.kernel[0].close()
    a.kernel[0].send(packet())
    wait_for(lambda: b.drops() == {"inbound.send-failed": 1})
    b.kernel.clear()


def test_stop_is_prompt_and_final() -> None:
    end = End()
    end.datapath.install_sa(end.out(9))
    before = time.monotonic()
    end.datapath.stop()
    assert time.monotonic() - before < 5
    end.datapath.stop()
    for call in (
        end.datapath.poll_events,
        end.datapath.counters,
        end.datapath.sa_counters,
        end.datapath.foreign_ike,
        end.datapath.event_fd,
        lambda: end.datapath.install_sa(end.inn(9)),
        lambda: end.datapath.remove_sa(1),
        lambda: end.datapath.add_udp(1, "127.0.0.1", end.udp.fileno()),
    ):
        with pytest.raises(DatapathError, match="stopped"):
            call()
    end.close()


def test_without_stop_the_threads_end_with_the_object() -> None:
    import os

    before = len(os.listdir("/proc/self/task"))
    datapath = SoftwareDatapath(threads=3)
    assert len(os.listdir("/proc/self/task")) == before + 7
    del datapath
    wait_for(lambda: len(os.listdir("/proc/self/task")) == before)
