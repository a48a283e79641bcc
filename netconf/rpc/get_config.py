"""<get-config> (RFC 6241 section 7.1)."""

from __future__ import annotations

from netconf.rpc import filters
from netconf.rpc.base import Call, datastore, parameters, required


async def run(call: Call) -> str:
    """The explicit content of a datastore; secrets are sealed there, so they are in the reply."""
    found = parameters(call.element, "source", "filter")
    name = datastore(required(found, "source"))
    if name == "running" and "filter" not in found:
        return filters.data(call.server.datastores.running_xml())
    return filters.data(filters.apply(call.server.datastores.read(name), found.get("filter")).print("xml"))
