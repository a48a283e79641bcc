"""An ipsecmgr: one worker process, which owns the IKE SAs whose SPIs begin with its index (architecture section 2).

It holds no privilege: its sockets and its channel to the data path arrive as descriptors over the control channel.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable

from nf.config.transaction import PrepareError
from nf.crypto import selftest
from nf.ike.actions import Event, EventName
from nf.ike.engine import Engine
from nf.ike.inputs import ClearSas, Command, NetworkPath, RekeyChildSa, RekeyIkeSa, SaFilter, Shutdown
from nf.ike.inputs import Initiate as InitiateCommand
from nf.ike.spi import owner_of
from nf.io import garbage
from nf.io.child import ChildOptions, main
from nf.io.driver import Driver
from nf.io.random import SystemRandom
from nf.io.udp import IKE_PORT, UdpSocket
from nf.ipc.channel import Channel
from nf.ipc.messages import (
    Abort,
    AttachDatapath,
    AttachSockets,
    Clear,
    Commit,
    DatapathEvents,
    Deliver,
    DetachSockets,
    Done,
    GetViews,
    Handover,
    Initiate,
    Message,
    Prepare,
    RekeyChild,
    RekeyIke,
    Stop,
    ViewsPage,
)
from nf.policy.compile import Policy, compile_policy
from nf.views import IkeSaView

log = logging.getLogger("nf.io.ipsecmgr")  # run with -m, so that __name__ says nothing

VIEWS_A_PAGE = 2000
_DETACH_DEADLINE_S = 2.0


class IpsecManager:
    """The work of one worker: sockets, one engine, and the answers to wsgd."""

    def __init__(self, options: ChildOptions) -> None:
        self._index = options.index
        self._count = options.count
        self._io_counters: dict[str, int] = {}
        self._control: Channel | None = None
        self._datapath: Channel | None = None
        self._engine: Engine | None = None
        self._driver: Driver | None = None
        self._plans: dict[int, Policy] = {}
        self._sockets: dict[str, tuple[UdpSocket, UdpSocket, bool]] = {}
        self._listed: tuple[IkeSaView, ...] = ()
        self._sessions: Counter[tuple[str, str]] = Counter()

    # --- ChildMain

    def start(self, control: Channel) -> None:
        """Keep the channel; the engine begins with the first commit."""
        self._control = control
        garbage.tune()

    def close(self) -> None:
        """Close what there is."""
        if self._driver is not None:
            self._driver.close()
        if self._datapath is not None:
            self._datapath.close()
        for ike, natt, _ in self._sockets.values():
            ike.close()
            natt.close()

    def handle(self, message: Message, fds: tuple[int, ...]) -> Message | Awaitable[Message | None] | None:
        """Answer wsgd."""
        match message:
            case Prepare():
                self._prepare(message)
            case Commit(plan_id=plan_id):
                self._commit(self._plans.pop(plan_id))
            case Abort(plan_id=plan_id):
                self._plans.pop(plan_id, None)
            case AttachSockets():
                self._attach_sockets(message, fds)
            case DetachSockets(address=address):
                return self._detach_sockets(address)
            case AttachDatapath():
                self._attach_datapath(fds[0])
            case Deliver(path=path, data=data):
                if self._driver is not None:
                    self._count_io("udp.handover-received")
                    self._driver.receive(data, path)
                    self._driver.settle()
            case Clear(which=which):
                return Done(self._command(ClearSas(which)))
            case Initiate():
                return Done(self._command(InitiateCommand(message.context, message.service, message.remote)))
            case RekeyIke(spi=spi):
                return Done(self._command(RekeyIkeSa(spi)))
            case RekeyChild(child_spi=child_spi):
                return Done(self._command(RekeyChildSa(child_spi)))
            case GetViews():
                return self._views(message)
            case Stop(grace_s=grace_s):
                return self._stop(grace_s)
            case _:
                raise TypeError(f"an ipsecmgr does not take {type(message).__name__}")
        return None

    # --- configuration

    def _prepare(self, message: Prepare) -> None:
        """Raises PrepareError, which the channel carries to wsgd."""
        if len(self._plans) >= 16:  # wsgd runs one transaction at a time; more means that it has lost count
            raise PrepareError((), f"ipsecmgr-{self._index} holds {len(self._plans)} unfinished plans")
        self._plans[message.plan_id] = compile_policy(message.snapshot, message.secrets, self._index, self._count)

    def _commit(self, policy: Policy) -> None:
        now = time.monotonic()
        if self._engine is not None and self._driver is not None:
            self._engine.adopt(policy, now)
            self._driver.settle()
            return
        assert self._control is not None
        self._engine = Engine(self._index, self._count, SystemRandom(), policy, now)
        self._driver = Driver(
            self._engine,
            send=self._send,
            control=self._control,
            congested=self._congested,
            counters=self._io_counters,
            observe=self._observe,
        )
        self._driver.datapath = self._datapath
        self._driver.settle()
        self._congested(False)

    # --- sockets

    def _attach_sockets(self, message: AttachSockets, fds: tuple[int, ...]) -> None:
        sockets = [socket.socket(fileno=fd) for fd in fds]
        if len(sockets) != 2 or message.address in self._sockets:
            for sock in sockets:
                sock.close()
            raise ValueError(f"attach of {message.address} with {len(sockets)} sockets")
        ike, natt = (
            UdpSocket(
                sock,
                message.address,
                natt=is_natt,
                receive=self._receive,
                batch_done=self._settle,
                counters=self._io_counters,
            )
            for sock, is_natt in zip(sockets, (False, True), strict=True)
        )
        self._sockets[message.address] = (ike, natt, message.read_natt)
        if self._driver is not None:
            self._congested(False)

    async def _detach_sockets(self, address: str) -> Message | None:
        """What the engine said on the way out (a DELETE of a removed service) goes first."""
        if self._driver is not None:
            await self._driver.wait_until(lambda: True, _DETACH_DEADLINE_S)
        pair = self._sockets.pop(address, None)
        if pair is not None:
            pair[0].close()
            pair[1].close()
        return None

    def _congested(self, yes: bool) -> None:
        for ike, natt, read_natt in self._sockets.values():
            for sock in (ike, natt) if read_natt else (ike,):
                if yes:
                    sock.pause()
                else:
                    sock.resume()

    def _receive(self, data: bytes, path: NetworkPath) -> None:
        owner = owner_of(data)
        if owner is not None and owner != self._index and owner < self._count:
            assert self._control is not None
            sent = self._control.try_notify(Handover(owner, path, data))
            self._count_io("udp.handover-sent" if sent else "udp.handover-dropped")
        elif self._driver is not None:
            self._driver.receive(data, path)

    def _settle(self) -> None:
        if self._driver is not None:
            self._driver.settle()

    def _send(self, path: NetworkPath, data: bytes) -> None:
        pair = self._sockets.get(path.local)
        if pair is None:
            self._count_io("udp.send-no-socket")
            return
        ike, natt, _ = pair
        (ike if path.local_port in (IKE_PORT, ike.port) else natt).send(path, data)

    def _count_io(self, name: str) -> None:
        self._io_counters[name] = self._io_counters.get(name, 0) + 1

    # --- data path

    def _attach_datapath(self, fd: int) -> None:
        former = self._datapath
        self._datapath = Channel(
            socket.socket(fileno=fd), self._from_datapath, name=f"ipsecmgr-{self._index} to datapath"
        )
        if self._driver is not None:
            self._driver.datapath = self._datapath
        if former is not None:
            former.close()
            # The keys' sequence numbers died with the old process: going on would use an IV twice (RFC 4106 section
            # 3.1). So every peer is told to start anew.
            closed = self._command(ClearSas(SaFilter()))
            log.warning("datapath-replaced", extra={"fields": {"closed_ike_sas": closed}})

    def _from_datapath(self, message: Message, _: tuple[int, ...]) -> Message | None:
        if isinstance(message, DatapathEvents) and self._driver is not None:
            self._driver.datapath_events(message.events)
        return None

    # --- operations

    def _command(self, command: Command) -> int:
        return self._driver.command(command) if self._driver is not None else 0

    async def _stop(self, grace_s: float) -> Message | None:
        """DELETE every IKE SA and wait until the peers have answered, or grace_s is over (RFC 7296 section 1.4.1)."""
        if self._driver is None or self._engine is None:
            return None
        engine = self._engine
        deleted = self._command(Shutdown())

        def done() -> bool:
            left = engine.summary()
            return not left.get("ike-sas") and not left.get("half-open")

        if not await self._driver.wait_until(done, grace_s):
            log.warning("stop-deadline", extra={"fields": dict(engine.summary())})
        return Done(deleted)

    def _views(self, message: GetViews) -> ViewsPage:
        if self._engine is None:
            return ViewsPage(counters=dict(self._io_counters))
        if message.offset == 0 and message.sas:
            self._listed = self._engine.views(time.monotonic())
        page = self._listed[message.offset : message.offset + VIEWS_A_PAGE] if message.sas else ()
        end = message.offset + VIEWS_A_PAGE
        more = end if message.sas and end < len(self._listed) else None
        if more is None:
            self._listed = ()
        if message.offset:
            return ViewsPage(page, next_offset=more)
        return ViewsPage(
            page,
            self._engine.pool_views(),
            tuple((context, service, count) for (context, service), count in self._sessions.items()),
            {**self._io_counters, **self._engine.counters},
            self._gauges(),
            more,
        )

    def _gauges(self) -> dict[str, int]:
        """By the names of WorkerView."""
        assert self._engine is not None
        now = self._engine.summary()
        return {
            "ike-sas.half-open": now.get("half-open", 0),
            "ike-sas.established": now.get("ike-sas", 0),
            "child-sas": now.get("child-sas", 0),
        }

    def _observe(self, event: Event) -> None:
        """Count the sessions of each service as they come and go: a scrape must not walk 100,000 IKE SAs (WSG-20)."""
        if event.name in (EventName.IKE_SA_UP, EventName.IKE_SA_DOWN):
            key = (str(event.fields.get("context", "")), str(event.fields.get("service", "")))
            self._sessions[key] += 1 if event.name is EventName.IKE_SA_UP else -1
            if self._sessions[key] <= 0:
                del self._sessions[key]


if __name__ == "__main__":
    main(IpsecManager, selftest.run)
