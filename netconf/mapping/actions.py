"""The operations of openwsg-security-association: their input as a command, and their output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netconf.mapping.tree import plain
from nf.ike.inputs import SaFilter

CLEAR: Final = "openwsg-security-association:clear-security-association"


def sa_filter(rpc_json: Mapping[str, Any]) -> SaFilter:
    """The filter of a valid clear-security-association (EXE-01).

    rpc_json: RFC 7951 JSON of the rpc, with its own element at the top or only what is in it. `all` gives a filter
    without conditions.
    """
    given = plain(dict(rpc_json))
    given = given.get("clear-security-association", given)
    return SaFilter(
        context=given.get("context"),
        service=given.get("wsg-service"),
        template=given.get("crypto-template"),
        peer=given.get("peer"),
        remote_id=given.get("remote-identity"),
        spi=given.get("local-spi"),
        child_spi=given.get("child-sa-spi"),
    )


def clear_reply(deleted: int) -> dict[str, Any]:
    """The output as RFC 7951 JSON."""
    return {CLEAR: {"deleted": deleted}}
