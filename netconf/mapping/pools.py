"""/gateway/context/ip/pool and ipv6/prefix-pool -> AddressPool (CTX-16, CTX-17)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Literal

from netconf.mapping.sharing import keep_each
from netconf.mapping.tree import Node, address, entries
from nf.config.snapshot import AddressPool, AddressRange


def build_pools(context: Node, old: tuple[AddressPool, ...]) -> tuple[AddressPool, ...]:
    """Pools of a context, IPv4 first. Ranges ascend; a pool without any has one, its whole prefix."""
    pools = (*_family(context, 4, "ip", "pool"), *_family(context, 6, "ipv6", "prefix-pool"))
    return keep_each(pools, old, lambda pool: (pool.family, pool.name))


def _family(context: Node, family: Literal[4, 6], *names: str) -> Iterator[AddressPool]:
    for pool in entries(context, *names):
        whole = ip_network(pool["prefix"], strict=False)
        ordered = sorted(entries(pool, "range"), key=lambda item: int(ip_address(item["start-address"])))
        ranges = tuple(AddressRange(address(item["start-address"]), address(item["end-address"])) for item in ordered)
        if not ranges:
            ranges = (AddressRange(str(whole[0]), str(whole[-1])),)
        yield AddressPool(context["name"], pool["name"], family, str(whole), ranges, pool["kind"])
