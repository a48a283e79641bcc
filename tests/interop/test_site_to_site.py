"""Site-to-site tunnels with PSK: an eNodeB gateway in front of a network (areas 5, 7 and 10)."""

from __future__ import annotations

import sys
from pathlib import Path

import netlab
import pytest
from netlab import topology as net
from netlab.field import Field
from netlab.net import LabError, wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.traffic import IperfServer, iperf, ping, reach

SITE = Service("site", net.GATEWAY)


def test_traffic_flows_both_ways_and_is_counted(field: Field) -> None:
    """WSG-10, STA-91: pings of both sides and a TCP stream each way go through; both ends count alike."""
    field.gateway.apply(Scenario((SITE,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(SITE, net.ENB, "enb.example.org"))
    enb.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    assert ping(field.place.enb, net.CORE, net.ENB_INNER, count=10).lost == 0
    assert ping(field.place.core, net.ENB_INNER, count=10).lost == 0
    assert ping(field.place.core, net.ENB_INNER, count=3, size=1300).lost == 0
    if field.gateway.kind == "wsgd":
        wait_for("equal counts at both ends", lambda: _counts(field) == _their_counts(enb), 5)
    server = IperfServer(field.place.core, net.CORE)
    try:
        assert iperf(field.place.enb, server, net.ENB_INNER, seconds=1).mbit_s > 5
        assert iperf(field.place.enb, server, net.ENB_INNER, seconds=1, reverse=True).mbit_s > 5
    finally:
        server.stop()
    (ike_sa,) = field.gateway_sees(1)
    assert ike_sa["remote"]["address"] == net.ENB
    assert ike_sa["remote"]["identity"] == "enb.example.org"
    (child,) = ike_sa["child-sa"]
    assert child["encapsulation"] == "udp"  # strongSwan's libipsec always asks for it
    if field.gateway.kind == "wsgd":
        (theirs,) = enb.children()
        assert child["encryption"].endswith("aes-256-gcm-128")
        assert int(theirs["spi-out"], 16) == int(child["spi-in"])
        assert int(theirs["spi-in"], 16) == int(child["spi-out"])


def _counts(field: Field) -> tuple[int, int]:
    statistics = field.gateway.sas()[0]["child-sa"][0]["statistics"]
    return int(statistics["packets-in"]), int(statistics["packets-out"])


def _their_counts(enb: StrongSwan) -> tuple[int, int]:
    (child,) = enb.children()
    return int(child["packets-out"]), int(child["packets-in"])


def test_outer_ipv6(field: Field) -> None:
    """IPv6 carries the tunnel; IPv4 and IPv6 go through it (CTX-06)."""
    six = Service("six", net.GATEWAY6, protects=(net.CORE_NET, net.CORE_NET6), remote_ts=(net.ENB_NET, net.ENB_NET6))
    field.gateway.apply(Scenario((six,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(six, net.ENB6, "enb.example.org", local_ts=(net.ENB_NET, net.ENB_NET6)))
    enb.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    reach(field.place.enb, net.CORE6, net.ENB_INNER6)
    reach(field.place.core, net.ENB_INNER)
    reach(field.place.core, net.ENB_INNER6)
    assert ping(field.place.core, net.ENB_INNER6, size=1200).lost == 0


def test_the_peer_network_chooses_the_psk(field: Field) -> None:
    """AUT-09: the key is that of the network that the peer's address is in; the key of another network is refused."""
    service = Service("nets", net.GATEWAY, psk=None, peers={f"{net.ENB}/32": "key of enb", f"{net.UE}/32": "key of ue"})
    field.gateway.apply(Scenario((service,)))
    enb, ue = field.peer(field.place.enb), field.peer(field.place.ue)
    enb.load(*peer(service, net.ENB, net.ENB, psk="key of enb"))
    ue.load(*peer(service, net.UE, net.UE, psk="key of enb", local_ts=("10.2.0.0/24",)))
    enb.initiate("net")
    with pytest.raises(LabError):
        ue.initiate("net")
    assert "AUTHENTICATION_FAILED" in ue.log.read_text()
    field.gateway_sees(1)


def test_a_peer_outside_every_network_is_not_answered(field: Field, only_wsgd: None) -> None:
    """TPL-30: IKE from an address in no configured network does not begin."""
    service = Service("nets", net.GATEWAY, psk=None, peers={f"{net.ENB}/32": "key of enb"})
    field.gateway.apply(Scenario((service,)))
    ue = field.peer(field.place.ue)
    ue.load(*peer(service, net.UE, net.UE, psk="key of enb"))
    with pytest.raises(LabError):
        ue.initiate("net", timeout_s=2)
    assert field.gateway.sas() == []


def test_a_wrong_psk_is_refused(field: Field) -> None:
    """AUT-02: AUTHENTICATION_FAILED, no SA at either end; the right key then works."""
    field.gateway.apply(Scenario((SITE,)))
    enb = field.peer(field.place.enb)
    connections, secrets = peer(SITE, net.ENB, "enb.example.org")
    enb.load(connections, dict.fromkeys(secrets, "not the key"))
    with pytest.raises(LabError):
        enb.initiate("net")
    assert "AUTHENTICATION_FAILED" in enb.log.read_text()
    assert enb.sas() == []
    field.gateway_sees(0)
    enb.load(connections, secrets)
    enb.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)


def test_selectors_are_narrowed(field: Field) -> None:
    """RFC 7296 section 2.9: a peer that asks for everything gets what the payload protects."""
    field.gateway.apply(Scenario((SITE,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(SITE, net.ENB, "enb.example.org", child_remote_ts=["0.0.0.0/0"]))
    enb.initiate("net")
    (child,) = enb.children()
    assert child["remote-ts"] == [net.CORE_NET]
    reach(field.place.enb, net.CORE, net.ENB_INNER)


def test_a_host_is_its_own_network(field: Field, only_wsgd: None) -> None:
    """TPL-63: the peer's side is its outer address; the tunnel's own packets to it do not go into the tunnel."""
    service = Service("host", net.GATEWAY, payload="<tsi>endpoint</tsi>")
    field.gateway.apply(Scenario((service,)))
    ue = field.peer(field.place.ue)
    ue.load(*peer(service, net.UE, "ue.example.org", local_ts=(f"{net.UE}/32",)))
    ue.initiate("net")
    reach(field.place.core, net.UE)
    assert ping(field.place.ue, net.CORE, net.UE, count=5).lost == 0
    (child,) = ue.children()
    assert int(child["packets-in"]) >= 6
    ue.rekey(ike="gw")
    wait_for("the rekeyed IKE SA", lambda: [sa["uniqueid"] for sa in ue.established()] not in ([], ["1"]))
    assert ping(field.place.core, net.UE, count=5).lost == 0


def test_native_esp_without_a_nat(field: Field, only_wsgd: None) -> None:
    """RFC 7296 section 2.23: where nobody sees a NAT, IKE stays on port 500 and ESP is IP protocol 50.

    The peer is our own engine and data path: strongSwan's kernel-libipsec cannot do without UDP.
    """
    field.gateway.apply(Scenario((SITE,)))
    enb = field.place.enb
    log = field.place.lab.directory / "native.log"
    enb.nft(
        "table ip watch {\n chain in {\n  type filter hook prerouting priority 0\n  ip protocol 50 counter\n }\n}\n"
    )
    script = Path(netlab.__file__).parent / "native_peer.py"
    process = enb.spawn(
        *(sys.executable, str(script), "--local", net.ENB, "--remote", net.GATEWAY, "--identity", "enb.example.org"),
        *("--psk", str(SITE.psk), "--first", "10.1.0.0", "--last", "10.1.0.255"),
        log=log,
    )
    try:
        wait_for("the Child SA (see its log)", lambda: "up" in log.read_text() or not process.running)
        assert process.running, log.read_text()
        reach(enb, net.CORE, net.ENB_INNER)
        assert ping(enb, net.CORE, net.ENB_INNER, count=5, size=1300).lost == 0
        assert ping(field.place.core, net.ENB_INNER, count=5).lost == 0
        (ike_sa,) = field.gateway_sees(1)
        assert (ike_sa["remote"]["port"], ike_sa["remote"]["behind-nat"]) == ("500", "false")
        (child,) = ike_sa["child-sa"]
        assert child["encapsulation"] == "none"
        assert int(child["statistics"]["packets-in"]) >= 11
        assert "counter packets 0 " not in enb.run("nft", "list", "ruleset")
    finally:
        process.stop()
        enb.run("nft", "flush", "ruleset")
        field.gateway.clear(net.ENB)
