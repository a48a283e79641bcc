"""<lock> (RFC 6241 section 7.5)."""

from __future__ import annotations

from netconf.rpc.base import OK, Call, datastore, parameters, required


async def run(call: Call) -> str:
    """Waits for a write in progress, in turn, then takes the lock or is denied; the error names the holder's
    session."""
    name = datastore(required(parameters(call.element, "target"), "target"))
    async with call.writing() as datastores:
        if name == "running":
            call.server.confirmer.check_lock(call.client.session_id)
        datastores.lock(name, call.client.session_id)
    return OK
