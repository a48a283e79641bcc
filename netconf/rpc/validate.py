"""<validate> (RFC 6241 section 8.6): a datastore, or configuration that is sent along."""

from __future__ import annotations

from netconf.rpc.base import OK, Call, parameters, required
from netconf.rpc.copy_config import source_tree


async def run(call: Call) -> str:
    """Model, rules beyond the model, and every participant's prepare, as a commit would do; nothing changes."""
    source = required(parameters(call.element, "source"), "source")
    async with call.writing():
        tree, _ = source_tree(call.server, source)
        await call.server.committer.check(tree)
    return OK
