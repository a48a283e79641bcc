"""Routes of the kernel over netlink: the only place that changes them. asyncio, no thread.

Routes of tunnels are in a table of their own, which a rule puts before the main table; packets with OUTER_MARK, which
are those of our own IKE and ESP sockets, ask the main table first. So what a peer's selectors cover may contain the
peer's own outer address (`tsi endpoint`): the tunnel's packets to it do not go into the tunnel again.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from dataclasses import dataclass

import pyroute2
from pyroute2.netlink.exceptions import NetlinkError

from nf.io.sockets import OUTER_MARK

log = logging.getLogger(__name__)

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAIN_TABLE = 254
_TUNNEL_TABLE = 4500
_RULES = ({"priority": 4500, "table": _MAIN_TABLE, "fwmark": OUTER_MARK}, {"priority": 4501, "table": _TUNNEL_TABLE})
_PROTOCOL = 99
"""rtnetlink's protocol number of our routes: not one of those that /etc/iproute2/rt_protos names."""
_UNICAST = 1


class RouteError(Exception):
    """The kernel refused a route; the text is for a person."""


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A unicast route of the main table, or of a tunnel."""

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
        await self._rules("add")

    async def close(self) -> None:
        """Close it."""
        if self._ipr is not None:
            await self._rules("del")
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
        """The unicast routes of the main table and of tunnels."""
        assert self._ipr is not None
        family, any_address = (socket.AF_INET, "0.0.0.0") if version == 4 else (socket.AF_INET6, "::")  # noqa: S104
        found = []
        for table in (_MAIN_TABLE, _TUNNEL_TABLE):
            async for message in await self._ipr.get_routes(family=family, table=table):
                device = message.get("oif")
                if message["type"] != _UNICAST or device is None:
                    continue
                text = f"{message.get('dst') or any_address}/{message['dst_len']}"
                found.append(HostRoute(ipaddress.ip_network(text), device))
        return found

    async def _rules(self, verb: str) -> None:
        """Put the two rules of each family in place, or take them away. Those that a killed process left are fine."""
        assert self._ipr is not None
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in _RULES:
                try:
                    await self._ipr.rule(verb, family=family, **rule)
                except NetlinkError as error:
                    if error.code not in (errno.EEXIST, errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                        log.warning("rule-refused", extra={"fields": {"rule": str(rule), "why": str(error)}})

    async def _change(self, verb: str, prefix: Prefix, device: int) -> None:
        assert self._ipr is not None
        family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
        try:
            await self._ipr.route(
                verb, dst=str(prefix), oif=device, family=family, table=_TUNNEL_TABLE, proto=_PROTOCOL, type=_UNICAST
            )
        except NetlinkError as error:
            raise RouteError(f"route {prefix}: {error.args[1] if len(error.args) > 1 else error}") from error
