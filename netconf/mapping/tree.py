"""Instance data as the mapping reads it: RFC 7951 JSON, with every default filled in, without the names of modules."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

Node = Mapping[str, Any]
"""One container or list entry: child name -> value.

Numbers up to 32 bits are int, larger ones text; identities keep their module.
"""

EMPTY: Node = {}


def plain(value: Any) -> Any:
    """`value` with the module taken off every member name, all the way down.

    Siblings of the same name from two modules do not exist in this model; were there any, ValueError says so.
    """
    if isinstance(value, dict):
        stripped = {name.partition(":")[2] or name: plain(child) for name, child in value.items()}
        if len(stripped) != len(value):
            raise ValueError(f"two members with one name among {sorted(value)}")
        return stripped
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def inner(node: Node, *names: str) -> Node:
    """The container at the end of `names`; an empty one where any of them is missing (JSON leaves out empty
    containers).
    """
    for name in names:
        node = node.get(name) or EMPTY
    return node


def entries(node: Node, *names: str) -> list[Any]:
    """The entries of the list (or values of the leaf-list) at the end of `names`, possibly none."""
    found: list[Any] = inner(node, *names[:-1]).get(names[-1]) or []
    return found


def address(text: str) -> str:
    """An address in the spelling of `ipaddress`; libyang's canonical form differs for ::ffff:192.0.2.1 and its like."""
    return str(ip_address(text))


def prefix(text: str) -> str:
    """A prefix in the spelling of `ipaddress`, without host bits."""
    return str(ip_network(text, strict=False))
