"""Further Child SAs, rekeys and deletes of Child SAs, alone and crossing (RFC 7296 sections 1.3, 1.4.1, 2.8, 2.25.

Area 17).
"""

from __future__ import annotations

from dataclasses import replace

import exchange_world as world
import pytest

from nf.datapath.port import Direction, EventKind
from nf.ike import children
from nf.ike.actions import EventName
from nf.ike.inputs import ClearSas, CreateChildSa, RekeyChildSa, SaFilter
from nf.ike.timers import TimerKind
from nf.policy.suites import EspAlgorithms

PFS = world.template(payloads=(world.payload(transform_sets=(world.ESP_GCM_PFS,)),))


def two_payloads(**changes: object) -> world.CryptoTemplate:
    return world.template(
        payloads=(world.payload(name="four", match="ipv4"), world.payload(name="six", match="ipv6")), **changes
    )


def make(a: world.CryptoTemplate, b: world.CryptoTemplate | None = None, seed: int = 1) -> world.World:
    """A tunnel with these templates."""
    pair = world.World(world.snapshot(world.A, a), world.snapshot(world.B, b or a), seed=seed)
    pair.establish()
    pair.agree()
    return pair


def rekey(node: world.Node) -> None:
    assert node.command(RekeyChildSa(node.child_sa.spi_in)) == 1


# Further Child SAs


@pytest.mark.parametrize("ours", ["a", "b"])
def test_another_child_sa(ours: str) -> None:
    """RKY-53, RKY-54: either side asks for a further Child SA."""
    pair = make(two_payloads())
    node = getattr(pair, ours)
    assert node.command(CreateChildSa(node.ike_sa.local_spi, "six")) == 1
    pair.run()
    # node: CREATE_CHILD_SA {SA, Ni, TSi, TSr} -->   <-- {SA, Nr, TSi, TSr}
    pair.agree()
    assert sorted(child.payload for child in pair.b.children) == ["four", "six"]
    assert len({sa.policy_id for sa in pair.b.datapath.sas.values()}) == 2
    assert len(pair.a.datapath.routes) == len(pair.b.datapath.routes) == 2


def test_invalid_ke_of_a_further_child_sa() -> None:
    """The first guess at the PFS method is wrong; the second is what the responder wants."""
    ecp = replace(world.ESP_GCM, name="ecp", ke_method=19)
    a = world.template(
        payloads=(
            world.payload(name="four", match="ipv4"),
            world.payload(name="six", match="ipv6", transform_sets=(ecp, world.ESP_GCM_PFS)),
        )
    )
    b = world.template(
        payloads=(
            world.payload(name="four", match="ipv4"),
            world.payload(name="six", match="ipv6", transform_sets=(world.ESP_GCM_PFS,)),
        )
    )
    pair = make(a, b)
    pair.a.command(CreateChildSa(pair.a.ike_sa.local_spi, "six"))
    pair.run()
    pair.agree()
    assert pair.b.counters["notifies-out.invalid-ke-payload"] == 1
    assert pair.b.children[1].ke_method == 31


def test_max_childsa_ignore() -> None:
    """TPL-22, TPL-23, RKY-57.

    The Child SA that fits is made, the next is answered NO_ADDITIONAL_SAS and the tunnel stays.
    """
    pair = make(two_payloads(), two_payloads(max_childsa=2))
    for _ in range(2):
        pair.a.command(CreateChildSa(pair.a.ike_sa.local_spi, "six"))
        pair.run()
    pair.agree()
    assert len(pair.b.children) == 2
    assert pair.b.counters["notifies-out.no-additional-sas"] == 1


def test_max_childsa_terminate() -> None:
    """TPL-23: with overload action terminate the session ends."""
    pair = make(two_payloads(), two_payloads(max_childsa=1, overload_action="terminate"))
    pair.a.command(CreateChildSa(pair.a.ike_sa.local_spi, "six"))
    pair.run()
    pair.nothing_left()


def test_maximum_child_sa_of_a_payload() -> None:
    """TPL-60: as many Child SAs from one payload as it says, and no more."""
    one = world.template(payloads=(world.payload(maximum_child_sa=2),), max_childsa=5)
    pair = make(one)
    for _ in range(2):
        pair.a.command(CreateChildSa(pair.a.ike_sa.local_spi, "p1"))
        pair.run()
    assert len(pair.b.children) == 2
    assert pair.b.counters["notifies-out.no-additional-sas"] == 1
    pair.agree()


# Rekeys


