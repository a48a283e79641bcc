"""Traffic selectors as numbers.

From and to the wire and the data path, intersect, narrow (RFC 7296 sections 2.9 and 3.13.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from nf.datapath.port import Selector

MAXIMUM_SELECTORS = 4
"""Most selectors that we send in one TS payload (TPL-72)."""

TS_IPV4_ADDR_RANGE = 7
TS_IPV6_ADDR_RANGE = 8

_ALL_ONES = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class TrafficSelector(NamedTuple):
    """One selector. family is 4 or 6; protocol 0 is any; ports and addresses are inclusive ranges of numbers.

    For ICMP the "port" is type and code (type in the high octet), compared as a number like any port (RFC 7296 section
    3.13.1).
    """

    family: int
    protocol: int
    first_port: int
    last_port: int
    first: int
    last: int

    def __str__(self) -> str:
        text = f"{address_text(self.family, self.first)}-{address_text(self.family, self.last)}"
        if self.protocol or (self.first_port, self.last_port) != (0, 65535):
            text += f"[{self.protocol}/{self.first_port}-{self.last_port}]"
        return text


ANY_IPV4 = TrafficSelector(4, 0, 0, 65535, 0, _ALL_ONES[4])
ANY_IPV6 = TrafficSelector(6, 0, 0, 65535, 0, _ALL_ONES[6])
ANY = (ANY_IPV4, ANY_IPV6)


@lru_cache(maxsize=4096)
def address_text(family: int, value: int) -> str:
    """Canonical text of an address given as a number."""
    return str(IPv4Address(value) if family == 4 else IPv6Address(value))


def address_number(text: str) -> tuple[int, int]:
    """(family, number) of an address in text. Raises ValueError."""
    address = ip_address(text)
    return address.version, int(address)


def host(text: str) -> TrafficSelector:
    """All traffic of one address."""
    family, number = address_number(text)
    return TrafficSelector(family, 0, 0, 65535, number, number)


def host_number(family: int, number: int) -> TrafficSelector:
    """All traffic of one address given as a number."""
    return TrafficSelector(family, 0, 0, 65535, number, number)


def address_range(first: str, last: str) -> TrafficSelector:
    """All traffic of an address range.

    Raises ValueError when the families differ or the range runs backwards (TPL-64).
    """
    family, low = address_number(first)
    other, high = address_number(last)
    if family != other:
        raise ValueError(f"{first} and {last} are of different families")
    if low > high:
        raise ValueError(f"{first} is above {last}")
    return TrafficSelector(family, 0, 0, 65535, low, high)


def to_port(selectors: Iterable[TrafficSelector]) -> tuple[Selector, ...]:
    """As the data path takes them."""
    return tuple(
        Selector(s.protocol, s.first_port, s.last_port, address_text(s.family, s.first), address_text(s.family, s.last))
        for s in selectors
    )


def is_valid(selector: TrafficSelector) -> bool:
    """Ranges run forwards. OPAQUE ports (65535 to 0, RFC 4301 section 4.4.1.1) are not.

    Our data path has no such notion.
    """
    return selector.first_port <= selector.last_port and selector.first <= selector.last


def intersect(a: TrafficSelector, b: TrafficSelector) -> TrafficSelector | None:
    """What both allow, or None."""
    if a.family != b.family:
        return None
    if a.protocol == b.protocol or b.protocol == 0:
        protocol = a.protocol
    elif a.protocol == 0:
        protocol = b.protocol
    else:
        return None
    first, last = max(a.first, b.first), min(a.last, b.last)
    first_port, last_port = max(a.first_port, b.first_port), min(a.last_port, b.last_port)
    if first > last or first_port > last_port:
        return None
    return TrafficSelector(a.family, protocol, first_port, last_port, first, last)


def contains(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    """Whether all that `inner` allows, `outer` allows too."""
    return (
        outer.family == inner.family
        and outer.protocol in (0, inner.protocol)
        and outer.first <= inner.first
        and inner.last <= outer.last
        and outer.first_port <= inner.first_port
        and inner.last_port <= outer.last_port
    )


def narrow(
    proposed: Sequence[TrafficSelector], allowed: Sequence[TrafficSelector], limit: int = MAXIMUM_SELECTORS
) -> tuple[TrafficSelector, ...]:
    """The part of `proposed` that `allowed` lets through, at most `limit` selectors; empty means TS_UNACCEPTABLE.

    The proposer's order is kept, so its first selector, which may be the packet that woke it up, survives when policy
    allows it (RFC 7296 section 2.9). A result contained in one already taken is left out. Cutting at `limit` only makes
    the result smaller, which narrowing permits.
    """
    chosen: list[TrafficSelector] = []
    for selector in proposed:
        if not is_valid(selector):
            continue
        for permitted in allowed:
            common = intersect(selector, permitted)
            if common is None or any(contains(already, common) for already in chosen):
                continue
            chosen = [already for already in chosen if not contains(common, already)]
            chosen.append(common)
            if len(chosen) >= limit:  # also bounds the work that a long list of a peer makes
                return tuple(chosen)
    return tuple(chosen)


def of_families(selectors: Sequence[TrafficSelector], families: frozenset[int]) -> tuple[TrafficSelector, ...]:
    """Those of the given families (TPL-67, TPL-75, TPL-76)."""
    return tuple(s for s in selectors if s.family in families)


def families_of(selectors: Iterable[TrafficSelector]) -> frozenset[int]:
    """Which families occur."""
    return frozenset(s.family for s in selectors)


def overlap(selectors: Iterable[TrafficSelector], others: Sequence[TrafficSelector]) -> bool:
    """Whether any of one list meets any of the other."""
    return any(intersect(a, b) is not None for a in selectors for b in others)
