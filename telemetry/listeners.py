"""The listening sockets of the exporter: reserved in prepare, served from commit on."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from nf.config.snapshot import Endpoint, GatewaySnapshot
from nf.config.transaction import PrepareError
from nf.io.listening import beside

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

MAX_CONNECTIONS = 64
MAX_HEADER_OCTETS = 8190
MAX_HEADERS = 64
IDLE_S = 75.0
"""A connection without a complete request for this long is closed; a scrape every minute keeps its own."""
BACKLOG = 64


class _PeerNoise(logging.Filter):
    """aiohttp logs what is no HTTP as an error with a traceback; it is the client's mistake, so debug. Our own stay
    errors.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError) or logging.getLogger(__name__).isEnabledFor(logging.DEBUG)


http_log = logging.getLogger("telemetry.http")
http_log.addFilter(_PeerNoise())


class _Server(web.Server):
    """Bounds the number of connections: the one that is open the longest makes room, so that slow clients cannot lock
    a scraper out.
    """

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        live = [other for other in self._connections.values() if not other.is_closing()]
        if len(live) >= MAX_CONNECTIONS:
            live[0].abort()
        super().connection_made(handler, transport)


class Listener:
    """One endpoint. Opened in prepare: other programs find the port taken, and connections wait in the queue until
    `start`.
    """

    def __init__(self, endpoint: Endpoint, sock: socket.socket, answer: Answer) -> None:
        self.endpoint = endpoint
        self.socket = sock
        self._answer = answer
        self._runner: web.ServerRunner | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Address and port of the socket."""
        host, port, *_ = self.socket.getsockname()
        return host, port

    async def start(self) -> None:
        """Accept connections, those that wait already first."""
        server = _Server(
            self._answer,
            keepalive_timeout=IDLE_S,
            lingering_time=0.0,
            max_line_size=MAX_HEADER_OCTETS,
            max_field_size=MAX_HEADER_OCTETS,
            max_headers=MAX_HEADERS,
            access_log=None,
            logger=http_log,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.SockSite(self._runner, self.socket, backlog=BACKLOG).start()

    async def stop(self) -> None:
        """Stop accepting, let a scrape under way end (two seconds at most), close."""
        if self._runner is not None:
            await self._runner.cleanup()
        self.release()

    def release(self) -> None:
        """Close the socket of a listener that was never started."""
        self.socket.close()


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """What a commit does: which listeners stay, which begin, which end; and the revision that then runs."""

    revision: int
    kept: tuple[Listener, ...]
    opened: tuple[Listener, ...]
    closed: tuple[Listener, ...]


def plan_listeners(current: Sequence[Listener], new: GatewaySnapshot, answer: Answer) -> ListenerPlan:
    """Compare by address and port and open what is missing; raises PrepareError after closing what it had opened."""
    wanted = {(endpoint.address, endpoint.port): endpoint for endpoint in new.system.metrics}
    present = {(listener.endpoint.address, listener.endpoint.port): listener for listener in current}
    opened: list[Listener] = []
    try:
        for key, endpoint in wanted.items():
            if key not in present:
                ours = [listener.socket for listener in (*current, *opened)]
                opened.append(Listener(endpoint, _open(endpoint, ours), answer))
    except BaseException:
        for listener in opened:
            listener.release()
        raise
    return ListenerPlan(
        new.revision,
        kept=tuple(listener for key, listener in present.items() if key in wanted),
        opened=tuple(opened),
        closed=tuple(listener for key, listener in present.items() if key not in wanted),
    )


def _open(endpoint: Endpoint, ours: Iterable[socket.socket]) -> socket.socket:
    path = _path(endpoint)
    try:
        address = ipaddress.ip_address(endpoint.address)
    except ValueError:
        raise PrepareError(path, f"{endpoint.address!r} is not an IP address", error_tag="invalid-value") from None
    sock = socket.socket(
        socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC
    )
    try:
        sock.setblocking(False)
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a restart must not wait for TIME_WAIT; two listeners still collide
        if address.version == 6:
            # "::" takes IPv4 as well, as the NETCONF listener's default does.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address.is_unspecified else 1)
        with beside(sock, endpoint.port, ours):
            sock.bind((endpoint.address, endpoint.port))
            sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise PrepareError(
            path,
            f"cannot listen for metrics on {endpoint.address} port {endpoint.port}: {reason}",
            error_tag="resource-denied",
        ) from error
    return sock


def _path(endpoint: Endpoint) -> tuple[str, ...]:
    return ("system", "metrics", f"listen[name='{endpoint.name}']") if endpoint.name else ("system", "metrics")