@pytest.mark.parametrize("ours", ["a", "b"])
@pytest.mark.parametrize(
    "crypto", [world.template(), PFS, world.template(payloads=(world.payload(transform_sets=(world.ESP_CBC,)),))]
)
def test_rekey(ours: str, crypto: world.CryptoTemplate) -> None:
    """RKY-03, RKY-42: new keys and SPIs, the same selectors, policy_id and algorithms.

    The old one goes at both ends.
    """
    pair = make(crypto)
    old = {node.name: (node.child_sa, next(iter(node.datapath.sas.values()))) for node in (pair.a, pair.b)}
    rekey(getattr(pair, ours))
    pair.run()
    # x: CREATE_CHILD_SA {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr} -->   <-- {SA, Nr, [KEr,] TSi, TSr}
    # x: INFORMATIONAL {D(old)} -->                                    <-- {D(old)}
    pair.agree()
    for node in (pair.a, pair.b):
        view, sa = old[node.name]
        new = node.child_sa
        assert {new.spi_in, new.spi_out}.isdisjoint({view.spi_in, view.spi_out})
        assert (new.local_ts, new.remote_ts, new.encr, new.integ) == (
            view.local_ts,
            view.remote_ts,
            view.encr,
            view.integ,
        )
        assert {s.policy_id for s in node.datapath.sas.values()} == {sa.policy_id}
        assert len(node.datapath.sas) == 2
        assert len(node.datapath.routes) == 1
        assert node.names()[-1] is EventName.CHILD_SA_REKEYED
    assert pair.a.child_sa.ke_method == crypto.payloads[0].transform_sets[0].ke_method


def test_responder_switches_with_the_first_packet() -> None:
    """RKY-05, RKY-08, RKY-09: b holds outbound back until a is seen to send on the new one."""
    pair = make(world.template())
    rekey(pair.a)
    pair.drop = lambda node, data: node is pair.a and pair.now > start + 0.005  # b never hears the Delete
    start = pair.now
    pair.run(0.1)
    inbound = pair.b.datapath.of(Direction.INBOUND)
    assert len(inbound) == 2  # both work
    assert len(pair.b.datapath.of(Direction.OUTBOUND)) == 1
    assert {child.state for child in pair.b.children} == {"rekeyed", "waiting"}
    pair.b.datapath_event(EventKind.FIRST_PACKET, inbound[-1].sa_id)
    outbound = pair.b.datapath.of(Direction.OUTBOUND)
    assert [sa.child_id for sa in outbound] == [inbound[0].child_id, inbound[1].child_id]
    pair.drop = lambda node, data: False
    pair.run(10)
    pair.agree()
    assert pair.b.child_sa.state == "installed"


def test_responder_switches_with_the_delete() -> None:
    """RKY-10: without traffic the Delete of the old one triggers the switch."""
    pair = make(world.template())
    rekey(pair.a)
    pair.run()
    assert pair.b.child_sa.state == "installed"
    assert pair.b.order[-4:] == ["install outbound", "remove", "remove", "send"]  # never without one to send on


def test_guard_timer_ends_the_overlap() -> None:
    """RKY-07, RKY-12: a sends no Delete; after 120 s b switches, and deletes the old one itself."""
    pair = make(world.template())
    rekey(pair.a)
    core = pair.a.engine._core
    pair.hold = True
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    pair.flights.clear()  # a's Delete is lost ...
    sa = next(iter(core.ike_sas.values()))
    core.timers.cancel(sa, TimerKind.RETRANSMIT)  # ... and not sent again
    pair.run(119)
    assert {child.state for child in pair.b.children} == {"rekeyed", "waiting"}
    pair.run(2)
    assert {child.state for child in pair.b.children} == {"deleting", "installed"}


@pytest.mark.parametrize("seed", range(8))
def test_simultaneous_rekey(seed: int) -> None:
    """RFC 7296 section 2.8.1: both rekey at once; the Child SA with the lowest nonce is closed by its creator."""
    pair = make(world.template(), seed=seed)
    rekey(pair.a)
    rekey(pair.b)
    pair.run(2)
    # a: {N(REKEY_SA), SA, Ni1, ...} -->      <-- {N(REKEY_SA), SA, Ni2, ...} :b     both under way at once
    # <-- {SA, Nr1, ...} :b                   a: {SA, Nr2, ...} -->
    # the winner deletes the old one, the loser its own new one
    pair.agree()
    assert len(pair.a.children) == len(pair.b.children) == 1
    assert len(pair.a.datapath.sas) == len(pair.b.datapath.sas) == 2
    assert pair.a.counters["rekeys.child.collided"] == pair.b.counters["rekeys.child.collided"] == 1
    assert pair.a.counters["rekeys.child.succeeded"] + pair.b.counters["rekeys.child.succeeded"] == 1
    assert pair.a.names().count(EventName.CHILD_SA_DOWN) == pair.b.names().count(EventName.CHILD_SA_DOWN) == 0
    pair.run(300)
    pair.agree()


@pytest.mark.parametrize("seed", range(4))
def test_simultaneous_rekey_of_which_one_side_knows_late(seed: int) -> None:
    """RFC 7296 section 2.8.1: a's request is lost at first; b finishes, then a's comes for an old Child SA."""
    pair = make(world.template(), seed=seed)
    lost: list[bytes] = []

    def drop(node: world.Node, data: bytes) -> bool:
        if node is pair.a and not lost:
            lost.append(data)
            return True
        return False

    pair.drop = drop
    rekey(pair.a)
    rekey(pair.b)
    pair.run(5)
    pair.agree()
    assert len(pair.a.children) == 1
    assert len(pair.a.datapath.sas) == 2


