"""Inner addresses for remote access (CTX-16, CTX-17, WSG-05, WSG-07): one worker's share of each pool.

A pool is the addresses of its ranges in order, without the network and broadcast address of its prefix. Of N workers,
worker i gives out those whose index modulo N is i, so that no two workers need to talk.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

_REMEMBERED = 65536


PoolKey = tuple[str, str, int]
"""(context, name, family): pools of the two families are in lists of their own, so a name may be in both."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A compiled pool. spans.

    (first, last) of addresses as numbers, ascending, disjoint, nothing to be left out in them.
    """

    context: str
    name: str
    family: int
    prefix_length: int
    spans: tuple[tuple[int, int], ...]

    @property
    def key(self) -> PoolKey:
        """How the policy names it."""
        return self.context, self.name, self.family

    @property
    def size(self) -> int:
        """How many addresses all workers together give out."""
        return sum(last - first + 1 for first, last in self.spans)

    def overlaps(self, first: int, last: int) -> bool:
        """Whether an address range meets the pool."""
        return any(first <= high and low <= last for low, high in self.spans)


def spans_of(ranges: Sequence[tuple[int, int]], reserved: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Merge address ranges and cut out reserved addresses. Raises ValueError when two ranges overlap."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if spans and first <= spans[-1][1]:
            raise ValueError("two ranges overlap")
        spans.append((first, last))
    for address in reserved:
        cut: list[tuple[int, int]] = []
        for first, last in spans:
            if first <= address <= last:
                cut.extend(part for part in ((first, address - 1), (address + 1, last)) if part[0] <= part[1])
            else:
                cut.append((first, last))
        spans = cut
    return tuple(spans)


class AddressAllocator:
    """The addresses of one pool that one worker may give out.

    Never used addresses go first, then the longest released; an identity gets its last address again while that is
    free. What is remembered of the past is bounded.
    """

    __slots__ = ("_last", "_next", "_offsets", "_released", "_share", "_used", "_worker", "_workers", "plan")

    def __init__(self, plan: PoolPlan, worker_index: int, worker_count: int) -> None:
        self.plan = plan
        self._worker = worker_index
        self._workers = worker_count
        self._offsets: list[int] = []
        offset = 0
        for first, last in plan.spans:
            self._offsets.append(offset)
            offset += last - first + 1
        self._share = (offset - worker_index + worker_count - 1) // worker_count if offset > worker_index else 0
        self._next = 0
        self._used: dict[int, Hashable] = {}
        self._released: OrderedDict[int, None] = OrderedDict()
        self._last: OrderedDict[Hashable, int] = OrderedDict()

    @property
    def size(self) -> int:
        """Addresses in this worker's share."""
        return self._share

    @property
    def used(self) -> int:
        """Addresses given out now."""
        return len(self._used)

    def allocate(self, identity: Hashable, wanted: int | None = None) -> int | None:
        """An address as a number for `identity`, or None when the share is used up.

        wanted: an address the peer asked for; it gets it when that is in the share and free (RFC 7296 section 3.15.1).
        """
        crowded = len(self._released) >= _REMEMBERED  # a /64 must not make us remember every address ever used
        for address in (None if crowded else wanted, self._last.get(identity)):
            if address is not None and self.reserve(address, identity):
                return address
        while self._next < self._share and not crowded:
            address = self._address(self._next)
            self._next += 1
            if address not in self._used and address not in self._released:
                self._take(address, identity)
                return address
        if not self._released:
            return None
        address, _ = self._released.popitem(last=False)
        self._take(address, identity)
        return address

    def reserve(self, address: int, identity: Hashable) -> bool:
        """Take one given address; False when it is in use or not in this worker's share."""
        if address in self._used or not self._is_mine(address):
            return False
        self._released.pop(address, None)
        self._take(address, identity)
        return True

    def release(self, address: int) -> None:
        """Give an address back. One that is not in use is ignored: a pool may have changed under an SA."""
        if self._used.pop(address, None) is not None:
            self._released[address] = None

    def _take(self, address: int, identity: Hashable) -> None:
        self._used[address] = identity
        self._last[identity] = address
        self._last.move_to_end(identity)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def _address(self, slot: int) -> int:
        index = slot * self._workers + self._worker
        span = bisect_right(self._offsets, index) - 1
        return self.plan.spans[span][0] + index - self._offsets[span]

    def _is_mine(self, address: int) -> bool:
        for (first, last), offset in zip(self.plan.spans, self._offsets, strict=True):
            if first <= address <= last:
                return (offset + address - first) % self._workers == self._worker
        return False
