"""What takes a minute: dead peers (TPL-21) and the end of an IKE SA's lifetime (RKY-01). Both wait side by side."""

from __future__ import annotations

import signal

import pytest
from netlab import topology as net
from netlab.field import Field
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.traffic import SteadyPing, reach

pytestmark = pytest.mark.slow


def test_a_dead_peer_is_noticed_while_another_is_rekeyed(field: Field, only_wsgd: None) -> None:
    """TPL-21: no answer to two checks, and the frozen peer's SAs are gone. RKY-01: at 60 s lifetime the gateway has
    rekeyed the other peer's IKE SA, and its pings lost nothing."""
    keepalive = "<keepalive><interval>10</interval><timeout>10</timeout><num-retry>1</num-retry></keepalive>"
    site = Service("site", net.GATEWAY, rekey=True, ike_lifetime_s=60)
    clients = Service("clients", net.GATEWAY_RA, pool="10.99.0.0/24", template=keepalive)
    field.gateway.apply(Scenario((site, clients)))
    enb, ue = field.peer(field.place.enb), field.peer(field.place.ue)
    enb.load(*peer(site, net.ENB, "enb.example.org"))
    ue.load(*peer(clients, net.UE, "ue@example.org", vips=("0.0.0.0",)))
    enb.initiate("net")
    ue.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    first = enb.established()[0]["initiator-spi"]
    steady = SteadyPing(field.place.enb, net.CORE, net.ENB_INNER, every_ms=50)
    field.gateway_sees(2)
    assert ue.process is not None
    ue.process.send(signal.SIGSTOP)
    try:
        wait_for("the frozen peer's SAs to be gone", lambda: len(field.gateway.sas()) == 1, 50, every_s=0.5)
        assert field.gateway.sas()[0]["remote"]["address"] == net.ENB
    finally:
        ue.process.send(signal.SIGCONT)

    def rekeyed() -> bool:
        sas = enb.established()
        return len(sas) == 1 and first not in (sas[0]["initiator-spi"], sas[0]["responder-spi"])

    wait_for("the IKE SA to be rekeyed by the gateway", rekeyed, 60, every_s=0.2)
    assert enb.established()[0].get("initiator") != "yes"
    assert steady.stop().lost == 0
    reach(field.place.core, net.ENB_INNER)
