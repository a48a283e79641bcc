"""The listening sockets, as a participant of transactions: a port in use is an rpc-error."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import asyncssh

from nf.config.snapshot import Endpoint, GatewaySnapshot
from nf.config.transaction import Change, PrepareError
from nf.io.listening import beside

log = logging.getLogger(__name__)

_BACKLOG = 64

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """Sockets that are bound and listening but not served yet, and what to give up; by address and port."""

    opened: dict[_Place, socket.socket]
    closed: tuple[_Place, ...]


@dataclass(frozen=True, slots=True)
class _Open:
    acceptor: asyncssh.SSHAcceptor
    sock: socket.socket
    actual: Endpoint


class Listeners:
    """Opens what a configuration adds and closes what it removes; sessions that are open stay."""

    name = "netconf-listeners"

    def __init__(
        self,
        serve: Callable[[socket.socket], Awaitable[asyncssh.SSHAcceptor]],
        wanted: Callable[[GatewaySnapshot], Sequence[Endpoint]],
    ) -> None:
        """serve: start accepting. wanted: the endpoints a snapshot asks for."""
        self._serve = serve
        self._wanted = wanted
        self._open: dict[_Place, _Open] = {}

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens, with the ports in fact."""
        return tuple(one.actual for one in self._open.values())

    async def prepare(self, change: Change) -> Plan:
        """Bind every new endpoint; raises PrepareError at the listener that cannot be had."""
        wanted = {(endpoint.address, endpoint.port): endpoint for endpoint in self._wanted(change.new)}
        opened: dict[_Place, socket.socket] = {}
        for place, endpoint in wanted.items():
            if place in self._open:
                continue
            try:
                opened[place] = _bind(endpoint, (*(one.sock for one in self._open.values()), *opened.values()))
            except OSError as error:
                for sock in opened.values():
                    sock.close()
                raise _refusal(endpoint, error) from None
        return Plan(opened, tuple(place for place in self._open if place not in wanted))

    async def commit(self, plan: Plan) -> None:
        """Serve the new, close the old."""
        for place, sock in plan.opened.items():
            address, port = sock.getsockname()[:2]
            self._open[place] = _Open(await self._serve(sock), sock, Endpoint(str(address), int(port)))
            log.info("listening address=%s port=%d", address, port)
        for place in plan.closed:
            self._open.pop(place).acceptor.close()

    async def abort(self, plan: Plan) -> None:
        """Give the new sockets back."""
        for sock in plan.opened.values():
            sock.close()

    async def close(self) -> None:
        """Stop listening everywhere."""
        for one in self._open.values():
            one.acceptor.close()
        self._open.clear()


def _refusal(endpoint: Endpoint, error: OSError) -> PrepareError:
    taken = error.errno == errno.EADDRINUSE
    reason = "another process has the port" if taken else error.strerror
    why = f"cannot listen for NETCONF on {endpoint.address} port {endpoint.port}: {reason}"
    path: tuple[str, ...] = ("system", "netconf", "ssh")
    if endpoint.name:  # none: it comes from the command line
        path = (*path, f"listen[name='{endpoint.name}']")
    tag = "resource-denied" if taken else "operation-failed"
    return PrepareError(path, why, error_tag=tag, app_tag="address-in-use" if taken else None)


def _bind(endpoint: Endpoint, ours: Iterable[socket.socket]) -> socket.socket:
    """A listening socket, which may be beside `ours`. [::] takes both families, as its description in the model
    says."""
    address = str(ipaddress.ip_address(endpoint.address))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT or address != "::":
            raise
        # A host without IPv6: the wildcard of the other family is all there is to listen on.
        family, address = socket.AF_INET, "0.0.0.0"  # noqa: S104
        sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        with beside(sock, endpoint.port, ours):
            sock.bind((address, endpoint.port))
            sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
