"""The listening sockets, as a participant of transactions: a port in use is an rpc-error."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncssh

from nf.config.snapshot import Endpoint, GatewaySnapshot
from nf.config.transaction import Change, PrepareError

log = logging.getLogger(__name__)

_BACKLOG = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """Sockets that are bound and listening but not served yet, and what to give up."""

    opened: dict[Endpoint, socket.socket]
    closed: tuple[Endpoint, ...]


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
        self._open: dict[Endpoint, tuple[asyncssh.SSHAcceptor, Endpoint]] = {}

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens, with the ports in fact."""
        return tuple(actual for _, actual in self._open.values())

    async def prepare(self, change: Change) -> Plan:
        """Bind every new endpoint; raises PrepareError at the listener that cannot be had."""
        wanted = tuple(dict.fromkeys(self._wanted(change.new)))
        opened: dict[Endpoint, socket.socket] = {}
        for endpoint in wanted:
            if endpoint in self._open:
                continue
            try:
                opened[endpoint] = _bind(endpoint)
            except OSError as error:
                for sock in opened.values():
                    sock.close()
                taken = error.errno == errno.EADDRINUSE
                where = f"{endpoint.address} port {endpoint.port}"
                why = f"cannot listen on {where}: {error.strerror}"
                entry = f"listen[address='{endpoint.address}'][port='{endpoint.port}']"
                path = ("system", "netconf", "ssh", entry)
                tag = "resource-denied" if taken else "operation-failed"
                raise PrepareError(path, why, error_tag=tag, app_tag="address-in-use" if taken else None) from None
        return Plan(opened, tuple(endpoint for endpoint in self._open if endpoint not in wanted))

    async def commit(self, plan: Plan) -> None:
        """Serve the new, close the old."""
        for endpoint, sock in plan.opened.items():
            address, port = sock.getsockname()[:2]
            self._open[endpoint] = (await self._serve(sock), Endpoint(str(address), int(port)))
            log.info("listening address=%s port=%d", address, port)
        for endpoint in plan.closed:
            acceptor, _ = self._open.pop(endpoint)
            acceptor.close()

    async def abort(self, plan: Plan) -> None:
        """Give the new sockets back."""
        for sock in plan.opened.values():
            sock.close()

    async def close(self) -> None:
        """Stop listening everywhere."""
        for acceptor, _ in self._open.values():
            acceptor.close()
        self._open.clear()


def _bind(endpoint: Endpoint) -> socket.socket:
    """A listening socket. [::] takes both families, as its description in the model says."""
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
        sock.bind((address, endpoint.port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
