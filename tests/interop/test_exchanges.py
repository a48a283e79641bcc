"""Parts of the exchanges that a plain set-up does not show: INVALID_KE_PAYLOAD, COOKIE, NAT, deletion."""

from __future__ import annotations

import pytest
from netlab import topology as net
from netlab.field import Field
from netlab.net import Namespace, wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.topology import Topology
from netlab.traffic import ping, reach

SITE = Service("site", net.GATEWAY)
NAT_OUTER, HOME, HOME_ROUTER = "192.0.2.31", "172.16.5.2", "172.16.5.1"


def test_invalid_ke_payload_names_the_group(field: Field) -> None:
    """RFC 7296 section 1.3: the peer guesses P-256, is told X25519, and comes up with it."""
    field.gateway.apply(Scenario((SITE,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(SITE, net.ENB, "enb.example.org", ike="aes256gcm16-prfsha384-ecp256-x25519"))
    enb.initiate("net")
    assert "INVAL_KE" in enb.log.read_text()
    assert enb.established()[0]["dh-group"] == "CURVE_25519"
    reach(field.place.enb, net.CORE, net.ENB_INNER)


def test_a_cookie_is_asked_for(field: Field, only_wsgd: None) -> None:
    """TPL-14 to TPL-16, RFC 7296 section 2.6: with the watermark at 0 every peer has to return a COOKIE."""
    cookie = (
        "<dos><cookie-challenge><half-open-sess-count><start>0</start><stop>0</stop></half-open-sess-count>"
        "</cookie-challenge></dos>"
    )
    field.gateway.apply(Scenario((Service("site", net.GATEWAY, template=cookie),)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(SITE, net.ENB, "enb.example.org"))
    enb.initiate("net")
    assert "N(COOKIE)" in enb.log.read_text()
    reach(field.place.enb, net.CORE, net.ENB_INNER)


@pytest.fixture(scope="module")
def home(place: Topology) -> Namespace:
    """A namespace behind a router that translates addresses and ports."""
    lab = place.lab
    router, home = lab.namespace("nat", forward=True), lab.namespace("home", forward=True)
    lab.attach(router, place.outer, "outer0", f"{NAT_OUTER}/24")
    lab.link(router, "home0", [f"{HOME_ROUTER}/24"], home, "outer0", [f"{HOME}/24"])
    home.route("default", HOME_ROUTER)
    place.protect(home)
    router.nft(
        "table ip nat {\n chain post {\n  type nat hook postrouting priority 100\n"
        '  oifname "outer0" meta l4proto udp masquerade to :20000-29999 fully-random\n }\n}\n'
    )
    return home


def test_a_peer_behind_a_nat(field: Field, home: Namespace) -> None:
    """RFC 7296 section 2.23, RFC 3948: another address and port outside; ESP in UDP both ways."""
    field.gateway.apply(Scenario((SITE,)))
    one = field.peer(home)
    one.load(*peer(SITE, HOME, "home.example.org"))
    one.initiate("net")
    reach(home, net.CORE, net.ENB_INNER)
    assert ping(field.place.core, net.ENB_INNER, count=5).lost == 0
    (ike_sa,) = field.gateway_sees(1)
    assert ike_sa["remote"]["address"] == NAT_OUTER
    assert 20000 <= int(ike_sa["remote"]["port"]) <= 29999
    assert ike_sa["child-sa"][0]["encapsulation"] == "udp"
    if field.gateway.kind == "wsgd":
        assert ike_sa["remote"]["behind-nat"] == "true"


def test_a_new_nat_mapping_is_followed(field: Field, home: Namespace, only_wsgd: None) -> None:
    """RFC 3948, RFC 7296 section 2.23: packets that verify from another port move the tunnel there."""
    field.gateway.apply(Scenario((SITE,)))
    one = field.peer(home)
    one.load(*peer(SITE, HOME, "home.example.org"))
    one.initiate("net")
    reach(home, net.CORE, net.ENB_INNER)
    router = field.place.lab.namespaces["nat"]
    before = field.gateway.sas()[0]["remote"]["port"]
    router.run("nft", "flush", "ruleset")
    router.nft(
        "table ip nat {\n chain post {\n  type nat hook postrouting priority 100\n"
        '  oifname "outer0" meta l4proto udp masquerade to :40000-49999 fully-random\n }\n}\n'
    )
    # A mapping without its address is gone: the next packet gets a new one, of the new range.
    router.run("ip", "addr", "del", f"{NAT_OUTER}/24", "dev", "outer0")
    router.address("outer0", f"{NAT_OUTER}/24")
    reach(home, net.CORE, net.ENB_INNER)
    assert ping(field.place.core, net.ENB_INNER, count=5).lost == 0
    wait_for("the new port at the gateway", lambda: int(field.gateway.sas()[0]["remote"]["port"]) >= 40000)
    assert field.gateway.sas()[0]["remote"]["port"] != before


def test_the_peer_deletes(field: Field) -> None:
    """RFC 7296 section 1.4.1: first the Child SA, then the IKE SA; nothing of them is left at the gateway."""
    empty = Service("site", net.GATEWAY, ikesa="<allow-empty-ikesa>true</allow-empty-ikesa>")
    field.gateway.apply(Scenario((empty,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(SITE, net.ENB, "enb.example.org"))
    enb.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    enb.terminate(child="net")
    wait_for("no Child SA", lambda: not [c for sa in field.gateway.sas() for c in sa.get("child-sa", [])])
    enb.terminate(ike="gw")
    field.gateway_sees(0)
    enb.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)


def test_an_empty_ike_sa_ends(field: Field, only_wsgd: None) -> None:
    """TPL-43: without allow-empty-ikesa the IKE SA goes with its last Child SA, and the peer is told."""
    field.gateway.apply(Scenario((SITE,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(SITE, net.ENB, "enb.example.org"))
    enb.initiate("net")
    enb.terminate(child="net")
    wait_for("no SA at the peer", lambda: enb.sas() == [])
    field.gateway_sees(0)


def test_the_gateway_deletes(field: Field) -> None:
    """EXE-01: clearing the SAs of a peer takes them away there, and leaves the other peer's."""
    field.gateway.apply(Scenario((SITE,)))
    enb, ue = field.peer(field.place.enb), field.peer(field.place.ue)
    enb.load(*peer(SITE, net.ENB, "enb.example.org"))
    ue.load(*peer(SITE, net.UE, "ue.example.org", local_ts=("192.0.2.21/32",)))
    enb.initiate("net")
    if field.gateway.kind == "wsgd":
        ue.initiate("net")
    field.gateway.clear(net.ENB)
    wait_for("no SA at the peer", lambda: enb.sas() == [])
    if field.gateway.kind == "wsgd":
        (left,) = field.gateway_sees(1)
        assert left["remote"]["address"] == net.UE
        assert len(ue.established()) == 1
