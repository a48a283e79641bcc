"""Which secrets a snapshot refers to, gathered while it is built, and which leaves hold any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from netconf.mapping.paths import Segments, secret_ref
from nf.config.snapshot import SecretRef

EXTENSION: Final = "secret"
EXTENSION_MODULE: Final = "openwsg-types"


class Secrets:
    """Collects the clear octets of secret leaves by their reference. Nothing of it shows in its repr."""

    def __init__(self, unseal: Callable[[str], bytes]) -> None:
        self._unseal = unseal
        self.octets: dict[SecretRef, bytes] = {}

    def __repr__(self) -> str:
        return f"Secrets({len(self.octets)})"

    def take(self, stored: str | None, *where: str) -> SecretRef | None:
        """The reference of the leaf at `where` that holds `stored`, whose clear octets are remembered; None without a
        value.

        Raises what `unseal` raises.
        """
        if stored is None:
            return None
        segments: Segments = where
        reference = secret_ref(segments, stored)
        self.octets[reference] = self._unseal(stored)
        return reference


def is_secret(schema_node: Any) -> bool:
    """Whether a schema node of the libyang binding (SNode) is marked with the extension `secret` of openwsg-types."""
    return schema_node.get_extension(EXTENSION, prefix=EXTENSION_MODULE) is not None
