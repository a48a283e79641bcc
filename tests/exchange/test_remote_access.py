"""Configuration payloads, pools and narrowing (RFC 7296 sections 2.9 and 3.15; TPL-60 to TPL-76, WSG-05, WSG-07)."""

from __future__ import annotations

from ipaddress import ip_address

import exchange_world as world
import pytest

from nf.config.snapshot import AddressPool, AddressRange
from nf.datapath.port import Direction, Selector
from nf.ike.inputs import ClearSas, SaFilter
from nf.ike.v2 import config_request
from nf.wire import sk
from nf.wire.iana import CpAttributeType
from nf.wire.message import Header
from nf.wire.payloads import CpPayload

ANY4 = Selector(0, 0, 65535, "0.0.0.0", "255.255.255.255")
ANY6 = Selector(0, 0, 65535, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")


def host(address: str) -> Selector:
    return Selector(0, 0, 65535, address, address)


def client_and_gateway(crypto: world.CryptoTemplate | None = None, **changes: object) -> world.World:
    return world.World(world.snapshot(world.A), world.remote_access(world.B, crypto, **changes))


def cp_reply(pair: world.World) -> CpPayload | None:
    """The CFG_REPLY in b's IKE_AUTH response, read with a's keys."""
    sa = next(iter(pair.a.engine._core.ike_sas.values()))
    data = next(s.data for s in pair.b.sent if Header.decode(s.data).exchange == 35)
    assert sa.cipher_in is not None
    return sk.open(data, Header.decode(data), sa.cipher_in).first(CpPayload)


def test_address_from_the_pool() -> None:
    """WSG-05: TSi is narrowed to the address that was given; TSr is echoed (TPL-71, TPL-74); no routes for it."""
    pair = client_and_gateway()
    pair.establish(request_addresses=(4,))
    pair.agree()
    # a: SK {IDi, AUTH, CP(ADDRESS, DNS), SAi2, TSi(any), TSr(any)} -->
    #                       <-- SK {IDr, AUTH, CP(10.9.0.1, DNS), SAr2, TSi(host), TSr} :b
    assert pair.b.ike_sa.inner_addresses == pair.a.ike_sa.inner_addresses == ("10.9.0.1",)
    child = pair.b.child_sa
    assert child.remote_ts == (host("10.9.0.1"),)
    assert child.local_ts == (ANY4,)
    assert pair.b.datapath.routes == {}
    assert [pool.used for pool in pair.b.engine.pool_views()] == [1, 0]
    reply = cp_reply(pair)
    assert reply is not None
    assert [(a.attribute_type, a.value) for a in reply.attributes] == [
        (CpAttributeType.INTERNAL_IP4_ADDRESS, ip_address("10.9.0.1").packed),
        (CpAttributeType.INTERNAL_IP4_DNS, ip_address("10.0.0.53").packed),
    ]


def test_both_families() -> None:
    """TPL-76: a peer that asks for both gets both in one Child SA."""
    pair = client_and_gateway()
    pair.establish(request_addresses=(4, 6))
    pair.agree()
    assert pair.b.ike_sa.inner_addresses == ("10.9.0.1", "2001:db8:9::1")
    assert pair.b.child_sa.remote_ts == (host("10.9.0.1"), host("2001:db8:9::1"))
    assert pair.b.child_sa.local_ts == (ANY4, ANY6)
    assert pair.b.datapath.of(Direction.INBOUND)[0].mtu == 1422


def test_asking_for_one_family_drops_the_other() -> None:
    """TPL-76: the selectors of the family that was not asked for are left out."""
    pair = client_and_gateway()
    pair.establish(request_addresses=(6,))
    assert pair.b.child_sa.remote_ts == (host("2001:db8:9::1"),)
    assert pair.b.child_sa.local_ts == (ANY6,)


def test_the_address_comes_back_and_is_given_again() -> None:
    """The same identity gets its address again; everything is given back when the IKE SA ends."""
    pair = client_and_gateway()
    pair.establish(request_addresses=(4,))
    pair.a.command(ClearSas(SaFilter()))
    pair.run()
    pair.nothing_left()
    pair.establish(request_addresses=(4,))
    assert pair.b.ike_sa.inner_addresses == ("10.9.0.1",)


@pytest.mark.parametrize("allow_empty", [False, True])
def test_exhausted_pool(allow_empty: bool) -> None:
    """INTERNAL_ADDRESS_FAILURE on the first peer too many (RFC 7296 section 3.15.4).

    The IKE SA goes, or stays by TPL-40.
    """
    pool = AddressPool("ran", "pool4", 4, "10.9.0.0/30", (AddressRange("10.9.0.1", "10.9.0.2"),))
    crypto = world.template(ikesa_allow_empty_ikesa=allow_empty)
    pair = world.World(
        world.snapshot(world.A, world.template(ikesa_allow_empty_ikesa=True)),
        world.remote_access(world.B, crypto, pools=(pool, world.POOL6)),
    )
    for _ in range(2):
        pair.establish(request_addresses=(4,))
    assert sorted(v.inner_addresses for v in pair.b.views) == [("10.9.0.1",), ("10.9.0.2",)]
    pair.establish(request_addresses=(4,))
    assert pair.b.counters["notifies-out.internal-address-failure"] == 1
    assert pair.b.counters["addresses.exhausted"] == 1
    assert pair.b.counters["setups-failed.internal-address-failure"] == 1
    assert len(pair.b.children) == 2
    assert len(pair.b.views) == (3 if allow_empty else 2)
    pair.agree()


def test_workers_share_a_pool_without_talking() -> None:
    """Worker i gives out the addresses whose index modulo N is i."""
    given = []
    for index in range(3):
        pair = world.World(world.snapshot(world.A), world.remote_access(world.B), b={"worker": (index, 3)})
        pair.establish(request_addresses=(4,))
        pair.establish(request_addresses=(4,))
        given += [view.inner_addresses[0] for view in pair.b.views]
    assert given == ["10.9.0.1", "10.9.0.4", "10.9.0.2", "10.9.0.5", "10.9.0.3", "10.9.0.6"]


@pytest.mark.parametrize(("handling", "expected"), [("normal", 0), ("custom", 2)])
def test_dns_handling(handling: str, expected: int) -> None:
    """TPL-13: `custom` sends the name servers even to a peer that asked for nothing of the kind."""
    pair = client_and_gateway(world.template(dns_handling=handling))
    dns = (CpAttributeType.INTERNAL_IP4_DNS, CpAttributeType.INTERNAL_IP6_DNS)

    def no_dns(families: tuple[int, ...]) -> CpPayload:
        request = original(families)
        return CpPayload(request.cfg_type, tuple(a for a in request.attributes if a.attribute_type not in dns))

    original = config_request.build_request
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config_request, "build_request", no_dns)
        pair.establish(request_addresses=(4,))
    reply = cp_reply(pair)
    assert reply is not None
    assert len([a for a in reply.attributes if a.attribute_type in dns]) == expected


