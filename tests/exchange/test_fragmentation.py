"""IKEv2 fragmentation between two engines: loss, order, duplicates, limits, lies (RFC 7383; FRG-01 to FRG-18)."""

from __future__ import annotations

import random
from typing import Any

import exchange_world as world
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nf.ike import fragments
from nf.ike.inputs import NetworkPath, RekeyChildSa, RekeyIkeSa
from nf.wire import sk, skf
from nf.wire.iana import ExchangeType
from nf.wire.message import Header, encode_chain
from nf.wire.payloads import NotifyPayload, Payload, VendorIdPayload

A_TO_B = NetworkPath(world.B, 500, world.A, 500)
NAME = "x" * 700 + ".example"


def template(**changes: Any) -> Any:
    """Large messages (a long identity, MODP) and the least size."""
    return world.template(
        **{"ip_ikev2_mtu": 460, "ikesa_transform_sets": (world.AES_CBC_MODP,), **changes},
        local_identity=world.identity(NAME),
    )


def two(crypto_a: Any = None, crypto_b: Any = None, seed: int = 1) -> world.World:
    return world.World(
        world.snapshot(world.A, crypto_a or template()), world.snapshot(world.B, crypto_b or template()), seed
    )


def is_fragment(data: bytes) -> bool:
    return skf.is_fragment(Header.decode(data))


@pytest.fixture
def tunnel() -> world.World:
    """IKE_AUTH went in fragments both ways."""
    pair = two()
    pair.establish()
    pair.agree()
    return pair


def ike_sa(node: world.Node) -> Any:
    return next(iter(node.engine._core.ike_sas.values()))


def pieces(pair: world.World, payloads: tuple[Payload, ...], octets: int = 460) -> tuple[bytes, ...]:
    """The fragments of a request of a's, made by hand with a's keys."""
    sa = ike_sa(pair.a)
    header = Header(sa.spi_i, sa.spi_r, ExchangeType.INFORMATIONAL, sa.next_id, True, False)
    return skf.seal(header, payloads, sa.cipher_out, octets, random.Random(octets).randbytes)


def send(pair: world.World, *datagrams: bytes) -> int:
    """How many datagrams b answers with."""
    before = len(pair.b.sent)
    for data in datagrams:
        pair.b.receive(data, A_TO_B)
    return len(pair.b.sent) - before


def dropped(pair: world.World, why: str) -> int:
    return pair.b.counters[f"fragments-dropped.{why}"]


FILLING = (VendorIdPayload(bytes(1200)),)


def test_ike_auth_and_rekeys(tunnel: world.World) -> None:
    """FRG-01 to FRG-08, FRG-18, STA-01 to STA-05, STA-45, STA-46: every message is cut where it has to be."""
    for node in (tunnel.a, tunnel.b):
        auth = [send.data for send in node.sent if Header.decode(send.data).exchange == ExchangeType.IKE_AUTH]
        assert len(auth) == 3
        assert all(is_fragment(data) and len(data) <= 460 for data in auth)
        assert node.counters["fragments-out"] == node.counters["fragments-in"] == 3
        assert node.counters["fragmented-out"] == node.counters["fragmented-in"] == 1
        assert node.counters["notifies-in.ikev2-fragmentation-supported"] == 1
        assert node.counters["notifies-out.ikev2-fragmentation-supported"] == 1
        assert node.ike_sa.fragmentation
    assert not is_fragment(tunnel.a.sent[0].data)  # FRG-04
    tunnel.a.command(RekeyIkeSa(tunnel.a.ike_sa.local_spi))
    tunnel.run(5)
    tunnel.b.command(RekeyChildSa(tunnel.b.child_sa.spi_in))
    tunnel.run(5)
    tunnel.agree()
    assert tunnel.a.ike_sa.fragmentation
    assert ike_sa(tunnel.b).pieces == {}


@pytest.mark.parametrize("off", ["a", "b", "both"])
def test_needs_both_announcements(off: str) -> None:
    """FRG-02, FRG-03: without, nothing is cut, and a fragment that comes nevertheless is dropped."""
    no = template(ikesa_fragmentation=False)
    pair = two(no if off != "b" else None, no if off != "a" else None)
    pair.establish()
    pair.agree()
    assert not any(is_fragment(send.data) for node in (pair.a, pair.b) for send in node.sent)
    assert not pair.a.ike_sa.fragmentation
    assert not pair.b.ike_sa.fragmentation
    cut = pieces(pair, FILLING)
    assert send(pair, *cut) == 0
    assert dropped(pair, "not-negotiated") == pair.b.counters["dropped.fragment"] == len(cut)


