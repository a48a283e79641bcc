"""When a worker looks for cyclic garbage."""

from __future__ import annotations

import gc

_YOUNG = 20_000
_MIDDLE = 20


def tune() -> None:
    """Look for cyclic garbage more rarely than CPython does by itself; called once, when the modules are loaded.

    Reference counts free what a worker allocates for a datagram, and an IKE SA that has ended as well (a test holds
    them to that), so the collector finds next to nothing. With its own thresholds it looks at every 700 objects kept,
    which is twice a tunnel, and over the modules again each time. It stays on, for the rest: an exception with its
    traceback is a cycle. The oldest generation keeps CPython's rule that it is looked at when a quarter is new, so
    that 100,000 tunnels are not walked every few seconds.
    """
    gc.collect()
    gc.freeze()  # modules, classes and code: they stay as long as the process
    gc.set_threshold(_YOUNG, _MIDDLE)