def test_rekey_against_delete() -> None:
    """RFC 7296 section 2.25.1: b deletes what a is rekeying; the rekey is told to try later, the Delete is answered."""
    pair = make(world.template(ikesa_allow_empty_ikesa=True))
    rekey(pair.a)
    pair.b.command(ClearSas(SaFilter(child_spi=pair.b.child_sa.spi_in)))
    pair.run(2)
    # a: {N(REKEY_SA), ...} -->     <-- {D} :b     then: <-- {N(TEMPORARY_FAILURE)} :b    a: {D} -->
    assert pair.b.counters["notifies-out.temporary-failure"] == 1
    pair.agree()
    assert pair.a.children == []
    assert pair.a.datapath.sas == pair.b.datapath.sas == {}


def test_child_sa_not_found() -> None:
    """RKY-38, RKY-39, RKY-40: b has lost the Child SA; a drops it silently, and the IKE SA with it, being empty."""
    pair = make(world.template())
    core = pair.b.engine._core
    children.remove(core, next(iter(core.children.values())))
    pair.b.carry_out()
    rekey(pair.a)
    pair.run(2)
    assert pair.b.counters["notifies-out.child-sa-not-found"] == 1
    assert pair.a.counters["notifies-in.child-sa-not-found"] == 1
    pair.nothing_left()


def test_without_the_switch_the_two_notifies_are_not_sent() -> None:
    """TPL-53, RKY-30: `use-rfc5996-notification` off."""
    pair = make(world.template(ikesa_use_rfc5996_notification=False, ikesa_allow_empty_ikesa=True))
    rekey(pair.a)
    pair.b.command(ClearSas(SaFilter(child_spi=pair.b.child_sa.spi_in)))
    pair.run(2)
    assert pair.b.counters["notifies-out.temporary-failure"] == 0
    assert pair.b.counters["notifies-out.no-proposal-chosen"] == 1
    pair.agree()


def test_ignored_rekey_requests() -> None:
    """TPL-58: the peer's rekeys are refused, and its Child SA lives on."""
    pair = make(world.template(), world.template(payloads=(world.payload(ignore_rekeying_requests=True),)))
    before = pair.a.child_sa.spi_in
    rekey(pair.a)
    pair.run(2)
    assert pair.b.counters["notifies-out.no-additional-sas"] == 1
    assert pair.a.child_sa.spi_in == before
    assert pair.a.child_sa.state == "installed"
    pair.agree()


def test_disallow_param_change() -> None:
    """RKY-43: a rekey with another transform set than the Child SA has is refused."""
    b = world.template(
        payloads=(world.payload(transform_sets=(world.ESP_GCM_PFS, world.ESP_CBC), disallow_param_change=True),)
    )
    pair = make(world.template(payloads=(world.payload(transform_sets=(world.ESP_GCM_PFS,)),)), b)
    rekey(pair.a)
    pair.run()
    pair.agree()  # the same: allowed
    core = pair.a.engine._core
    child = next(iter(core.children.values()))
    child.payload = replace(child.payload, suites=(EspAlgorithms(12, 256, 12, 0, False),))
    rekey(pair.a)
    pair.run(2)
    assert pair.b.counters["notifies-out.no-proposal-chosen"] == 1


# Deletes


@pytest.mark.parametrize("ours", ["a", "b"])
@pytest.mark.parametrize("allow_empty", [True, False])
def test_delete(ours: str, allow_empty: bool) -> None:
    """RFC 7296 section 1.4.1, TPL-40: the IKE SA stays only if it may be empty."""
    pair = make(world.template(ikesa_allow_empty_ikesa=allow_empty))
    node = getattr(pair, ours)
    assert node.command(ClearSas(SaFilter(child_spi=node.child_sa.spi_in))) == 1
    pair.run()
    pair.agree()
    assert pair.a.datapath.sas == pair.b.datapath.sas == {}
    assert len(pair.a.views) == len(pair.b.views) == int(allow_empty)
    if not allow_empty:
        pair.nothing_left()


def test_crossed_child_deletes_leave_no_sa() -> None:
    """Both ends delete the same Child SA at once (RFC 7296 section 1.4.1): both answers name no SPI."""
    pair = make(world.template(ikesa_allow_empty_ikesa=True))
    pair.hold = True
    for node in (pair.a, pair.b):
        node.command(ClearSas(SaFilter(child_spi=node.child_sa.spi_in)))
    sizes = [len(flight.data) for flight in pair.flights]
    pair.hold = False
    pair.run(2)
    # a: INFORMATIONAL {D} -->    <-- INFORMATIONAL {D} :b    a: {} -->   <-- {} :b
    assert [len(node.sent[-1].data) for node in (pair.a, pair.b)] == [size - 12 for size in sizes]
    pair.agree()
    assert pair.a.datapath.sas == pair.b.datapath.sas == {}
