"""<get-config> (RFC 6241 section 7.1)."""

from __future__ import annotations

from netconf.rpc import defaults, filters
from netconf.rpc.base import Call, datastore, parameters, required


async def run(call: Call) -> str:
    """The explicit content of a datastore; secrets are sealed there, so they are in the reply."""
    found = parameters(call.element, "source", "filter", others=defaults.PARAMETER)
    name = datastore(required(found, "source"))
    mode = defaults.mode(found)
    if name == "running" and "filter" not in found and mode == "explicit":
        return filters.data(call.server.datastores.running_xml())
    tree = defaults.source(call.server.datastores.read(name), mode, complete=name == "running")
    return filters.data(filters.apply(tree, found.get("filter")).print("xml", mode=mode))
