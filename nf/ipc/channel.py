"""A control channel: requests, responses and notices over a Unix stream socket, with file descriptors, in asyncio.

Frames are handled in the order in which they came. Everything is bounded: the size of a frame, what waits to be
sent, and the requests being worked on; a sender above its bound waits (`request`, `notify`) or is told no
(`try_notify`).
"""

from __future__ import annotations

import array
import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from nf.config.transaction import PrepareError
from nf.datapath.port import DatapathError
from nf.ipc.framing import DEFAULT_MAX_OCTETS, MAX_FDS, ChannelError, Frame, FrameDecoder, FrameKind, encode_frame
from nf.ipc.messages import Done, Failure, Message

log = logging.getLogger(__name__)

HIGH_WATER_OCTETS = 4 * 1024 * 1024
MAX_HANDLERS = 256
_READ_OCTETS = 256 * 1024
_READS_PER_WAKEUP = 16
_MERGE_OCTETS = 64 * 1024

Reply = Message | None
Handler = Callable[[Message, tuple[int, ...]], Reply | Awaitable[Reply]]
"""Answers a request or takes a notice. The descriptors become the handler's. It runs at once and in order; an
awaitable that it returns is then waited for beside later frames. None answers a request with Done(). PrepareError
and DatapathError become Failure."""


class ChannelClosed(ChannelError):
    """The other process has gone, or this end was closed."""


