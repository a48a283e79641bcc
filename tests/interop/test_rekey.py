"""Rekeying under traffic, begun by either side: not one packet may be lost (RKY-01 to RKY-05, RFC 7296 section 2.8)."""

from __future__ import annotations

from netlab import topology as net
from netlab.field import Field
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.traffic import SteadyPing, reach

SITE = Service("site", net.GATEWAY)


def _up(field: Field, service: Service) -> StrongSwan:
    field.gateway.apply(Scenario((service,)))
    enb = field.peer(field.place.enb)
    enb.load(*peer(service, net.ENB, "enb.example.org"))
    enb.initiate("net")
    reach(field.place.enb, net.CORE, net.ENB_INNER)
    reach(field.place.core, net.ENB_INNER)
    return enb


def _child_spi(enb: StrongSwan) -> str | None:
    """The SPI of the only Child SA; None while there are two."""
    children = enb.children()
    return children[0]["spi-in"] if len(children) == 1 else None


def test_the_peer_rekeys_child_sas_under_traffic(field: Field) -> None:
    """RKY-03: three rekeys; pings each way lose nothing."""
    enb = _up(field, SITE)
    there, back = SteadyPing(field.place.enb, net.CORE, net.ENB_INNER), SteadyPing(field.place.core, net.ENB_INNER)
    for _ in range(3):
        before = _child_spi(enb)
        enb.rekey(child="net")
        wait_for("a new Child SA alone", lambda before=before: _child_spi(enb) not in (None, before))
        there.go_on()
        back.go_on()
    for result in (there.stop(), back.stop()):
        assert result.lost == 0
    (ike_sa,) = field.gateway_sees(1)
    wait_for("one Child SA at the gateway", lambda: len(field.gateway.sas()[0]["child-sa"]) == 1)
    assert ike_sa["remote"]["address"] == net.ENB


def test_the_peer_rekeys_the_ike_sa_under_traffic(field: Field) -> None:
    """RKY-01, RFC 7296 section 2.18: the Child SAs move to the new IKE SA, and work on it."""
    enb = _up(field, SITE)
    there, back = SteadyPing(field.place.enb, net.CORE, net.ENB_INNER), SteadyPing(field.place.core, net.ENB_INNER)
    for _ in range(3):
        before = enb.established()[0]["initiator-spi"]

        def moved(before: str = before) -> bool:
            sas = enb.sas()
            return len(sas) == 1 and sas[0]["state"] == "ESTABLISHED" and sas[0]["initiator-spi"] != before

        enb.rekey(ike="gw")
        wait_for("a new IKE SA alone", moved)
        there.go_on()
        back.go_on()
    before_child = _child_spi(enb)
    enb.rekey(child="net")
    wait_for("a new Child SA on the new IKE SA", lambda: _child_spi(enb) not in (None, before_child))
    there.go_on()
    back.go_on()
    for result in (there.stop(), back.stop()):
        assert result.lost == 0
    (ike_sa,) = field.gateway_sees(1)
    assert len(ike_sa["child-sa"]) == 1


def test_the_gateway_rekeys_a_child_sa_by_volume(field: Field, only_wsgd: None) -> None:
    """RKY-02, RKY-04: after so many kilobytes the gateway rekeys by itself; nothing is lost over several of them."""
    enb = _up(
        field,
        Service(
            "site",
            net.GATEWAY,
            rekey=True,
            payload="<lifetime><seconds>3600</seconds><kilo-bytes>200</kilo-bytes></lifetime>",
        ),
    )
    first = _child_spi(enb)
    there = SteadyPing(field.place.enb, net.CORE, net.ENB_INNER, every_ms=5)
    back = SteadyPing(field.place.core, net.ENB_INNER, every_ms=5)
    seen = {first}

    def three() -> bool:
        seen.add(_child_spi(enb))
        return len(seen - {None}) >= 4

    wait_for("three rekeys by volume", three, 30)
    for result in (there.stop(), back.stop()):
        assert result.lost == 0
    field.gateway_sees(1)
    wait_for("one Child SA at the gateway", lambda: len(field.gateway.sas()[0]["child-sa"]) == 1)


def test_both_sides_rekey_at_once(field: Field, only_wsgd: None) -> None:
    """RFC 7296 section 2.25: rekeys of the peer every moment, while the gateway rekeys by volume; traffic goes on."""
    enb = _up(
        field,
        Service(
            "site",
            net.GATEWAY,
            rekey=True,
            payload="<lifetime><seconds>3600</seconds><kilo-bytes>100</kilo-bytes></lifetime>",
        ),
    )
    there = SteadyPing(field.place.enb, net.CORE, net.ENB_INNER, every_ms=5)
    for _ in range(10):
        before = {child["spi-in"] for child in enb.children()}
        enb.rekey(child="net")
        wait_for("another Child SA", lambda before=before: {c["spi-in"] for c in enb.children()} - before)
    assert there.stop().lost == 0
    reach(field.place.core, net.ENB_INNER)
    field.gateway_sees(1)