@pytest.mark.parametrize("lost", range(8))
def test_each_fragment_may_be_lost(lost: int) -> None:
    """All fragments are sent again, the same; what is there already is a duplicate (FRG-13)."""
    pair = two()
    seen: list[bytes] = []

    def drop(node: world.Node, data: bytes) -> bool:
        seen.append(data)
        return len(seen) == lost + 1

    pair.drop = drop
    pair.establish()
    pair.run(2)
    pair.agree()
    assert pair.b.counters["setups-succeeded.responder"] == 1
    for node in (pair.a, pair.b):
        assert len({send.data for send in node.sent}) == 4


def test_any_loss_order_and_copies() -> None:
    """Bad networks only take longer."""
    for seed in range(12):
        rng = random.Random(seed)
        pair = two(seed=seed)
        pair.drop = lambda node, data, rng=rng: rng.random() < 0.2
        pair.copies = lambda node, data, rng=rng: rng.choice((1, 1, 2))
        pair.delay = lambda node, data, rng=rng: rng.uniform(0.001, 0.4)
        pair.establish()
        pair.run(60)
        assert pair.a.counters["exceptions"] == pair.b.counters["exceptions"] == 0
        if pair.a.views and pair.b.views:
            pair.agree()
        assert all(sa.pieces == {} for node in (pair.a, pair.b) for sa in node.engine._core.ike_sas.values())


def test_repeated_request(tunnel: world.World) -> None:
    """RFC 7383 section 2.6.1: only the first fragment asks for the response again, also one cut otherwise."""
    cut = pieces(tunnel, FILLING)
    assert send(tunnel, *reversed(cut)) == 1
    assert send(tunnel, *cut[1:]) == 0
    assert tunnel.b.counters["dropped.replay"] == len(cut) - 1
    assert send(tunnel, cut[0]) == 1
    smaller = pieces(tunnel, FILLING, 300)
    assert send(tunnel, *smaller) == 1
    forged = smaller[0][:-1] + bytes([smaller[0][-1] ^ 1])
    assert send(tunnel, forged) == 0
    assert tunnel.b.counters["retransmits.response"] == 2


def test_cut_smaller_on_the_way(tunnel: world.World) -> None:
    """RFC 7383 section 2.6: a larger total replaces what is held, a smaller one is too late."""
    large, small = pieces(tunnel, FILLING), pieces(tunnel, FILLING, 300)
    assert send(tunnel, large[0], large[1], small[0], large[2]) == 0
    assert dropped(tunnel, "replaced") == 3
    assert send(tunnel, *small[1:]) == 1


def test_a_whole_message_overtakes(tunnel: world.World) -> None:
    """The peer may try both; nothing is held afterwards."""
    cut = pieces(tunnel, FILLING)
    sa = ike_sa(tunnel.a)
    whole = sk.seal(Header.decode(cut[0]), FILLING, sa.cipher_out, bytes(16))
    assert send(tunnel, cut[0], whole) == 1
    assert ike_sa(tunnel.b).pieces == {}


def test_timer(tunnel: world.World) -> None:
    """FRG-12: 10 seconds from the first fragment, no more and no less."""
    cut = pieces(tunnel, FILLING)
    start = tunnel.now
    send(tunnel, cut[0])
    tunnel.run(9)
    send(tunnel, cut[1])
    tunnel.run(start + 9.999 - tunnel.now)
    assert len(ike_sa(tunnel.b).pieces[False].contents) == 2
    tunnel.run(0.002)
    assert ike_sa(tunnel.b).pieces == {}
    assert dropped(tunnel, "timeout") == 2
    assert send(tunnel, *cut[2:]) == 0
    assert send(tunnel, *cut[:2]) == 1


@pytest.mark.parametrize(("total", "taken"), [(255, True), (256, False)])
def test_number_of_fragments(tunnel: world.World, total: int, taken: bool) -> None:
    """FRG-14, both sides of the edge."""
    cipher = ike_sa(tunnel.a).cipher_out
    first = pieces(tunnel, FILLING)[0]
    size = 36 + 16 + 16 + cipher.icv_octets
    aad = first[:24] + size.to_bytes(4, "big") + first[28:30] + (size - 28).to_bytes(2, "big")
    aad += (1).to_bytes(2, "big") + total.to_bytes(2, "big")
    send(tunnel, aad + cipher.seal(aad, bytes(16), bytes(15) + b"\x0f"))
    assert dropped(tunnel, "too-many") == (not taken)
    assert (False in ike_sa(tunnel.b).pieces) == taken


