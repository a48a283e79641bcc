"""Routes of the kernel over netlink: the only place that changes them. asyncio, no thread."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

import pyroute2
from pyroute2.netlink.exceptions import NetlinkError

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAIN_TABLE = 254
_PROTOCOL = 99
"""rtnetlink's protocol number of our routes: not one of those that /etc/iproute2/rt_protos names."""
_UNICAST = 1


class RouteError(Exception):
    """The kernel refused a route; the text is for a person."""


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A unicast route of the main table."""

    prefix: Prefix
    device: int


class Netlink:
    """One rtnetlink socket. Open it in a running loop."""

    def __init__(self) -> None:
        self._ipr: pyroute2.AsyncIPRoute | None = None

    async def open(self) -> None:
        """Open the socket."""
        self._ipr = pyroute2.AsyncIPRoute()
        await self._ipr.setup_endpoint()

    async def close(self) -> None:
        """Close it."""
        if self._ipr is not None:
            self._ipr.close()
            self._ipr = None

    async def add(self, prefix: Prefix, device: int) -> None:
        """Route `prefix` to a device; raises RouteError, also when there is such a route already."""
        await self._change("add", prefix, device)

    async def delete(self, prefix: Prefix, device: int) -> None:
        """Take it away; one that is gone already is fine."""
        try:
            await self._change("del", prefix, device)
        except RouteError as error:
            cause = error.__cause__
            if not (isinstance(cause, NetlinkError) and cause.code in (errno.ESRCH, errno.ENODEV)):
                raise

    async def routes(self, version: int) -> list[HostRoute]:
        """The unicast routes of the main table."""
        assert self._ipr is not None
        family, any_address = (socket.AF_INET, "0.0.0.0") if version == 4 else (socket.AF_INET6, "::")  # noqa: S104
        found = []
        async for message in await self._ipr.get_routes(family=family, table=_MAIN_TABLE):
            device = message.get("oif")
            if message["type"] != _UNICAST or device is None:
                continue
            text = f"{message.get('dst') or any_address}/{message['dst_len']}"
            found.append(HostRoute(ipaddress.ip_network(text), device))
        return found

    async def _change(self, verb: str, prefix: Prefix, device: int) -> None:
        assert self._ipr is not None
        family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
        try:
            await self._ipr.route(
                verb, dst=str(prefix), oif=device, family=family, table=_MAIN_TABLE, proto=_PROTOCOL, type=_UNICAST
            )
        except NetlinkError as error:
            raise RouteError(f"route {prefix}: {error.args[1] if len(error.args) > 1 else error}") from error
