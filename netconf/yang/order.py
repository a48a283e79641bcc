"""Places in lists that are ordered by user: the attributes insert, key and value (RFC 7950 sections 7.7.9 and
7.8.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lxml import etree

from netconf.errors import RpcError, bad_attribute
from netconf.yang import clib
from netconf.yang.clib import NULL, Node
from netconf.yang.schema import SchemaNode

if TYPE_CHECKING:
    from netconf.yang.workspace import Workspace

YANG = "urn:ietf:params:xml:ns:yang:1"
_KEY = re.compile(r"""\s*\[\s*(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)\s*=\s*(?:'([^']*)'|"([^"]*)")\s*\]""")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is wanted; beside what, for before and after: the text of key or value."""

    where: Literal["first", "last", "before", "after"]
    beside: str = ""


def wanted(element: etree._Element, schema: SchemaNode) -> Place | None:
    """The place that the attributes of an element ask for; raises RpcError for attributes that do not fit."""
    attributes = {
        etree.QName(str(name)).localname: str(value)
        for name, value in element.attrib.items()
        if etree.QName(str(name)).namespace == YANG
    }
    if not attributes:
        return None
    local = schema.name
    for name in attributes:
        if name not in ("insert", "key", "value") or not schema.user_ordered:
            raise RpcError(
                "unknown-attribute",
                f'the attribute "{name}" has no meaning on "{local}"',
                info=(("bad-attribute", name), ("bad-element", local)),
            )
    insert = attributes.get("insert")
    if insert in ("first", "last"):
        return Place("first" if insert == "first" else "last")
    if insert in ("before", "after"):
        beside = "key" if schema.kind == "list" else "value"
        if beside not in attributes:
            raise RpcError(
                "missing-attribute",
                f'insert="{insert}" needs the attribute "{beside}"',
                info=(("bad-attribute", beside), ("bad-element", local)),
            )
        return Place("before" if insert == "before" else "after", attributes[beside])
    raise bad_attribute("insert", local, f'"{insert}" is no place: first, last, before or after')


def place(work: Workspace, node: Node, parent: Node, schema: SchemaNode, target: Place) -> bool:
    """Move `node` to its place; whether that changed anything. Raises RpcError when there is nothing to go beside."""
    entries = [other for other in clib.following(work.first(parent)) if other.schema == node.schema]
    before = [clib.address(other) for other in entries]
    if target.where == "first":
        if entries[0] != node:
            clib.insert_before(entries[0], node)
    elif target.where == "last":
        if entries[-1] != node:
            clib.insert_after(entries[-1], node)
    else:
        anchor = _anchor(work, parent, schema, target)
        if not anchor:
            name = "key" if schema.kind == "list" else "value"
            raise bad_attribute(
                name, schema.name, f"there is no entry {target.beside} to go beside", app_tag="missing-instance"
            )
        if anchor != node:
            (clib.insert_before if target.where == "before" else clib.insert_after)(anchor, node)
    head = entries[0]
    while previous_of(head):
        head = previous_of(head)
    after = [clib.address(other) for other in clib.following(head) if other.schema == node.schema]
    return before != after


def _anchor(work: Workspace, parent: Node, schema: SchemaNode, target: Place) -> Node:
    """The entry that key or value names, NULL when there is none."""
    try:
        if schema.kind == "leaf-list":
            node = work.new_term(parent, schema, target.beside)
        else:
            given = {match[1]: match[2] if match[2] is not None else match[3] for match in _KEY.finditer(target.beside)}
            if set(given) != set(schema.keys):
                return NULL
            node = work.new_list(parent, schema, [(name, given[name]) for name in schema.keys])
    except RpcError:
        return NULL
    work.drop(node)
    return clib.find_like(work.first(parent), node)


def next_of(node: Node) -> Node:
    """The next entry of the same list, or NULL."""
    return node.next if node.next and node.next.schema == node.schema else NULL


def previous_of(node: Node) -> Node:
    """The entry before in the same list, or NULL (libyang closes the backward chain into a ring)."""
    before = node.prev
    return before if before.next and before.schema == node.schema else NULL


def restore(node: Node, successor: Node, predecessor: Node) -> None:
    """Undo a move: back between its former neighbours, where they stand again by now."""
    if successor:
        clib.insert_before(successor, node)
    elif predecessor:
        clib.insert_after(predecessor, node)
