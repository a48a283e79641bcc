"""Rekeying and deleting IKE SAs, alone and crossing with Child SA exchanges (RFC 7296 sections 1.3.2, 2.8, 2.18,
2.25.2).
"""

from __future__ import annotations

import gc

import exchange_world as world
import pytest

from nf.ike.actions import EventName
from nf.ike.child_sa import ChildSa
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import ClearSas, RekeyChildSa, RekeyIkeSa, SaFilter, Shutdown


def rekey(node: world.Node) -> None:
    assert node.command(RekeyIkeSa(node.ike_sa.local_spi)) == 1


@pytest.mark.parametrize("ours", ["a", "b"])
def test_rekey(tunnel: world.World, ours: str) -> None:
    """RKY-13: new SPIs, Message IDs from 0, and the Child SAs are inherited without a change in the data path."""
    pair = tunnel
    before = (pair.a.ike_sa, pair.b.ike_sa)
    data = (dict(pair.a.datapath.sas), dict(pair.b.datapath.sas))
    node, other = (pair.a, pair.b) if ours == "a" else (pair.b, pair.a)
    rekey(node)
    pair.run()
    # x: CREATE_CHILD_SA {SA(IKE), Ni, KEi} -->   <-- {SA(IKE), Nr, KEr}      x: INFORMATIONAL {D(IKE)} -->   <-- {}
    pair.agree()
    assert (pair.a.datapath.sas, pair.b.datapath.sas) == data
    for end, old in zip((pair.a, pair.b), before, strict=True):
        assert end.ike_sa.local_spi != old.local_spi
        assert [c.spi_in for c in end.ike_sa.children] == [c.spi_in for c in old.children]
        assert end.ike_sa.remote_id == old.remote_id
        assert end.names()[-1] is EventName.IKE_SA_REKEYED
        assert end.engine.summary()["ike-sas"] == 1
    assert node.ike_sa.original_initiator
    assert not other.ike_sa.original_initiator
    # The new IKE SA works in both directions, and its first request has Message ID 0.
    for end in (node, other):
        assert end.command(RekeyChildSa(end.child_sa.spi_in)) == 1
        count = len(end.sent)
        pair.run()
        assert end.exchanges()[count - 1][2] == 0
    pair.agree()


def test_inner_addresses_are_inherited() -> None:
    """The lease moves with the Child SAs, and is given back once."""
    pair = world.World(world.snapshot(world.A), world.remote_access(world.B))
    pair.establish(request_addresses=(4,))
    rekey(pair.b)
    pair.run()
    assert pair.b.ike_sa.inner_addresses == ("10.9.0.1",)
    assert pair.b.engine.pool_views()[0].used == 1
    pair.b.command(Shutdown())
    pair.run()
    pair.nothing_left()


@pytest.mark.parametrize("seed", range(8))
def test_simultaneous_rekey(seed: int) -> None:
    """RFC 7296 section 2.8.2: both rekey at once; the IKE SA with the lowest nonce is deleted by its creator."""
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B), seed=seed)
    pair.establish()
    rekey(pair.a)
    rekey(pair.b)
    pair.run(5)
    pair.agree()
    assert len(pair.a.views) == len(pair.b.views) == 1
    assert pair.a.ike_sa.state == pair.b.ike_sa.state == "established"
    assert pair.a.counters["rekeys.ike.collided"] == pair.b.counters["rekeys.ike.collided"] == 1
    assert len(pair.a.children) == 1
    assert EventName.IKE_SA_DOWN not in pair.a.names() + pair.b.names()
    pair.run(300)
    pair.agree()
    assert pair.a.ike_sa.children


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("loser", ["a", "b"])
def test_simultaneous_rekey_with_one_request_lost(seed: int, loser: str) -> None:
    """One end finishes before it hears that the other rekeys too."""
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B), seed=seed)
    pair.establish()
    lost: list[bytes] = []

    def drop(node: world.Node, data: bytes) -> bool:
        if node.name == loser and not lost:
            lost.append(data)
            return True
        return False

    pair.drop = drop
    rekey(pair.a)
    rekey(pair.b)
    pair.run(300)
    pair.agree()
    assert len(pair.a.views) == 1
    assert len(pair.a.children) == 1


@pytest.mark.parametrize(("ike", "child"), [("a", "b"), ("b", "a")])
def test_ike_rekey_against_child_rekey(tunnel: world.World, ike: str, child: str) -> None:
    """RFC 7296 section 2.25.2: each is told TEMPORARY_FAILURE, and both SAs live on."""
    pair = tunnel
    one, two = getattr(pair, ike), getattr(pair, child)
    rekey(one)
    two.command(RekeyChildSa(two.child_sa.spi_in))
    pair.run(5)
    pair.agree()
    assert one.counters["notifies-out.temporary-failure"] == two.counters["notifies-out.temporary-failure"] == 1
    assert one.ike_sa.state == "established"
    assert two.child_sa.state == "installed"


