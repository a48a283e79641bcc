"""What XPath 1.0 cannot say of a configuration: order and overlap of address ranges, and the form of identities.

`check_tree` runs at validate and before a commit, after libyang has accepted the tree. It reports every fault, not the
first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from netconf.mapping.paths import Segments, entry
from netconf.mapping.tree import Node, entries, inner, plain
from nf.policy.identity import IdentityError, encode_identity


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
    pool-overlap (CTX-16, CTX-17), identity-form (TPL-27).
    """
    faults: list[Fault] = []
    for context in entries(plain(dict(tree_json)), "gateway", "context"):
        where: Segments = (entry("context", "name", context["name"]),)
        faults += _check_pools(entries(context, "ip", "pool"), (*where, "ip"), "pool")
        faults += _check_pools(entries(context, "ipv6", "prefix-pool"), (*where, "ipv6"), "prefix-pool")
        for template in entries(context, "crypto", "template"):
            inside = (*where, "crypto", entry("template", "name", template["name"]))
            faults += _check_identities(template, inside)
            faults += _check_selectors(template, inside)
    return faults


def _check_pools(pools: list[Node], where: Segments, node: str) -> Iterator[Fault]:
    seen: list[tuple[str, list[_Range]]] = []
    for pool in pools:
        path = (*where, entry(node, "name", pool["name"]))
        prefix = ip_network(pool["prefix"], strict=False)
        ranges: list[_Range] = []
        for item in entries(pool, "range"):
            found, fault = _range(item, path, "range")
            if fault is not None:
                yield fault
                continue
            if found.first < int(prefix[0]) or found.last > int(prefix[-1]):
                yield Fault(found.where, "pool-range", f"The range {found.text} is not inside the prefix {prefix}.")
            for other in ranges:
                if found.meets(other):
                    yield Fault(found.where, "pool-range", f"The range {found.text} overlaps the range {other.text}.")
            ranges.append(found)
        if not entries(pool, "range"):
            ranges = [_Range(prefix.version, int(prefix[0]), int(prefix[-1]), path, str(prefix))]
        for name, others in seen:
            clash = next(((a, b) for a in ranges for b in others if a.meets(b)), None)
            if clash is not None:
                message = f"The addresses {clash[0].text} overlap {clash[1].text} of pool {name}."
                yield Fault(path, "pool-overlap", message)
        seen.append((pool["name"], ranges))


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
