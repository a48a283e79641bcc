"""The IKEv2 engine of one worker: datagrams, time and commands in; actions out (style section 1)."""

from __future__ import annotations

from collections.abc import Callable

from nf.crypto.random import Random
from nf.datapath.port import DatapathEvent
from nf.ike.actions import Action
from nf.ike.inputs import Command, NetworkPath
from nf.policy.compile import Policy
from nf.views import IkeSaView, PoolView


class Engine:
    """One worker's IKE SAs. It belongs to one thread; every call is synchronous and returns quickly.

    now: monotonic seconds, read once per wakeup by the driver. After any call the driver takes poll() and carries the actions out
    in order, then sleeps until next_timeout() and calls expire().
    """

    def __init__(
        self,
        worker_index: int,
        worker_count: int,
        random: Random,
        policy: Policy,
        now: float,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.counters: dict[str, int] = {}
        raise NotImplementedError

    def receive(self, datagram: bytes, path: NetworkPath, now: float) -> None:
        """Take one IKE message, without the non-ESP marker. Bad input is counted and dropped; nothing is ever raised."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Fire every timer that is due."""
        raise NotImplementedError

    def command(self, command: Command, now: float) -> int:
        """Carry out an operator's command; the number of SAs it touched."""
        raise NotImplementedError

    def datapath_event(self, event: DatapathEvent, now: float) -> None:
        """Take one event of the data path; one of an SA that is gone is ignored."""
        raise NotImplementedError

    def adopt(self, policy: Policy, now: float) -> None:
        """Put a new policy in force for new SAs; SAs whose service or template is gone are deleted, telling the peer."""
        raise NotImplementedError

    def poll(self) -> list[Action]:
        """The actions since the last call, in order."""
        raise NotImplementedError

    def next_timeout(self) -> float | None:
        """When expire() wants to be called next, in engine time; None when no timer runs."""
        raise NotImplementedError

    def views(self, now: float) -> tuple[IkeSaView, ...]:
        """Every IKE SA that has passed IKE_SA_INIT. Child SA counters are zero: the data path knows them."""
        raise NotImplementedError

    def pool_views(self) -> tuple[PoolView, ...]:
        """This worker's share of every pool; the sum over the workers is the pool."""
        raise NotImplementedError

    def summary(self) -> dict[str, int]:
        """Gauges without walking views: ike-sas, half-open, child-sas."""
        raise NotImplementedError
