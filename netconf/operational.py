"""The operational state as one tree: running, what the gateway tells, and what the agent knows of itself."""

from __future__ import annotations

import json
from collections.abc import Collection

from netconf import monitoring
from netconf.mapping.state import state_data
from netconf.server import Server
from netconf.yang.tree import Tree
from nf.config.snapshot import GatewaySnapshot

GATEWAY = "gateway"
MONITORING = "netconf-state"
YANG_LIBRARY = ("yang-library", "modules-state")


async def tree(server: Server, roots: Collection[str] | None) -> Tree:
    """All that has one of the top-level names `roots` (None: everything); the caller owns it."""
    if roots is None or GATEWAY in roots:
        views = await server.gateway.views()
        state = state_data(views, server.committer.snapshot or GatewaySnapshot())
        result = server.datastores.running.duplicate()
        result.merge(server.context.parse(json.dumps(state), "json", state=True))
    else:
        result = server.context.empty()
    if roots is None or MONITORING in roots:
        result.merge(monitoring.state(server))
    if roots is None or any(name in roots for name in YANG_LIBRARY):
        result.merge(server.context.yang_library(server.content_id))
    return result
