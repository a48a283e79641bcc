"""What differs between two snapshots, by kind of object. A pure function.

An object is named by a tuple of strings from the context inwards. A context counts as changed only when something of
its own (not of the objects inside it) changed; unchanged objects are mostly shared between snapshots, so comparing
them costs an identity check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from nf.config.snapshot import Context, GatewaySnapshot, System

Name = tuple[str, ...]


class ObjectKind(Enum):
    """The kinds of objects that participants care about one by one."""

    SYSTEM = "system"
    USER = "user"
    CONTEXT = "context"
    INTERFACE = "interface"
    POOL = "pool"
    TEMPLATE = "template"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Delta:
    """Objects of one kind: name -> new object, name -> old object, name -> (old, new)."""

    added: Mapping[Name, Any]
    removed: Mapping[Name, Any]
    changed: Mapping[Name, tuple[Any, Any]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def objects(snapshot: GatewaySnapshot) -> dict[ObjectKind, dict[Name, Any]]:
    """Every object of a snapshot, by kind and name. SYSTEM and CONTEXT come without what is listed apart."""
    found: dict[ObjectKind, dict[Name, Any]] = {kind: {} for kind in ObjectKind}
    found[ObjectKind.SYSTEM][()] = _own_system(snapshot.system)
    for user in snapshot.system.users:
        found[ObjectKind.USER][(user.name,)] = user
    for context in snapshot.contexts:
        found[ObjectKind.CONTEXT][(context.name,)] = _own_context(context)
        for interface in context.interfaces:
            found[ObjectKind.INTERFACE][(context.name, interface.name)] = interface
        for pool in context.pools:
            found[ObjectKind.POOL][(context.name, pool.name)] = pool
        for template in context.templates:
            found[ObjectKind.TEMPLATE][(context.name, template.name)] = template
        for service in context.services:
            found[ObjectKind.SERVICE][(context.name, service.name)] = service
    return found


def diff(old: GatewaySnapshot, new: GatewaySnapshot) -> dict[ObjectKind, Delta]:
    """The delta of every kind, the empty ones included. The revision is not an object."""
    before, after = objects(old), objects(new)
    return {kind: _delta(before[kind], after[kind]) for kind in ObjectKind}


def _delta(old: dict[Name, Any], new: dict[Name, Any]) -> Delta:
    return Delta(
        added={name: value for name, value in new.items() if name not in old},
        removed={name: value for name, value in old.items() if name not in new},
        changed={
            name: (old[name], value)
            for name, value in new.items()
            if name in old and old[name] is not value and old[name] != value
        },
    )


def _own_system(system: System) -> System:
    return replace(system, users=())


def _own_context(context: Context) -> Context:
    return replace(context, interfaces=(), pools=(), templates=(), services=())
