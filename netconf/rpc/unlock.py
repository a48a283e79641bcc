"""<unlock> (RFC 6241 section 7.6)."""

from __future__ import annotations

from netconf.rpc.base import OK, Call, datastore, parameters, required


async def run(call: Call) -> str:
    """Release a lock of this session; what the candidate holds uncommitted is discarded (section 8.3.5.2)."""
    name = datastore(required(parameters(call.element, "target"), "target"))
    async with call.writing() as datastores:
        datastores.unlock(name, call.client.session_id)
    return OK
