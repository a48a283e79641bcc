"""Remote access: inner addresses from pools, DNS servers, several clients (CTX-16 to CTX-18, TPL-13)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from netlab import topology as net
from netlab.field import Field, Gateway, make_gateway
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.topology import Topology
from netlab.traffic import ping, reach

POOL, POOL6 = "10.99.0.0/24", "fd00:99::/112"
CLIENTS = Service(
    "clients", net.GATEWAY_RA, protects=(net.CORE_NET, net.CORE_NET6), pool=POOL, pool6=POOL6, psk="client key"
)
SCENARIO = Scenario((CLIENTS,), name_servers=("10.0.0.53", "2001:db8:c::53"))


@pytest.fixture(scope="module")
def shared_gateway(place: Topology) -> Iterator[Gateway]:
    """One worker: each worker has its share of every pool, and these pools have one or two addresses."""
    found = make_gateway(place, workers=1)
    yield found
    found.stop()


def _addresses(client: StrongSwan) -> tuple[str, str]:
    (ike_sa,) = client.established()
    four, six = sorted(ike_sa["local-vips"], key=lambda text: ip_address(text).version)
    return four, six


def test_addresses_of_both_families_and_dns(field: Field) -> None:
    """CTX-16, CTX-17, TPL-13: the client has an address of each pool and the DNS servers; traffic goes both ways."""
    field.gateway.apply(SCENARIO)
    ue = field.peer(field.place.ue)
    ue.load(*peer(CLIENTS, net.UE, "ue@example.org", vips=("0.0.0.0", "::")))
    ue.initiate("net")
    four, six = _addresses(ue)
    assert ip_address(four) in ip_network(POOL)
    assert ip_address(six) in ip_network(POOL6)
    servers = {line.split()[1] for line in ue.resolv_conf.read_text().splitlines() if line.startswith("nameserver")}
    assert servers == {"10.0.0.53", "2001:db8:c::53"}
    for inner, core in ((four, net.CORE), (six, net.CORE6)):
        reach(field.place.ue, core, inner)
        reach(field.place.core, inner)
        assert ping(field.place.ue, core, inner, count=5).lost == 0
        assert ping(field.place.core, inner, count=5).lost == 0
    (ike_sa,) = field.gateway_sees(1)
    assert set(ike_sa["inner-address"]) == {four, six}


def test_two_clients_have_different_addresses_and_give_them_back(field: Field) -> None:
    """CTX-18: addresses are not shared while they are held, and are free again after the IKE SA."""
    tiny = Service("tiny", net.GATEWAY_RA, pool="10.99.1.0/30", psk="client key")
    field.gateway.apply(Scenario((tiny,)))
    first, second = field.peer(field.place.enb), field.peer(field.place.ue)
    first.load(*peer(tiny, net.ENB, "one@example.org", vips=("0.0.0.0",)))
    second.load(*peer(tiny, net.UE, "two@example.org", vips=("0.0.0.0",)))
    first.initiate("net")
    second.initiate("net")
    one, two = (client.established()[0]["local-vips"][0] for client in (first, second))
    assert one != two
    reach(field.place.enb, net.CORE, one)
    reach(field.place.ue, net.CORE, two)
    first.terminate(ike="gw")
    field.gateway_sees(1)
    again = field.peer(field.place.enb)
    again.load(*peer(tiny, net.ENB, "three@example.org", vips=("0.0.0.0",)))
    again.initiate("net")
    assert again.established()[0]["local-vips"][0] == one  # the pool has two: only the one given back is left
    reach(field.place.enb, net.CORE, one)


def test_an_empty_pool_refuses(field: Field, only_wsgd: None) -> None:
    """CTX-18, RFC 7296 section 3.15.4: INTERNAL_ADDRESS_FAILURE, and the next client is served once one is free."""
    single = Service("single", net.GATEWAY_RA, pool="10.99.2.0/32", psk="client key")
    field.gateway.apply(Scenario((single,)))
    first, second = field.peer(field.place.enb), field.peer(field.place.ue)
    first.load(*peer(single, net.ENB, "one@example.org", vips=("0.0.0.0",)))
    second.load(*peer(single, net.UE, "two@example.org", vips=("0.0.0.0",)))
    first.initiate("net")
    second.start_initiating("net")
    wait_for("the refusal", lambda: "INT_ADDR_FAIL" in second.log.read_text())
    assert second.children() == []
    first.terminate(ike="gw")
    wait_for("no SA of the first", lambda: all(s["remote"]["address"] != net.ENB for s in field.gateway.sas()))
    third = field.peer(field.place.ue)
    third.load(*peer(single, net.UE, "two@example.org", vips=("0.0.0.0",)))
    third.initiate("net")
    assert third.established()[0]["local-vips"] == ["10.99.2.0"]
