"""Timers: lifetimes, liveness, half-open and set-up, retransmission (areas 5.2, 10, 17.1, 21)."""

from __future__ import annotations

from itertools import pairwise

import exchange_world as world
import pytest

from nf.config.snapshot import Keepalive, NatTraversal
from nf.datapath.port import Direction, EventKind
from nf.ike.actions import EventName
from nf.ike.children import SEQUENCE_HARD, SEQUENCE_SOFT
from nf.ike.inputs import ClearSas, Initiate, RekeyChildSa, SaFilter
from nf.wire.message import Header


def make(a: world.CryptoTemplate, b: world.CryptoTemplate | None = None) -> world.World:
    pair = world.World(world.snapshot(world.A, a), world.snapshot(world.B, b or a))
    pair.establish()
    pair.agree()
    return pair


def cut(pair: world.World) -> None:
    """Nothing gets through any more."""
    pair.drop = lambda node, data: True


def test_half_open_ends_after_its_timer(pair: world.World) -> None:
    """DOS-01: 60 s without IKE_AUTH; 59 s are not enough."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    pair.drop = lambda node, data: True
    pair.run(0.5)
    pair.a.command(ClearSas(SaFilter()))
    pair.run(58.9)
    assert pair.b.engine.summary() == {"ike-sas": 0, "half-open": 1, "child-sas": 0, "timers": 1}
    pair.run(2)
    assert pair.b.counters["half-open-expired.none"] == 1
    assert pair.b.counters["setups-failed.half-open-timeout"] == 1
    assert pair.b.names() == []  # a flood of these must not flood the log
    pair.nothing_left()


def test_setup_timer_where_the_half_open_timer_is_off() -> None:
    """TPL-47, DOS-01: disabled, the set-up timer bounds the set-up."""
    crypto = world.template(ikesa_half_open_sa_timer_s=None, ikesa_setup_timer_s=20)
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
    pair.a.command(Initiate("ran", "wsg", world.B))
    cut(pair)
    pair.run(20.005)
    assert pair.b.engine.summary()["half-open"] == 1
    pair.run(0.01)
    assert pair.b.counters["setups-failed.setup-timeout"] == 1
    pair.nothing_left()


def test_retransmission_backs_off_and_gives_up() -> None:
    """TPL-45, TPL-46: 500 ms doubled, five times; then the peer is dead, and its SAs go (RKY-62)."""
    pair = make(world.template())
    cut(pair)
    start, count = pair.now, len(pair.a.sent)
    pair.a.command(RekeyChildSa(pair.a.child_sa.spi_in))
    times = []
    while pair.step(start + 100):
        if len(pair.a.sent) > count + len(times) + 1:
            times.append(round(pair.now - start, 3))
    assert times == [0.5, 1.5, 3.5, 7.5, 15.5]
    assert len({send.data for send in pair.a.sent[count:]}) == 1
    assert pair.a.counters["retransmits.request"] == 5
    assert pair.a.counters["ike-sas-closed.dead-peer"] == 1
    assert pair.now - start == pytest.approx(31.5)
    pair.nothing_left([pair.a])


def test_liveness() -> None:
    """TPL-21, RED-25, RED-26: an idle peer is asked every interval and answers, though it asks nothing itself."""
    pair = make(world.template(keepalive=Keepalive(10, 10, 2)), world.template())
    pair.run(101)
    assert pair.a.counters["dpd.sent"] == 10
    assert pair.b.counters["dpd.sent"] == 0
    assert pair.b.counters["responses-out.informational"] == 10
    pair.agree()


def test_liveness_is_not_asked_of_a_peer_that_talks() -> None:
    """Any message of the peer counts."""
    pair = make(world.template(keepalive=Keepalive(10, 10, 2)), world.template())
    for _ in range(20):
        pair.run(5)
        pair.b.command(RekeyChildSa(pair.b.child_sa.spi_in))
    assert pair.a.counters["dpd.sent"] == 0


def test_dead_peer() -> None:
    """TPL-21, RKY-62: interval 20, timeout 5, two retries: given up 20 + 3 * 5 seconds after the last sign of life."""
    pair = make(world.template(keepalive=Keepalive(20, 5, 2)), world.template())
    cut(pair)
    pair.run(33)
    assert len(pair.a.views) == 1
    pair.run(2)
    assert pair.a.counters["dpd.sent"] == 1
    assert pair.a.counters["retransmits.request"] == 2
    assert pair.a.counters["dpd.failed"] == 1
    assert pair.a.counters["ike-sas-closed.dead-peer"] == 1
    assert pair.a.names()[-1] is EventName.IKE_SA_DOWN
    pair.nothing_left([pair.a])


def test_child_sa_ends_at_its_lifetime() -> None:
    """RKY-01, RKY-04: without rekey the SA is deleted at hard expiry, and the empty IKE SA with it."""
    pair = make(world.template(payloads=(world.payload(lifetime_s=600),)))
    pair.run(598.5)
    assert len(pair.a.children) == 1
    pair.run(2)
    pair.nothing_left()
    assert pair.a.counters["rekeys.child.started"] == pair.b.counters["rekeys.child.started"] == 0


def test_child_sa_is_rekeyed_before_its_lifetime() -> None:
    """RKY-01: soft is 90 percent minus jitter; with `keepalive` without traffic too (TPL-61)."""
    a = world.template(payloads=(world.payload(lifetime_s=1000, rekey=True, rekey_keepalive=True),))
    pair = make(a, world.template())
    assert 790 <= (pair.a.child_sa.soft_in_s or 0) <= 900
    before = pair.a.child_sa.spi_in
    pair.run(795)
    assert pair.a.child_sa.spi_in == before
    pair.run(110)
    assert pair.a.child_sa.spi_in != before
    pair.run(10_000)
    pair.agree()
    assert pair.a.counters["rekeys.child.succeeded"] >= 10


@pytest.mark.parametrize("traffic", [False, True])
def test_an_idle_child_sa_is_rekeyed_only_with_keepalive(traffic: bool) -> None:
    """TPL-61: without `keepalive` an SA that carried nothing runs out."""
    pair = make(world.template(payloads=(world.payload(lifetime_s=1000, rekey=True),)), world.template())
    if traffic:
        pair.a.datapath_event(EventKind.FIRST_PACKET, pair.a.child_sa.sa_id_in)
    pair.run(950)
    assert pair.a.counters["rekeys.child.succeeded"] == int(traffic)
    pair.run(51)
    assert len(pair.a.children) == int(traffic)


def test_ike_sa_lifetime() -> None:
    """TPL-50, RKY-01: rekeyed before the end where that is on, deleted at the end where not."""
    transform = world.IkeTransformSet("short", 20, 128, 5, 0, 31, lifetime_s=1000)
    pair = make(world.template(ikesa_transform_sets=(transform,), ikesa_rekey=True), world.template())
    before = pair.a.ike_sa.local_spi
    pair.run(905)
    assert pair.a.ike_sa.local_spi != before
    pair.run(5000)
    pair.agree()
    assert pair.a.counters["rekeys.ike.succeeded"] >= 5
    pair = make(world.template(ikesa_transform_sets=(transform,)), world.template())
    pair.run(998.5)
    assert len(pair.a.views) == 1
    pair.run(2)
    pair.nothing_left()


def test_failed_rekeys_are_tried_again() -> None:
    """RKY-33 to RKY-36: after half the remaining time, while that is two minutes at least; then the SA runs out."""
    a = world.template(payloads=(world.payload(lifetime_s=10000, rekey=True, rekey_keepalive=True),))
    b = world.template(payloads=(world.payload(ignore_rekeying_requests=True),))
    pair = make(a, b)
    at: list[float] = []
    start = pair.now
    while pair.step(start + 9999):
        if pair.a.counters["rekeys.child.started"] > len(at):
            at.append(pair.now)
    gaps = [10000 - (t - start + 0.95) for t in at]
    assert len(at) >= 3
    for first, second in pairwise(gaps):
        assert second == pytest.approx(first / 2, abs=1)
    assert gaps[-1] / 2 < 121
    pair.run(1100)
    pair.nothing_left()


@pytest.mark.parametrize("outbound", [False, True])
def test_volume(outbound: bool) -> None:
    """RKY-02: the data path counts; SOFT rekeys, HARD ends it there and then."""
    a = world.template(payloads=(world.payload(lifetime_kilobytes=1000, rekey=True),))
    pair = make(a, world.template(ikesa_allow_empty_ikesa=True))
    sas = {sa.direction: sa for sa in pair.a.datapath.sas.values()}
    limits = sas[Direction.OUTBOUND].lifetime
    assert (limits.soft_octets, limits.hard_octets) == (921600, 1024000)
    sa_id = sas[Direction.OUTBOUND if outbound else Direction.INBOUND].sa_id
    before = pair.a.child_sa.spi_in
    pair.a.datapath_event(EventKind.SOFT_EXPIRED, sa_id)
    pair.a.datapath_event(EventKind.SOFT_EXPIRED, sa_id)
    pair.run()
    pair.agree()
    assert pair.a.child_sa.spi_in != before
    pair.a.datapath_event(EventKind.HARD_EXPIRED, pair.a.child_sa.sa_id_out)
    assert pair.a.datapath.sas == {}
    pair.a.datapath_event(EventKind.HARD_EXPIRED, sa_id)
    pair.run()
    pair.nothing_left()


def test_sequence_numbers() -> None:
    """RKY-20 to RKY-24, RKY-27: rekey before 32-bit numbers wrap, hard stop at the maximum; not with ESN."""
    pair = make(world.template(payloads=(world.payload(rekey=True),)))
    limits = pair.a.datapath.of(Direction.OUTBOUND)[0].lifetime
    assert (limits.soft_packets, limits.hard_packets) == (SEQUENCE_SOFT, SEQUENCE_HARD) == (3864526848, 4293918720)
    pair = make(world.template())
    limits = pair.a.datapath.of(Direction.OUTBOUND)[0].lifetime
    assert (limits.soft_packets, limits.hard_packets) == (None, SEQUENCE_HARD)
    esn = world.IpsecTransformSet("esn", 20, 128, 0, esn=True)
    pair = make(world.template(payloads=(world.payload(rekey=True, transform_sets=(esn,)),)))
    limits = pair.a.datapath.of(Direction.OUTBOUND)[0].lifetime
    assert (limits.soft_packets, limits.hard_packets) == (None, None)


def test_peer_behind_a_nat_moves() -> None:
    """RFC 7296 section 2.23: a new mapping, seen by the data path or by IKE, and both SAs follow."""
    crypto = world.template(natt=NatTraversal())
    pair = world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto))
    pair.nat = ("203.0.113.7", 20000)
    pair.establish()
    pair.b.datapath_event(EventKind.PEER_MOVED, pair.b.child_sa.sa_id_in, remote="203.0.113.8", remote_port=7777)
    for sa in pair.b.datapath.sas.values():
        assert (sa.remote, sa.encap_remote_port) == ("203.0.113.8", 7777)
    assert pair.b.ike_sa.remote_port == 7777
    pair.nat = ("203.0.113.9", 30000)
    pair.a.command(RekeyChildSa(pair.a.child_sa.spi_in))
    pair.run()
    pair.agree()
    assert (pair.b.ike_sa.remote, pair.b.ike_sa.remote_port) == ("203.0.113.9", 34500)
    assert {sa.encap_remote_port for sa in pair.b.datapath.sas.values()} == {34500}


def test_the_peer_of_a_plain_path_does_not_move(tunnel: world.World) -> None:
    """Without a NAT an authenticated request from elsewhere is answered there, but moves nothing."""
    tunnel.a.command(RekeyChildSa(tunnel.a.child_sa.spi_in))
    (flight,) = tunnel.flights
    flight.path = world.NetworkPath(world.B, 500, "192.0.2.200", 500)
    tunnel.hold = True
    tunnel.deliver(flight)
    assert tunnel.b.sent[-1].path.remote == "192.0.2.200"
    assert tunnel.b.ike_sa.remote == world.A
    assert {sa.remote for sa in tunnel.b.datapath.sas.values()} == {world.A}


def test_no_timer_leaks() -> None:
    """After many rekeys and set-ups the heap holds what runs, and little more."""
    a = world.template(
        payloads=(world.payload(lifetime_s=300, rekey=True, rekey_keepalive=True),), keepalive=Keepalive(10, 10, 2)
    )
    pair = make(a)
    pair.run(20_000)
    pair.agree()
    timers = pair.b.engine._core.timers
    assert timers.held <= 2 * len(timers) + 100
    assert len(timers) == pair.b.engine.summary()["timers"] < 10
    assert Header.decode(pair.a.take()).message_id > 100
