"""IKE_SA_INIT and IKE_AUTH, both roles (RFC 7296 sections 1.2, 2.6, 2.15, 2.21)."""

from __future__ import annotations

from dataclasses import replace

import exchange_world as world
import pytest

from nf.config.snapshot import Authentication, CookieChallenge, IkeIdentity, NatTraversal, PeerNetwork
from nf.datapath.port import Direction
from nf.ike.actions import EventName
from nf.ike.inputs import Initiate, NetworkPath
from nf.policy.identity import encode_identity
from nf.wire.iana import IdType, NotifyType
from nf.wire.message import Message


def test_four_messages_make_a_tunnel(pair: world.World) -> None:
    """AUT-01, TRF-04: one Child SA with keys that fit, in both data paths."""
    pair.establish()
    # a: HDR, SAi1, KEi, Ni -->                     <-- HDR, SAr1, KEr, Nr :b
    # a: HDR, SK {IDi, AUTH, SAi2, TSi, TSr} -->    <-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr} :b
    assert pair.a.exchanges() == [("IKE_SA_INIT", False, 0), ("IKE_AUTH", False, 1)]
    assert pair.b.exchanges() == [("IKE_SA_INIT", True, 0), ("IKE_AUTH", True, 1)]
    pair.agree()
    assert pair.a.names() == pair.b.names() == [EventName.IKE_SA_UP, EventName.CHILD_SA_UP]
    assert len(pair.a.datapath.sas) == len(pair.b.datapath.sas) == 2
    assert pair.b.ike_sa.remote_id == world.A
    assert (pair.a.ike_sa.remote_id, pair.a.ike_sa.remote_id_type) == (world.B, "ip-addr")
    assert pair.a.ike_sa.original_initiator
    assert not pair.b.ike_sa.original_initiator


def test_the_responder_installs_before_it_answers(pair: world.World) -> None:
    """The first packet of the peer must find its SA."""
    pair.establish()
    assert pair.b.order == ["send", "install inbound", "install outbound", "send"]


def test_spis_carry_their_worker() -> None:
    """The first octet of our IKE SPI is the worker index, that of a Child SA SPI one more.

    Bits 56 to 63 of an sa_id too.
    """
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B), b={"worker": (6, 8)})
    pair.establish()
    view = pair.b.ike_sa
    assert view.local_spi[:2] == "06"
    assert pair.b.child_sa.spi_in >> 24 == 7
    assert all(sa.sa_id >> 56 == 6 for sa in pair.b.datapath.sas.values())
    assert view.worker == 6


@pytest.mark.parametrize(
    ("ike", "esp"),
    [
        (world.AES_GCM_X25519, world.ESP_GCM),
        (world.AES_CBC_MODP, world.ESP_CBC),
        (world.ECP, replace(world.ESP_GCM, esn=True)),
        (world.AES_GCM_X25519, world.ESP_GCM_PFS),
    ],
)
def test_suites(ike: world.IkeTransformSet, esp: world.IpsecTransformSet) -> None:
    """ALG-03, ALG-04, ALG-13, ALG-35: what is configured is what is used; PFS is not negotiated in IKE_AUTH."""
    crypto = world.template(ikesa_transform_sets=(ike,), payloads=(world.payload(transform_sets=(esp,)),))
    pair = world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto))
    pair.establish()
    pair.agree()
    view = pair.b.ike_sa
    assert (view.encr, view.key_bits, view.prf, view.integ, view.ke_method) == (
        ike.encr,
        ike.key_bits,
        ike.prf,
        ike.integ,
        ike.ke_method,
    )
    child = view.children[0]
    assert (child.encr, child.integ, child.esn, child.ke_method) == (esp.encr, esp.integ, esp.esn, 0)


