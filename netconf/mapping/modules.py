"""Which YANG modules make up the gateway's schema, in an order that libyang can load, and the namespaces of their
prefixes.

libyang 2.1 refuses an identity as a default value unless the module of the identity is implemented already:
openwsg-types is first.
"""

from __future__ import annotations

from typing import Final

MODULES: Final = (
    "openwsg-types",
    "openwsg-gateway",
    "openwsg-system",
    "openwsg-context",
    "openwsg-pool",
    "openwsg-transform-set",
    "openwsg-crypto-template",
    "openwsg-wsg-service",
    "openwsg-security-association",
    "openwsg-statistics",
)
"""Every module of `yang/`, all to be implemented."""

FEATURES: Final[dict[str, tuple[str, ...]]] = {
    "openwsg-types": ("weak-prf", "weak-integrity", "dont-fragment-control", "pre-fragment", "natt-include-header"),
}
"""Features to enable, by module. The others wait for the parts of the gateway that honour them."""

NAMESPACE_BASE: Final = "urn:openwsg:yang:"


def namespace(module: str) -> str:
    """The XML namespace of one of MODULES."""
    return NAMESPACE_BASE + module
