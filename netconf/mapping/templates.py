"""/gateway/context/crypto/template -> CryptoTemplate (area 5).

Leaves behind a feature of openwsg-types are read with their default in hand: where the feature is off they are not
there.
"""

from __future__ import annotations

from collections.abc import Iterator

from netconf.mapping.paths import Segments, entry
from netconf.mapping.secret_leaves import Secrets
from netconf.mapping.sharing import keep_each
from netconf.mapping.transform_sets import IkeSets, IpsecSets, build_ike_sets, build_ipsec_sets
from netconf.mapping.tree import Node, address, entries, inner, prefix
from nf.config.snapshot import (
    AddressRange,
    Authentication,
    CookieChallenge,
    CryptoTemplate,
    IkeIdentity,
    IkeSaParameters,
    Keepalive,
    NatTraversal,
    Payload,
    PeerNetwork,
)

DISABLED = "disabled"
"""The word of leaves that can be a number or off."""


def build_templates(context: Node, old: tuple[CryptoTemplate, ...], secrets: Secrets) -> tuple[CryptoTemplate, ...]:
    """Templates of a context, with the transform sets they name."""
    ike_sets, ipsec_sets = build_ike_sets(context, old), build_ipsec_sets(context, old)
    templates = (
        _template(node, context["name"], ike_sets, ipsec_sets, secrets)
        for node in entries(context, "crypto", "template")
    )
    return keep_each(templates, old, lambda template: template.name)


def _template(node: Node, context: str, ike_sets: IkeSets, ipsec_sets: IpsecSets, secrets: Secrets) -> CryptoTemplate:
    where = (entry("context", "name", context), "crypto", entry("template", "name", node["name"]))
    return CryptoTemplate(
        context=context,
        name=node["name"],
        template_type=node["type"],
        ikesa=_ikesa(inner(node, "ikev2-ikesa"), ike_sets),
        authentication=_authentication(node, where, secrets),
        local_identity=_identity(node, "identity", "local"),
        nai_idr=_identity(node, "nai", "idr"),
        use_received_idr=node["nai"]["use-received-idr"],
        peer_networks=tuple(_peer_networks(node, where, secrets)),
        payloads=tuple(_payload(payload, ipsec_sets) for payload in entries(node, "payload")),
        keepalive=_keepalive(node),
        max_childsa=node["max-childsa"]["maximum"],
        overload_action=node["max-childsa"]["overload-action"],
        cookie_challenge=_cookie_challenge(node),
        dns_handling=node["dns-handling"],
        natt=_natt(node),
        control_dont_fragment=node.get("control-dont-fragment", "copy-bit"),
        ip_mtu=node["ip"]["mtu"],
        ipv6_mtu=node["ipv6"]["mtu"],
        ip_ikev2_mtu=node["ip"]["ikev2-mtu"],
        ipv6_ikev2_mtu=node["ipv6"]["ikev2-mtu"],
    )


def _ikesa(node: Node, sets: IkeSets) -> IkeSaParameters:
    notify = node["policy"]["error-notification"]
    return IkeSaParameters(
        transform_sets=tuple(sets[name] for name in entries(node, "transform-set")),
        allow_empty_ikesa=node["allow-empty-ikesa"],
        ignore_notify_protocol_id=node.get("ignore-notify-protocol-id", False),
        ignore_rekeying_requests=node["ignore-rekeying-requests"],
        keepalive_user_activity=node.get("keepalive-user-activity", False),
        max_retransmissions=node["max-retransmissions"],
        retransmission_timeout_ms=node["retransmission-timeout"],
        setup_timer_s=node["setup-timer"],
        rekey=node["rekey"]["enabled"],
        disallow_param_change=node["rekey"]["disallow-param-change"],
        use_rfc5996_notification=node["policy"]["use-rfc5996-notification"],
        notify_invalid_major_version=notify["invalid-major-version"],
        notify_invalid_message_id=notify.get("invalid-message-id", False),
        notify_invalid_syntax=notify["invalid-syntax"],
        half_open_sa_timer_s=_number_or_disabled(node["ddos"]["half-open-sa-timer"]),
        decrypt_fail_count=_number_or_disabled(node["ddos"]["decrypt-fail-count"]),
        rekey_rate=_number_or_disabled(node["ddos"]["rekey-rate"]),
        message_queue_size=_number_or_disabled(node["ddos"]["message-queue-size"]),
        fragmentation=node["fragmentation"],
    )


def _authentication(node: Node, where: Segments, secrets: Secrets) -> Authentication:
    local, remote = inner(node, "authentication", "local"), inner(node, "authentication", "remote")

    def psk(side: str, method: Node) -> str | None:
        key = inner(method, "pre-shared-key").get("key")
        return secrets.take(key, *where, "authentication", side, "pre-shared-key", "key")

    return Authentication(
        local_method="pre-shared-key" if "pre-shared-key" in local else None,
        remote_method="pre-shared-key" if "pre-shared-key" in remote else None,
        local_psk=psk("local", local),
        remote_psk=psk("remote", remote),
    )


def _identity(node: Node, *names: str) -> IkeIdentity | None:
    identity = inner(node, *names)
    return IkeIdentity(identity["id-type"], identity["id"]) if "id" in identity else None


def _peer_networks(node: Node, where: Segments, secrets: Secrets) -> Iterator[PeerNetwork]:
    for network in entries(node, "peer", "network"):
        leaf = ("peer", entry("network", "prefix", network["prefix"]), "pre-shared-key")
        yield PeerNetwork(prefix(network["prefix"]), secrets.take(network.get("pre-shared-key"), *where, *leaf))


def _payload(node: Node, sets: IpsecSets) -> Payload:
    lifetime, rekey = node["lifetime"], node["rekey"]
    return Payload(
        name=node["name"],
        match=node["match"],
        transform_sets=tuple(sets[name] for name in entries(node, "ipsec", "transform-set")),
        lifetime_s=_number_or_disabled(lifetime["seconds"]),
        lifetime_kilobytes=lifetime.get("kilo-bytes"),
        rekey=rekey["enabled"],
        rekey_keepalive=rekey["keepalive"],
        ignore_rekeying_requests=node["ignore-rekeying-requests"],
        disallow_param_change=rekey["disallow-param-change"],
        maximum_child_sa=node["maximum-child-sa"],
        tsi=node["tsi"],
        tsr=tuple(
            AddressRange(address(tsr["start-address"]), address(tsr["end-address"])) for tsr in entries(node, "tsr")
        ),
    )


def _keepalive(node: Node) -> Keepalive | None:
    if "keepalive" not in node:
        return None
    keepalive = node["keepalive"]
    return Keepalive(keepalive["interval"], keepalive["timeout"], keepalive["num-retry"])


def _cookie_challenge(node: Node) -> CookieChallenge | None:
    challenge = inner(node, "dos").get("cookie-challenge")
    if challenge is None:
        return None
    return CookieChallenge(challenge["half-open-sess-count"]["start"], challenge["half-open-sess-count"]["stop"])


def _natt(node: Node) -> NatTraversal | None:
    if "natt" not in node:
        return None
    natt = node["natt"]
    if "send-keepalive" not in natt:
        return NatTraversal(include_header=natt.get("include-header", False))
    keepalive = natt["send-keepalive"]
    return NatTraversal(natt.get("include-header", False), True, keepalive["idle-interval"], keepalive["interval"])


def _number_or_disabled(value: int | str) -> int | None:
    return None if value == DISABLED else int(value)
