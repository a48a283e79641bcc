"""Old instances in place of equal new ones, so that an edit leaves the rest of the snapshot the very same objects.

What compares snapshots afterwards is done with an unchanged object at its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def keep(new: T, old: T | None) -> T:
    """`old` when it equals `new`."""
    return old if old is not None and old == new else new


def keep_each(new: Iterable[T], old: tuple[T, ...], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """`new` with each item replaced by the equal one of `old` with the same key; `old` itself when nothing differs."""
    before = {key(item): item for item in old}
    items = tuple(keep(item, before.get(key(item))) for item in new)
    if len(items) == len(old) and all(a is b for a, b in zip(items, old, strict=True)):
        return old
    return items
