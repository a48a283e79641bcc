"""/gateway/context -> Context, with everything in it (area 1)."""

from __future__ import annotations

from itertools import chain, count

from netconf.mapping.pools import build_pools
from netconf.mapping.secret_leaves import Secrets
from netconf.mapping.services import build_services
from netconf.mapping.sharing import keep, keep_each
from netconf.mapping.templates import build_templates
from netconf.mapping.tree import Node, address, entries, inner
from nf.config.snapshot import Context, Interface

FIRST_INDEX = 1


def build_contexts(gateway: Node, old: tuple[Context, ...], secrets: Secrets) -> tuple[Context, ...]:
    """Contexts in the order of the tree.

    A context keeps its index while it exists. A new one gets the lowest that no context has, nor had just before: the
    data path may still be taking the old one down when it hears of the new one.
    """
    before = {context.name: context for context in old}
    taken = {context.index for context in old}
    free = (index for index in count(FIRST_INDEX) if index not in taken)
    contexts = []
    for node in entries(gateway, "context"):
        previous = before.get(node["name"])
        index = previous.index if previous is not None else next(free)
        contexts.append(_context(node, index, previous or Context(node["name"], index), secrets))
    return keep_each(contexts, old, lambda context: context.name)


def _context(node: Node, index: int, old: Context, secrets: Secrets) -> Context:
    replay = inner(node, "ipsec", "replay")
    interfaces = (_interface(interface) for interface in entries(node, "interface"))
    return Context(
        name=node["name"],
        index=index,
        interfaces=keep_each(interfaces, old.interfaces, lambda interface: interface.name),
        name_servers=keep(tuple(address(server) for server in entries(node, "name-server")), old.name_servers),
        pools=build_pools(node, old.pools),
        templates=build_templates(node, old.templates, secrets),
        services=build_services(node, old.services),
        replay_window=replay["window-size"] if replay["enabled"] else 0,
    )


def _interface(node: Node) -> Interface:
    addresses = chain(entries(node, "ipv4", "address"), entries(node, "ipv6", "address"))
    return Interface(
        name=node["name"],
        loopback=node["loopback"],
        addresses=tuple(f"{address(item['ip'])}/{item['prefix-length']}" for item in addresses),
    )
