"""<copy-config> (RFC 6241 section 7.3): whole datastores, to candidate or startup."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from lxml import etree

from netconf import xmlio
from netconf.datastores import Name
from netconf.errors import RpcError
from netconf.rpc import defaults
from netconf.rpc.base import OK, Call, datastore, parameters, required
from netconf.server import Server
from netconf.store import Stored
from netconf.yang.edit import Editor
from netconf.yang.tree import TAG_NAMESPACE, Tree


async def run(call: Call) -> str:
    """running is no target: it changes by commit alone."""
    found = parameters(call.element, "target", "source", others=defaults.PARAMETER)
    mode = defaults.mode(found)
    target = datastore(required(found, "target"), ("candidate", "startup"))
    source = required(found, "source")
    async with call.writing() as datastores:
        datastores.check_access(target, call.client.session_id)
        tree, name = source_tree(call.server, source)
        if name == target:
            raise RpcError("invalid-value", "source and target are the same datastore", error_type="protocol")
        tree = defaults.copied(tree, mode)
        if target == "candidate":
            if name == "running" and mode in ("explicit", "report-all-tagged"):
                datastores.discard()
            else:
                datastores.replace_candidate(tree)
        else:
            # Startup is loaded by people who count on it, so it must be valid as it is stored.
            trial = tree.duplicate()
            trial.validate()
            time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            stored = Stored(call.server.stats.running_revision, time, call.client.author, trial.print("json"))
            try:
                await asyncio.to_thread(call.server.store.write, "startup", stored)
            except OSError as error:
                raise RpcError("operation-failed", f"startup cannot be stored: {error.strerror}") from None
            datastores.startup = trial
    return OK


def source_tree(server: Server, source: etree._Element) -> tuple[Tree, Name | None]:
    """A copy of what <source> gives: a datastore, or inline <config>, with its secrets sealed. Raises RpcError,
    RpcErrors."""
    if len(source) == 1 and source[0].tag == f"{{{xmlio.BASE}}}config":
        if next(source.iterfind(f".//*[@{{{TAG_NAMESPACE}}}default]"), None) is not None:
            tree = server.context.empty()
            editor = Editor(tree, server.committer.take_in, server.datastores.running)
            editor.apply(source[0])
            editor.keep()
            return tree, None
        tree = server.context.parse(xmlio.inner_xml(source[0]), "xml")
        seal(server, tree)
        return tree, None
    name = datastore(source)
    return server.datastores.read(name).duplicate(), name


def seal(server: Server, tree: Tree) -> None:
    """Seal every secret of a tree from outside; an equal one keeps the text that is stored in running."""
    running, take_in = server.datastores.running, server.committer.take_in
    tree.map_secrets(lambda path, text: take_in(path, text, running.value_at(path)))
