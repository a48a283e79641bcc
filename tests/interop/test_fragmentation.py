"""IKEv2 fragmentation with a peer: both ends cut and put together, over IPv4, IPv6 and through port 4500 (area 19)."""

from __future__ import annotations

import re

import pytest
from netlab import topology as net
from netlab.field import Field, WsgdGateway
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.traffic import reach

LONG_ID = ".".join(["a-name-that-fills-some-fragments"] * 30) + ".example.org"
OUR_ID = ".".join(["a-long-name-of-the-gateway"] * 9) + ".org"
OUR_ID_XML = f"<nai><idr><id>{OUR_ID}</id></idr></nai>"
SMALL_PACKETS = "  fragment_size = 576"


class Counts:
    """What the gateway's fragment counters have grown by."""

    def __init__(self, field: Field) -> None:
        assert isinstance(field.gateway, WsgdGateway)
        self._wsgd = field.gateway.wsgd
        self._before = self._wsgd.metrics()

    def __getitem__(self, name: str) -> float:
        metric = f"ipsec_ike_{name}_total"
        return self._wsgd.metrics().get(metric, 0.0) - self._before.get(metric, 0.0)

    def dropped(self) -> float:
        now = self._wsgd.metrics()
        return sum(now[name] - self._before.get(name, 0) for name in now if "_dropped_fragments" in name)


def connect(field: Field, service: Service, local: str, **more: str) -> StrongSwan:
    field.gateway.apply(Scenario((service,)))
    enb = field.peer(field.place.enb, settings=SMALL_PACKETS)
    connections, _ = peer(service, local, LONG_ID, remote={"auth": "psk", "id": OUR_ID}, **more)
    enb.load(connections, {OUR_ID: "interop key"})
    enb.initiate("net")
    return enb


@pytest.mark.usefixtures("only_wsgd")
@pytest.mark.parametrize(
    "ike", ["aes256gcm16-prfsha384-x25519", "aes256-sha256-modp2048", "chacha20poly1305-prfsha256-x25519"]
)
def test_ike_auth_and_rekeys_in_fragments(field: Field, ike: str) -> None:
    """FRG-01 to FRG-05, FRG-18, STA-01 to STA-05: IKE_AUTH and CREATE_CHILD_SA, both ways, each kind of cipher.

    The peer comes by port 4500, as libipsec makes it look like a NAT; traffic passes afterwards, also after rekeys.
    """
    service = Service(
        "site",
        net.GATEWAY,
        ike=(ike,),
        esp=("aes256gcm16-modp4096",),
        protects=("10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"),
        template=f"<ip><ikev2-mtu>460</ikev2-mtu></ip>{OUR_ID_XML}",
    )
    counts = Counts(field)
    enb = connect(field, service, net.ENB, fragmentation="force")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    (ike_sa,) = field.gateway_sees(1)
    assert ike_sa["fragmentation-supported"] == "true"
    assert ike_sa["remote"]["identity"].startswith(LONG_ID[:32])
    wait_for("the counters", lambda: counts["fragments_sent"] >= 2)
    assert counts["fragmented_messages_received"] == 1
    assert counts["fragmented_messages_sent"] == 1
    assert counts["fragments_received"] >= 3
    assert counts.dropped() == 0
    log = enb.log.read_text()
    assert "received FRAGMENTATION_SUPPORTED" in log or "N(FRAG_SUP)" in log
    assert re.search(r"reassembled fragmented IKE message", log)
    (before,) = enb.children()
    enb.rekey(child="net")
    wait_for(
        "the Child SA to be rekeyed", lambda: [c["spi-in"] for c in enb.children()] not in ([], [before["spi-in"]])
    )
    enb.rekey(ike="gw")
    wait_for("the IKE SA to be rekeyed", lambda: len(enb.established()) == 1 and counts["fragments_sent"] >= 4)
    assert field.gateway_sees(1)[0]["fragmentation-supported"] == "true"
    (again,) = enb.children()
    enb.rekey(child="net")  # on the new IKE SA, in fragments as well
    wait_for("the Child SA to be rekeyed again", lambda: [c["spi-in"] for c in enb.children()] != [again["spi-in"]])
    wait_for("fragments on the new IKE SA", lambda: counts["fragmented_messages_received"] >= 3)
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    reach(field.place.core, net.ENB_INNER)
    assert counts.dropped() == 0
    enb.terminate(ike="gw")  # in peace: a peer that stops in the middle of an exchange leaves its IKE SA behind
    field.gateway_sees(0)


@pytest.mark.usefixtures("only_wsgd")
def test_outer_ipv6(field: Field) -> None:
    """FRG-01 over IPv6: the peer's are put together. Ours all fit into the least size of that family (FRG-11)."""
    template = f"<ipv6><ikev2-mtu>1144</ikev2-mtu></ipv6>{OUR_ID_XML}"
    service = Service("site", net.GATEWAY6, template=template)
    counts = Counts(field)
    connect(field, service, net.ENB6, fragmentation="force")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    assert field.gateway_sees(1)[0]["fragmentation-supported"] == "true"
    wait_for("fragments", lambda: counts["fragmented_messages_received"] >= 1)
    assert counts["fragments_sent"] == 0
    assert counts.dropped() == 0


@pytest.mark.usefixtures("only_wsgd")
def test_switched_off_at_either_end(field: Field) -> None:
    """FRG-02, FRG-03: without both announcements the same messages go whole, and IP does the cutting."""
    small = f"<ip><ikev2-mtu>460</ikev2-mtu></ip>{OUR_ID_XML}"
    off = Service("site", net.GATEWAY, ikesa="<fragmentation>false</fragmentation>", template=small)
    counts = Counts(field)
    enb = connect(field, off, net.ENB, fragmentation="yes")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    assert field.gateway_sees(1)[0]["fragmentation-supported"] == "false"
    enb.terminate(ike="gw")
    field.gateway_sees(0)
    connect(field, Service("site", net.GATEWAY, template=small), net.ENB, fragmentation="no")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    assert field.gateway_sees(1)[0]["fragmentation-supported"] == "false"
    assert counts["fragments_received"] == counts["fragments_sent"] == 0
