"""The limits of `ddos` (area 21): decryption failures, rekey rate, message queue; each on both sides of its edge."""

from __future__ import annotations

import exchange_world as world
import pytest

from nf.ike.actions import EventName
from nf.ike.inputs import Initiate, NetworkPath, RekeyChildSa, RekeyIkeSa
from nf.wire.iana import ExchangeType
from nf.wire.message import Header

A_TO_B = NetworkPath(world.B, 500, world.A, 500)


def make(**ikesa: object) -> world.World:
    crypto = world.template(**{f"ikesa_{name}": value for name, value in ikesa.items()})
    return world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto))


def spoil(datagram: bytes) -> bytes:
    """The same with another last octet of its ICV."""
    return datagram[:-1] + bytes((datagram[-1] ^ 1,))


def ike_auth_under_way(pair: world.World) -> bytes:
    """B is half-open; the IKE_AUTH request that it waits for."""
    pair.drop = lambda node, data: Header.decode(data).exchange == ExchangeType.IKE_AUTH
    pair.a.command(Initiate("ran", "wsg", world.B))
    pair.run(0.2)
    assert pair.b.engine.summary()["half-open"] == 1
    return pair.a.take()


def rekey_children(pair: world.World, times: int) -> None:
    for _ in range(times):
        assert pair.a.command(RekeyChildSa(pair.a.children[-1].spi_in)) == 1
        pair.run(0.05)


def test_decrypt_failures_clear_a_setup() -> None:
    """DOS-03, STA-23: one fewer leaves it, and the good request still makes the tunnel; as many clear it."""
    for most in (1, 2, 30):
        pair = make(decrypt_fail_count=most)
        request = ike_auth_under_way(pair)
        for _ in range(most - 1):
            pair.b.receive(spoil(request), A_TO_B)
        assert pair.b.engine.summary()["half-open"] == 1
        pair.b.receive(spoil(request), A_TO_B)
        assert pair.b.engine.summary()["half-open"] == 0
        assert pair.b.counters["decrypt-failures-exceeded.setup"] == 1
        assert pair.b.counters["setups-failed.decrypt-failures"] == 1
        assert pair.b.counters["dropped.integrity"] == most
        pair.nothing_left([pair.b])


def test_a_good_ike_auth_after_one_fewer_succeeds() -> None:
    pair = make(decrypt_fail_count=3)
    request = ike_auth_under_way(pair)
    for _ in range(2):
        pair.b.receive(spoil(request), A_TO_B)
    pair.b.receive(request, A_TO_B)
    assert pair.b.engine.summary()["ike-sas"] == 1


def test_decrypt_failures_disabled() -> None:
    pair = make(decrypt_fail_count=None)
    request = ike_auth_under_way(pair)
    for _ in range(200):
        pair.b.receive(spoil(request), A_TO_B)
    assert pair.b.engine.summary()["half-open"] == 1
    assert pair.b.counters["decrypt-failures-exceeded.setup"] == 0


def test_decrypt_failures_later_are_only_told() -> None:
    """DOS-04, DOS-05, STA-90: the IKE SA stays; each run that is long enough is told once; a good message ends it."""
    pair = make(decrypt_fail_count=3)
    pair.establish()
    pair.hold = True
    pair.a.command(RekeyChildSa(pair.a.child_sa.spi_in))
    request = pair.a.take()
    for _ in range(2):
        pair.b.receive(spoil(request), A_TO_B)
    assert EventName.DECRYPT_FAILURES not in pair.b.names()
    for _ in range(4):
        pair.b.receive(spoil(request), A_TO_B)
    assert pair.b.names().count(EventName.DECRYPT_FAILURES) == 1
    assert pair.b.counters["decrypt-failures-exceeded.established"] == 1
    assert pair.b.ike_sa.decrypt_drops == 4
    pair.hold = False
    pair.run(1)  # the good request, and its response
    pair.agree()
    pair.hold = True
    pair.a.command(RekeyChildSa(pair.a.child_sa.spi_in))
    for _ in range(2):
        pair.b.receive(spoil(pair.a.take()), A_TO_B)
    assert pair.b.counters["decrypt-failures-exceeded.established"] == 1
    pair.b.receive(spoil(pair.a.take()), A_TO_B)
    assert pair.b.counters["decrypt-failures-exceeded.established"] == 2


