"""<commit> (RFC 6241 section 8.3.4)."""

from __future__ import annotations

import asyncio

from netconf.errors import RpcError
from netconf.rpc.base import OK, Call, parameters

_CONFIRMED = ("confirmed", "confirm-timeout", "persist", "persist-id")


async def run(call: Call) -> str:
    """Put the candidate in force. A session that goes away meanwhile does not stop half-way what it has begun."""
    if parameters(call.element, *_CONFIRMED):
        raise RpcError(
            "operation-not-supported", "the capability :confirmed-commit is not there", error_type="protocol"
        )
    return await asyncio.shield(asyncio.ensure_future(_commit(call)))


async def _commit(call: Call) -> str:
    async with call.writing() as datastores:
        datastores.check_access("running", call.client.session_id)
        datastores.check_access("candidate", call.client.session_id)
        await call.server.committer.commit_candidate(call.client.author)
    return OK
