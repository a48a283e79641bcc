"""What the engine counts: a closed set of names, so that telemetry can declare every metric beforehand.

A name is `family.label` or `family.label.label`; families and their labels are in FAMILIES, and NAMES is their product.
Counters only grow, over the life of the worker process; gauges come from the views.
"""

from __future__ import annotations

from itertools import product

EXCHANGES = ("ike-sa-init", "ike-auth", "create-child-sa", "informational")

DROPS = (
    "malformed",
    "too-big",
    "unknown-spi",
    "no-service",
    "peer-not-allowed",
    "integrity",
    "replay",
    "message-id",
    "unexpected",
    "bad-version",
    "half-open-limit",
    "source-limit",
    "maximum-tunnels",
    "message-queue",
    "internal-error",
    "fragment",
)

SETUP_FAILURES = (
    "no-proposal-chosen",
    "invalid-ke-payload",
    "authentication-failed",
    "invalid-syntax",
    "unsupported-critical-payload",
    "ts-unacceptable",
    "internal-address-failure",
    "failed-cp-required",
    "no-additional-sas",
    "half-open-timeout",
    "setup-timeout",
    "retransmissions",
    "decrypt-failures",
    "peer-notify",
    "deleted",
    "internal-error",
)

NOTIFIES = (
    "unsupported-critical-payload",
    "invalid-ike-spi",
    "invalid-major-version",
    "invalid-syntax",
    "invalid-message-id",
    "invalid-spi",
    "no-proposal-chosen",
    "invalid-ke-payload",
    "authentication-failed",
    "single-pair-required",
    "no-additional-sas",
    "internal-address-failure",
    "failed-cp-required",
    "ts-unacceptable",
    "invalid-selectors",
    "temporary-failure",
    "child-sa-not-found",
    "initial-contact",
    "cookie",
    "rekey-sa",
    "nat-detection-source-ip",
    "nat-detection-destination-ip",
    "ikev2-fragmentation-supported",
    "other",
)

FRAGMENT_DROPS = (
    "not-negotiated",
    "too-big",
    "too-many",
    "duplicate",
    "replaced",
    "message-too-big",
    "timeout",
    "other",
)
"""too-big: the fragment; too-many: of one message; replaced: the peer has cut the message otherwise; other: the reason
is among those of all dropped datagrams.
"""

FAMILIES: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "datagrams-in": ("IKE datagrams received.", ()),
    "datagrams-out": ("IKE datagrams sent, retransmissions included.", ()),
    "requests-in": ("Requests of peers, without retransmissions, by exchange.", (EXCHANGES,)),
    "requests-out": ("Requests sent, without retransmissions, by exchange.", (EXCHANGES,)),
    "responses-in": ("Responses received for our requests, by exchange.", (EXCHANGES,)),
    "responses-out": ("Responses sent, without repeated ones, by exchange.", (EXCHANGES,)),
    "retransmits": (
        "Messages sent again: our requests, and responses to a peer's repeated request.",
        (("request", "response"),),
    ),
    "dropped": ("Datagrams dropped, by reason.", (DROPS,)),
    "fragments-in": ("IKE fragments received.", ()),
    "fragments-out": ("IKE fragments sent, retransmissions included.", ()),
    "fragmented-in": ("IKE messages received in fragments and put together.", ()),
    "fragmented-out": ("IKE messages sent in fragments, without retransmissions.", ()),
    "fragments-dropped": (
        "IKE fragments dropped, at once or with the rest of their message, by reason.",
        (FRAGMENT_DROPS,),
    ),
    "setups-attempted": ("IKE SA set-ups begun, by our role.", (("initiator", "responder"),)),
    "setups-succeeded": ("IKE SAs authenticated, by our role.", (("initiator", "responder"),)),
    "setups-failed": ("IKE SA or first Child SA set-ups that failed, by reason.", (SETUP_FAILURES,)),
    "half-open-expired": (
        "Half-open IKE SAs cleared by their timer: after a good exchange, or without any (DOS-02).",
        (("exchange", "none"),),
    ),
    "ike-sas-closed": (
        "IKE SAs that ended after authentication, by cause.",
        (
            (
                "peer-delete",
                "local-delete",
                "dead-peer",
                "rekeyed",
                "expired",
                "policy",
                "initial-contact",
                "protocol-error",
                "internal-error",
            ),
        ),
    ),
    "child-sas-created": (
        "Child SAs made, rekeyed ones included, by our role in the exchange.",
        (("initiator", "responder"),),
    ),
    "child-sas-closed": ("Child SAs that ended.", ()),
    "child-sas-refused": (
        "Child SAs that either side refused, by our role in the exchange.",
        (("initiator", "responder"),),
    ),
    "rekeys": (
        "Rekeys by kind and outcome: started by us, answered for the peer, failed, refused, collided.",
        (("ike", "child"), ("started", "succeeded", "answered", "failed", "refused", "collided")),
    ),
    "rekeys-limited": (
        "Rekey requests of peers refused with TEMPORARY_FAILURE because of `ddos rekey-rate`, by kind (DOS-07).",
        (("ike", "child"),),
    ),
    "decrypt-failures-exceeded": (
        "Runs of undecryptable messages as long as `ddos decrypt-fail-count`: in the set-up, which they end, or later "
        "(DOS-03, DOS-04).",
        (("setup", "established"),),
    ),
    "cookies": ("COOKIE challenges sent; cookies of peers that were good or bad.", (("sent", "accepted", "rejected"),)),
    "dpd": ("Liveness checks sent, and peers given up after them (RED-25).", (("sent", "failed"),)),
    "notifies-in": ("Notify payloads received, by type.", (NOTIFIES,)),
    "notifies-out": ("Notify payloads sent, by type.", (NOTIFIES,)),
    "addresses": ("Inner addresses given out, and requests that found no free one.", (("assigned", "exhausted"),)),
    "exceptions": ("Exceptions that are our own bugs; each closed one IKE SA or dropped one datagram.", ()),
}
"""family -> (help, one tuple of label values for each label)."""


def names() -> tuple[str, ...]:
    """Every counter name, in a fixed order."""
    found: list[str] = []
    for family, (_, labels) in FAMILIES.items():
        found.extend(".".join((family, *values)) for values in product(*labels))
    return tuple(found)


NAMES = names()


def fresh() -> dict[str, int]:
    """All counters at zero. An increment of a name that is not in it is a KeyError.

    A bug, found by the first test that counts.
    """
    return dict.fromkeys(NAMES, 0)
