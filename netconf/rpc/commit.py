"""<commit> (RFC 6241 sections 8.3.4 and 8.4)."""

from __future__ import annotations

import asyncio

from lxml import etree

from netconf.confirm import DEFAULT_TIMEOUT_S
from netconf.errors import RpcError
from netconf.rpc.base import OK, Call, parameters, text

_MAX_TOKEN = 255


async def run(call: Call) -> str:
    """Put the candidate in force. A session that goes away meanwhile does not stop half-way what it has begun."""
    found = parameters(call.element, "confirmed", "confirm-timeout", "persist", "persist-id")
    for name in ("confirm-timeout", "persist"):
        if name in found and "confirmed" not in found:
            raise _invalid(name, f"<{name}> is for a confirmed commit only")
    return await asyncio.shield(asyncio.ensure_future(_commit(call, found)))


async def _commit(call: Call, found: dict[str, etree._Element]) -> str:
    seconds, persist, persist_id = _seconds(found), token(found, "persist"), token(found, "persist-id")
    confirmer, session_id = call.server.confirmer, call.client.session_id
    async with call.writing() as datastores:
        datastores.check_access("running", session_id)
        datastores.check_access("candidate", session_id)
        if "confirmed" in found:
            await confirmer.commit_confirmed(call.client.author, seconds, persist, persist_id)
        else:
            await confirmer.commit(call.client.author, persist_id)
    if session_id not in call.server.clients:
        confirmer.session_ended(session_id)  # it ended while we were at it
    return OK


def token(found: dict[str, etree._Element], name: str) -> str | None:
    """<persist> or <persist-id>, None when it is not given; raises RpcError for one that is empty or too long."""
    if name not in found:
        return None
    value = text(found[name])
    if not 1 <= len(value) <= _MAX_TOKEN:
        raise _invalid(name, f"<{name}> has 1 to {_MAX_TOKEN} characters")
    return value


def _seconds(found: dict[str, etree._Element]) -> int:
    if "confirm-timeout" not in found:
        return DEFAULT_TIMEOUT_S
    value = text(found["confirm-timeout"])
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:11]) <= 0xFFFFFFFF:
        raise _invalid("confirm-timeout", "<confirm-timeout> is a number of seconds from 1")
    return int(value)


def _invalid(name: str, message: str) -> RpcError:
    return RpcError("invalid-value", message, error_type="protocol", info=(("bad-element", name),))
