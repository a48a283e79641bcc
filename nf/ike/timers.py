"""One heap of deadlines for all SAs of a worker.

A timer is named by its owner and its kind; setting it again moves it, and a cancelled one costs nothing until the heap
is swept. The heap never holds more than about twice the live timers.
"""

from __future__ import annotations

from enum import Enum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol


class TimerKind(Enum):
    """What a deadline is for."""

    RETRANSMIT = "retransmit"
    HALF_OPEN = "half-open"
    SETUP = "setup"
    LIVENESS = "liveness"
    SOFT_LIFETIME = "soft-lifetime"
    HARD_LIFETIME = "hard-lifetime"
    GUARD = "guard"
    REASSEMBLY = "reassembly"


class TimerOwner(Protocol):
    """Holds its own deadlines, so that dropping the owner drops them."""

    deadlines: dict[TimerKind, float]


class Timers:
    """Deadlines in engine time."""

    __slots__ = ("_heap", "_live", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerKind, TimerOwner]] = []
        self._live = 0
        self._order = count()

    def __len__(self) -> int:
        """Timers that run."""
        return self._live

    @property
    def held(self) -> int:
        """Entries in the heap, cancelled ones included."""
        return len(self._heap)

    def set(self, owner: TimerOwner, kind: TimerKind, at: float) -> None:
        """Start or move a timer."""
        if kind not in owner.deadlines:
            self._live += 1
        owner.deadlines[kind] = at
        heappush(self._heap, (at, next(self._order), kind, owner))
        if len(self._heap) > 64 and len(self._heap) > 2 * self._live + 32:
            self._sweep()

    def cancel(self, owner: TimerOwner, kind: TimerKind) -> None:
        """Stop a timer; one that does not run is ignored."""
        if owner.deadlines.pop(kind, None) is not None:
            self._live -= 1

    def cancel_all(self, owner: TimerOwner) -> None:
        """Stop every timer of an owner."""
        self._live -= len(owner.deadlines)
        owner.deadlines.clear()

    def next_at(self) -> float | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            at, _, kind, owner = heap[0]
            if owner.deadlines.get(kind) == at:
                return at
            heappop(heap)
        return None

    def pop_due(self, now: float) -> tuple[TimerKind, TimerOwner] | None:
        """Take one timer that is due, earliest first, or None. It no longer runs."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, kind, owner = heappop(heap)
            if owner.deadlines.get(kind) == at:
                del owner.deadlines[kind]
                self._live -= 1
                return kind, owner
        return None

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if entry[3].deadlines.get(entry[2]) == entry[0]]
        heapify(self._heap)
