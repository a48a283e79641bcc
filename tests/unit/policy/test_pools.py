"""Address pools of one worker (CTX-16, CTX-17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.policy import pools
from nf.policy.pools import AddressAllocator, PoolPlan, spans_of


def plan(*spans: tuple[int, int]) -> PoolPlan:
    return PoolPlan("c", "p", 4, 24, spans)


@given(st.integers(1, 7), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=4))
def test_the_workers_share_every_address_once(workers: int, raw: list[tuple[int, int]]) -> None:
    """Together all of the pool, no address twice, shares that differ by one at most."""
    spans, at = [], 0
    for gap, length in raw:
        spans.append((at + gap, at + gap + length))
        at += gap + length + 1
    pool = plan(*spans)
    given_out: list[int] = []
    sizes = []
    for index in range(workers):
        allocator = AddressAllocator(pool, index, workers)
        mine = []
        while (address := allocator.allocate(len(mine))) is not None:
            mine.append(address)
        assert len(mine) == allocator.size == allocator.used
        sizes.append(len(mine))
        given_out += mine
    assert sorted(given_out) == [a for first, last in spans for a in range(first, last + 1)]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 14))), max_size=60))
def test_against_a_model(steps: list[tuple[bool, int, int | None]]) -> None:
    """Never an address in use, never one of another worker, never none while one is free."""
    allocator = AddressAllocator(plan((3, 12)), 1, 2)
    mine = {4, 6, 8, 10, 12}
    used: set[int] = set()
    for take, who, wanted in steps:
        if take:
            address = allocator.allocate(who, wanted)
            if address is None:
                assert used == mine
            else:
                assert address in mine - used
                assert wanted not in mine - used or address == wanted
                used.add(address)
        elif used:
            gone = sorted(used)[who % len(used)]
            used.discard(gone)
            allocator.release(gone)
        assert allocator.used == len(used)


def test_the_same_identity_gets_its_address_again() -> None:
    allocator = AddressAllocator(plan((10, 19)), 0, 1)
    first, second = allocator.allocate("a"), allocator.allocate("b")
    assert (first, second) == (10, 11)
    allocator.release(10)
    allocator.release(11)
    allocator.release(99)  # unknown: ignored
    assert allocator.allocate("b") == 11
    assert allocator.allocate("a") == 10
    assert allocator.allocate("a") == 12


def test_released_addresses_are_used_last() -> None:
    """A peer that is slow to notice keeps its address to itself for as long as possible."""
    allocator = AddressAllocator(plan((0, 2)), 0, 1)
    allocator.allocate("a")
    allocator.release(0)
    assert [allocator.allocate(n) for n in range(4)] == [1, 2, 0, None]


def test_a_huge_pool_is_not_remembered_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A /64 with set-ups that come and go holds a bounded memory of them."""
    monkeypatch.setattr(pools, "_REMEMBERED", 100)
    allocator = AddressAllocator(PoolPlan("c", "p", 6, 64, ((1 << 64, 2 << 64),)), 0, 4)
    for number in range(1000):
        address = allocator.allocate(number, (1 << 64) + 8 * number)
        assert address is not None
        allocator.release(address)
    assert len(allocator._released) <= 101
    assert len(allocator._last) <= 100
    assert allocator.used == 0


def test_spans() -> None:
    """Reserved addresses are cut out; ranges must not overlap."""
    assert spans_of([(0, 255)], [0, 255]) == ((1, 254),)
    assert spans_of([(5, 9), (0, 3)], [7]) == ((0, 3), (5, 6), (8, 9))
    assert spans_of([(7, 7)], [7]) == ()
    with pytest.raises(ValueError):
        spans_of([(0, 5), (5, 9)], [])
    assert plan((1, 3), (7, 7)).size == 4
    assert plan((1, 3)).overlaps(3, 9)
    assert not plan((1, 3)).overlaps(4, 9)