class RemoteFailure(ChannelError):
    """The other process refused a request."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.why)
        self.failure = failure

    def as_prepare_error(self) -> PrepareError:
        """The refusal as it was raised over there."""
        failure = self.failure
        return PrepareError(failure.path, failure.why, error_tag=failure.error_tag, app_tag=failure.app_tag)


class Channel:
    """One end of a channel. It owns `sock` from now on.

    name: for the log. on_close: called once, when the channel is closed from either side. The reader starts at once:
    make it in a running loop.
    """

    def __init__(
        self,
        sock: socket.socket,
        handler: Handler,
        *,
        name: str = "channel",
        max_octets: int = DEFAULT_MAX_OCTETS,
        high_water_octets: int = HIGH_WATER_OCTETS,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        sock.setblocking(False)
        self.name = name
        self._sock = sock
        self._fd = sock.fileno()
        self._handler = handler
        self._max_octets = max_octets
        self._high_water = high_water_octets
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder(max_octets)
        self._received_fds: deque[int] = deque()
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._out_octets = 0
        self._flush_scheduled = False
        self._socket_full = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._next_id = 1
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self._paused = False
        self._held: deque[Frame] = deque()
        self._closed = asyncio.Event()
        self._loop.add_reader(self._fd, self._on_readable)

    # --- sending

    async def request(self, message: Message, fds: Sequence[int] = (), deadline_s: float = 10.0) -> Message:
        """Send a request and return its answer.

        fds are duplicated. Raises RemoteFailure when the other side refuses, ChannelClosed when it has gone,
        TimeoutError past deadline_s, FrameTooLarge.
        """
        request_id = self._take_id()
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._waiting[request_id] = answer
        try:
            async with asyncio.timeout(deadline_s):
                await self._send(FrameKind.REQUEST, request_id, message, fds)
                reply = await answer
        finally:
            self._waiting.pop(request_id, None)
        if isinstance(reply, Failure):
            raise RemoteFailure(reply)
        return reply

    def request_soon(self, message: Message) -> asyncio.Future[Message]:
        """Send a request at once and return the future of its answer: for many small ones, without a task each.

        There is no deadline: the answer comes, or the channel closes. A refusal is the answer Failure. Raises
        ChannelClosed, and ChannelError when too much is queued.
        """
        if self._closed.is_set():
            raise ChannelClosed(f"{self.name} is closed")
        if self._out_octets > self._high_water:
            raise ChannelError(f"{self.name} is full")
        request_id = self._take_id()
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._waiting[request_id] = answer
        self._enqueue(FrameKind.REQUEST, request_id, message, ())
        return answer

    def _take_id(self) -> int:
        request_id = self._next_id
        self._next_id = self._next_id % 0xFFFFFFFF + 1
        return request_id

    async def notify(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a notice, waiting while too much is queued. Raises ChannelClosed, FrameTooLarge."""
        await self._send(FrameKind.NOTICE, 0, message, fds)

    def try_notify(self, message: Message) -> bool:
        """Send a notice at once; False when too much is queued or the channel is closed, and then nothing was sent."""
        if self._closed.is_set() or self._out_octets > self._high_water:
            return False
        self._enqueue(FrameKind.NOTICE, 0, message, ())
        return True

    async def _send(self, kind: FrameKind, id: int, message: Message, fds: Sequence[int]) -> None:
        while self._out_octets > self._high_water and not self._closed.is_set():
            self._writable.clear()
            await self._writable.wait()
        if self._closed.is_set():
            raise ChannelClosed(f"{self.name} is closed")
        self._enqueue(kind, id, message, fds)

    def _enqueue(self, kind: FrameKind, id: int, message: Message, fds: Sequence[int]) -> None:
        data = encode_frame(kind, id, message, len(fds), self._max_octets)
        copies: list[int] = []
        try:
            for fd in fds:
                copies.append(os.dup(fd))
        except OSError:
            _close_all(copies)
            raise
        self._out.append((memoryview(data), tuple(copies)))
        self._out_octets += len(data)
        if self._out_octets > _MERGE_OCTETS:
            if not self._socket_full:
                self._flush()
        elif not self._flush_scheduled:
            # Not now: what else this turn of the loop has to say goes in the same call of the kernel.
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send until nothing is left, or the socket is full: then it goes on when the socket can take more."""
        self._flush_scheduled = self._socket_full = False
        while self._out:
            data, fds = self._merge_front()
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                sent = self._sock.sendmsg([data], ancillary)
            except (BlockingIOError, InterruptedError):
                self._socket_full = self._flush_scheduled = True
                self._loop.add_writer(self._fd, self._flush)
                return
            except OSError as error:
                self._shut(f"send: {error}")
                return
            _close_all(fds)  # the kernel holds its own references from here on
            self._out_octets -= sent
            if sent < len(data):
                self._out[0] = (data[sent:], ())
            else:
                self._out.popleft()
        if self._closed.is_set():
            return
        self._loop.remove_writer(self._fd)
        if self._out_octets <= self._high_water:
            self._writable.set()

    def _merge_front(self) -> tuple[memoryview, tuple[int, ...]]:
        """The first of the queue, with the small frames after it that carry no descriptors in one piece."""
        data, fds = self._out[0]
        if fds or len(self._out) == 1 or len(data) > _MERGE_OCTETS:
            return data, fds
        parts = [data]
        octets = len(data)
        while len(self._out) > 1 and not self._out[1][1] and octets + len(self._out[1][0]) <= _MERGE_OCTETS:
            self._out.popleft()
            parts.append(self._out[0][0])
            octets += len(parts[-1])
        self._out[0] = (memoryview(b"".join(parts)), ())
        return self._out[0]

    # --- receiving

    def _on_readable(self) -> None:
        for _ in range(_READS_PER_WAKEUP):
            if self._paused or self._closed.is_set():
                return
            try:
                data, ancillary, flags, _ = self._sock.recvmsg(
                    _READ_OCTETS, socket.CMSG_SPACE(4 * MAX_FDS), socket.MSG_CMSG_CLOEXEC
                )
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._shut(f"receive: {error}")
                return
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(value[: len(value) - len(value) % fds.itemsize])
                    self._received_fds.extend(fds)
            if not data:
                self._shut(None)
                return
            try:
                if flags & socket.MSG_CTRUNC or len(self._received_fds) > 4 * MAX_FDS:
                    raise ChannelError("too many descriptors")
                self._held.extend(self._decoder.feed(data))
                self._drain_held()
            except ChannelError as error:
                self._shut(str(error))
                return

    def _drain_held(self) -> None:
        """Handle what was read, until too many requests are being worked on; then stop reading."""
        while self._held and not self._closed.is_set():
            if len(self._handlers) >= MAX_HANDLERS:
                if not self._paused:
                    self._paused = True
                    self._loop.remove_reader(self._fd)
                return
            frame = self._held.popleft()
            if frame.fds > len(self._received_fds):
                raise ChannelError(f"frame without its {frame.fds} descriptors")
            fds = tuple(self._received_fds.popleft() for _ in range(frame.fds))
            if frame.kind is FrameKind.RESPONSE:
                _close_all(fds)
                answer = self._waiting.pop(frame.id, None)
                if answer is not None and not answer.done():  # else it came past its deadline
                    answer.set_result(frame.message)
            else:
                self._handle(frame, fds)
        if self._paused and not self._closed.is_set():
            self._paused = False
            self._loop.add_reader(self._fd, self._on_readable)

    def _handle(self, frame: Frame, fds: tuple[int, ...]) -> None:
        try:
            result = self._handler(frame.message, fds)
        except Exception as error:
            self._answer(frame, self._failure(frame, error))
            return
        if isinstance(result, Awaitable):
            task = self._loop.create_task(self._finish(frame, result))
            self._handlers.add(task)
            task.add_done_callback(self._handler_done)
        else:
            self._answer(frame, result)

    async def _finish(self, frame: Frame, result: Awaitable[Reply]) -> None:
        try:
            reply = await result
        except Exception as error:
            reply = self._failure(frame, error)
        self._answer(frame, reply)

    def _handler_done(self, task: asyncio.Task[None]) -> None:
        self._handlers.discard(task)
        if self._paused:
            try:
                self._drain_held()
            except ChannelError as error:
                self._shut(str(error))

    def _answer(self, frame: Frame, reply: Reply) -> None:
        if frame.kind is not FrameKind.REQUEST or self._closed.is_set():
            return
        try:
            self._enqueue(FrameKind.RESPONSE, frame.id, reply if reply is not None else Done(), ())
        except ChannelError as error:  # an answer over the bound: the requester learns of it
            self._enqueue(FrameKind.RESPONSE, frame.id, Failure("internal", str(error)), ())

    def _failure(self, frame: Frame, error: Exception) -> Failure:
        if isinstance(error, PrepareError):
            return Failure("prepare", error.why, error.path, error.error_tag, error.app_tag)
        if isinstance(error, DatapathError):
            return Failure("datapath", str(error))
        log.exception(
            "handler-failed",
            exc_info=error,
            extra={"fields": {"channel": self.name, "request": type(frame.message).__name__}},
        )
        return Failure("internal", f"{type(error).__name__} in {type(frame.message).__name__}")

    # --- the end

    @property
    def is_closed(self) -> bool:
        """Nothing can be sent any more."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Return when the channel is closed from either side."""
        await self._closed.wait()

    def close(self) -> None:
        """Close this end, after sending what the socket takes at once; requests in flight raise ChannelClosed. Closing
        twice is fine.
        """
        if not self._closed.is_set() and not self._socket_full:
            self._flush()
        self._shut(None)

    def _shut(self, why: str | None) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if why is not None:
            log.warning("channel-error", extra={"fields": {"channel": self.name, "why": why}})
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._sock.close()
        for _, fds in self._out:
            _close_all(fds)
        self._out.clear()
        self._out_octets = 0
        _close_all(self._received_fds)
        self._received_fds.clear()
        self._held.clear()
        self._writable.set()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ChannelClosed(f"{self.name} is closed"))
        self._waiting.clear()
        if self._on_close is not None:
            self._on_close()


def _close_all(fds: Sequence[int] | deque[int]) -> None:
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass
