"""The validated data tree -> GatewaySnapshot, sharing what has not changed with the snapshot before it (architecture
section 3).

This version walks the whole tree. What it returns is the same as a narrow walk would return, so the interface can stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netconf.mapping.contexts import build_contexts
from netconf.mapping.secret_leaves import Secrets
from netconf.mapping.system import build_system
from netconf.mapping.tree import inner, plain
from nf.config.snapshot import GatewaySnapshot, SecretRef, System

ROOT = "gateway"

NO_SYSTEM = System(netconf_ssh=(), metrics=())


def build_snapshot(
    tree_json: Mapping[str, Any], previous: GatewaySnapshot | None, unseal: Callable[[str], bytes]
) -> tuple[GatewaySnapshot, dict[SecretRef, bytes]]:
    """The snapshot of `tree_json`, and the clear octets of every secret it refers to.

    tree_json: RFC 7951 JSON of the whole running tree, as a dict, valid and with all defaults (libyang:
    `include_implicit_defaults`). previous: the snapshot in force; equal objects are taken from it, contexts keep their
    index, and a tree without any change gives `previous` itself. Otherwise the revision is one more than that of
    `previous`. unseal: stored text of a secret leaf -> its octets; what it raises passes through.
    """
    before = previous if previous is not None else GatewaySnapshot(system=NO_SYSTEM)
    gateway = inner(plain(dict(tree_json)), ROOT)
    secrets = Secrets(unseal)
    system = build_system(gateway["system"], before.system)
    contexts = build_contexts(gateway, before.contexts, secrets)
    if previous is not None and system is previous.system and contexts is previous.contexts:
        return previous, secrets.octets
    return GatewaySnapshot(before.revision + 1, system, contexts), secrets.octets
