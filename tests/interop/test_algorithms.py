"""Every algorithm the gateway offers, agreed on with a peer and used: the same keys, traffic both ways (area 11)."""

from __future__ import annotations

import pytest
from netlab import topology as net
from netlab.field import Field
from netlab.net import LabError, wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.traffic import reach

SUITES = [
    # IKE, ESP
    ("aes256gcm16-prfsha384-x25519", "aes256gcm16"),
    ("aes128gcm16-prfsha256-ecp256", "aes128gcm16"),
    ("aes192gcm16-prfsha512-ecp384", "aes192gcm16"),
    ("chacha20poly1305-prfsha256-ecp521", "chacha20poly1305"),
    ("aes128-sha256-modp2048", "aes128-sha256"),
    ("aes192-sha384-modp3072", "aes192-sha384"),
    ("aes256-sha512-modp4096", "aes256-sha512"),
    ("aes256-sha384-prfsha512-x25519", "aes256-sha256"),
    ("aes256gcm16-prfsha256-x25519", "aes128-sha1"),
    ("aes128-sha1-modp2048", "aes256gcm16"),
]


@pytest.mark.parametrize("first", [0, 4, 8])
def test_each_suite(field: Field, first: int) -> None:
    """ALG-03 to ALG-48, TRF-22, TRF-23: one service offers several suites; the peer proposes one at a time."""
    suites = SUITES[first : first + 4]
    service = Service("site", net.GATEWAY, ike=tuple(ike for ike, _ in suites), esp=tuple(esp for _, esp in suites))
    field.gateway.apply(Scenario((service,)))
    enb = field.peer(field.place.enb)
    for ike, esp in suites:
        enb.load(*peer(service, net.ENB, "enb.example.org", ike=ike, esp=esp))
        enb.initiate("net")
        (ike_sa,) = enb.established()
        (child,) = enb.children()
        print(ike, esp, ike_sa["encr-alg"], ike_sa["dh-group"], child["encr-alg"])
        reach(field.place.enb, net.CORE, net.ENB_INNER, timeout_s=4)
        reach(field.place.core, net.ENB_INNER, timeout_s=4)
        enb.terminate(ike="gw")


@pytest.mark.parametrize("group", ["modp2048", "ecp256", "x25519"])
def test_pfs_in_a_child_sa_rekey(field: Field, group: str) -> None:
    """TRF-28, RFC 7296 section 2.17: the new Child SA's keys come from a fresh exchange in the named group."""
    service = Service("site", net.GATEWAY, esp=(f"aes256gcm16-{group}",))
    field.gateway.apply(Scenario((service,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(service, net.ENB, "enb.example.org"))
    enb.initiate("net")
    (before,) = enb.children()
    enb.rekey(child="net")

    def rekeyed() -> bool:
        children = enb.children()
        return len(children) == 1 and children[0]["spi-in"] != before["spi-in"]

    wait_for("the Child SA to be rekeyed", rekeyed)
    assert "dh-group" in enb.children()[0]
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    reach(field.place.core, net.ENB_INNER)


def test_no_common_proposal_is_refused(field: Field) -> None:
    """RFC 7296 section 2.7: NO_PROPOSAL_CHOSEN for the IKE SA, and for the Child SA with the IKE SA kept or ended."""
    service = Service("site", net.GATEWAY, ike=("aes256gcm16-prfsha384-x25519",), esp=("aes256gcm16",))
    field.gateway.apply(Scenario((service,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(service, net.ENB, "enb.example.org", ike="aes128-sha256-modp2048"))
    with pytest.raises(LabError):
        enb.initiate("net")
    assert "NO_PROP" in enb.log.read_text()
    other = field.peer(field.place.ue)
    other.load(*peer(service, net.UE, "ue.example.org", esp="aes128-sha256"))
    with pytest.raises(LabError):
        other.initiate("net")
    assert "NO_PROP" in other.log.read_text()
    assert other.children() == []
