"""What the SAs of one worker share: tables, timers, counters, actions. The tasks get it passed.

It decides nothing of the protocol.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import NamedTuple

from nf.crypto.random import Random
from nf.ike import counters
from nf.ike.actions import Action, Event, EventName
from nf.ike.child_sa import ChildSa
from nf.ike.cookies import Challenge, CookieJar
from nf.ike.ike_sa import IkeSa, Lease
from nf.ike.spi import new_child_spi, new_ike_spi
from nf.ike.timers import TimerKind, Timers
from nf.policy.pools import AddressAllocator, PoolKey, PoolPlan
from nf.policy.selectors import address_text
from nf.policy.tables import Identity, Policy

log = logging.getLogger("nf.ike")

_MAXIMUM_TOMBSTONES = 2048
_TOMBSTONE_S = 30.0
_ID_MASK = (1 << 56) - 1

NOTIFY_LABELS = {name.replace("-", "_").upper(): name for name in counters.NOTIFIES}


class Tombstone(NamedTuple):
    """The last response of an IKE SA that is gone, for a peer that did not get it."""

    digest: bytes
    reply: tuple[bytes, ...]
    until: float


class Core:
    """One worker's shared state."""

    def __init__(self, worker_index: int, worker_count: int, random: Random, policy: Policy, now: float) -> None:
        self.worker_index = worker_index
        self.worker_count = worker_count
        self.random = random
        self.policy = policy
        self.counters = counters.fresh()
        self.timers = Timers()
        self.actions: list[Action] = []
        self.ike_sas: dict[bytes, IkeSa] = {}
        self.init_requests: dict[bytes, IkeSa] = {}
        """Half-open IKE SAs by the IKE_SA_INIT request that began them: a repeated one gets the same response."""
        self.half_open = 0
        self.half_open_by_source: dict[str, int] = {}
        self.established = 0
        self.children: dict[int, ChildSa] = {}
        """By inbound SPI."""
        self.reserved_ike_spis: set[bytes] = set()
        self.woken: list[IkeSa] = []
        self.taken: dict[bytes, int] = {}
        """How many messages each IKE SA was sent since the last poll(), by our SPI."""
        self.reserved_spis: set[int] = set()
        """Inbound SPIs that a request of ours names and no Child SA has yet."""
        self.by_sa_id: dict[int, ChildSa] = {}
        self.by_identity: dict[tuple[tuple[str, str], Identity], set[IkeSa]] = {}
        self.cookies = CookieJar(random, now)
        self.challenges: dict[tuple[str, str], Challenge] = {}
        self.tombstones: OrderedDict[bytes, Tombstone] = OrderedDict()
        self.pools: dict[PoolKey, AddressAllocator] = {}
        self._mark = worker_index << 56
        # A restarted worker meets SAs of its former life in the data path: a random start keeps clear of them.
        self._next_id = int.from_bytes(random.octets(7), "big")
        self.adopt_pools(policy)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter of the closed set."""
        self.counters[name] += n

    def emit(self, action: Action) -> None:
        """Queue an action for poll()."""
        self.actions.append(action)

    def event(self, name: EventName, sa: IkeSa | None = None, **fields: str | int) -> None:
        """Queue an event, with the context that belongs to an IKE SA."""
        if sa is not None:
            service = sa.service
            fields = {
                "context": service.context,
                "service": service.name,
                "peer": sa.path.remote,
                "remote-id": sa.remote_text,
                "spi-i": sa.spi_i.hex(),
                "spi-r": sa.spi_r.hex(),
                **fields,
            }
        self.actions.append(Event(name, fields))

    def new_id(self) -> int:
        """A number unique in the gateway while what it names lives: our index, then 56 bits."""
        self._next_id = (self._next_id + 1) & _ID_MASK
        while self._mark | self._next_id in self.by_sa_id:
            self._next_id = (self._next_id + 1) & _ID_MASK
        return self._mark | self._next_id

    def new_ike_spi(self) -> bytes:
        """Our SPI for a new IKE SA."""
        return new_ike_spi(self.worker_index, self.random, self.ike_sas, self.reserved_ike_spis)

    def reserve_ike_spi(self) -> bytes:
        """Our SPI for the successor of an IKE SA; give it back with `release_ike_spi` when the response is there."""
        spi = self.new_ike_spi()
        self.reserved_ike_spis.add(spi)
        return spi

    def release_ike_spi(self, spi: bytes) -> None:
        """The SPI was not used, or an IKE SA has it now."""
        self.reserved_ike_spis.discard(spi)

    def wake(self, sa: IkeSa) -> None:
        """Something waits in the queue of this IKE SA, or its window is free.

        The engine looks at it before it returns.
        """
        self.woken.append(sa)

    def reserve_child_spi(self) -> int:
        """Our inbound SPI for a Child SA to be; give it back with `release_child_spi` when nothing comes of it."""
        spi = new_child_spi(self.worker_index, self.random, self.children, self.reserved_spis)
        self.reserved_spis.add(spi)
        return spi

    def release_child_spi(self, spi: int) -> None:
        """The SPI was not used, or a Child SA has it now."""
        self.reserved_spis.discard(spi)

    def jitter(self, most: float) -> float:
        """A random part of `most`."""
        return most * int.from_bytes(self.random.octets(2), "big") / 65536

    def adopt_pools(self, policy: Policy) -> None:
        """Make the allocators fit a policy; addresses in use stay in use where the new pool still has them."""
        fresh: dict[PoolKey, AddressAllocator] = {}
        for key, plan in policy.pools.items():
            old = self.pools.get(key)
            fresh[key] = old if old is not None and old.plan == plan else self._allocator(plan)
        self.pools = fresh

    def _allocator(self, plan: PoolPlan) -> AddressAllocator:
        allocator = AddressAllocator(plan, self.worker_index, self.worker_count)
        for sa in self.ike_sas.values():
            for lease in sa.leases:
                if lease.pool == plan.key:
                    allocator.reserve(lease.address, sa.remote_id)
        return allocator

    def lease(self, sa: IkeSa, plan: PoolPlan, wanted: int | None) -> Lease | None:
        """Give an IKE SA an inner address; None when the pool has none left."""
        allocator = self.pools.get(plan.key)
        address = allocator.allocate(sa.remote_id, wanted) if allocator is not None else None
        if address is None:
            self.count("addresses.exhausted")
            return None
        self.count("addresses.assigned")
        lease = Lease(plan.key, plan.family, address)
        sa.leases = (*sa.leases, lease)
        sa.inner_addresses = (*sa.inner_addresses, address_text(plan.family, address))
        return lease

    def release_leases(self, sa: IkeSa) -> None:
        """Give all inner addresses of an IKE SA back."""
        for lease in sa.leases:
            allocator = self.pools.get(lease.pool)
            if allocator is not None:
                allocator.release(lease.address)
        sa.leases = ()

    def bury(self, sa: IkeSa, now: float) -> None:
        """Remember the last response of an IKE SA that ends with it, for half a minute and within a bound."""
        if not sa.reply:
            return
        stones = self.tombstones
        stones[sa.spi_local] = Tombstone(sa.reply_digest, sa.reply, now + _TOMBSTONE_S)
        while len(stones) > _MAXIMUM_TOMBSTONES:
            stones.popitem(last=False)

    def sweep_tombstones(self, now: float) -> None:
        """Forget those whose time is over."""
        stones = self.tombstones
        while stones and next(iter(stones.values())).until <= now:
            stones.popitem(last=False)

    def half_open_changed(self, sa: IkeSa, by: int) -> None:
        """Count a responder's IKE SA in or out of the half-open ones."""
        self.half_open += by
        remote = sa.source
        left = self.half_open_by_source.get(remote, 0) + by
        if left > 0:
            self.half_open_by_source[remote] = left
        else:
            self.half_open_by_source.pop(remote, None)
        if by < 0:
            self.init_requests.pop(sa.init_request, None)
            for key, challenge in self.challenges.items():
                if challenge.on and key == sa.service.template.key:
                    self.update_challenge(key, challenge, sa)

    def update_challenge(self, key: tuple[str, str], challenge: Challenge, sa: IkeSa) -> None:
        """Judge a template's COOKIE challenge again."""
        if challenge.update(sa.service.template.cookie, self.half_open):
            self.challenge_event(key, challenge)

    def challenge_event(self, key: tuple[str, str], challenge: Challenge) -> None:
        """Tell that a challenge went on or off."""
        name = EventName.COOKIE_CHALLENGE_ON if challenge.on else EventName.COOKIE_CHALLENGE_OFF
        self.event(name, None, context=key[0], template=key[1], **{"half-open": self.half_open})

    def set_timer(self, owner: IkeSa | ChildSa, kind: TimerKind, at: float) -> None:
        """Start or move a timer of an SA."""
        self.timers.set(owner, kind, at)