def test_ike_rekey_against_ike_delete(tunnel: world.World) -> None:
    """RFC 7296 section 2.25.2: the Delete wins."""
    pair = tunnel
    rekey(pair.a)
    pair.b.command(ClearSas(SaFilter()))
    pair.run(5)
    pair.nothing_left()


def test_ike_rekey_against_child_delete() -> None:
    """RFC 7296 section 2.25.2: the IKE rekey waits; the Child SA is gone."""
    crypto = world.template(ikesa_allow_empty_ikesa=True)
    pair = world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto))
    pair.establish()
    rekey(pair.a)
    pair.b.command(ClearSas(SaFilter(child_spi=pair.b.child_sa.spi_in)))
    pair.run(5)
    pair.agree()
    assert pair.a.children == pair.b.children == []


@pytest.mark.parametrize("ours", ["a", "b"])
def test_delete(tunnel: world.World, ours: str) -> None:
    """Either side deletes; Child SAs, routes and timers go with it."""
    node = getattr(tunnel, ours)
    assert node.command(ClearSas(SaFilter(service="wsg"))) == 1
    assert node.datapath.sas == {}
    tunnel.run()
    tunnel.nothing_left()
    assert [n.names()[-2:] for n in (tunnel.a, tunnel.b)] == [[EventName.CHILD_SA_DOWN, EventName.IKE_SA_DOWN]] * 2


def test_crossed_deletes(tunnel: world.World) -> None:
    """Both delete at once."""
    for node in (tunnel.a, tunnel.b):
        node.command(Shutdown())
    tunnel.run(5)
    tunnel.nothing_left()


def test_filters(tunnel: world.World) -> None:
    """EXE-01: only what matches is deleted."""
    for which in (
        SaFilter(context="x"),
        SaFilter(service="x"),
        SaFilter(template="x"),
        SaFilter(peer="192.0.2.9"),
        SaFilter(remote_id="x"),
        SaFilter(spi="00" * 8),
        SaFilter(spi="no hex"),
        SaFilter(child_spi=1),
    ):
        assert tunnel.b.command(ClearSas(which)) == 0
    view = tunnel.b.ike_sa
    which = SaFilter("ran", "wsg", "t", world.A, world.A, view.local_spi)
    assert tunnel.b.command(ClearSas(which)) == 1
    assert tunnel.b.command(ClearSas(which)) == 0


@pytest.mark.parametrize("switch", [{"ikesa_ignore_rekeying_requests": True}])
def test_ignored_rekey_requests(switch: dict[str, bool]) -> None:
    """TPL-43: refused, and the old IKE SA lives on."""
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, world.template(**switch)))
    pair.establish()
    before = pair.a.ike_sa.local_spi
    rekey(pair.a)
    pair.run(2)
    assert pair.a.ike_sa.local_spi == before
    assert pair.b.counters["notifies-out.no-additional-sas"] == 1
    pair.agree()


def test_a_new_policy_without_the_service_ends_its_sas(tunnel: world.World) -> None:
    """RKY-61: the service is gone, its tunnels are told so."""
    tunnel.b.adopt(world.snapshot(world.B, None, world.service(world.B, name="other"), revision=2))
    tunnel.run()
    tunnel.nothing_left()
    assert tunnel.b.counters["ike-sas-closed.policy"] == 1


def test_a_new_policy_with_the_service_leaves_its_sas(tunnel: world.World) -> None:
    """A changed template is for new SAs only."""
    tunnel.b.adopt(world.snapshot(world.B, world.template(ikesa_transform_sets=(world.ECP,)), revision=2))
    tunnel.run()
    tunnel.agree()
    assert tunnel.b.ike_sa.ke_method == 31
    tunnel.establish()
    assert tunnel.b.counters["setups-failed.no-proposal-chosen"] == 1


def test_a_closed_ike_sa_needs_no_garbage_collection(pair: world.World) -> None:
    """Workers look for cyclic garbage rarely (`nf.io.garbage`): what ends has to go by its reference counts."""

    def alive() -> int:
        return sum(isinstance(found, (IkeSa, ChildSa)) for found in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        pair.establish()
        pair.a.command(RekeyIkeSa(pair.a.ike_sa.local_spi))
        pair.run(1)
        pair.a.command(RekeyChildSa(pair.a.child_sa.spi_in))
        pair.run(60)
        assert alive() > before
        pair.a.command(ClearSas(SaFilter()))
        pair.run(60)
        pair.nothing_left()
        assert alive() == before
    finally:
        gc.enable()