def test_pool_addresses_without_asking() -> None:
    """A peer that claims all addresses without asking for one would claim those of others: FAILED_CP_REQUIRED."""
    pair = client_and_gateway()
    pair.establish()
    assert pair.b.counters["notifies-out.failed-cp-required"] == 1
    pair.nothing_left()


def test_remote_access_without_pools_echoes() -> None:
    """TPL-74: selectors are honoured and echoed without negotiation."""
    pair = world.World(
        world.snapshot(world.A),
        world.snapshot(world.B, None, world.service(world.B, deployment_mode="remote-access")),
    )
    pair.establish()
    assert pair.b.child_sa.remote_ts == pair.b.child_sa.local_ts == (ANY4, ANY6)
    assert pair.b.datapath.routes == {}


def site(a: world.Payload, b: world.Payload) -> world.World:
    """Two sites with these payloads."""
    return world.World(
        world.snapshot(world.A, world.template(payloads=(a,))), world.snapshot(world.B, world.template(payloads=(b,)))
    )


def test_tsr_is_narrowed_to_the_configured_ranges() -> None:
    """TPL-70: a asks for everything behind b; it gets what b has configured, and a's own range is honoured (TPL-73)."""
    pair = site(
        world.payload(tsr=(AddressRange("10.1.0.0", "10.1.255.255"),)),
        world.payload(tsr=(AddressRange("10.2.0.0", "10.2.0.255"), AddressRange("10.2.8.0", "10.2.8.3"))),
    )
    pair.establish()
    pair.agree()
    child = pair.b.child_sa
    assert child.remote_ts == (Selector(0, 0, 65535, "10.1.0.0", "10.1.255.255"),)
    assert child.local_ts == (
        Selector(0, 0, 65535, "10.2.0.0", "10.2.0.255"),
        Selector(0, 0, 65535, "10.2.8.0", "10.2.8.3"),
    )
    (route,) = pair.b.datapath.routes.values()
    assert (route.context_index, route.remote_ts) == (3, child.remote_ts)


def test_tsi_endpoint() -> None:
    """TPL-63: TSi may be the tunnel end point only."""
    pair = site(world.payload(), world.payload(tsi="endpoint"))
    pair.establish()
    pair.agree()
    assert pair.b.child_sa.remote_ts == (host(world.A),)


@pytest.mark.parametrize(("ours", "theirs"), [("ipv4", "ipv6"), ("ipv6", "ipv4")])
def test_one_family_against_the_other(ours: str, theirs: str) -> None:
    """TPL-75: TS_UNACCEPTABLE when only the other family is proposed."""
    pair = site(world.payload(match=theirs), world.payload(match=ours))
    pair.establish()
    assert pair.b.counters["notifies-out.ts-unacceptable"] == 1
    assert pair.b.counters["setups-failed.ts-unacceptable"] == 1
    pair.nothing_left()


def test_payload_that_fits_is_taken() -> None:
    """TPL-55: with an IPv4 and an IPv6 payload, the proposed selectors decide."""
    both = (world.payload(name="four", match="ipv4"), world.payload(name="six", match="ipv6"))
    pair = world.World(
        world.snapshot(world.A, world.template(payloads=(world.payload(match="ipv6"),))),
        world.snapshot(world.B, world.template(payloads=both)),
    )
    pair.establish()
    assert pair.b.child_sa.payload == "six"
    assert pair.b.child_sa.remote_ts == (ANY6,)
