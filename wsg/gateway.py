"""The gateway core behind `nf.gateway.GatewayPort`: children, devices, transactions, views (architecture sections 2
and 3)."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nf.config import transaction
from nf.config.snapshot import GatewaySnapshot
from nf.config.transaction import Change, Participant
from nf.datapath.port import DatapathCounters, SaCounters
from nf.ike.actions import Event, EventName
from nf.ike.inputs import SaFilter
from nf.ike.spi import MAXIMUM_WORKERS
from nf.io.tun import TUN_DEVICE
from nf.ipc.channel import Channel, ChannelClosed
from nf.ipc.framing import ChannelError
from nf.ipc.messages import (
    AttachDatapath,
    AttachWorker,
    Clear,
    ClearOthers,
    DatapathTotals,
    Deliver,
    Done,
    EventReport,
    GetDatapathCounters,
    GetSaCounters,
    GetViews,
    Handover,
    Message,
    RoutesAdded,
    RoutesRemoved,
    SaCountersPage,
    ViewsPage,
)
from nf.views import GatewayViews, IkeSaView
from wsg import gateway_views
from wsg.devices import Devices, DeviceSettings, Retirement
from wsg.netlink import Netlink
from wsg.routes import Routes
from wsg.supervisor import Child, ChildSettings, ChildSpec
from wsg.workers import Workers

log = logging.getLogger(__name__)
events_log = logging.getLogger("wsg.events")

_WARNINGS = {
    EventName.AUTHENTICATION_FAILED,
    EventName.SETUP_FAILED,
    EventName.DECRYPT_FAILURES,
    EventName.COOKIE_CHALLENGE_ON,
}
_VIEWS_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the core runs; nothing of it is configuration of the gateway.

    workers: ipsecmgr processes; 0 is what the first configuration says, which is one a core by default. threads: of
    the data path for each direction, and queues of a TUN. backend: "software", or "fake" for tests. steer: attach
    the BPF programs.
    """

    workers: int
    threads: int
    children: ChildSettings
    backend: str = "software"
    steer: bool = True
    offload: bool = True
    tun_device: str = TUN_DEVICE
    worker_module: str = "nf.io.ipsecmgr"


