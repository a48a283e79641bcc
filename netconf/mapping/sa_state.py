"""IkeSaView -> an entry of /gateway/security-associations/ike-sa, as RFC 7951 JSON (SHO-29, SHO-31, STA-91)."""

from __future__ import annotations

import re
from typing import Any

from netconf.mapping.algorithms import encryption_identity, group_identity, hmac_identity, prf_identity
from nf.datapath.port import Selector
from nf.views import ChildSaView, IkeSaView

Json = dict[str, Any]

_NOT_YANG_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0001fffd]")
"""What RFC 7950 section 9.4 keeps out of a string, and the planes that nobody writes in."""


def ike_sa(view: IkeSaView) -> Json:
    """The entry of one IKE SA with its Child SAs."""
    return without_none(
        {
            "local-spi": view.local_spi,
            "initiator-spi": view.spi_i,
            "responder-spi": view.spi_r,
            "original-initiator": view.original_initiator,
            "state": view.state,
            "context": view.context,
            "wsg-service": view.service,
            "crypto-template": view.template,
            "ipsec-manager": view.worker,
            "local": {
                "address": view.local,
                "port": view.local_port,
                "identity": printable(view.local_id),
                "behind-nat": view.nat_local,
            },
            "remote": {
                "address": view.remote,
                "port": view.remote_port,
                "identity": printable(view.remote_id),
                "identity-type": printable(view.remote_id_type),
                "behind-nat": view.nat_remote,
            },
            "encryption": encryption_identity(view.encr, view.key_bits),
            "prf": prf_identity(view.prf),
            "hmac": hmac_identity(view.integ),
            "group": group_identity(view.ke_method) if view.ke_method else None,
            "fragmentation-supported": view.fragmentation,
            "age": decimal(view.age_s),
            "rekey-in": decimal(view.rekey_in_s),
            "inner-address": list(dict.fromkeys(view.inner_addresses)),
            "misuse": {
                "queue-drops": str(view.queue_drops),
                "ike-rekeys-refused": str(view.ike_rekeys_refused),
                "child-rekeys-refused": str(view.child_rekeys_refused),
                "decryption-drops": str(view.decrypt_drops),
            },
            "child-sa": [_child_sa(child) for child in view.children if child.spi_in],
        }
    )


def _child_sa(view: ChildSaView) -> Json:
    return without_none(
        {
            "spi-in": view.spi_in,
            "spi-out": view.spi_out or None,
            "payload": view.payload,
            "state": view.state,
            "mode": view.mode,
            "encapsulation": view.encapsulation,
            "encryption": encryption_identity(view.encr, view.key_bits),
            "hmac": hmac_identity(view.integ),
            "group": group_identity(view.ke_method),
            "esn": view.esn,
            "local-selector": [_selector(selector) for selector in view.local_ts],
            "remote-selector": [_selector(selector) for selector in view.remote_ts],
            "age": decimal(view.age_s),
            "soft-expiry-in": decimal(view.soft_in_s),
            "hard-expiry-in": decimal(view.hard_in_s),
            "statistics": {
                "packets-in": str(view.packets_in),
                "octets-in": str(view.octets_in),
                "packets-out": str(view.packets_out),
                "octets-out": str(view.octets_out),
                "replay-drops": str(view.replay_drops),
                "integrity-failures": str(view.integrity_failures),
            },
        }
    )


def _selector(selector: Selector) -> Json:
    return {
        "protocol": selector.protocol,
        "start-port": selector.first_port,
        "end-port": selector.last_port,
        "start-address": selector.first_address,
        "end-address": selector.last_address,
    }


def decimal(seconds: float | None) -> str | None:
    """`seconds` as a decimal64 with three fraction digits."""
    return None if seconds is None else f"{seconds:.3f}"


def printable(text: str) -> str:
    """`text` with U+FFFD for every character that a YANG string cannot hold; peers name themselves as they like."""
    return _NOT_YANG_TEXT.sub("\ufffd", text)


def without_none(node: Json) -> Json:
    """`node` without the members that are None: leaves that are not there."""
    return {name: value for name, value in node.items() if value is not None}
