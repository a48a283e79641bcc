"""<cancel-commit> (RFC 6241 section 8.4.4.1)."""

from __future__ import annotations

import asyncio

from netconf.rpc.base import OK, Call, parameters
from netconf.rpc.commit import token


async def run(call: Call) -> str:
    """Take a pending commit back at once; what has begun is not stopped half-way."""
    return await asyncio.shield(asyncio.ensure_future(_cancel(call)))


async def _cancel(call: Call) -> str:
    persist_id = token(parameters(call.element, "persist-id"), "persist-id")
    async with call.writing() as datastores:
        datastores.check_access("running", call.client.session_id)
        await call.server.confirmer.cancel(call.client.session_id, persist_id)
    return OK
