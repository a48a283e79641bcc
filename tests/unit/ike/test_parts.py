"""The parts of the engine alone: states, timers, cookies, counters, SPIs, retransmission, rates."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.config.snapshot import CookieChallenge
from nf.ike import counters, spi
from nf.ike.cookies import Challenge, CookieJar
from nf.ike.rate import TokenBucket
from nf.ike.retransmit import RetransmitPlan
from nf.ike.states import (
    CHILD_TRANSITIONS,
    IKE_TRANSITIONS,
    ChildInput,
    ChildState,
    IkeInput,
    IkeState,
    TransitionError,
    next_child_state,
    next_ike_state,
)
from nf.ike.timers import TimerKind, Timers


class Seeded:
    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def octets(self, n: int) -> bytes:
        return self._random.randbytes(n)


def test_ike_transitions_are_total() -> None:
    """Every state and input has an answer: a state, or TransitionError and nothing else.

    CLOSED is the end, and reachable.
    """
    for state in IkeState:
        for signal in IkeInput:
            if (state, signal) in IKE_TRANSITIONS:
                assert next_ike_state(state, signal) is IKE_TRANSITIONS[state, signal]
            else:
                with pytest.raises(TransitionError):
                    next_ike_state(state, signal)
    assert all(state is not IkeState.CLOSED for state, _ in IKE_TRANSITIONS)
    assert all((state, IkeInput.CLOSE) in IKE_TRANSITIONS for state in IkeState if state is not IkeState.CLOSED)
    reached = set(IKE_TRANSITIONS.values()) | {IkeState.CREATED}
    assert reached == set(IkeState)


def test_child_transitions_are_total() -> None:
    for state in ChildState:
        for signal in ChildInput:
            if (state, signal) in CHILD_TRANSITIONS:
                assert next_child_state(state, signal) is CHILD_TRANSITIONS[state, signal]
            else:
                with pytest.raises(TransitionError):
                    next_child_state(state, signal)
    assert all(state is not ChildState.CLOSED for state, _ in CHILD_TRANSITIONS)
    assert set(CHILD_TRANSITIONS.values()) | {ChildState.CREATED} == set(ChildState)


@dataclass(eq=False)
class Owner:
    deadlines: dict[TimerKind, float] = field(default_factory=dict)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("set", "cancel", "all", "due")),
            st.integers(0, 3),
            st.sampled_from(TimerKind),
            st.integers(0, 50),
        ),
        max_size=200,
    )
)
def test_timers_against_a_model(steps: list[tuple[str, int, TimerKind, int]]) -> None:
    """What fires, when, in which order; and the heap stays near the number of live timers."""
    timers, owners = Timers(), [Owner() for _ in range(4)]
    model: dict[tuple[int, TimerKind], float] = {}
    for what, number, kind, at in steps:
        if what == "set":
            timers.set(owners[number], kind, float(at))
            model[number, kind] = float(at)
        elif what == "cancel":
            timers.cancel(owners[number], kind)
            model.pop((number, kind), None)
        elif what == "all":
            timers.cancel_all(owners[number])
            model = {key: value for key, value in model.items() if key[0] != number}
        else:
            due = timers.pop_due(float(at))
            ready = {key: value for key, value in model.items() if value <= at}
            if due is None:
                assert not ready
            else:
                key = next((n, due[0]) for n, owner in enumerate(owners) if owner is due[1])
                assert model.pop(key) == min(ready.values())
        assert len(timers) == len(model)
        assert timers.next_at() == min(model.values(), default=None)
        assert timers.held <= 2 * len(timers) + 100


def test_heap_is_swept() -> None:
    """A timer that is moved a thousand times leaves no thousand entries."""
    timers, owner = Timers(), Owner()
    for at in range(1000):
        timers.set(owner, TimerKind.LIVENESS, 1000.0 + at)
    assert timers.held < 100
    timers.cancel(owner, TimerKind.LIVENESS)
    assert timers.next_at() is None


def test_cookies_live_between_two_and_four_minutes() -> None:
    """RFC 7296 section 2.6: the secret changes, and the one before is still good."""
    jar = CookieJar(Seeded(), 0.0)
    who = (b"n" * 32, b"s" * 8, "192.0.2.1", 500)
    cookie = jar.make(*who, 119.0)
    assert 1 <= len(cookie) <= 64
    assert jar.check(cookie, *who, 119.5)
    assert jar.check(cookie, *who, 239.0)
    assert not jar.check(cookie, *who, 240.5)
    old = jar.make(*who, 241.0)
    assert not jar.check(old, *who, 100_000.0)


def test_cookies_bind_everything() -> None:
    jar = CookieJar(Seeded(), 0.0)
    cookie = jar.make(b"n" * 32, b"s" * 8, "192.0.2.1", 500, 1.0)
    for changed in (
        (b"m" * 32, b"s" * 8, "192.0.2.1", 500),
        (b"n" * 32, b"t" * 8, "192.0.2.1", 500),
        (b"n" * 32, b"s" * 8, "192.0.2.2", 500),
        (b"n" * 32, b"s" * 8, "192.0.2.1", 501),
    ):
        assert not jar.check(cookie, *changed, 1.0)
    for damaged in (b"", cookie[:-1], cookie + b"x", bytes((cookie[0] ^ 1,)) + cookie[1:]):
        assert not jar.check(damaged, b"n" * 32, b"s" * 8, "192.0.2.1", 500, 1.0)


def test_watermarks() -> None:
    """TPL-15, TPL-16: on at start, off at stop, as it was between."""
    limits, challenge = CookieChallenge(start=10, stop=5), Challenge()
    seen = []
    for half_open in (9, 10, 9, 6, 5, 9, 10):
        challenge.update(limits, half_open)
        seen.append(challenge.on)
    assert seen == [False, True, True, True, False, False, True]
    assert challenge.update(None, 100)
    assert not challenge.on
    challenge.update(CookieChallenge(0, 0), 0)
    assert challenge.on


def test_counters_are_a_closed_set() -> None:
    fresh = counters.fresh()
    assert set(fresh) == set(counters.NAMES)
    assert len(counters.NAMES) == len(set(counters.NAMES))
    assert "rekeys.child.collided" in fresh
    with pytest.raises(KeyError):
        fresh["no.such"] += 1


@pytest.mark.parametrize("worker", [0, 7, 254])
def test_spis(worker: int) -> None:
    """The owner is in them; nothing reserved, nothing zero, nothing twice."""
    source = Seeded()
    taken: set[bytes] = set()
    for _ in range(200):
        value = spi.new_ike_spi(worker, source, taken)
        assert value[0] == worker
        assert any(value)
        assert value not in taken
        taken.add(value)
    numbers: set[int] = set()
    for _ in range(200):
        number = spi.new_child_spi(worker, source, numbers, set())
        assert number >> 24 == worker + 1
        assert 255 < number < 1 << 32
        numbers.add(number)


def test_a_broken_random_source_is_noticed() -> None:
    class Zeros:
        def octets(self, n: int) -> bytes:
            return bytes(n)

    with pytest.raises(spi.SpiExhausted):
        spi.new_ike_spi(1, Zeros(), set())
    with pytest.raises(spi.SpiExhausted):
        spi.new_child_spi(1, Zeros(), {2 << 24})


def test_owner_of_a_datagram() -> None:
    """What a receiver needs to hand a datagram to its owner."""
    tail = bytes((46, 0x20, 37))
    spi_i, spi_r = bytes((3,)) + b"i" * 7, bytes((5,)) + b"r" * 7
    rest = bytes(8)
    assert spi.owner_of(spi_i + spi_r + tail + b"\x08" + rest) == 5
    assert spi.owner_of(spi_i + spi_r + tail + b"\x28" + rest) == 5
    assert spi.owner_of(spi_i + spi_r + tail + b"\x00" + rest) == 3
    assert spi.owner_of(spi_i + spi_r + tail + b"\x20" + rest) == 3
    assert spi.owner_of(spi_i + bytes(8) + tail + b"\x08" + rest) is None
    assert spi.owner_of(b"\xff") is None


def test_backoff() -> None:
    """TPL-45, TPL-46: doubled, capped, and an end."""
    plan = RetransmitPlan(0.5, 3, longest_s=1.5)
    assert [plan.wait(n) for n in range(5)] == [0.5, 1.0, 1.5, 1.5, None]


def test_token_bucket() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5), bucket.take(0.4)] == [True, False, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
