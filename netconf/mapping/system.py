"""/gateway/system -> System."""

from __future__ import annotations

from netconf.mapping.sharing import keep, keep_each
from netconf.mapping.tree import Node, address, entries
from nf.config.snapshot import Endpoint, LocalUser, System


def build_system(node: Node, old: System) -> System:
    """System of the container `system`. Without a listener there is none: the model has no default for lists."""
    users = (
        LocalUser(user["name"], user.get("password"), tuple(entries(user, "authorized-key")))
        for user in entries(node, "user")
    )
    return keep(
        System(
            hostname=node["hostname"],
            netconf_ssh=keep(_endpoints(entries(node, "netconf", "ssh", "listen")), old.netconf_ssh),
            metrics=keep(_endpoints(entries(node, "metrics", "listen")), old.metrics),
            users=keep_each(users, old.users, lambda user: user.name),
            ipsec_managers=node["ipsec-managers"],
            maximum_tunnels=node["maximum-tunnels"],
        ),
        old,
    )


def _endpoints(listeners: list[Node]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(address(listener["address"]), listener["port"], listener["name"]) for listener in listeners)
