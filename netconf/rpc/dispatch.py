"""Which code carries out which operation, and the reply to a request."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from lxml import etree

from netconf import xmlio
from netconf.errors import RpcError, RpcErrors
from netconf.rpc import (
    cancel_commit,
    close_session,
    commit,
    copy_config,
    delete_config,
    discard_changes,
    edit_config,
    get,
    get_config,
    get_schema,
    kill_session,
    lock,
    modelled,
    unlock,
    validate,
)
from netconf.rpc.base import Call
from netconf.server import Client, Server
from netconf.session import Request
from netconf.xmlio import BASE, MONITORING

log = logging.getLogger(__name__)

_BASE: dict[str, Callable[[Call], Awaitable[str]]] = {
    "get": get.run,
    "get-config": get_config.run,
    "edit-config": edit_config.run,
    "copy-config": copy_config.run,
    "delete-config": delete_config.run,
    "lock": lock.run,
    "unlock": unlock.run,
    "validate": validate.run,
    "commit": commit.run,
    "cancel-commit": cancel_commit.run,
    "discard-changes": discard_changes.run,
    "close-session": close_session.run,
    "kill-session": kill_session.run,
}
OPERATIONS = {f"{{{BASE}}}{name}": run for name, run in _BASE.items()} | {f"{{{MONITORING}}}get-schema": get_schema.run}


async def answer(server: Server, client: Client, request: Request) -> bytes:
    """Carry out one request; the <rpc-reply>, never an exception of ours."""
    server.stats.in_rpcs += 1
    client.in_rpcs += 1
    name = "unknown"
    body = "<ok/>"
    errors: tuple[RpcError, ...] = ()
    try:
        if request.operation is None:
            server.stats.in_bad_rpcs += 1
            client.in_bad_rpcs += 1
            raise request.refusal or RpcError("malformed-message", "no operation", error_type="rpc")
        name = operation_name(server, request.operation)
        body = await carry_out(server, client, request.operation)
    except RpcError as error:
        errors = (error,)
    except RpcErrors as several:
        errors = several.errors
    except Exception:
        log.exception("operation-broken operation=%s session=%d", name, client.session_id)
        errors = (RpcError("operation-failed", "the operation failed inside the agent; its log says why"),)
    if errors:
        body = xmlio.error_xml(errors)
        server.stats.out_rpc_errors += len(errors)
        client.out_rpc_errors += len(errors)
    server.stats.count_operation(name, errors[0].tag if errors else "ok")
    return xmlio.reply(request.attributes, body, request.nsmap)


def operation_name(server: Server, element: etree._Element) -> str:
    """The name to count an operation by: one of a closed set."""
    name = etree.QName(element)
    if str(element.tag) in OPERATIONS or _modelled(server, element):
        return name.localname
    return "unknown"


async def carry_out(server: Server, client: Client, element: etree._Element) -> str:
    """The body of the reply; raises RpcError or RpcErrors."""
    call = Call(server, client, element)
    run = OPERATIONS.get(str(element.tag))
    if run is not None:
        return await run(call)
    if _modelled(server, element):
        return await modelled.run(call)
    name = etree.QName(element).localname
    raise RpcError(
        "operation-not-supported",
        f"there is no operation <{name}>",
        error_type="protocol",
        info=(("bad-element", name),),
    )


def _modelled(server: Server, element: etree._Element) -> bool:
    name = etree.QName(element)
    node = server.context.root_by_name.get((name.namespace or "", name.localname))
    return node is not None and node.kind == "rpc"
