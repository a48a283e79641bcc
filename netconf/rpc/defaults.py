"""The parameter <with-defaults> (RFC 6243): how a reply or a copy treats what nobody has set."""

from __future__ import annotations

from typing import cast

from lxml import etree

from netconf.rpc.base import keyword
from netconf.yang.tree import MODES, Mode, Tree

NAMESPACE = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"
PARAMETER = {"with-defaults": NAMESPACE}
"""For `parameters`."""
CAPABILITY = (
    "urn:ietf:params:netconf:capability:with-defaults:1.0"
    "?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim"
)


def mode(found: dict[str, etree._Element]) -> Mode:
    """The mode that is asked for, or the basic one; raises RpcError invalid-value."""
    return cast(Mode, keyword(found, "with-defaults", MODES, "explicit"))


def source(tree: Tree, asked: Mode, *, complete: bool) -> Tree:
    """The tree to select from. complete: `tree` holds its defaults already, as a committed one does."""
    if complete or asked not in ("report-all", "report-all-tagged"):
        return tree
    return tree.filled()


def copied(tree: Tree, asked: Mode) -> Tree:
    """What a copy of `tree` holds (RFC 6243 section 4.5.1): for report-all the defaults are set, for trim what equals
    a default is not. A tagged default is taken as the default that it is, so that copy is the same as an explicit
    one."""
    if asked == "trim":
        return tree.context.parse(tree.print("json", mode="trim"), "json")
    if asked == "report-all":
        return tree.context.parse(tree.filled().print("json", mode="report-all"), "json")
    return tree
