"""Keeps the child processes running: spawns, hands over, restarts with back-off, stops (architecture section 2)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nf.ipc.channel import Channel, Handler
from nf.ipc.framing import ChannelError
from nf.ipc.messages import Hello, Message, Ping, Stop
from wsg import childlog

log = logging.getLogger(__name__)

CRASH_WINDOW_S = 60.0
CRASH_LOOP = 5
"""Deaths within the window that make a crash loop: an error in the log, and a reason not to be ready."""
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
HELLO_DEADLINE_S = 20.0
EXIT_DEADLINE_S = 3.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How a child is started. arguments: after the common ones."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What all children have in common. uid and gid: who they become when wsgd is root; None leaves them.

    A child that does not answer a ping, sent every ping_s, within ping_deadline_s is killed and restarted.
    """

    uid: int | None
    gid: int | None
    log_level: str = "info"
    ping_s: float = 5.0
    ping_deadline_s: float = 30.0


class Child:
    """One supervised process and its control channel.

    generation counts processes. on_message answers what the child asks. on_up configures a new process: it calls
    `admit` when its turn has come; until it returns the child does not count as up, and an exception in it is a death.
    """

    def __init__(
        self,
        spec: ChildSpec,
        settings: ChildSettings,
        on_message: Handler,
        on_up: Callable[[Child], Awaitable[None]],
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self._channel: Channel | None = None
        self._admitted = False
        self.pid = 0
        self.generation = 0
        self.up_since = 0.0
        self.restarts = 0
        self.up = asyncio.Event()
        self._settings = settings
        self._on_message = on_message
        self._on_up = on_up
        self._deaths: deque[float] = deque(maxlen=CRASH_LOOP)
        self._stopping = False
        self._wake = asyncio.Event()
        self._end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def crash_looping(self) -> bool:
        """It died CRASH_LOOP times within the last CRASH_WINDOW_S seconds."""
        return len(self._deaths) == CRASH_LOOP and time.monotonic() - self._deaths[0] < CRASH_WINDOW_S

    @property
    def channel(self) -> Channel | None:
        """The control channel; None while no process is up, and before a new one is admitted."""
        return self._channel if self._admitted else None

    def admit(self) -> None:
        """From now on the new process takes part in what the others do."""
        self._admitted = True

    def start(self) -> None:
        """Keep a process running from now on."""
        self._task = asyncio.get_running_loop().create_task(self._keep_running(), name=f"keep {self.name}")

    def tell_stop(self) -> None:
        """Restart it no more; the process goes on until `stop`."""
        self._stopping = True
        self._wake.set()

    async def stop(self, grace_s: float = 0.0) -> None:
        """Ask it to finish (Stop, with grace_s for its peers), close the channel, wait, and kill it in the end."""
        self.tell_stop()
        channel = self._channel
        if channel is not None and grace_s:
            try:
                await channel.request(Stop(grace_s), deadline_s=grace_s + 1.0)
            except (ChannelError, TimeoutError) as error:
                log.warning("child-stop-refused", extra={"fields": {"child": self.name, "why": str(error)}})
        self._end.set()
        if self._task is not None:
            await self._task

    async def _keep_running(self) -> None:
        while not self._stopping:
            started_at = time.monotonic()
            try:
                await self._run_once()
            except Exception:
                log.exception("child-supervision-failed", extra={"fields": {"child": self.name}})
            if self._stopping:
                return
            if time.monotonic() - started_at > CRASH_WINDOW_S:
                self._deaths.clear()
            self._deaths.append(time.monotonic())
            self.restarts += 1
            if self.crash_looping:
                log.error("child-crash-loop", extra={"fields": {"child": self.name, "deaths": len(self._deaths)}})
            delay = BACKOFF_S[min(len(self._deaths), len(BACKOFF_S)) - 1]
            log.warning("child-restart", extra={"fields": {"child": self.name, "in_s": delay}})
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _run_once(self) -> None:
        """One process from its spawn to its end; returns when it is gone and reaped."""
        ours, theirs = socket.socketpair()
        try:
            process = await self._spawn(theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.generation += 1
        self.pid = process.pid
        hello = asyncio.Event()
        channel = Channel(ours, self._answering(hello), name=f"wsgd to {self.name}")
        assert process.stderr is not None
        pump = asyncio.create_task(childlog.pump(process.stderr, self.name))
        exited = asyncio.create_task(process.wait())
        ends = (exited, asyncio.create_task(channel.wait_closed()), asyncio.create_task(self._end.wait()))
        try:
            await self._configure(channel, hello, ends)
            if self._channel is channel:
                watch = asyncio.create_task(self._watch(channel))
                await asyncio.wait((*ends, watch), return_when=asyncio.FIRST_COMPLETED)
                watch.cancel()
        finally:
            for end in ends[1:]:
                end.cancel()
            self.up.clear()
            self._channel = None
            self._admitted = False
            channel.close()
            status = await self._reap(process, exited)
            self.pid = 0
            await asyncio.wait((pump,), timeout=1.0)
            pump.cancel()
            level = logging.INFO if self._stopping else logging.ERROR
            log.log(level, "child-exited", extra={"fields": {"child": self.name, "status": status}})

    async def _configure(self, channel: Channel, hello: asyncio.Event, ends: tuple[asyncio.Task[Any], ...]) -> None:
        """Wait until the process is up, or one of its ends comes first."""
        ready = asyncio.create_task(self._until_up(channel, hello))
        await asyncio.wait((ready, *ends), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            self._channel = None
            await asyncio.gather(ready, return_exceptions=True)
            return
        try:
            ready.result()
        except (ChannelError, TimeoutError) as error:
            self._channel = None
            log.error("child-not-up", extra={"fields": {"child": self.name, "why": str(error) or type(error).__name__}})

    async def _until_up(self, channel: Channel, hello: asyncio.Event) -> None:
        async with asyncio.timeout(HELLO_DEADLINE_S):
            await hello.wait()
        self._channel = channel
        self.up_since = time.monotonic()
        await self._on_up(self)
        self.up.set()
        log.info("child-up", extra={"fields": {"child": self.name, "pid": self.pid}})

    async def _watch(self, channel: Channel) -> None:
        """Returns when the child hangs."""
        while True:
            await asyncio.sleep(self._settings.ping_s)
            try:
                await channel.request(Ping(), deadline_s=self._settings.ping_deadline_s)
            except TimeoutError:
                log.error("child-hangs", extra={"fields": {"child": self.name, "pid": self.pid}})
                return
            except ChannelError:
                return

    def _answering(self, hello: asyncio.Event) -> Handler:
        def answer(message: Message, fds: tuple[int, ...]) -> Message | Awaitable[Message | None] | None:
            if isinstance(message, Hello):
                hello.set()
                return None
            return self._on_message(message, fds)

        return answer

    async def _spawn(self, control_fd: int) -> asyncio.subprocess.Process:
        arguments: Sequence[str] = (
            "--name", self.name,
            "--control-fd", str(control_fd),
            "--parent", str(os.getpid()),
            "--log-level", self._settings.log_level,
            *(("--uid", str(self._settings.uid)) if self._settings.uid is not None else ()),
            *(("--gid", str(self._settings.gid)) if self._settings.gid is not None else ()),
            *self.spec.arguments,
        )  # fmt: skip
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self.spec.module,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(control_fd,),
            limit=64 * 1024,
        )

    async def _reap(self, process: asyncio.subprocess.Process, exited: asyncio.Task[int]) -> int:
        """The exit status; a process that does not see its channel closed is killed, by its own pid."""
        done, _ = await asyncio.wait((exited,), timeout=EXIT_DEADLINE_S)
        if not done:
            log.error("child-killed", extra={"fields": {"child": self.name, "pid": process.pid}})
            try:
                process.send_signal(signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:  # it has another uid, and we have no CAP_KILL
                log.critical("child-not-killed", extra={"fields": {"child": self.name, "pid": process.pid}})
                return -1
        return await exited
