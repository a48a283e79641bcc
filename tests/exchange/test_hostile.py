"""Loss, duplicates, replays, damage, lies and floods (RFC 7296 sections 2.1 to 2.4, 2.21; DOS-14)."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

import exchange_world as world
import pytest

from nf.config.snapshot import CookieChallenge
from nf.ike.actions import EventName
from nf.ike.inputs import ClearSas, Initiate, NetworkPath, RekeyChildSa, RekeyIkeSa, SaFilter
from nf.ike.scheduler import MAXIMUM_MESSAGE_ID
from nf.ike.v2 import create_child, ike_sa_init
from nf.wire import sk
from nf.wire.iana import ExchangeType, NotifyType
from nf.wire.message import Header, Message
from nf.wire.payloads import NotifyPayload, SaPayload, UnknownPayload, VendorIdPayload

A_TO_B = NetworkPath(world.B, 500, world.A, 500)


def sealed(
    pair: world.World, payloads: tuple, exchange: int = ExchangeType.INFORMATIONAL, message_id: int | None = None
) -> bytes:
    """A request of a's, made by hand with a's keys."""
    sa = next(iter(pair.a.engine._core.ike_sas.values()))
    number = sa.next_id if message_id is None else message_id
    header = Header(sa.spi_i, sa.spi_r, exchange, number, True, False)
    assert sa.cipher_out is not None
    return sk.seal(header, payloads, sa.cipher_out, random.Random(number).randbytes(sa.cipher_out.iv_octets))


def opened(pair: world.World, data: bytes) -> Message:
    """b's message, read with a's keys."""
    sa = next(iter(pair.a.engine._core.ike_sas.values()))
    assert sa.cipher_in is not None
    return sk.open(data, Header.decode(data), sa.cipher_in)


@pytest.mark.parametrize("lost", range(4))
def test_each_setup_message_may_be_lost(pair: world.World, lost: int) -> None:
    """Retransmission by the initiator only; the responder repeats its cached response octet for octet."""
    seen: list[bytes] = []

    def drop(node: world.Node, data: bytes) -> bool:
        seen.append(data)
        return len(seen) == lost + 1

    pair.drop = drop
    pair.establish()
    pair.run(2)
    pair.agree()
    assert len(pair.b.children) == 1
    assert pair.b.engine.summary()["half-open"] == 0
    if lost % 2:
        assert pair.b.counters["retransmits.response"] == 1
        assert len({send.data for send in pair.b.sent}) == len(pair.b.sent) - 1


def test_everything_twice_and_out_of_order(pair: world.World) -> None:
    """Duplicates and reordering change nothing."""
    rng = random.Random(7)
    pair.copies = lambda node, data: 3
    pair.delay = lambda node, data: rng.uniform(0.001, 0.3)
    pair.establish()
    pair.run(5)
    pair.a.command(RekeyChildSa(pair.a.children[0].spi_in))
    pair.run(5)
    pair.a.command(RekeyIkeSa(pair.a.ike_sa.local_spi))
    pair.run(100)
    pair.agree()
    assert len(pair.a.children) == 1


def test_identical_request_gets_the_identical_response(tunnel: world.World) -> None:
    """RFC 7296 section 2.1; anything else with that Message ID is dropped."""
    request = sealed(tunnel, ())
    tunnel.b.receive(request, A_TO_B)
    first = tunnel.b.take()
    tunnel.b.receive(request, A_TO_B)
    assert tunnel.b.take() == first
    assert tunnel.b.counters["retransmits.response"] == 1
    count = len(tunnel.b.sent)
    sa = next(iter(tunnel.a.engine._core.ike_sas.values()))
    tunnel.b.receive(sealed(tunnel, (NotifyPayload(40000),), message_id=sa.next_id), A_TO_B)
    assert len(tunnel.b.sent) == count
    assert tunnel.b.counters["dropped.replay"] == 1


def test_message_ids_out_of_the_window(tunnel: world.World) -> None:
    """Old and future ones are dropped, unanswered."""
    sa = next(iter(tunnel.a.engine._core.ike_sas.values()))
    count = len(tunnel.b.sent)
    for message_id in (0, sa.next_id + 1, MAXIMUM_MESSAGE_ID):
        tunnel.b.receive(sealed(tunnel, (), message_id=message_id), A_TO_B)
    assert len(tunnel.b.sent) == count
    assert tunnel.b.counters["dropped.message-id"] == 3


def test_the_last_message_id_ends_the_ike_sa(tunnel: world.World) -> None:
    """RKY-64: 0xFFFFFFFF is answered, and then there is no more."""
    for node in (tunnel.a, tunnel.b):
        sa = next(iter(node.engine._core.ike_sas.values()))
        sa.expected_id = sa.next_id = MAXIMUM_MESSAGE_ID
    tunnel.a.command(RekeyChildSa(tunnel.a.child_sa.spi_in))
    tunnel.run()
    assert tunnel.b.counters["responses-out.create-child-sa"] == 1
    tunnel.nothing_left()


def test_damaged_datagrams(tunnel: world.World) -> None:
    """Every bit flipped and every cut, of each message of a tunnel's life: dropped and counted, the tunnel lives."""
    tunnel.a.command(RekeyChildSa(tunnel.a.child_sa.spi_in))
    tunnel.run()
    rng = random.Random(3)
    sent = [(tunnel.b, s.data, A_TO_B) for s in tunnel.a.sent]
    sent += [(tunnel.a, s.data, NetworkPath(world.A, 500, world.B, 500)) for s in tunnel.b.sent]
    before = {node.name: dict(node.datapath.sas) for node in (tunnel.a, tunnel.b)}
    for node, data, path in sent:
        for _ in range(300):
            octets = bytearray(data)
            octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
            node.receive(bytes(octets), path)
        for cut in range(0, len(data), 7):
            node.receive(data[:cut], path)
            node.receive(data + data[:cut], path)
    tunnel.run(120)
    tunnel.agree()
    assert {node.name: node.datapath.sas for node in (tunnel.a, tunnel.b)} == before
    assert tunnel.b.counters["dropped.malformed"] > 0


