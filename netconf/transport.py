"""NETCONF over SSH (RFC 6242): the subsystem "netconf" on asyncssh, one task a session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import asyncssh

from netconf.access import Access
from netconf.limits import Limits
from netconf.rpc.dispatch import answer
from netconf.server import Client, Server
from netconf.session import Session, SessionError

log = logging.getLogger(__name__)
audit = logging.getLogger("openwsg.audit")

_AHEAD = 4 * 1024 * 1024
"""Octets of requests that one session may send ahead of the replies before it is no longer read."""
_CHUNK = 256 * 1024
"""Octets written to the channel before asking whether the client keeps up."""


class SshTransport:
    """Makes an asyncssh server of a listening socket. Keeps count of connections and can end them all."""

    def __init__(self, server: Server, access: Access, host_keys: list[asyncssh.SSHKey], limits: Limits) -> None:
        self.server = server
        self.access = access
        self.limits = limits
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._host_keys = host_keys

    async def serve(self, sock: Any) -> asyncssh.SSHAcceptor:
        """Accept connections on a bound, listening TCP socket."""
        return await asyncssh.listen(
            sock=sock,
            server_factory=lambda: _Connection(self),
            server_host_keys=self._host_keys,
            login_timeout=self.limits.login_s,
            keepalive_interval=60,
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_scp=False,
            compression_algs=None,
            server_version="OpenWSG",
        )

    async def close(self) -> None:
        """End every session and connection."""
        for client in list(self.server.clients.values()):
            client.close()
        for connection in list(self.connections):
            connection.abort()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=5)


class _Connection(asyncssh.SSHServer):
    """One SSH connection: authentication, then sessions."""

    def __init__(self, transport: SshTransport) -> None:
        self._transport = transport
        self._connection: asyncssh.SSHServerConnection | None = None
        self._user = ""
        self._host = "unknown"
        self._failures = 0
        self._authenticated = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._host = _host(conn)
        if len(self._transport.connections) >= self._transport.limits.connections:
            self._transport.server.stats.sessions_refused += 1
            log.warning("connection-refused reason=limit host=%s", self._host)
            conn.abort()
            return
        self._transport.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._transport.connections.discard(self._connection)
        if self._failures and not self._authenticated:
            audit.warning("login-failed user=%r host=%s", self._user, self._host)

    def begin_auth(self, username: str) -> bool:
        self._user = username
        return True

    def auth_completed(self) -> None:
        self._authenticated = True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        self._check_attempts()
        return self._judged(await self._transport.access.accepts_password(username, password))

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._check_attempts()
        return self._judged(self._transport.access.accepts_key(username, key))

    def _check_attempts(self) -> None:
        if self._failures >= self._transport.limits.login_attempts:
            raise asyncssh.PermissionDenied("too many attempts")

    def _judged(self, accepted: bool) -> bool:
        if not accepted:
            self._failures += 1
            self._transport.server.stats.login_failures += 1
        return accepted

    def session_requested(self) -> _Channel:
        return _Channel(self._transport, self._user, self._host)


class _Channel(asyncssh.SSHServerSession[bytes]):
    """One SSH channel, and the NETCONF session on it."""

    def __init__(self, transport: SshTransport, user: str, host: str) -> None:
        self._transport = transport
        self._user = user
        self._host = host
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._client: Client | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._ended = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def subsystem_requested(self, subsystem: str) -> bool:
        server = self._transport.server
        if subsystem != "netconf":
            return False
        if len(server.clients) >= self._transport.limits.sessions:
            server.stats.sessions_refused += 1
            audit.warning("session-refused reason=limit user=%s host=%s", self._user, self._host)
            return False
        return True

    def session_started(self) -> None:
        limits = self._transport.limits
        self._client = self._transport.server.open(self._user, self._host, self._close)
        self._session = Session(
            self._client.session_id,
            self._transport.server.capabilities,
            max_message=limits.message_octets,
            max_depth=limits.depth,
        )
        self._task = asyncio.get_running_loop().create_task(self._run(self._client, self._session))
        self._transport.tasks.add(self._task)
        self._task.add_done_callback(self._transport.tasks.discard)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._session is None or self._ended or datatype is not None:
            return
        ready = self._session.ready
        try:
            self._session.receive(data)
        except SessionError as error:
            self._drop(str(error), hello=not ready)
        if self._is_ahead(self._session) and not self._paused and self._channel:
            self._paused = True
            self._channel.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        self._ended = True
        self._arrived.set()
        return True  # replies to what came before the end may still go out

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        if self._client is not None:
            self._client.closing = True
            self._transport.server.leave(self._client)
        self._arrived.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _drop(self, reason: str, *, hello: bool = False) -> None:
        """End the session because of what the client did. Requests that were whole before that are not carried out
        either."""
        stats = self._transport.server.stats
        stats.sessions_dropped += 1
        if hello:
            stats.in_bad_hellos += 1
        session_id = self._client.session_id if self._client else 0
        audit.warning("session-dropped session=%d user=%s reason=%r", session_id, self._user, reason)
        if self._client is not None:
            self._client.closing = True
        self._close()

    def _close(self) -> None:
        self._ended = True
        self._arrived.set()
        self._writable.set()
        if self._client is not None:
            self._client.closing = True
        if self._channel is not None:
            self._channel.close()

    async def _run(self, client: Client, session: Session) -> None:
        try:
            await self._send(session.hello())
            await self._wait(lambda: session.ready, self._transport.limits.hello_s, "no hello in time")
            while not client.closing:
                request = session.next_request()
                if request is None:
                    if self._ended:
                        break
                    await self._wait(lambda: session.waiting > 0, self._idle_s(client), "idle")
                    continue
                if self._paused and not self._is_ahead(session) and self._channel:
                    self._paused = False
                    self._channel.resume_reading()
                reply = await answer(self._transport.server, client, request)
                await self._send(session.encode(reply))
        except (asyncssh.Error, OSError) as error:
            log.debug("session-lost session=%d error=%s", client.session_id, error)
        except Exception:
            log.exception("session-broken session=%d", client.session_id)
        finally:
            self._transport.server.leave(client)
            if self._channel is not None:
                with contextlib.suppress(OSError):
                    self._channel.exit(0)

    def _is_ahead(self, session: Session) -> bool:
        """Whether the client has sent so much ahead of the replies that it has to wait."""
        return session.waiting >= self._transport.limits.pipelined or session.waiting_octets > _AHEAD

    def _idle_s(self, client: Client) -> float | None:
        holds = any(lock.session_id == client.session_id for lock in self._transport.server.datastores.locks.values())
        return None if holds else self._transport.limits.idle_s

    async def _wait(self, done: Callable[[], bool], seconds: float | None, why: str) -> None:
        """Until `done`, or the end of the session; a session that takes longer is dropped."""
        try:
            async with asyncio.timeout(seconds):
                while not done() and not self._ended:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            self._drop(why, hello=why != "idle")

    async def _send(self, octets: bytes) -> None:
        """Write at the client's pace."""
        view = memoryview(octets)
        while view and self._channel is not None and not self._channel.is_closing():
            await self._writable.wait()
            self._channel.write(bytes(view[:_CHUNK]))
            view = view[_CHUNK:]


def _host(connection: asyncssh.SSHServerConnection | None) -> str:
    peer = connection.get_extra_info("peername") if connection is not None else None
    return str(peer[0]) if peer else "unknown"
