"""<get> (RFC 6241 section 7.7): running and all state data."""

from __future__ import annotations

from lxml import etree

from netconf import operational
from netconf.rpc import defaults, filters
from netconf.rpc.base import Call, parameters
from netconf.xmlio import local_name


async def run(call: Call) -> str:
    """Only the state that the filter can select is asked of the gateway."""
    found = parameters(call.element, "filter", others=defaults.PARAMETER)
    mode = defaults.mode(found)
    element = found.get("filter")
    tree = await operational.tree(call.server, _roots(element))
    return filters.data(filters.apply(tree, element).print("xml", mode=mode))


def _roots(element: etree._Element | None) -> frozenset[str] | None:
    """The names of the top-level nodes that a filter can select, None for all."""
    if element is None or filters.attribute(element, "type") == "xpath":
        return None
    return frozenset(local_name(child) for child in element)