@pytest.mark.parametrize("rfc5996", [True, False])
def test_child_rekey_rate(rfc5996: bool) -> None:
    """DOS-06, DOS-07, STA-25, STA-89: the sixth in a second gets TEMPORARY_FAILURE, whatever the switch of TPL-53."""
    pair = make(use_rfc5996_notification=rfc5996)
    pair.establish()
    rekey_children(pair, 5)
    assert pair.b.counters["rekeys.child.answered"] == 5
    assert pair.b.counters["rekeys-limited.child"] == 0
    rekey_children(pair, 1)
    assert pair.b.counters["rekeys.child.answered"] == 5
    assert pair.b.counters["rekeys-limited.child"] == 1
    assert pair.b.counters["notifies-out.temporary-failure"] == 1
    assert pair.b.counters["rekeys-limited.ike"] == 0
    assert (pair.b.ike_sa.child_rekeys_refused, pair.b.ike_sa.ike_rekeys_refused) == (1, 0)
    pair.run(1)
    pair.agree()


def test_the_rate_is_of_any_second() -> None:
    """The next request passes once the first is a second old, not before."""
    pair = make(rekey_rate=1)
    pair.establish()
    pair.delay = lambda node, data: 0.0
    rekey_children(pair, 1)
    start = pair.now - 0.05
    pair.run(start + 0.9 - pair.now)
    pair.a.command(RekeyIkeSa(pair.a.ike_sa.local_spi))
    pair.run(0.001)
    assert pair.b.counters["rekeys-limited.ike"] == 1
    pair.run(start + 1.0 - pair.now)
    pair.a.command(RekeyIkeSa(pair.a.ike_sa.local_spi))
    pair.run(0.01)
    assert pair.b.counters["rekeys-limited.ike"] == 1
    assert pair.b.counters["rekeys.ike.answered"] == 1


def test_a_new_ike_sa_does_not_begin_with_a_new_rate() -> None:
    """STA-24, STA-88: rekeys of the IKE SA itself are limited, though each makes another one."""
    pair = make(rekey_rate=3)
    pair.establish()
    for _ in range(4):
        (sa,) = [view for view in pair.a.views if view.state == "established"]
        pair.a.command(RekeyIkeSa(sa.local_spi))
        pair.run(0.05)
    assert pair.b.counters["rekeys.ike.answered"] == 3
    assert pair.b.counters["rekeys-limited.ike"] == 1
    assert pair.b.ike_sa.ike_rekeys_refused == 1
    pair.run(1)
    pair.agree()


def test_rekey_rate_disabled() -> None:
    pair = make(rekey_rate=None)
    pair.establish()
    for _ in range(12):
        rekey_children(pair, 1)
    assert pair.b.counters["rekeys.child.answered"] == 12
    assert pair.b.counters["rekeys-limited.child"] == 0


@pytest.mark.parametrize(("most", "dropped"), [(1, 49), (20, 30), (49, 1), (50, 0), (None, 0)])
def test_message_queue(most: int | None, dropped: int) -> None:
    """DOS-08, STA-22, STA-87: of 50 messages that wait together the excess is dropped; the next turn is a new one."""
    pair = make(message_queue_size=most)
    pair.establish()
    pair.hold = True
    pair.a.command(RekeyChildSa(pair.a.child_sa.spi_in))
    bad = spoil(pair.a.take())
    for _ in range(50):
        pair.b.engine.receive(bad, A_TO_B, pair.now)
    assert pair.b.counters["dropped.message-queue"] == dropped
    assert pair.b.counters["dropped.integrity"] == 50 - dropped
    assert pair.b.ike_sa.queue_drops == dropped
    pair.b.carry_out()
    pair.hold = False
    pair.run(1)
    assert pair.b.counters["dropped.message-queue"] == dropped
    pair.agree()


def test_the_queue_is_of_one_ike_sa() -> None:
    """Another IKE SA has its own."""
    pair = make(message_queue_size=1)
    pair.establish()
    pair.establish()
    pair.hold = True
    for view in pair.a.views:
        pair.a.command(RekeyIkeSa(view.local_spi))
    for sent in pair.a.sent[-2:]:
        pair.b.engine.receive(spoil(sent.data), A_TO_B, pair.now)
    assert pair.b.counters["dropped.message-queue"] == 0
    assert pair.b.counters["dropped.integrity"] == 2