def test_invalid_ke_payload_is_answered_and_obeyed() -> None:
    """a guesses the wrong key exchange method, and comes back with the right one (RFC 7296 section 1.2)."""
    both = world.template(ikesa_transform_sets=(world.ECP, world.AES_GCM_X25519))
    one = world.template()
    pair = world.World(world.snapshot(world.A, both), world.snapshot(world.B, one))
    pair.establish()
    # a: SAi1(ecp256, x25519), KEi(ecp256) -->   <-- N(INVALID_KE_PAYLOAD, 31) :b
    # a: SAi1(ecp256, x25519), KEi(x25519) -->   <-- SAr1, KEr, Nr :b
    refusal = Message.decode(pair.b.sent[0].data)
    assert [(n.notify_type, n.data) for n in refusal.errors()] == [(NotifyType.INVALID_KE_PAYLOAD, b"\x00\x1f")]
    assert refusal.header.spi_r == bytes(8)
    assert pair.b.engine.summary()["half-open"] == 0
    pair.agree()
    assert pair.b.counters["setups-failed.invalid-ke-payload"] == 1


def test_no_common_proposal() -> None:
    """NO_PROPOSAL_CHOSEN, and nothing is kept (RKY-45)."""
    theirs = world.template(ikesa_transform_sets=(world.AES_CBC_MODP,))
    pair = world.World(world.snapshot(world.A, theirs), world.snapshot(world.B))
    pair.establish()
    assert [n.notify_type for n in Message.decode(pair.b.take()).errors()] == [NotifyType.NO_PROPOSAL_CHOSEN]
    assert pair.a.counters["setups-failed.no-proposal-chosen"] == 1
    pair.nothing_left()


def test_wrong_psk_has_one_face() -> None:
    """AUTHENTICATION_FAILED and nothing else; the reason is in our event only (RFC 7296 section 2.21.2)."""
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B), secrets=({"psk": b"a guess"}, world.SECRETS))
    pair.establish()
    assert pair.b.names() == [EventName.AUTHENTICATION_FAILED, EventName.SETUP_FAILED]
    assert pair.a.counters["setups-failed.authentication-failed"] == 1
    assert pair.b.counters["setups-failed.authentication-failed"] == 1
    assert pair.b.counters["notifies-out.authentication-failed"] == 1
    assert pair.b.datapath.installed == []
    pair.nothing_left()


def test_initiator_refuses_a_responder_with_another_key() -> None:
    """The responder proves itself with a key we do not know.

    It hears AUTHENTICATION_FAILED (RFC 7296 section 2.21.2).
    """
    keys = Authentication(local_psk="other", remote_psk="psk")
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, world.template(authentication=keys)))
    pair.establish()
    # a: ... AUTH(psk) -->   <-- AUTH(other) :b   a: INFORMATIONAL {N(AUTHENTICATION_FAILED)} -->   <-- {} :b
    assert EventName.AUTHENTICATION_FAILED in pair.a.names()
    assert pair.a.datapath.installed == []
    assert pair.b.names()[-1] is EventName.IKE_SA_DOWN
    pair.nothing_left()


def test_psk_of_the_peer_network_goes_first() -> None:
    """AUT-09: longest prefix, then the template's key."""
    networks = (PeerNetwork("192.0.2.0/24", "other"), PeerNetwork("192.0.2.1/32", "psk"), PeerNetwork("203.0.113.0/24"))
    crypto = world.template(peer_networks=networks)
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
    pair.establish()
    pair.agree()
    assert len(pair.b.children) == 1


def test_a_peer_outside_the_networks_is_not_answered() -> None:
    """TPL-30: IKE from other sources is refused."""
    crypto = world.template(peer_networks=(PeerNetwork("203.0.113.0/24"),))
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
    pair.establish()
    pair.run(60)
    assert pair.b.sent == []
    assert pair.b.counters["dropped.peer-not-allowed"] == 6
    assert pair.a.counters["setups-failed.setup-timeout"] == 1
    pair.nothing_left()


