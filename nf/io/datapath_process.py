"""The data path process: hosts the ESP threads, and talks to wsgd and to every ipsecmgr (architecture section 2).

An ipsecmgr may die: its SAs stay and its traffic flows on until wsgd attaches the successor. The successor has no
IKE state for them, so they are removed at that moment (a store that lets it adopt them comes with session recovery,
architecture section 7).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Literal, Protocol

from nf.datapath.fake import FakeDatapath
from nf.datapath.port import DatapathCounters, DatapathError, DatapathEvent, Sa, SaCounters
from nf.datapath.software import ForeignIke, SoftwareDatapath
from nf.ike.inputs import NetworkPath
from nf.ike.spi import owner_of
from nf.io.child import ChildOptions, main
from nf.io.steering import steered_index
from nf.ipc.channel import Channel
from nf.ipc.messages import (
    AttachEsp,
    AttachTun,
    AttachWorker,
    DatapathEvents,
    DatapathTotals,
    DetachContext,
    DetachEsp,
    Done,
    GetDatapathCounters,
    GetSaCounters,
    Handover,
    Install,
    Message,
    Remove,
    SaCountersPage,
    Stop,
    UpdatePath,
)

log = logging.getLogger("nf.io.datapath_process")  # run with -m, so that __name__ says nothing

COUNTERS_A_PAGE = 5000
_OWNER_SHIFT = 56


class Backend(Protocol):
    """What this process needs of a data path: `port.Datapath`, its devices and its descriptor for events."""

    def install_sa(self, sa: Sa) -> None: ...
    def remove_sa(self, sa_id: int) -> None: ...
    def update_sa_path(
        self, sa_id: int, local: str, remote: str, encap_local_port: int, encap_remote_port: int
    ) -> None: ...
    def poll_events(self) -> list[DatapathEvent]: ...
    def sa_counters(self, sa_ids: tuple[int, ...] | None = None) -> tuple[SaCounters, ...]: ...
    def counters(self) -> DatapathCounters: ...
    def add_tun(self, context_index: int, fds: Sequence[int], mtu: int) -> None: ...
    def remove_context(self, context_index: int) -> None: ...
    def add_udp(self, context_index: int, local_address: str, fd: int) -> None: ...
    def remove_udp(self, context_index: int, local_address: str) -> None: ...
    def add_raw(self, context_index: int, local_address: str, family: Literal[4, 6], fd: int) -> None: ...
    def remove_raw(self, context_index: int, local_address: str) -> None: ...
    def event_fd(self) -> int: ...
    def foreign_ike(self) -> list[ForeignIke]: ...
    def stop(self) -> None: ...


class FakeBackend(FakeDatapath):
    """The in-memory data path with devices that it ignores: for tests of the processes, where no packet is carried."""

    def __init__(self) -> None:
        super().__init__()
        self._event_fd = os.eventfd(0)

    def add_tun(self, context_index: int, fds: Sequence[int], mtu: int) -> None: ...
    def remove_context(self, context_index: int) -> None: ...
    def add_udp(self, context_index: int, local_address: str, fd: int) -> None: ...
    def remove_udp(self, context_index: int, local_address: str) -> None: ...
    def add_raw(self, context_index: int, local_address: str, family: Literal[4, 6], fd: int) -> None: ...
    def remove_raw(self, context_index: int, local_address: str) -> None: ...

    def event_fd(self) -> int:
        return self._event_fd

    def foreign_ike(self) -> list[ForeignIke]:
        return []

    def stop(self) -> None:
        os.close(self._event_fd)


class DatapathProcess:
    """The work of the process."""

    def __init__(self, options: ChildOptions) -> None:
        self._count = options.count
        self._backend: Backend = (
            FakeBackend()
            if options.backend == "fake"
            else SoftwareDatapath(threads=options.threads, offload=options.offload)
        )
        self._control: Channel | None = None
        self._workers: dict[int, Channel] = {}
        self._owned: dict[int, set[int]] = {}
        self._unowned_events = 0
        self._handovers_dropped = 0
        self._listed: tuple[SaCounters, ...] = ()

    # --- ChildMain

    def start(self, control: Channel) -> None:
        """Listen to the back end's events."""
        self._control = control
        asyncio.get_running_loop().add_reader(self._backend.event_fd(), self._on_backend)

    def close(self) -> None:
        """Close the channels and stop the threads."""
        for channel in self._workers.values():
            channel.close()
        asyncio.get_running_loop().remove_reader(self._backend.event_fd())
        self._backend.stop()

    def handle(self, message: Message, fds: tuple[int, ...]) -> Message | None:
        """Answer wsgd. Descriptors are duplicated by the back end, so ours are closed."""
        keep = isinstance(message, AttachWorker)
        try:
            return self._from_wsgd(message, fds)
        finally:
            if not keep:
                for fd in fds:
                    os.close(fd)

    # --- wsgd

    def _from_wsgd(self, message: Message, fds: tuple[int, ...]) -> Message | None:
        match message:
            case AttachWorker(worker=worker):
                return Done(self._attach_worker(worker, fds[0]))
            case AttachTun(context_index=index, mtu=mtu):
                self._backend.add_tun(index, fds, mtu)
            case AttachEsp(context_index=index, address=address):
                udp, raw = fds
                self._backend.add_udp(index, address, udp)
                self._backend.add_raw(index, address, 6 if ":" in address else 4, raw)
            case DetachEsp(context_index=index, address=address):
                self._backend.remove_udp(index, address)
                self._backend.remove_raw(index, address)
            case DetachContext(context_index=index):
                self._backend.remove_context(index)
            case GetDatapathCounters():
                return DatapathTotals(self._backend.counters(), self._unowned_events, self._handovers_dropped)
            case GetSaCounters(offset=offset):
                return self._counters_page(offset)
            case Stop():
                pass  # the end of the control channel is the end; there is nobody to tell
            case _:
                raise TypeError(f"the data path does not take {type(message).__name__}")
        return None

    def _attach_worker(self, worker: int, fd: int) -> int:
        """Give a worker's (new) process its channel; what its predecessor had installed goes."""
        former = self._workers.pop(worker, None)
        if former is not None:
            former.close()
        left = self._owned.pop(worker, set())
        for sa_id in left:
            self._backend.remove_sa(sa_id)
        self._owned[worker] = set()
        self._workers[worker] = Channel(
            socket.socket(fileno=fd),
            lambda message, _: self._from_worker(worker, message),
            name=f"datapath to ipsecmgr-{worker}",
        )
        if left:
            log.warning("orphaned-sas-removed", extra={"fields": {"worker": worker, "sas": len(left)}})
        return len(left)

    def _counters_page(self, offset: int) -> SaCountersPage:
        if offset == 0:
            self._listed = self._backend.sa_counters()
        end = offset + COUNTERS_A_PAGE
        page, more = self._listed[offset:end], end if end < len(self._listed) else None
        if more is None:
            self._listed = ()
        return SaCountersPage(page, more)

    # --- workers

    def _from_worker(self, worker: int, message: Message) -> Message | None:
        match message:
            case Install(sa=sa):
                self._check_owner(worker, sa.sa_id)
                self._backend.install_sa(sa)
                self._owned[worker].add(sa.sa_id)
            case Remove(sa_id=sa_id):
                self._check_owner(worker, sa_id)
                self._backend.remove_sa(sa_id)
                self._owned[worker].discard(sa_id)
            case UpdatePath():
                self._check_owner(worker, message.sa_id)
                self._backend.update_sa_path(
                    message.sa_id, message.local, message.remote, message.encap_local_port, message.encap_remote_port
                )
            case _:
                raise TypeError(f"the data path does not take {type(message).__name__} of a worker")
        return None

    @staticmethod
    def _check_owner(worker: int, sa_id: int) -> None:
        if sa_id >> _OWNER_SHIFT != worker:
            raise DatapathError(f"SA {sa_id}: not one of ipsecmgr-{worker}")

    # --- the back end

    def _on_backend(self) -> None:
        by_worker: dict[int, list[DatapathEvent]] = {}
        for event in self._backend.poll_events():
            by_worker.setdefault(event.sa_id >> _OWNER_SHIFT, []).append(event)
        for worker, events in by_worker.items():
            channel = self._workers.get(worker)
            if channel is None or not channel.try_notify(DatapathEvents(tuple(events))):
                self._unowned_events += len(events)
        for foreign in self._backend.foreign_ike():
            self._hand_over(foreign)

    def _hand_over(self, foreign: ForeignIke) -> None:
        """IKE that reached a data path socket: the kernel takes no program, or an aggregate was mixed."""
        path = NetworkPath(foreign.local, foreign.local_port, foreign.remote, foreign.remote_port)
        owner = owner_of(foreign.data)
        if owner is None or owner >= self._count:
            owner = steered_index(foreign.data, self._count)
        if self._control is None or not self._control.try_notify(Handover(owner, path, foreign.data)):
            self._handovers_dropped += 1


if __name__ == "__main__":
    main(DatapathProcess)
