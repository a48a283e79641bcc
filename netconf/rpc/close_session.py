"""<close-session> (RFC 6241 section 7.8)."""

from __future__ import annotations

from netconf.rpc.base import OK, Call, parameters


async def run(call: Call) -> str:
    """The driver ends the session after this reply."""
    parameters(call.element)
    call.client.closing = True
    return OK
