"""The IKE engine's counters as families: `nf.ike.counters` names them, this table gives each its Prometheus name and
its labels' names.
"""

from __future__ import annotations

from nf.ike.counters import FAMILIES
from telemetry.families import Family, Kind, Label

_TABLE: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    # engine's family, name, labels, bulk statistics variables of StarOS
    ("datagrams-in", "ipsec_ike_datagrams_received", (), ""),
    ("datagrams-out", "ipsec_ike_datagrams_sent", (), ""),
    ("requests-in", "ipsec_ike_requests_received", ("exchange",), ""),
    ("requests-out", "ipsec_ike_requests_sent", ("exchange",), ""),
    ("responses-in", "ipsec_ike_responses_received", ("exchange",), ""),
    ("responses-out", "ipsec_ike_responses_sent", ("exchange",), ""),
    ("retransmits", "ipsec_ike_retransmissions", ("message",), ""),
    (
        "dropped",
        "ipsec_ike_dropped_datagrams",
        ("reason",),
        "ikev2-xchg-drop-msg-queue-size-exceeded (message-queue)",
    ),
    ("fragments-in", "ipsec_ike_fragments_received", (), "ikev2-rx-fragments"),
    ("fragments-out", "ipsec_ike_fragments_sent", (), "ikev2-tx-fragments"),
    ("fragmented-in", "ipsec_ike_fragmented_messages_received", (), "ikev2-rx-fragmented-packet"),
    ("fragmented-out", "ipsec_ike_fragmented_messages_sent", (), "ikev2-tx-fragmented-packet"),
    ("fragments-dropped", "ipsec_ike_dropped_fragments", ("reason",), "ikev2-rx-fragments-dropped"),
    ("setups-attempted", "ipsec_ike_setups_attempted", ("role",), ""),
    ("setups-succeeded", "ipsec_ike_setups_succeeded", ("role",), ""),
    ("setups-failed", "ipsec_ike_setups_failed", ("reason",), ""),
    (
        "half-open-expired",
        "ipsec_ike_half_open_expired",
        ("after",),
        "ikev2-exp-half-open-sa, ikev2-exp-half-open-sa-noxchg",
    ),
    ("ike-sas-closed", "ipsec_ike_sas_closed", ("cause",), ""),
    ("child-sas-created", "ipsec_child_sas_made", ("role",), ""),
    ("child-sas-closed", "ipsec_child_sas_closed", (), ""),
    ("child-sas-refused", "ipsec_child_sas_refused", ("role",), ""),
    ("rekeys", "ipsec_rekeys", ("kind", "outcome"), ""),
    (
        "rekeys-limited",
        "ipsec_rekeys_limited",
        ("kind",),
        "ikev2-ikesa-rekey-rate-temp-failure, ikev2-childsa-rekey-rate-temp-failure",
    ),
    (
        "decrypt-failures-exceeded",
        "ipsec_ike_decrypt_failures_exceeded",
        ("phase",),
        "ikev2-decryptfail-count-exceeded",
    ),
    ("cookies", "ipsec_ike_cookies", ("event",), ""),
    ("dpd", "ipsec_ike_liveness_checks", ("event",), ""),
    ("notifies-in", "ipsec_ike_notifies_received", ("notify",), ""),
    ("notifies-out", "ipsec_ike_notifies_sent", ("notify",), ""),
    ("addresses", "ipsec_ike_inner_addresses", ("event",), ""),
    ("exceptions", "ipsec_ike_exceptions", (), ""),
)


def _family(engine_name: str, name: str, labels: tuple[str, ...], original: str) -> Family:
    help_text, sets = FAMILIES[engine_name]
    return Family(
        name,
        Kind.COUNTER,
        help_text,
        labels=tuple(Label(label, values) for label, values in zip(labels, sets, strict=True)),
        original=original,
    )


_SOCKET_EVENTS = (
    *("send-queue-full", "send-errors", "send-no-socket", "receive-errors", "truncated", "nat-keepalives", "short"),
    *("esp-misdirected", "handover-sent", "handover-received", "handover-dropped", "other"),
)
_DRIVER_EVENTS = ("engine-exceptions", "events-lost", "installs-failed", "other")

DRIVER_FAMILIES: dict[str, Family] = {
    "udp": Family(
        "ipsec_ike_socket_events",
        Kind.COUNTER,
        "Datagrams of the IKE sockets that did not take the usual way, by what happened.",
        labels=(Label("event", _SOCKET_EVENTS),),
    ),
    "driver": Family(
        "ipsec_ike_driver_events",
        Kind.COUNTER,
        "What went wrong between the IKE engine and the data path, by what happened.",
        labels=(Label("event", _DRIVER_EVENTS),),
    ),
}
"""What the driver around the engine counts (`nf.io`)."""

ENGINE_FAMILIES: dict[str, Family] = {**{row[0]: _family(*row) for row in _TABLE}, **DRIVER_FAMILIES}
"""The engine's family name -> its row of the catalogue. All are counters; a sample's name in the engine is
`family.label.label`.
"""
