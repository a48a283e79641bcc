"""The gateway as a service: workers, restart, and configuration that cannot be applied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree
from ncclient.operations import RPCError
from netlab import topology as net
from netlab.field import Field, WsgdGateway
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.topology import Topology
from netlab.traffic import reach

SITE = Service("site", net.GATEWAY, protects=(net.CORE_NET,))
CLIENTS = Service("clients", net.GATEWAY_RA, pool="10.99.0.0/24", psk="client key")


@pytest.fixture(params=[1, 2], scope="module")
def wsgd(place: Topology, request: pytest.FixtureRequest) -> Iterator[WsgdGateway]:
    """wsgd with one worker process and with two."""
    found = WsgdGateway(place, workers=request.param)
    yield found
    found.stop()


def test_many_tunnels_of_one_client(place: Topology, wsgd: WsgdGateway) -> None:
    """Area 24: twenty tunnels come up and go, whichever worker has them; each has its own inner address."""
    wsgd.apply(Scenario((SITE, CLIENTS)))
    field = Field(place, wsgd)
    ue = field.peer(place.ue, settings="  reuse_ikesa = no")
    ue.load(*peer(CLIENTS, net.UE, "ue@example.org", vips=("0.0.0.0",), unique="never"))
    try:
        for _ in range(20):
            ue.start_initiating("net")
        wait_for("20 IKE SAs", lambda: len(ue.established()) == 20, 15)
        seen = field.gateway_sees(20)
        assert len({address for sa in seen for address in sa["inner-address"]}) == 20
        assert len({sa["ipsec-manager"] for sa in seen}) == len(wsgd.wsgd.children("nf.io.ipsecmgr"))
        for inner in [sa["local-vips"][0] for sa in ue.established()][::7]:
            reach(place.ue, net.CORE, inner)
            reach(place.core, inner)
    finally:
        field.end_of_test()
    field.gateway_sees(0)


def test_a_restart_brings_the_configuration_back(place: Topology, wsgd: WsgdGateway) -> None:
    """What was committed is in force after a restart; a peer comes up again on it, keys included."""
    wsgd.apply(Scenario((SITE, CLIENTS)))
    before = _config(wsgd)
    assert wsgd.wsgd.stop() == 0
    wsgd.wsgd.start()
    assert _config(wsgd) == before
    field = Field(place, wsgd)
    enb = field.peer(place.enb)
    try:
        enb.load(*peer(SITE, net.ENB, "enb.example.org"))
        enb.initiate("net")
        reach(place.enb, net.CORE, net.ENB_INNER)
    finally:
        field.end_of_test()


def _config(gateway: WsgdGateway) -> bytes:
    with gateway.wsgd.netconf() as client:
        return bytes(etree.tostring(client.get_config(), method="c14n"))


def test_what_cannot_be_applied_is_refused_with_its_path(place: Topology, wsgd: WsgdGateway) -> None:
    """A service bound to an address that no interface has: refused, its path named, nothing changed."""
    wsgd.apply(Scenario((SITE,)))
    before = _config(wsgd)
    bad = Scenario((SITE,)).xml().replace(f"<bind><address>{net.GATEWAY}", "<bind><address>192.0.2.77")
    with wsgd.wsgd.netconf() as client:
        with pytest.raises(RPCError) as refused:
            client.push(bad)
        assert "wsg-service" in (refused.value.path or "")
        assert "bind" in (refused.value.path or "")
    assert _config(wsgd) == before


def test_what_the_kernel_does_not_have_is_refused_with_its_path(place: Topology, wsgd: WsgdGateway) -> None:
    """An address that the model accepts but the host does not have: refused at commit, nothing changed."""
    wsgd.apply(Scenario((SITE,)))
    before = _config(wsgd)
    bad = Scenario((Service("site", "192.0.2.78"),)).xml()
    with wsgd.wsgd.netconf() as client:
        with pytest.raises(RPCError) as refused:
            client.push(bad)
        assert "wsg-service" in (refused.value.path or "")
    assert _config(wsgd) == before