@pytest.mark.parametrize(("local", "remote", "bound"), [(world.B, world.A, 1932), ("2001:db8::b", "2001:db8::a", 1912)])
def test_size_of_a_fragment(local: str, remote: str, bound: int) -> None:
    """FRG-15, both sides of the edge, each family. GCM, as its sizes go octet by octet."""
    crypto = template(ikesa_transform_sets=(world.AES_GCM_X25519,))
    pair = world.World(world.snapshot(remote, crypto), world.snapshot(local, crypto), addresses=(remote, local))
    pair.establish()
    path = NetworkPath(local, 500, remote, 500)
    filling = (VendorIdPayload(bytes(3000)),)
    for octets in (bound + 1, bound):
        cut = pieces(pair, filling, octets)
        assert len(cut[0]) == octets
        pair.b.receive(cut[0], path)
        assert dropped(pair, "too-big") == 1
    assert len(ike_sa(pair.b).pieces[False].contents) == 1


@pytest.mark.parametrize(("octets", "taken"), [(10_000, True), (10_001, False)])
def test_size_of_the_message(tunnel: world.World, octets: int, taken: bool) -> None:
    """FRG-16, both sides of the edge; nothing of it stays."""
    filling = (VendorIdPayload(bytes(octets - 4)),)
    assert len(encode_chain(filling)) == octets
    cut = pieces(tunnel, filling, 1400)
    assert send(tunnel, *cut) == taken
    assert dropped(tunnel, "message-too-big") == (0 if taken else len(cut))
    assert ike_sa(tunnel.b).pieces == {}


@pytest.mark.parametrize(("port", "limit"), [(500, 460), (4500, 456)])
def test_sending_limit(tunnel: world.World, port: int, limit: int) -> None:
    """FRG-07, FRG-10, FRG-11: by family; the non-ESP marker counts."""
    sa = ike_sa(tunnel.a)
    assert fragments.sending_limit(sa, NetworkPath(world.A, port, world.B, port)) == limit
    assert fragments.sending_limit(sa, NetworkPath("2001:db8::1", port, "2001:db8::2", port)) == limit + 904


def test_nothing_unverified_is_held(tunnel: world.World) -> None:
    """FRG-17: junk with good numbers neither fills the buffer nor replaces what is in it."""
    cut = pieces(tunnel, FILLING)
    send(tunnel, cut[0])
    held = ike_sa(tunnel.b).pieces[False]
    for number in range(1, 256):
        junk = cut[1][:32] + number.to_bytes(2, "big") + b"\0\xff" + cut[1][36:]
        send(tunnel, junk)
    assert ike_sa(tunnel.b).pieces[False] is held
    assert len(held.contents) == 1
    assert dropped(tunnel, "other") == tunnel.b.counters["dropped.integrity"] == 255
    assert send(tunnel, *cut[1:]) == 1


def test_put_together_it_is_no_message(tunnel: world.World) -> None:
    """Authenticated, so it is answered and ends the IKE SA (RFC 7296 section 2.21.3); the answer can be had again."""
    bad = (VendorIdPayload(bytes(1200)), NotifyPayload(16384))
    header, cipher = Header.decode(pieces(tunnel, bad)[0]), ike_sa(tunnel.a).cipher_out
    content = encode_chain(bad)[:-3]
    random_of = random.Random(1).randbytes
    datagrams = [
        skf._seal_one(header, 0 if at else 43, number, 4, content[at : at + 350], cipher, random_of)
        for number, at in enumerate(range(0, len(content), 350), 1)
    ]
    assert send(tunnel, *datagrams) == 1
    assert tunnel.b.views == ()
    assert send(tunnel, datagrams[0]) == 1  # the tombstone knows it by its first fragment


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 459), st.integers(0, 255), st.booleans()), max_size=25))
def test_arbitrary_changes(edits: list[tuple[int, int, int, bool]]) -> None:
    """Whatever is done to fragments, the engine holds what verified and no more, and the message still gets through."""
    pair = SHARED
    cut = pieces(pair, FILLING)
    for which, at, value, shorter in edits:
        data = bytearray(cut[which % len(cut)])
        data[at % len(data)] ^= value
        send(pair, bytes(data[: at % len(data)] if shorter else data))
        assert pair.b.counters["exceptions"] == pair.b.counters["dropped.internal-error"] == 0
        held = ike_sa(pair.b).pieces.get(False)
        assert held is None or len(held.contents) <= len(cut)
    send(pair, *cut)
    assert ike_sa(pair.b).expected_id == ike_sa(pair.a).next_id + 1
    assert ike_sa(pair.b).pieces == {}
    ike_sa(pair.a).next_id += 1


SHARED = two()
SHARED.establish()