def test_damaged_ike_auth_is_dropped_and_the_good_one_still_counts(pair: world.World) -> None:
    """DOS-14: junk with the right SPIs does not end a half-open IKE SA, and costs it nothing but time."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    pair.hold = True
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    (auth,) = pair.flights
    for position in range(28, len(auth.data), 11):
        junk = bytearray(auth.data)
        junk[position] ^= 0x40
        pair.b.receive(bytes(junk), auth.path)
    assert pair.b.counters["dropped.integrity"] + pair.b.counters["dropped.malformed"] > 10
    assert len(pair.b.sent) == 1
    pair.hold = False
    pair.run()
    pair.agree()
    assert len(pair.b.children) == 1


def test_random_octets_never_raise(tunnel: world.World) -> None:
    """Arbitrary datagrams, with and without a good header and real SPIs."""
    rng = random.Random(11)
    view = tunnel.b.ike_sa
    spis = bytes.fromhex(view.spi_i) + bytes.fromhex(view.spi_r)
    for number in range(2000):
        size = rng.randrange(0, 200)
        data = rng.randbytes(size)
        if number % 2:
            head = rng.choice((spis, spis[:8] + bytes(8), rng.randbytes(16)))
            exchange, flags = rng.choice((34, 35, 36, 37, 40, 99)), rng.choice((0, 8, 0x20, 0x28))
            data = (
                head
                + bytes((rng.choice((33, 46, 0, 41)), 0x20, exchange, flags))
                + bytes(3)
                + bytes((rng.randrange(5),))
            )
            data += (28 + size).to_bytes(4, "big") + rng.randbytes(size)
        tunnel.b.receive(data, A_TO_B)
    tunnel.run(100)
    tunnel.agree()
    assert tunnel.b.counters["exceptions"] == 0


def test_unknown_critical_payload_in_ike_sa_init(pair: world.World) -> None:
    """RFC 7296 section 2.5: UNSUPPORTED_CRITICAL_PAYLOAD with the payload type, and nothing kept."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    (flight,) = pair.flights
    octets = bytearray(flight.data)
    end = len(octets)
    message = Message.decode(flight.data)
    octets += bytes((0, 0x80, 0, 4))  # a payload of type 200, critical
    position = _last_generic_header(message, flight.data)
    octets[position] = 200
    octets[24:28] = len(octets).to_bytes(4, "big")
    assert end + 4 == len(octets)
    pair.b.receive(bytes(octets), flight.path)
    answer = Message.decode(pair.b.take())
    assert [(n.notify_type, n.data) for n in answer.errors()] == [(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\xc8")]
    assert pair.b.engine.summary()["half-open"] == 0


def _last_generic_header(message: Message, data: bytes) -> int:
    """Where the Next Payload octet of the last payload is."""
    position, next_payload = 28, message.header.next_payload
    while data[position]:
        next_payload = data[position]
        position += int.from_bytes(data[position + 2 : position + 4], "big")
    assert next_payload
    return position


def test_unknown_payloads_that_are_not_critical_are_passed_over(tunnel: world.World) -> None:
    """RFC 7296 section 2.5."""
    tunnel.b.receive(
        sealed(tunnel, (UnknownPayload(200, b"x"), VendorIdPayload(b"someone"), NotifyPayload(50000))), A_TO_B
    )
    assert opened(tunnel, tunnel.b.take()).payloads == ()
    assert len(tunnel.b.views) == 1


def test_unknown_critical_payload_in_an_ike_sa(tunnel: world.World) -> None:
    """Answered; the IKE SA lives on (RFC 7296 section 2.21.3)."""
    request = sealed(tunnel, (UnknownPayload(200, b"x"),))
    sa = next(iter(tunnel.a.engine._core.ike_sas.values()))
    header = Header.decode(request)
    assert sa.cipher_out is not None
    # The codec never sets the critical bit: seal such a payload by hand.
    aad = request[:32]
    plain = bytes((0, 0x80, 0, 5)) + b"x" + b"\0"
    data = aad + sa.cipher_out.seal(aad, bytes(8), plain)
    assert len(data) == header.length
    tunnel.b.receive(data, A_TO_B)
    answer = opened(tunnel, tunnel.b.take())
    assert [(n.notify_type, n.data) for n in answer.errors()] == [(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\xc8")]
    assert len(tunnel.b.views) == 1


def test_authenticated_nonsense_is_fatal(tunnel: world.World) -> None:
    """INVALID_SYNTAX ends the IKE SA; its response can be had again for a while (RFC 7296 section 2.21.3)."""
    request = sealed(tunnel, (SaPayload(()),), ExchangeType.CREATE_CHILD_SA)
    tunnel.b.receive(request, A_TO_B)
    answer = tunnel.b.take()
    assert opened(tunnel, answer).notify(NotifyType.INVALID_SYNTAX) is not None
    tunnel.nothing_left([tunnel.b])
    tunnel.b.receive(request, A_TO_B)
    assert tunnel.b.counters["retransmits.response"] == 1
    assert tunnel.b.take() == answer
    tunnel.run(31)
    tunnel.b.engine.expire(tunnel.now)
    tunnel.b.receive(request, A_TO_B)
    assert tunnel.b.counters["dropped.unknown-spi"] == 1


def test_an_unknown_exchange_is_refused(tunnel: world.World) -> None:
    """Exchange type 99, authenticated."""
    tunnel.b.receive(sealed(tunnel, (), 99), A_TO_B)
    tunnel.nothing_left([tunnel.b])


def test_ike_auth_again_on_an_established_ike_sa(tunnel: world.World) -> None:
    """Not in turn: dropped, whoever sends it."""
    tunnel.b.receive(sealed(tunnel, (), ExchangeType.IKE_AUTH), A_TO_B)
    assert tunnel.b.counters["dropped.unexpected"] == 1
    assert len(tunnel.b.views) == 1


def test_reflected_messages_are_dropped(tunnel: world.World) -> None:
    """A peer's own messages sent back to it."""
    for node in (tunnel.a, tunnel.b):
        count = len(node.sent)
        for send in tuple(node.sent):
            node.receive(send.data, NetworkPath(node.address, 500, tunnel.other(node).address, 500))
        assert len(node.sent) <= count + 1  # an IKE_SA_INIT request is a request, whoever sent it first
    tunnel.run(100)
    tunnel.agree()


def test_lost_answer_to_a_delete(tunnel: world.World) -> None:
    """b is gone already, and still has the response for a that asks again."""
    pair = tunnel
    lost: list[bytes] = []

    def drop(node: world.Node, data: bytes) -> bool:
        if node is pair.b and not lost:
            lost.append(data)
            return True
        return False

    pair.drop = drop
    pair.a.command(ClearSas(SaFilter()))
    pair.run(3)
    pair.nothing_left()
    assert pair.b.counters["retransmits.response"] == 1
    assert pair.a.counters["ike-sas-closed.local-delete"] == 1


def test_a_bug_of_ours_closes_one_ike_sa_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Style section 5: an unexpected exception in an authenticated message ends that IKE SA, not the worker."""
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B))
    pair.establish()
    pair.establish()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(create_child, "dispatch", broken)
    pair.a.command(RekeyChildSa(pair.a.children[0].spi_in))
    pair.run(0.1)
    assert pair.b.counters["exceptions"] == 1
    assert pair.b.counters["ike-sas-closed.internal-error"] == 1
    assert len(pair.b.views) == 1
    assert len(pair.b.datapath.sas) == 2
    assert EventName.IKE_SA_DOWN in pair.b.names()


def test_a_bug_before_authentication_drops_the_packet(pair: world.World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost but the datagram."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ike_sa_init, "challenged", broken)
    pair.a.command(Initiate("ran", "wsg", world.B))
    pair.run(0.1)
    assert pair.b.counters["dropped.internal-error"] == 1
    monkeypatch.undo()
    pair.run(2)
    assert len(pair.b.children) == 1


def flood(pair: world.World, count: int, sources: int) -> None:
    """IKE_SA_INIT requests with fresh SPIs and nonces, from many sources; nobody ever answers."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    template = pair.flights.pop().data
    pair.a.command(ClearSas(SaFilter()))
    rng = random.Random(5)
    for number in range(count):
        data = rng.randbytes(8) + template[8:]
        source = f"10.{number % sources >> 16 & 255}.{number % sources >> 8 & 255}.{number % sources & 255}"
        pair.b.engine.receive(data, NetworkPath(world.B, 500, source, 500), pair.now)
        pair.b.engine.poll()


def test_flood_stops_at_the_limits(pair: world.World) -> None:
    """DOS-14: half-open IKE SAs are bounded, in all and for each source; all of it is gone after the timer."""
    for options, expected, reason in (
        ({"half_open_limit": 50}, 50, "half-open-limit"),
        ({"source_limit": 20}, 20, "source-limit"),
    ):
        pair = world.World(world.snapshot(world.A), world.snapshot(world.B), b=dict(options))
        flood(pair, 100, 1)
        assert pair.b.engine.summary()["half-open"] == expected
        assert pair.b.counters[f"dropped.{reason}"] == 100 - expected
        pair.run(61)
        pair.nothing_left([pair.b])
        core = pair.b.engine._core
        assert not core.init_requests
        assert not core.half_open_by_source


def test_flood_under_a_challenge_keeps_nothing() -> None:
    """DOS-11, DOS-14: while challenged, an unanswered IKE_SA_INIT costs no memory."""
    crypto = world.template(cookie_challenge=CookieChallenge(0, 0))
    pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
    flood(pair, 100, 100)
    tracemalloc.start()
    flood(pair, 1000, 1000)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert pair.b.engine.summary() == {"ike-sas": 0, "half-open": 0, "child-sas": 0, "timers": 0}
    assert pair.b.counters["cookies.sent"] == 1100
    assert grown < 600_000  # what caches of addresses hold, and the test itself


def test_tombstones_are_bounded(tunnel: world.World) -> None:
    """Closed IKE SAs are not remembered without bound."""
    core = tunnel.b.engine._core
    sa = next(iter(core.ike_sas.values()))
    for number in range(5000):
        sa.spi_local = number.to_bytes(8, "big")
        core.bury(sa, tunnel.now)
    assert len(core.tombstones) == 2048
    core.sweep_tombstones(tunnel.now + 31)
    assert not core.tombstones


def test_other_versions() -> None:
    """TPL-49, RFC 7296 section 2.5: told ours only where the template says so; IKEv1 is for another to answer."""
    for told in (False, True):
        crypto = world.template(ikesa_notify_invalid_major_version=told)
        pair = world.World(world.snapshot(world.A), world.snapshot(world.B, crypto))
        pair.a.command(Initiate("ran", "wsg", world.B))
        octets = bytearray(pair.flights[0].data)
        for version in (0x10, 0x30):
            octets[17] = version
            pair.b.receive(bytes(octets), A_TO_B)
        assert pair.b.counters["dropped.bad-version"] == 2
        assert len(pair.b.sent) == int(told)
        for _ in range(1000):
            pair.b.receive(bytes(octets), A_TO_B)
        assert len(pair.b.sent) == (100 if told else 0)  # the rate is limited


def test_replayed_ike_sa_init_from_elsewhere_is_dropped(pair: world.World) -> None:
    """The cached response goes to the initiator only."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    (flight,) = pair.flights
    pair.hold = True
    pair.deliver(flight)
    pair.b.receive(flight.data, replace(flight.path, remote="192.0.2.66"))
    assert len(pair.b.sent) == 1
    assert pair.b.counters["dropped.replay"] == 1