def test_unknown_service_is_silent(pair: world.World) -> None:
    """No service on the address: dropped and counted."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    (flight,) = pair.flights
    pair.b.receive(flight.data, NetworkPath("198.51.100.9", 500, world.A, 500))
    assert pair.b.sent == []
    assert pair.b.counters["dropped.no-service"] == 1


def test_initiate_needs_a_site_to_site_service() -> None:
    """WSG-25: in remote access the peer is always the initiator."""
    pair = world.World(world.remote_access(world.A), world.snapshot(world.B))
    assert pair.a.command(Initiate("ran", "wsg", world.B)) == 0
    assert pair.a.command(Initiate("ran", "none", world.B)) == 0
    assert pair.a.command(Initiate("ran", "wsg", "not an address")) == 0


@pytest.mark.parametrize("start", [0, 1])
def test_cookie_challenge(start: int) -> None:
    """TPL-14, DOS-11: from the start watermark on, no state before the cookie is back; start 0 challenges always."""
    crypto = world.template(cookie_challenge=CookieChallenge(start=start, stop=0))
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
    if start == 1:
        assert pair.a.command(Initiate("ran", "wsg", world.B)) == 1
        pair.drop = lambda node, data: node is pair.b
        pair.run(0.1)  # one half-open IKE SA: the watermark is reached
        assert pair.b.counters["cookies.sent"] == 0
        pair.drop = lambda node, data: False
    before = pair.b.engine.summary()["half-open"]
    pair.a.command(Initiate("ran", "wsg", world.B))
    (flight,) = pair.flights
    pair.hold = True
    pair.deliver(flight)
    # a: SAi1, KEi, Ni -->   <-- N(COOKIE) :b   a: N(COOKIE), SAi1, KEi, Ni -->   <-- SAr1, KEr, Nr :b
    assert pair.b.engine.summary()["half-open"] == before
    assert pair.b.counters["cookies.sent"] == 1
    answer = Message.decode(pair.b.take())
    assert [n.notify_type for n in answer.payloads] == [NotifyType.COOKIE]
    assert answer.header.spi_r == bytes(8)
    pair.hold = False
    pair.run(0.2)
    assert pair.b.counters["cookies.accepted"] == 1
    assert EventName.COOKIE_CHALLENGE_ON in pair.b.names()
    pair.run(300)
    pair.agree()
    assert (EventName.COOKIE_CHALLENGE_OFF in pair.b.names()) == (start == 1)


def test_a_cookie_of_another_source_is_not_taken() -> None:
    """The cookie binds address, port, SPI and nonce."""
    crypto = world.template(cookie_challenge=CookieChallenge(start=0, stop=0))
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
    pair.a.command(Initiate("ran", "wsg", world.B))
    pair.hold = True
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    (again,) = pair.flights  # a's request with the cookie
    pair.b.receive(again.data, replace(again.path, remote="192.0.2.77"))
    assert pair.b.counters["cookies.rejected"] == 1
    assert pair.b.engine.summary()["half-open"] == 0
    pair.deliver(again)
    assert pair.b.counters["cookies.accepted"] == 1
    assert pair.b.engine.summary()["half-open"] == 1


def test_identities() -> None:
    """TPL-17, TPL-24: `nai idr` before `identity local`; the default is the bind address."""
    a = world.template(local_identity=world.identity("peer.example"))
    b = world.template(
        local_identity=world.identity("gw.example"), nai_idr=IkeIdentity("rfc822-addr", "gw@example.org")
    )
    pair = world.World(world.snapshot(world.A, a), world.snapshot(world.B, b))
    pair.establish()
    assert (pair.b.ike_sa.remote_id, pair.b.ike_sa.remote_id_type) == ("peer.example", "fqdn")
    assert (pair.a.ike_sa.remote_id, pair.a.ike_sa.remote_id_type) == ("gw@example.org", "rfc822-addr")
    assert encode_identity("fqdn", "gw.example") == (IdType.FQDN, b"gw.example")


def test_nat_is_detected_and_ike_floats() -> None:
    """QOS-20, RFC 7296 section 2.23: a is behind a NAT; from IKE_AUTH on everything goes by port 4500."""
    crypto = world.template(natt=NatTraversal())
    pair = world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto))
    pair.nat = ("203.0.113.7", 20000)
    pair.establish()
    pair.agree()
    a, b = pair.a.ike_sa, pair.b.ike_sa
    assert (a.nat_local, a.nat_remote, b.nat_local, b.nat_remote) == (True, False, False, True)
    assert (b.local_port, b.remote, b.remote_port) == (4500, "203.0.113.7", 24500)
    sa = pair.b.datapath.of(Direction.OUTBOUND)[0]
    assert (sa.remote, sa.encap_local_port, sa.encap_remote_port) == ("203.0.113.7", 4500, 24500)
    assert pair.b.child_sa.encapsulation == "udp"


def test_no_nat_means_native_esp() -> None:
    """NAT traversal on, no NAT there: IKE stays on 500 and ESP is IP protocol 50."""
    crypto = world.template(natt=NatTraversal())
    pair = world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto))
    pair.establish()
    assert pair.b.ike_sa.local_port == 500
    assert pair.b.counters["notifies-out.nat-detection-source-ip"] == 1
    assert pair.b.datapath.of(Direction.OUTBOUND)[0].encap_remote_port == 0
    assert pair.b.child_sa.encapsulation == "none"


def test_without_natt_no_nat_is_looked_for(pair: world.World) -> None:
    """QOS-25: off means no NAT detection and no UDP encapsulation, even behind a NAT."""
    pair.nat = ("203.0.113.7", 20000)
    pair.establish()
    pair.agree()
    assert pair.b.counters["notifies-out.nat-detection-source-ip"] == 0
    assert pair.b.child_sa.encapsulation == "none"


def test_maximum_tunnels_on_both_sides_of_the_edge() -> None:
    """CTX-25: the last tunnel that fits comes up, the next does not."""
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, maximum_tunnels=2))
    for _ in range(3):
        pair.establish()
    assert len(pair.b.views) == 2
    assert pair.b.counters["dropped.maximum-tunnels"] >= 1


def test_child_sa_that_fails_takes_the_ike_sa_with_it() -> None:
    """TPL-40: authenticated, but no ESP proposal in common; without `allow-empty-ikesa` a Delete follows."""
    theirs = world.template(payloads=(world.payload(transform_sets=(world.ESP_CBC,)),))
    pair = world.World(world.snapshot(world.A, theirs), world.snapshot(world.B))
    pair.establish()
    assert pair.b.counters["notifies-out.no-proposal-chosen"] == 1
    assert pair.b.counters["setups-failed.no-proposal-chosen"] == 1
    pair.nothing_left()


def test_allow_empty_ikesa_keeps_it() -> None:
    """TPL-40, the other side of the switch."""
    theirs = world.template(payloads=(world.payload(transform_sets=(world.ESP_CBC,)),), ikesa_allow_empty_ikesa=True)
    ours = world.template(ikesa_allow_empty_ikesa=True)
    pair = world.World(world.snapshot(world.A, theirs), world.snapshot(world.B, ours))
    pair.establish()
    assert pair.a.ike_sa.children == pair.b.ike_sa.children == ()
    pair.agree()


def test_initial_contact_ends_what_we_still_had() -> None:
    """DUP-05: b honours INITIAL_CONTACT of a peer that has lost its state."""
    wsg = {"initial_contact": True}
    a, b = world.service(world.A, **wsg), world.service(world.B, **wsg)
    pair = world.World(world.snapshot(world.A, None, a), world.snapshot(world.B, None, b))
    pair.establish()
    old = pair.b.ike_sa.local_spi
    fresh = world.World(world.snapshot(world.A, None, a), world.snapshot(world.B, None, b), seed=2)
    pair.a.engine = fresh.a.engine  # a restarts
    pair.a.datapath.sas.clear()
    pair.a.datapath.routes.clear()
    pair.establish()
    assert pair.b.ike_sa.local_spi != old
    assert pair.b.counters["ike-sas-closed.initial-contact"] == 1
    pair.agree()


def test_initial_contact_of_other_workers() -> None:
    """The other workers hear of it by ClearElsewhere; without `initial-contact` nobody does."""
    a = world.service(world.A, initial_contact=True)
    for honoured in (True, False):
        b = world.service(world.B, initial_contact=honoured)
        pair = world.World(world.snapshot(world.A, None, a), world.snapshot(world.B, None, b), b={"worker": (1, 2)})
        pair.establish()
        assert [clear.which.remote_id for clear in pair.b.clears] == ([world.A] if honoured else [])