class Gateway:
    """Implements `nf.gateway.GatewayPort`. `add_participant` before the first `apply`; then `start`."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._started_at = time.monotonic()
        self._lock = asyncio.Lock()
        """One transaction, or the set-up of one new child, at a time."""
        self._committed: tuple[GatewaySnapshot, Mapping[str, bytes]] | None = None
        self._extra: list[Participant] = []
        self.counters: Counter[str] = Counter()
        self._netlink = Netlink()
        self.datapath: Child | None = None
        self.workers: tuple[Child, ...] = ()
        self.devices = Devices(
            DeviceSettings(settings.threads, settings.steer, settings.offload, settings.tun_device),
            self._netlink,
            self._tell_worker,
            self._tell_datapath,
        )
        self.routes = Routes(self._netlink, self.devices.device_of, self.devices.in_pool)
        self._policies = Workers(())

    @property
    def children(self) -> tuple[Child, ...]:
        """The data path and the workers; none before the first configuration."""
        return (self.datapath, *self.workers) if self.datapath is not None else ()

    def add_participant(self, participant: Participant) -> None:
        """Something else that configuration touches; it prepares after the core, and is committed after it."""
        self._extra.append(participant)

    # --- life

    async def open(self) -> None:
        """What must be there before the first `apply`."""
        await self._netlink.open()
        self.routes.start()

    async def _start_children(self, snapshot: GatewaySnapshot, deadline_s: float = 30.0) -> None:
        """Start them, as many as the settings or the first configuration say; raises TimeoutError naming those that
        do not come up."""
        settings = self._settings
        count = settings.workers or snapshot.system.ipsec_managers or len(os.sched_getaffinity(0))
        common = ("--count", str(min(count, MAXIMUM_WORKERS)))
        devices = ("--threads", str(settings.threads), "--backend", settings.backend)
        offload = () if settings.offload else ("--no-offload",)
        self.datapath = Child(
            ChildSpec("datapath", "nf.io.datapath_process", (*common, *devices, *offload)),
            settings.children,
            self._from_datapath,
            self._datapath_up,
        )
        self.workers = tuple(self._worker(index, common) for index in range(min(count, MAXIMUM_WORKERS)))
        self.devices.workers = len(self.workers)
        self._policies = Workers(self.workers)
        for child in self.children:
            child.start()
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(child.up.wait() for child in self.children))
        except TimeoutError:
            missing = ", ".join(child.name for child in self.children if not child.up.is_set())
            raise TimeoutError(f"{missing} did not come up") from None

    def _worker(self, index: int, common: tuple[str, ...]) -> Child:
        return Child(
            ChildSpec(f"ipsecmgr-{index}", self._settings.worker_module, (*common, "--index", str(index))),
            self._settings.children,
            lambda message, _: self._from_worker(index, message),
            lambda child: self._worker_up(index, child),
        )

    async def stop(self, grace_s: float = 5.0) -> None:
        """Say goodbye to the peers (bounded by grace_s), end the children, close every device."""
        for child in self.children:
            child.tell_stop()
        await asyncio.gather(*(child.stop(grace_s) for child in self.workers))
        if self.datapath is not None:
            await self.datapath.stop()
        await self.routes.stop()
        self.devices.close()
        await self._netlink.close()

    def not_ready(self) -> list[str]:
        """What keeps the gateway from serving, one sentence each, beyond children that are down."""
        return [f"child process {child.name} is in a crash loop" for child in self.children if child.crash_looping]

    # --- GatewayPort

    async def apply(self, change: Change, persist: Callable[[], Awaitable[None]]) -> None:
        """Run the transaction over all participants; raises PrepareError, CommitFailed, or what persist raised."""

        if self.datapath is None:
            await self._start_children(change.new)

        async def persist_and_remember() -> None:
            await persist()
            self._committed = (change.new, dict(change.secrets))

        async with self._lock:
            await transaction.run(self._participants(), change, persist_and_remember)

    async def check(self, change: Change) -> None:
        """Prepare everywhere and abort everywhere. Raises PrepareError."""

        async def refuse() -> None:
            raise _OnlyChecking

        async with self._lock:
            try:
                await transaction.run(self._participants(), change, refuse)
            except _OnlyChecking:
                pass

    async def views(self, *, sas: bool = True) -> GatewayViews:
        """The operational state now. A child that is down or does not answer in time is shown without numbers."""
        pages = await asyncio.gather(*(self._worker_views(child, sas) for child in self.workers))
        totals, sa_counters = await self._datapath_views(sas)
        first = [page for page, _ in pages if page is not None]
        ike_sas = tuple(gateway_views.with_counters(ike_sa, sa_counters) for _, found in pages for ike_sa in found)
        snapshot = self._committed[0] if self._committed is not None else GatewaySnapshot()
        own = ViewsPage(counters={})
        return GatewayViews(
            ike_sas,
            gateway_views.sum_pools(first),
            gateway_views.services(snapshot, self.devices.binds, first),
            (
                *(gateway_views.process_view(child, own) for child in self.children[:1]),
                *(gateway_views.process_view(c, p) for c, (p, _) in zip(self.workers, pages, strict=True)),
            ),
            totals,
            time.monotonic() - self._started_at,
        )

    async def clear(self, which: SaFilter) -> int:
        """Delete the matching SAs on every worker; the number deleted."""
        answers = await asyncio.gather(*(self._ask(child, Clear(which)) for child in self.workers))
        return sum(answer.count for answer in answers if isinstance(answer, Done))

    # --- views

    async def _worker_views(self, child: Child, sas: bool) -> tuple[ViewsPage | None, list[IkeSaView]]:
        first: ViewsPage | None = None
        found: list[IkeSaView] = []
        offset: int | None = 0
        while offset is not None:
            page = await self._ask(child, GetViews(sas, offset), _VIEWS_DEADLINE_S)
            if not isinstance(page, ViewsPage):
                break
            first = first or page
            found.extend(page.ike_sas)
            offset = page.next_offset
        return first, found

    async def _datapath_views(self, sas: bool) -> tuple[DatapathCounters, dict[int, SaCounters]]:
        answer = await self._ask(self.datapath, GetDatapathCounters(), _VIEWS_DEADLINE_S)
        totals = answer.counters if isinstance(answer, DatapathTotals) else DatapathCounters()
        found: dict[int, SaCounters] = {}
        offset: int | None = 0 if sas else None
        while offset is not None:
            page = await self._ask(self.datapath, GetSaCounters(offset), _VIEWS_DEADLINE_S)
            if not isinstance(page, SaCountersPage):
                break
            found.update((counters.sa_id, counters) for counters in page.counters)
            offset = page.next_offset
        return totals, found

    async def _ask(self, child: Child | None, message: Message, deadline_s: float = 10.0) -> Message | None:
        """The answer, or None when the child is down, late or refuses."""
        if child is None or child.channel is None:
            return None
        try:
            return await child.channel.request(message, deadline_s=deadline_s)
        except (ChannelError, TimeoutError) as error:
            fields = {"child": child.name, "request": type(message).__name__, "why": str(error)}
            log.warning("child-did-not-answer", extra={"fields": fields})
            return None

    # --- children

    def _participants(self) -> tuple[Participant, ...]:
        return (self.devices, self._policies, *self._extra, Retirement(self.devices))

    async def _tell_datapath(self, message: Message, fds: tuple[int, ...]) -> None:
        await self._tell(self.datapath, message, fds)

    async def _tell_worker(self, worker: int, message: Message, fds: tuple[int, ...]) -> None:
        await self._tell(self.workers[worker], message, fds)

    @staticmethod
    async def _tell(child: Child | None, message: Message, fds: tuple[int, ...]) -> None:
        """A child that is down is told when it comes up; one that refuses raises RemoteFailure."""
        if child is None or child.channel is None:
            return
        try:
            await child.channel.request(message, fds)
        except ChannelClosed:
            pass

    async def _datapath_up(self, child: Child) -> None:
        async with self._lock:
            child.admit()
            await self.devices.equip_datapath()
            for index, worker in enumerate(self.workers):
                if worker.channel is not None:
                    await self._link(index)

    async def _worker_up(self, index: int, child: Child) -> None:
        """Sockets last: the first datagram finds the policy and the data path."""
        async with self._lock:
            child.admit()
            self.routes.remove_worker(index)
            await self._link(index)
            if self._committed is not None:
                await self._policies.configure(child, *self._committed)
            await self.devices.equip_worker(index)

    async def _link(self, index: int) -> None:
        """A new direct channel between a worker and the data path, when both are up. The data path's end comes
        first: it removes what a former process of the worker had installed.
        """
        if self.datapath is None or self.datapath.channel is None or self.workers[index].channel is None:
            return
        ours, theirs = socket.socketpair()
        try:
            await self._tell_datapath(AttachWorker(index), (ours.fileno(),))
            await self._tell_worker(index, AttachDatapath(), (theirs.fileno(),))
        finally:
            ours.close()
            theirs.close()

    def _from_datapath(self, message: Message, fds: tuple[int, ...]) -> None:
        if isinstance(message, Handover):
            self._hand_over(message)

    def _from_worker(self, index: int, message: Message) -> None:
        match message:
            case Handover():
                self._hand_over(message)
            case RoutesAdded(context_index=context_index, policy_id=policy_id, remote_ts=remote_ts):
                self.routes.add(index, context_index, policy_id, remote_ts)
            case RoutesRemoved(policy_id=policy_id):
                self.routes.remove(index, policy_id)
            case EventReport(event=event):
                self._report(index, event)
            case ClearOthers(which=which):
                for other, child in enumerate(self.workers):
                    if other != index and child.channel is not None and not child.channel.try_notify(Clear(which)):
                        self.counters["clear-others.dropped"] += 1
            case _:
                raise TypeError(f"wsgd does not take {type(message).__name__}")

    def _hand_over(self, message: Handover) -> None:
        channel: Channel | None = self.workers[message.owner].channel if message.owner < len(self.workers) else None
        if channel is not None and channel.try_notify(Deliver(message.path, message.data)):
            self.counters["handover.passed"] += 1
        else:
            self.counters["handover.dropped"] += 1

    def _report(self, worker: int, event: Event) -> None:
        self.counters[f"event.{event.name.value}"] += 1
        level = logging.WARNING if event.name in _WARNINGS else logging.INFO
        events_log.log(level, event.name.value, extra={"fields": {"worker": worker, **event.fields}})


class _OnlyChecking(Exception):
    """Ends a transaction before its commits."""
