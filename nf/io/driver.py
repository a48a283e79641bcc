"""Drives one engine: inputs in, actions out in their order (style section 1). The only clock of a worker is read
here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from nf.datapath.port import DatapathEvent, EventKind
from nf.ike.actions import (
    Action,
    AddRoutes,
    ClearElsewhere,
    Event,
    InstallSa,
    RemoveRoutes,
    RemoveSa,
    SendDatagram,
    UpdateSaPath,
)
from nf.ike.inputs import Command, NetworkPath
from nf.ipc.channel import Channel
from nf.ipc.framing import ChannelError
from nf.ipc.messages import (
    ClearOthers,
    EventReport,
    Failure,
    Install,
    Message,
    Remove,
    RoutesAdded,
    RoutesRemoved,
    UpdatePath,
)

log = logging.getLogger(__name__)

QUEUE_HIGH = 4096
"""Actions waiting for the data path; above it the sockets are not read."""


class DrivenEngine(Protocol):
    """What the driver calls of `nf.ike.engine.Engine`."""

    def receive(self, datagram: bytes, path: NetworkPath, now: float) -> None: ...
    def expire(self, now: float) -> None: ...
    def command(self, command: Command, now: float) -> int: ...
    def datapath_event(self, event: DatapathEvent, now: float) -> None: ...
    def poll(self) -> list[Action]: ...
    def next_timeout(self) -> float | None: ...


class Driver:
    """One engine with its surroundings.

    send: puts a datagram on the wire. control: to wsgd. datapath: the direct channel, or None while there is none.
    congested: told True when reading should stop and False when it may go on. Every method is called from the one loop.

    A datagram that follows an InstallSa waits for the data path's answer, so that the peer's first packet finds its
    SA. An SA that the data path refuses is reported to the engine as expired: the peer learns of it by a DELETE.
    """

    def __init__(
        self,
        engine: DrivenEngine,
        *,
        send: Callable[[NetworkPath, bytes], None],
        control: Channel,
        congested: Callable[[bool], None],
        counters: dict[str, int],
        observe: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._engine = engine
        self._send = send
        self._control = control
        self._congested = congested
        self._counters = counters
        self._observe = observe
        self.datapath: Channel | None = None
        self._queue: deque[Action] = deque()
        self._installing = 0
        self._is_congested = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._asked = 0
        self._telling: set[asyncio.Task[None]] = set()
        self._closed = False
        self._changed = asyncio.Event()

    # --- inputs; each is followed by settle(), which a batch calls once

    def receive(self, datagram: bytes, path: NetworkPath) -> None:
        """One IKE message, without marker."""
        self._guard(lambda: self._engine.receive(datagram, path, time.monotonic()))

    def datapath_events(self, events: tuple[DatapathEvent, ...]) -> None:
        """Events of this worker's SAs."""
        for event in events:
            self._guard(lambda event=event: self._engine.datapath_event(event, time.monotonic()))  # type: ignore[misc]
        self.settle()

    def command(self, command: Command) -> int:
        """An operator's command; the number of SAs it touched."""
        try:
            return self._engine.command(command, time.monotonic())
        finally:
            self.settle()

    def settle(self) -> None:
        """Take the engine's actions, carry out what can be, and set the timer."""
        self._queue.extend(self._engine.poll())
        self._run()
        self._set_timer()

    @property
    def idle(self) -> bool:
        """Nothing waits to be carried out."""
        return not self._queue and not self._asked and not self._telling

    async def wait_until(self, done: Callable[[], bool], deadline_s: float) -> bool:
        """Wait until `done()` holds and nothing is queued; False past the deadline. Looked at after every action."""
        try:
            async with asyncio.timeout(deadline_s):
                while not (self.idle and done()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """No timer fires and no action is carried out from now on."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._telling:
            task.cancel()
        self._queue.clear()

    # --- inside

    def _guard(self, call: Callable[[], None]) -> None:
        """The engine promises not to raise; should it, one input is lost and not the worker."""
        try:
            call()
        except Exception:
            self._count("driver.engine-exceptions")
            log.exception("engine-raised")

    def _count(self, name: str) -> None:
        self._counters[name] = self._counters.get(name, 0) + 1

    def _set_timer(self) -> None:
        at = self._engine.next_timeout()
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at is not None:
            delay = max(0.0, at - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = None
        now = time.monotonic()
        at = self._engine.next_timeout()
        if at is not None and at <= now:  # the loop's clock is coarser than ours and may wake us too early
            self._guard(lambda: self._engine.expire(now))
        self.settle()

    def _run(self) -> None:
        while self._queue:
            action = self._queue[0]
            if isinstance(action, SendDatagram) and self._installing:
                break
            self._queue.popleft()
            self._carry_out(action)
        self._changed.set()
        if self._is_congested != (len(self._queue) > QUEUE_HIGH):
            self._is_congested = not self._is_congested
            self._congested(self._is_congested)

    def _carry_out(self, action: Action) -> None:
        match action:
            case SendDatagram(path=path, data=data):
                self._send(path, data)
            case InstallSa(sa=sa):
                self._install(Install(sa))
            case RemoveSa(sa_id=sa_id):
                self._ask(Remove(sa_id), self._answered)
            case UpdateSaPath():
                update = UpdatePath(
                    action.sa_id, action.local, action.remote, action.encap_local_port, action.encap_remote_port
                )
                self._ask(update, self._answered)
            case AddRoutes():
                self._tell(RoutesAdded(action.context_index, action.policy_id, action.remote_ts))
            case RemoveRoutes():
                self._tell(RoutesRemoved(action.context_index, action.policy_id))
            case ClearElsewhere(which=which):
                self._tell(ClearOthers(which))
            case Event():
                self._observe(action)
                if not self._control.try_notify(EventReport(action)):
                    self._count("driver.events-lost")

    def _install(self, message: Install) -> None:
        def answered(problem: str | None) -> None:
            self._installing -= 1
            if problem is not None:
                self._count("driver.installs-failed")
                self.datapath_events((DatapathEvent(EventKind.HARD_EXPIRED, message.sa.sa_id),))
            elif not self._installing:
                self._run()

        self._installing += 1
        self._ask(message, answered)

    def _answered(self, problem: str | None) -> None:
        """Nothing waits for a removal or an update; what was wrong is in the log."""

    def _ask(self, message: Message, answered: Callable[[str | None], None]) -> None:
        """Ask the data path; `answered` is called later, with what was wrong or None. A data path that hangs is
        killed by wsgd, and then the channel closes: no deadline here.
        """

        def done(answer: asyncio.Future[Message]) -> None:
            self._asked -= 1
            problem = None
            if answer.cancelled() or answer.exception() is not None:
                problem = "the data path is gone"
            elif isinstance(result := answer.result(), Failure):
                problem = result.why
            if problem is not None:
                log.warning("datapath-refused", extra={"fields": {"request": type(message).__name__, "why": problem}})
            if not self._closed:
                answered(problem)
                self._changed.set()

        try:
            if self.datapath is None:
                raise ChannelError("there is no data path")
            answer = self.datapath.request_soon(message)
        except ChannelError as error:
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(error)
        self._asked += 1
        answer.add_done_callback(done)

    def _tell(self, message: Message) -> None:
        """A notice that must not be lost: where too much is queued, it waits."""
        if self._telling or not self._control.try_notify(message):
            task = asyncio.get_running_loop().create_task(self._tell_later(message))
            self._telling.add(task)
            task.add_done_callback(self._told)

    async def _tell_later(self, message: Message) -> None:
        try:
            await self._control.notify(message)
        except ChannelError:
            pass  # wsgd is gone, and so are we in a moment

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        self._changed.set()
