"""What XPath 1.0 cannot say of a configuration, or only slowly.

Order and overlap of address ranges, the form of identities, bind addresses that are unique in the whole gateway.
Addresses of interfaces and the keys of templates would fit a must, but libyang evaluates those in time that grows with
the square of the datastore.

`check_tree` runs at validate and before a commit, after libyang has accepted the tree. It reports every fault, not the
first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from netconf.mapping.paths import Segments, entry
from netconf.mapping.tree import Node, entries, inner, plain
from nf.policy.identity import IdentityError, encode_identity

_NOT_FOR_HOSTS = tuple(
    (kind, ip_network(prefix))
    for kind, prefix in (
        ("unspecified", "0.0.0.0/8"),
        ("loopback", "127.0.0.0/8"),
        ("multicast", "224.0.0.0/4"),
        ("reserved", "240.0.0.0/4"),
        ("unspecified", "::/128"),
        ("loopback", "::1/128"),
        ("link-local", "fe80::/10"),
        ("multicast", "ff00::/8"),
    )
)
"""What no peer can be given (RFC 6890), but for IPv4 link-local addresses, which some networks do use."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule. path: segments as in PrepareError.path; error_tag: of RFC 6241 appendix A."""

    path: Segments
    app_tag: str
    message: str
    error_tag: str = "operation-failed"


@dataclass(frozen=True, slots=True)
class _Range:
    """Addresses of one family as numbers, inclusive; `where` is the entry that says so."""

    family: int
    first: int
    last: int
    where: Segments
    text: str

    def meets(self, other: _Range) -> bool:
        return self.family == other.family and self.first <= other.last and other.first <= self.last


def check_tree(tree_json: Mapping[str, Any]) -> list[Fault]:
    """The faults of a tree that libyang has accepted; in the order of the tree.

    tree_json: RFC 7951 JSON, with defaults. App-tags: range-order, tsr-overlap (TPL-64, TPL-66, TPL-68), pool-range,
    pool-overlap, pool-not-unicast (CTX-16, CTX-17), identity-form (TPL-27), bind-address-in-use (WSG-02),
    address-not-unique (CTX-05, CTX-06), pre-shared-key-missing (AUT-07).
    """
    faults: list[Fault] = []
    bound: dict[IPv4Address | IPv6Address, str] = {}
    for context in entries(plain(dict(tree_json)), "gateway", "context"):
        where: Segments = (entry("context", "name", context["name"]),)
        faults += _check_interfaces(context, where)
        faults += _check_pools(entries(context, "ip", "pool"), (*where, "ip"), "pool")
        faults += _check_pools(entries(context, "ipv6", "prefix-pool"), (*where, "ipv6"), "prefix-pool")
        for template in entries(context, "crypto", "template"):
            inside = (*where, "crypto", entry("template", "name", template["name"]))
            faults += _check_keys(template, inside)
            faults += _check_identities(template, inside)
            faults += _check_selectors(template, inside)
        faults += _check_binds(context, where, bound)
    return faults


def _check_interfaces(context: Node, where: Segments) -> Iterator[Fault]:
    """Every entry of an address that is on several interfaces is named, as each of them can be the wrong one."""
    for family, name in (("ipv4", "IPv4"), ("ipv6", "IPv6")):
        placed = [
            (
                item["ip"],
                (*where, entry("interface", "name", interface["name"]), family, entry("address", "ip", item["ip"])),
            )
            for interface in entries(context, "interface")
            for item in entries(interface, family, "address")
        ]
        times = Counter(address for address, _ in placed)
        for address, path in placed:
            if times[address] > 1:
                message = f"The {name} address is on another interface of the context already."
                yield Fault((*path, "ip"), "address-not-unique", message)


def _check_keys(template: Node, where: Segments) -> Iterator[Fault]:
    """A side that uses a pre-shared key has one of the template, or every network brings its own."""
    networks = entries(template, "peer", "network")
    if networks and all("pre-shared-key" in network for network in networks):
        return
    for side in ("local", "remote"):
        method = inner(template, "authentication", side).get("pre-shared-key")
        if method is not None and "key" not in method:
            message = (
                f"{side.capitalize()} authentication with a pre-shared key needs a key, here or on every peer network."
            )
            yield Fault((*where, "authentication", side, "pre-shared-key"), "pre-shared-key-missing", message)


