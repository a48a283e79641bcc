"""/gateway/context/wsg-service -> WsgService (area 7)."""

from __future__ import annotations

from netconf.mapping.sharing import keep_each
from netconf.mapping.tree import Node, address, entries, inner
from nf.config.snapshot import WsgService

DEFAULT_PRE_FRAGMENT_MTU = 1400


def build_services(context: Node, old: tuple[WsgService, ...]) -> tuple[WsgService, ...]:
    """Services of a context that have a deployment mode; without one a service is not bound, and there is nothing to
    run.
    """
    services = (
        _service(node, context["name"]) for node in entries(context, "wsg-service") if "deployment-mode" in node
    )
    return keep_each(services, old, lambda service: service.name)


def _service(node: Node, context: str) -> WsgService:
    bind = inner(node, "bind")
    return WsgService(
        context=context,
        name=node["name"],
        deployment_mode=node["deployment-mode"],
        bind_address=address(bind["address"]) if "address" in bind else None,
        template=bind.get("crypto-template"),
        ipv4_pool=inner(node, "ip", "address").get("pool-name"),
        ipv6_pool=inner(node, "ipv6", "address").get("prefix-pool"),
        initial_contact=node["initial-contact"],
        pre_fragment_mtu=inner(node, "pre-fragment").get("mtu", DEFAULT_PRE_FRAGMENT_MTU),
    )
