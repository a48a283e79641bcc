"""What the operations have in common: their parameters, and the datastores these name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lxml import etree

from netconf import xmlio
from netconf.datastores import NAMES, Datastores, Name
from netconf.errors import RpcError, missing_element, unknown_element
from netconf.server import Client, Server
from netconf.xmlio import BASE


@dataclass(frozen=True, slots=True)
class Call:
    """One operation to carry out: who asks, and the operation's element."""

    server: Server
    client: Client
    element: etree._Element

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Datastores]:
        """Sole access to the datastores, in turn. A session that ended while it waited gets none (RFC 6241, 7.9)."""
        async with self.server.datastores.writing:
            if self.client.closing:
                raise RpcError("operation-failed", "the session has ended")
            yield self.server.datastores


def parameters(
    element: etree._Element, *names: str, namespace: str = BASE, others: Mapping[str, str] | None = None
) -> dict[str, etree._Element]:
    """The children of an operation by name; raises RpcError for one that is not in `names`, or is there twice.

    others: parameters that other modules add, with their namespaces.
    """
    known = dict.fromkeys(names, namespace) | dict(others or {})
    found: dict[str, etree._Element] = {}
    for child in element:
        name = xmlio.local_name(child)
        if known.get(name) != xmlio.namespace(child):
            operation = xmlio.local_name(element)
            error = unknown_element(name, f"<{operation}> knows no <{name}>")
            error.error_type = "protocol"
            raise error
        if name in found:
            raise RpcError(
                "bad-element", f"<{name}> is given twice", error_type="protocol", info=(("bad-element", name),)
            )
        found[name] = child
    return found


def required(found: dict[str, etree._Element], name: str) -> etree._Element:
    """A parameter that must be there."""
    if name not in found:
        raise missing_element(name)
    return found[name]


def keyword(found: dict[str, etree._Element], name: str, allowed: tuple[str, ...], default: str) -> str:
    """A parameter that is one of some words."""
    if name not in found:
        return default
    value = text(found[name])
    if value not in allowed:
        raise RpcError(
            "invalid-value",
            f'<{name}> is one of {", ".join(allowed)}, not "{value}"',
            error_type="protocol",
            info=(("bad-element", name),),
        )
    return value


def text(element: etree._Element) -> str:
    """The text of an element, without white space around it."""
    return (element.text or "").strip()


def datastore(element: etree._Element, allowed: tuple[Name, ...] = NAMES) -> Name:
    """The datastore that <target> or <source> names; raises RpcError for none, an unknown one, or one not in
    `allowed`."""
    where = xmlio.local_name(element)
    if len(element) != 1:
        raise (
            missing_element(where)
            if not len(element)
            else RpcError(
                "bad-element", f"<{where}> names one datastore", error_type="protocol", info=(("bad-element", where),)
            )
        )
    name = xmlio.local_name(element[0])
    for known in NAMES:
        if known == name and xmlio.namespace(element[0]) == BASE:
            if known in allowed:
                return known
            parent = element.getparent()
            operation = where if parent is None else xmlio.local_name(parent)
            raise RpcError(
                "operation-not-supported",
                f"<{operation}> does not take {name} as <{where}>",
                error_type="protocol",
                info=(("bad-element", name),),
            )
    raise RpcError(
        "operation-not-supported" if name == "url" else "unknown-element",
        f"<{where}> knows no <{name}>",
        error_type="protocol",
        info=(("bad-element", name),),
    )


OK = "<ok/>"
