"""<discard-changes> (RFC 6241 section 8.3.4.2)."""

from __future__ import annotations

from netconf.rpc.base import OK, Call, parameters


async def run(call: Call) -> str:
    """Make the candidate equal running."""
    parameters(call.element)
    async with call.writing() as datastores:
        datastores.check_access("candidate", call.client.session_id)
        datastores.discard()
    return OK