def _check_binds(context: Node, where: Segments, bound: dict[IPv4Address | IPv6Address, str]) -> Iterator[Fault]:
    """bound: address -> which service has it, of the contexts before this one; those of this one are added."""
    for service in entries(context, "wsg-service"):
        bind = inner(service, "bind")
        if "address" not in bind:
            continue
        address = ip_address(bind["address"])
        other = bound.setdefault(address, f"{service['name']} of context {context['name']}")
        if other != f"{service['name']} of context {context['name']}":
            path = (*where, entry("wsg-service", "name", service["name"]), "bind", "address")
            yield Fault(path, "bind-address-in-use", f"Service {other} is bound to {address} already.")


def _check_pools(pools: list[Node], where: Segments, node: str) -> Iterator[Fault]:
    given: list[tuple[_Range, int]] = []
    for index, pool in enumerate(pools):
        path = (*where, entry(node, "name", pool["name"]))
        prefix = ip_network(pool["prefix"], strict=False)
        whole = _Range(prefix.version, int(prefix[0]), int(prefix[-1]), path, str(prefix))
        if kind := _not_for_hosts(prefix):
            yield Fault((*path, "prefix"), "pool-not-unicast", f"The prefix {prefix} has {kind} addresses in it.")
        ranges: list[_Range] = []
        for item in entries(pool, "range"):
            found, fault = _range(item, path, "range")
            if fault is not None:
                yield fault
                continue
            if not whole.first <= found.first <= found.last <= whole.last:
                yield Fault(found.where, "pool-range", f"The range {found.text} is not inside the prefix {prefix}.")
            for other in ranges:
                if found.meets(other):
                    yield Fault(found.where, "pool-range", f"The range {found.text} overlaps the range {other.text}.")
            ranges.append(found)
        given += [(found, index) for found in (ranges if entries(pool, "range") else [whole])]
    yield from _check_overlap(pools, given, where, node)


def _not_for_hosts(prefix: IPv4Network | IPv6Network) -> str:
    """What kind of address keeps a prefix from being a pool: a peer could not use it, or we would lose it ourselves.
    Empty when it is fine."""
    for kind, reserved in _NOT_FOR_HOSTS:
        if prefix.version == reserved.version and prefix.overlaps(reserved):
            return kind
    return ""


def _check_overlap(pools: list[Node], given: list[tuple[_Range, int]], where: Segments, node: str) -> Iterator[Fault]:
    """One fault for each pool that meets one before it in the tree; given: every range with the index of its pool.

    Ranges are looked at by first address, so that only the one that reaches furthest has to be remembered.
    """
    blamed: set[int] = set()
    furthest: tuple[_Range, int] | None = None
    for found, index in sorted(given, key=lambda item: item[0].first):
        if furthest is not None and furthest[1] != index and found.meets(furthest[0]):
            earlier, later = sorted((furthest, (found, index)), key=lambda item: item[1])
            if later[1] not in blamed:
                blamed.add(later[1])
                path = (*where, entry(node, "name", pools[later[1]]["name"]))
                name = pools[earlier[1]]["name"]
                message = f"The addresses {later[0].text} overlap {earlier[0].text} of pool {name}."
                yield Fault(path, "pool-overlap", message)
        if furthest is None or found.last > furthest[0].last:
            furthest = (found, index)


def _check_selectors(template: Node, where: Segments) -> Iterator[Fault]:
    seen: list[tuple[str, _Range]] = []
    for payload in entries(template, "payload"):
        path = (*where, entry("payload", "name", payload["name"]))
        for item in entries(payload, "tsr"):
            found, fault = _range(item, path, "tsr")
            if fault is not None:
                yield fault
                continue
            for name, other in seen:
                if found.meets(other):
                    message = f"The traffic selector {found.text} overlaps {other.text} of payload {name}."
                    yield Fault(found.where, "tsr-overlap", message)
            seen.append((payload["name"], found))


def _check_identities(template: Node, where: Segments) -> Iterator[Fault]:
    for names in (("identity", "local"), ("nai", "idr")):
        identity = inner(template, *names)
        if "id" not in identity:
            continue
        try:
            encode_identity(identity["id-type"], identity["id"])
        except IdentityError as error:
            yield Fault((*where, *names, "id"), "identity-form", f"The identity does not fit its type: {error}.")


def _range(item: Node, where: Segments, node: str) -> tuple[_Range, Fault | None]:
    first, last = ip_address(item["start-address"]), ip_address(item["end-address"])
    path = (*where, entry(node, "start-address", item["start-address"]))
    text = f"{first} to {last}"
    fault = None
    if first.version != last.version or int(first) > int(last):
        fault = Fault(path, "range-order", f"The start of the range {text} is above its end.")
    return _Range(first.version, int(first), int(last), path, text), fault
