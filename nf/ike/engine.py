"""The IKEv2 engine of one worker: datagrams, time and commands in; actions out (style section 1)."""

from __future__ import annotations

from collections.abc import Callable

from nf.crypto.random import Random
from nf.datapath.port import DatapathEvent
from nf.ike import commands, datapath_events, expiry, lifecycle, scheduler
from nf.ike.actions import Action
from nf.ike.core import Core, log
from nf.ike.doorkeeper import HALF_OPEN_LIMIT, SOURCE_LIMIT, Doorkeeper
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import Command, NetworkPath
from nf.ike.receive import Blamed, Receiver
from nf.ike.spi import MAXIMUM_WORKERS
from nf.ike.states import IkeState
from nf.ike.v2 import delete_ike
from nf.ike.views import view
from nf.policy.tables import Policy
from nf.views import IkeSaView, PoolView


class Engine:
    """One worker's IKE SAs. It belongs to one thread; every call is synchronous and returns quickly.

    now: monotonic seconds, read once per wakeup by the driver. After any call the driver takes poll() and carries the
    actions out in order, then sleeps until next_timeout() and calls expire(). counters: by the names of
    `nf.ike.counters`; they only grow.

    An exception that is our own bug never gets out of receive() and expire(): it is logged and counted, and the IKE SA
    that it concerns is closed if the message was authenticated; before that only the datagram is lost (style section
    5).
    """

    def __init__(
        self,
        worker_index: int,
        worker_count: int,
        random: Random,
        policy: Policy,
        now: float,
        wall: Callable[[], float] | None = None,
        *,
        half_open_limit: int = HALF_OPEN_LIMIT,
        source_limit: int = SOURCE_LIMIT,
    ) -> None:
        """wall: seconds since 1970, for certificates; nothing here needs it yet. The limits bound half-open IKE SAs."""
        if not 0 <= worker_index < worker_count <= MAXIMUM_WORKERS:
            raise ValueError(f"worker {worker_index} of {worker_count}")
        self._core = Core(worker_index, worker_count, random, policy, now)
        self._receiver = Receiver(self._core, Doorkeeper(self._core, now, half_open_limit, source_limit))
        self.wall = wall
        self.counters = self._core.counters

    def receive(self, datagram: bytes, path: NetworkPath, now: float) -> None:
        """Take one IKE message, without the non-ESP marker. Bad input is counted and dropped.

        Nothing is ever raised.
        """
        try:
            self._receiver.receive(datagram, path, now)
        except Blamed as blamed:
            self._bug("a message", blamed.sa)
        except Exception:
            self.counters["dropped.internal-error"] += 1
            self._bug("a datagram", None)
        self._pump(now)

    def expire(self, now: float) -> None:
        """Fire every timer that is due."""
        core = self._core
        core.sweep_tombstones(now)
        while True:
            due = core.timers.pop_due(now)
            if due is None:
                break
            kind, owner = due
            try:
                expiry.fired(core, kind, owner, now)
            except Exception:
                self._bug("a timer", owner if isinstance(owner, IkeSa) else getattr(owner, "ike_sa", None))
            self._pump(now)

    def command(self, command: Command, now: float) -> int:
        """Carry out an operator's command; the number of SAs it touched. Initiate without a fit service gives 0."""
        touched = commands.carry_out(self._core, command, now)
        self._pump(now)
        return touched

    def datapath_event(self, event: DatapathEvent, now: float) -> None:
        """Take one event of the data path; one of an SA that is gone is ignored."""
        child = self._core.by_sa_id.get(event.sa_id)
        if child is None:
            return
        try:
            datapath_events.take(self._core, child, event, now)
        except Exception:
            self._bug("a data path event", child.ike_sa)
        self._pump(now)

    def adopt(self, policy: Policy, now: float) -> None:
        """Put a new policy in force for new SAs.

        SAs whose service is gone, or has another bind address or template now, are deleted, telling the peer (RKY-61);
        the others keep what they were made with.
        """
        core = self._core
        core.policy = policy
        core.adopt_pools(policy)
        alive = {service.identity for service in policy.services.values()}
        for sa in tuple(core.ike_sas.values()):
            if sa.service.identity not in alive:
                delete_ike.begin(core, sa, "policy")
        templates = {service.template.key for service in policy.services.values()}
        core.challenges = {key: challenge for key, challenge in core.challenges.items() if key in templates}
        self._pump(now)

    def poll(self) -> list[Action]:
        """The actions since the last call, in order."""
        actions = self._core.actions
        self._core.actions = []
        self._core.taken.clear()
        return actions

    def next_timeout(self) -> float | None:
        """When expire() wants to be called next, in engine time; None when no timer runs."""
        return self._core.timers.next_at()

    def views(self, now: float) -> tuple[IkeSaView, ...]:
        """Every IKE SA whose peer has got past IKE_SA_INIT. Child SA counters are zero: the data path knows them.

        Half-open ones are only counted: anybody can make 65,536 of them, and what lists them would be flooded too.
        """
        worker = self._core.worker_index
        return tuple(
            view(sa, worker, now)
            for sa in self._core.ike_sas.values()
            if sa.state not in (IkeState.CREATED, IkeState.INIT_SENT, IkeState.HALF_OPEN)
        )

    def pool_views(self) -> tuple[PoolView, ...]:
        """This worker's share of every pool; the sum over the workers is the pool."""
        pools = self._core.pools
        return tuple(PoolView(key[0], key[1], pool.size, pool.used) for key, pool in pools.items())

    def summary(self) -> dict[str, int]:
        """Gauges without walking views: ike-sas (authenticated), half-open, child-sas, timers."""
        core = self._core
        return {
            "ike-sas": core.established,
            "half-open": core.half_open,
            "child-sas": len(core.children),
            "timers": len(core.timers),
        }

    def _pump(self, now: float) -> None:
        core = self._core
        while core.woken:
            sa = core.woken.pop()
            try:
                scheduler.pump(core, sa, now)
            except Exception:
                self._bug("a request", sa)

    def _bug(self, where: str, sa: IkeSa | None) -> None:
        core = self._core
        core.count("exceptions")
        log.exception("exception in %s ike=%s", where, f"{sa.spi_i.hex()}:{sa.spi_r.hex()}" if sa is not None else "-")
        if sa is None:
            return
        try:
            lifecycle.close(core, sa, "internal-error")
        except Exception:  # what is left of it must not be found again
            log.exception("closing the IKE SA failed")
            core.ike_sas.pop(sa.spi_local, None)
            core.timers.cancel_all(sa)
