"""<delete-config> (RFC 6241 section 7.4): startup only."""

from __future__ import annotations

import asyncio

from netconf.errors import RpcError
from netconf.rpc.base import OK, Call, datastore, parameters, required


async def run(call: Call) -> str:
    """Empty the startup datastore."""
    found = parameters(call.element, "target")
    datastore(required(found, "target"), ("startup",))
    async with call.writing() as datastores:
        datastores.check_access("startup", call.client.session_id)
        try:
            await asyncio.to_thread(call.server.store.delete, "startup")
        except OSError as error:
            raise RpcError("operation-failed", f"startup cannot be removed: {error.strerror}") from None
        datastores.startup = None
    return OK
