"""What a gateway is to be, said once, and written for wsgd (NETCONF instance data) and for strongSwan (vici messages).

Algorithms are spelled as strongSwan's proposal keywords; so one text configures both ends, and the same scenario runs
against strongSwan as the gateway, which shows that a failing scenario is not the fault of the laboratory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from xml.sax.saxutils import escape

from .vici import Value

_NS = "urn:openwsg:yang:openwsg-"
_BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
_CIPHERS = {
    "aes128gcm16": "aes-128-gcm-128",
    "aes192gcm16": "aes-192-gcm-128",
    "aes256gcm16": "aes-256-gcm-128",
    "chacha20poly1305": "chacha20-poly1305",
    "aes128": "aes-cbc-128",
    "aes192": "aes-cbc-192",
    "aes256": "aes-cbc-256",
}
_HMACS = {"sha1": "sha1-96", "sha256": "sha2-256-128", "sha384": "sha2-384-192", "sha512": "sha2-512-256"}
_PRFS = {"prfsha1": "sha1", "prfsha256": "sha2-256", "prfsha384": "sha2-384", "prfsha512": "sha2-512"}
_GROUPS = {
    "modp2048": "group14",
    "modp3072": "group15",
    "modp4096": "group16",
    "ecp256": "group19",
    "ecp384": "group20",
    "ecp521": "group21",
    "x25519": "group31",
}


def _pick(keywords: list[str], table: Mapping[str, str]) -> str | None:
    return next((table[word] for word in keywords if word in table), None)


def _identity(element: str, name: str | None) -> str:
    return f'<{element} xmlns:t="{_NS}types">t:{name}</{element}>' if name else ""


def transform_set(name: str, proposal: str, ike: bool, lifetime_s: int | None = None) -> str:
    """A transform set of the gateway for a proposal of strongSwan, for example aes256-sha256-modp2048."""
    words = proposal.split("-")
    unknown = [word for word in words if not any(word in table for table in (_CIPHERS, _HMACS, _PRFS, _GROUPS))]
    if unknown:
        raise ValueError(f"no transform for {unknown}")
    prf = _pick(words, _PRFS) or _pick([f"prf{word}" for word in words], _PRFS)
    lifetime = f"<lifetime>{lifetime_s}</lifetime>" if lifetime_s else ""
    return (
        f"<transform-set><name>{name}</name>{_identity('encryption', _pick(words, _CIPHERS))}"
        f"{_identity('prf', prf) if ike else ''}{_identity('hmac', _pick(words, _HMACS))}"
        f"{_identity('group', _pick(words, _GROUPS))}{lifetime}</transform-set>"
    )


@dataclass(frozen=True)
class Service:
    """One service of the gateway with its template.

    peers: prefix -> PSK for peer networks with their own key; psk: of the template. protects: prefixes of our side.
    remote_ts: behind the peer, for strongSwan as the gateway (wsgd narrows to what is asked, as `tsi any` says).
    template, payload, ikesa: further XML for the template, its payload, its ikev2-ikesa, for wsgd only.
    rekey: we rekey by ourselves.
    """

    name: str
    address: str
    ike: tuple[str, ...] = ("aes256gcm16-prfsha384-x25519",)
    esp: tuple[str, ...] = ("aes256gcm16",)
    psk: str | None = "interop key"
    peers: Mapping[str, str] = field(default_factory=dict)
    protects: tuple[str, ...] = ("10.0.0.0/24",)
    remote_ts: tuple[str, ...] = ("10.1.0.0/24",)
    pool: str | None = None
    pool6: str | None = None
    template: str = ""
    payload: str = ""
    rekey: bool = False
    ike_lifetime_s: int | None = None
    ikesa: str = ""

    @property
    def remote_access(self) -> bool:
        return bool(self.pool or self.pool6)

    def _template_xml(self) -> str:
        key = f"<key>{escape(self.psk)}</key>" if self.psk else ""
        networks = "".join(
            f"<network><prefix>{prefix}</prefix><pre-shared-key>{escape(psk)}</pre-shared-key></network>"
            for prefix, psk in self.peers.items()
        )
        names = [f"<transform-set>{self.name}-ike{i}</transform-set>" for i in range(len(self.ike))]
        esp_names = [f"<transform-set>{self.name}-esp{i}</transform-set>" for i in range(len(self.esp))]
        rekey = "<rekey><enabled>true</enabled></rekey>" if self.rekey else ""
        nets = [ip_network(prefix) for prefix in self.protects]
        tsr = "".join(
            f"<tsr><start-address>{net[0]}</start-address><end-address>{net[-1]}</end-address></tsr>" for net in nets
        )
        return (
            f"<template><name>{self.name}</name><ikev2-ikesa>{''.join(names)}{self.ikesa}{rekey}</ikev2-ikesa>"
            f"<authentication><local><pre-shared-key>{key}</pre-shared-key></local>"
            f"<remote><pre-shared-key>{key}</pre-shared-key></remote></authentication>"
            f"<identity><local><id>{GATEWAY_ID}</id></local></identity>"
            f"{f'<peer>{networks}</peer>' if networks else ''}"
            f"<payload><name>all</name><ipsec>{''.join(esp_names)}</ipsec>{self.payload}{rekey}{tsr}</payload>"
            f"<natt/>{self.template}</template>"
        )

    def _service_xml(self) -> str:
        mode = "remote-access" if self.remote_access else "site-to-site"
        pool = f"<ip><address><pool-name>{self.name}4</pool-name></address></ip>" if self.pool else ""
        pool6 = f"<ipv6><address><prefix-pool>{self.name}6</prefix-pool></address></ipv6>" if self.pool6 else ""
        return (
            f'<wsg-service xmlns="{_NS}wsg-service"><name>{self.name}</name><deployment-mode>{mode}</deployment-mode>'
            f"<bind><address>{self.address}</address><crypto-template>{self.name}</crypto-template></bind>"
            f"{pool}{pool6}</wsg-service>"
        )


GATEWAY_ID = "gw.example.org"


@dataclass(frozen=True)
class Scenario:
    """All services of a gateway, in one context."""

    services: tuple[Service, ...]
    name_servers: tuple[str, ...] = ()

    def xml(self) -> str:
        """Instance data for edit-config."""
        services = self.services
        addresses = [(service.address, 6 if ":" in service.address else 4) for service in services]
        interface = "".join(
            f"<ipv{family}>"
            + "".join(
                f"<address><ip>{address}</ip><prefix-length>{24 if family == 4 else 64}</prefix-length></address>"
                for address, of_family in addresses
                if of_family == family
            )
            + f"</ipv{family}>"
            for family in (4, 6)
            if any(of_family == family for _, of_family in addresses)
        )
        pools = "".join(f"<pool><name>{s.name}4</name><prefix>{s.pool}</prefix></pool>" for s in services if s.pool)
        pools6 = "".join(
            f"<prefix-pool><name>{s.name}6</name><prefix>{s.pool6}</prefix></prefix-pool>" for s in services if s.pool6
        )
        ike = "".join(
            transform_set(f"{s.name}-ike{i}", proposal, True, s.ike_lifetime_s)
            for s in services
            for i, proposal in enumerate(s.ike)
        )
        esp = "".join(
            transform_set(f"{s.name}-esp{i}", proposal, False) for s in services for i, proposal in enumerate(s.esp)
        )
        return (
            f'<gateway xmlns="{_NS}gateway">'
            f'<context xmlns="{_NS}context" xmlns:nc="{_BASE}" nc:operation="replace"><name>ran</name>'
            f"<interface><name>outer</name>{interface}</interface>"
            + "".join(f"<name-server>{address}</name-server>" for address in self.name_servers)
            + (f'<ip xmlns="{_NS}pool">{pools}</ip>' if pools else "")
            + (f'<ipv6 xmlns="{_NS}pool">{pools6}</ipv6>' if pools6 else "")
            + f'<ikev2-ikesa xmlns="{_NS}transform-set">{ike}</ikev2-ikesa>'
            f'<ipsec xmlns="{_NS}transform-set">{esp}</ipsec>'
            f'<crypto xmlns="{_NS}crypto-template">{"".join(s._template_xml() for s in services)}</crypto>'
            + "".join(s._service_xml() for s in services)
            + "</context></gateway>"
        )

    def vici(self) -> tuple[dict[str, dict[str, Value]], dict[str, str], dict[str, dict[str, Value]]]:
        """Connections, secrets and pools for StrongSwan.load."""
        connections: dict[str, dict[str, Value]] = {}
        pools: dict[str, dict[str, Value]] = {}
        secrets: dict[str, str] = {}
        for service in self.services:
            child: dict[str, Any] = {"local_ts": list(service.protects), "esp_proposals": list(service.esp)}
            connection: dict[str, Any] = {
                "version": "2",
                "local_addrs": [service.address],
                "proposals": list(service.ike),
                "mobike": "no",
                "local": {"auth": "psk", "id": GATEWAY_ID},
                "remote": {"auth": "psk", "id": "%any"},
                "children": {service.name: child},
            }
            if service.remote_access:
                named = {f"{service.name}4": service.pool, f"{service.name}6": service.pool6}
                connection["pools"] = [name for name, prefix in named.items() if prefix]
                for name, prefix in named.items():
                    if prefix:
                        family6 = ":" in prefix
                        dns = [address for address in self.name_servers if (":" in address) == family6]
                        pools[name] = {"addrs": prefix, **({"dns": dns} if dns else {})}
            else:
                child["remote_ts"] = list(service.remote_ts)
            connections[service.name] = connection
            if service.psk:
                secrets[""] = service.psk
            secrets |= {prefix.partition("/")[0]: psk for prefix, psk in service.peers.items()}
        return connections, secrets, pools


def peer(
    service: Service,
    local: str,
    identity: str,
    ike: str | None = None,
    esp: str | None = None,
    psk: str | None = None,
    vips: tuple[str, ...] = (),
    local_ts: tuple[str, ...] = ("10.1.0.0/24",),
    **more: Value,
) -> tuple[dict[str, dict[str, Value]], dict[str, str]]:
    """Connection `gw` with the Child SA `net`, and its secret, for a peer of `service`: what StrongSwan.load takes.

    more: further settings of the connection; those whose name begins with child_ go to its Child SA.
    """
    child: dict[str, Any] = {
        "remote_ts": list(service.protects),
        "esp_proposals": [esp or service.esp[0]],
        **{name.removeprefix("child_"): value for name, value in more.items() if name.startswith("child_")},
    }
    if not vips:
        child["local_ts"] = list(local_ts)
    connection: dict[str, Value] = {
        "version": "2",
        "local_addrs": [local],
        "remote_addrs": [service.address],
        "proposals": [ike or service.ike[0]],
        "mobike": "no",
        "local": {"auth": "psk", "id": identity},
        "remote": {"auth": "psk", "id": GATEWAY_ID},
        "children": {"net": child},
        **{name: value for name, value in more.items() if not name.startswith("child_")},
    }
    if vips:
        connection["vips"] = list(vips)
    return {"gw": connection}, {GATEWAY_ID: psk or service.psk or next(iter(service.peers.values()))}
