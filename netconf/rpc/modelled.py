"""Operations that our own modules define: their input is checked by the model, their work is done by the gateway."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from lxml import etree

from netconf.errors import RpcError
from netconf.mapping import actions
from netconf.rpc.base import Call


async def _clear(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    return actions.clear_reply(await call.server.gateway.clear(actions.sa_filter(given)))


HANDLERS: dict[str, Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]] = {actions.CLEAR: _clear}
"""By module:name of the rpc."""


async def run(call: Call) -> str:
    """Carry out the rpc that the call's element names; its output as XML, or ok."""
    context = call.server.context
    name = etree.QName(call.element)
    handler = HANDLERS.get(f"{context.module_of(name.namespace or '')}:{name.localname}")
    if handler is None:
        raise RpcError("operation-not-supported", f"<{name.localname}> is not carried out here", error_type="protocol")
    given = json.loads(context.rpc_input(etree.tostring(call.element, with_tail=False)))
    return context.rpc_output(json.dumps(await handler(call, given))) or "<ok/>"
