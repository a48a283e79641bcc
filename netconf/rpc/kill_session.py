"""<kill-session> (RFC 6241 section 7.9)."""

from __future__ import annotations

from netconf.errors import RpcError
from netconf.rpc.base import OK, Call, parameters, required, text


async def run(call: Call) -> str:
    """End another session at once; its locks are free when the reply is sent."""
    given = text(required(parameters(call.element, "session-id"), "session-id"))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:11]) <= 0xFFFFFFFF:
        raise RpcError("invalid-value", "a session-id is a number from 1", info=(("bad-element", "session-id"),))
    session_id = int(given)
    if session_id == call.client.session_id:
        raise RpcError("invalid-value", "a session cannot kill itself", info=(("bad-element", "session-id"),))
    victim = call.server.clients.get(session_id)
    if victim is None:
        raise RpcError("invalid-value", f"there is no session {session_id}", info=(("bad-element", "session-id"),))
    call.server.stats.sessions_dropped += 1
    call.server.leave(victim)
    victim.close()
    return OK
