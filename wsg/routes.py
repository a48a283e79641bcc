"""Routes of tunnels: the inner networks that Child SAs protect, to the TUN of their context (WSG site-to-site).

Workers tell what a policy_id protects; several may protect one prefix, so prefixes are counted. Netlink is asked in the
background, in order, from a bounded queue: an IKE burst never waits for the kernel's routing table.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable, Iterable

from nf.datapath.port import Selector
from wsg.netlink import Netlink, Prefix, RouteError

log = logging.getLogger(__name__)

MAX_PREFIXES = 256
"""Of one policy_id: a range that is no prefix takes up to 62 IPv4 or 254 IPv6 prefixes."""
QUEUE_LENGTH = 100_000

Owner = tuple[int, int]
"""(worker, policy_id)."""


def prefixes_of(selectors: Iterable[Selector]) -> list[Prefix]:
    """The fewest prefixes that cover the selectors' ranges, without duplicates; raises ValueError for what is no
    range."""
    found: dict[Prefix, None] = {}
    for selector in selectors:
        first = ipaddress.ip_address(selector.first_address)
        last = ipaddress.ip_address(selector.last_address)
        if first.version != last.version:
            raise ValueError(f"{first} to {last} is not of one family")
        found.update(dict.fromkeys(ipaddress.summarize_address_range(first, last)))
    return list(found)


class Routes:
    """The routes of all policies. device: a context index to its TUN's interface index, None where there is none.

    covered: whether a prefix lies in a pool of the context, which has its own route.
    """

    def __init__(
        self,
        netlink: Netlink,
        device: Callable[[int], int | None],
        covered: Callable[[int, Prefix], bool],
    ) -> None:
        self._netlink = netlink
        self._device = device
        self._covered = covered
        self._policies: dict[Owner, tuple[int, list[Prefix]]] = {}
        self._users: Counter[tuple[int, Prefix]] = Counter()
        self._queue: asyncio.Queue[tuple[str, Prefix, int]] = asyncio.Queue(QUEUE_LENGTH)
        self._installed: set[tuple[Prefix, int]] = set()
        self._task: asyncio.Task[None] | None = None
        self.counters: Counter[str] = Counter()

    def start(self) -> None:
        """Work the queue from now on."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Stop working; the routes go with their device."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def settled(self) -> None:
        """Return when everything queued has been asked of the kernel."""
        await self._queue.join()

    def add(self, worker: int, context_index: int, policy_id: int, selectors: tuple[Selector, ...]) -> None:
        """Route what a policy protects. A default route is never made, and what a pool covers needs none."""
        self.remove(worker, policy_id)
        prefixes = []
        try:
            wanted = prefixes_of(selectors)
        except ValueError as error:
            self._skip("malformed", context_index, policy_id, str(error))
            return
        if len(wanted) > MAX_PREFIXES:
            self._skip("too-many-prefixes", context_index, policy_id, f"{len(wanted)} prefixes")
            return
        for prefix in wanted:
            if prefix.prefixlen == 0:
                self._skip("default-route", context_index, policy_id, str(prefix))
            elif not self._covered(context_index, prefix):
                prefixes.append(prefix)
        self._policies[(worker, policy_id)] = (context_index, prefixes)
        for prefix in prefixes:
            self._users[(context_index, prefix)] += 1
            if self._users[(context_index, prefix)] == 1:
                self._ask("add", prefix, context_index)

    def remove(self, worker: int, policy_id: int) -> None:
        """A policy is gone; one that is unknown is fine."""
        context_index, prefixes = self._policies.pop((worker, policy_id), (0, []))
        for prefix in prefixes:
            self._users[(context_index, prefix)] -= 1
            if not self._users[(context_index, prefix)]:
                del self._users[(context_index, prefix)]
                self._ask("delete", prefix, context_index)

    def remove_worker(self, worker: int) -> None:
        """A worker's process is gone, with all its policies."""
        for owner in [owner for owner in self._policies if owner[0] == worker]:
            self.remove(*owner)

    def _ask(self, verb: str, prefix: Prefix, context_index: int) -> None:
        device = self._device(context_index)
        if device is None:
            self.counters["routes.no-device"] += 1
            return
        try:
            self._queue.put_nowait((verb, prefix, device))
        except asyncio.QueueFull:
            self.counters["routes.queue-full"] += 1
            log.error("route-dropped", extra={"fields": {"prefix": str(prefix)}})

    def _skip(self, reason: str, context_index: int, policy_id: int, what: str) -> None:
        self.counters[f"routes.{reason}"] += 1
        fields = {"reason": reason, "context_index": context_index, "policy_id": policy_id, "what": what}
        log.warning("route-skipped", extra={"fields": fields})

    async def _work(self) -> None:
        while True:
            verb, prefix, device = await self._queue.get()
            try:
                if verb == "add":
                    await self._netlink.add(prefix, device)
                    self._installed.add((prefix, device))
                    self.counters["routes.added"] += 1
                elif (prefix, device) in self._installed:  # never a host's own route that was in our way
                    self._installed.discard((prefix, device))
                    await self._netlink.delete(prefix, device)
                    self.counters["routes.deleted"] += 1
            except RouteError as error:
                self.counters["routes.refused"] += 1
                log.warning("route-refused", extra={"fields": {"prefix": str(prefix), "why": str(error)}})
            except Exception:
                log.exception("route-failed", extra={"fields": {"prefix": str(prefix)}})
            finally:
                self._queue.task_done()
