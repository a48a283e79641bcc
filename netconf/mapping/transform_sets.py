"""/gateway/context/ikev2-ikesa/transform-set and ipsec/transform-set -> transform sets by name (TRF-22, TRF-23)."""

from __future__ import annotations

from collections.abc import Iterable

from netconf.mapping.algorithms import ENCRYPTION, GROUP, HMAC, PRF, local_name
from netconf.mapping.sharing import keep
from netconf.mapping.tree import Node, entries
from nf.config.snapshot import CryptoTemplate, IkeTransformSet, IpsecTransformSet

IkeSets = dict[str, IkeTransformSet]
IpsecSets = dict[str, IpsecTransformSet]


def build_ike_sets(context: Node, old: Iterable[CryptoTemplate]) -> IkeSets:
    """IKE transform sets of a context by name; equal ones are those of the old templates."""
    before = {item.name: item for template in old for item in template.ikesa.transform_sets}
    return {
        node["name"]: keep(_ike_set(node), before.get(node["name"]))
        for node in entries(context, "ikev2-ikesa", "transform-set")
    }


def build_ipsec_sets(context: Node, old: Iterable[CryptoTemplate]) -> IpsecSets:
    """IPsec transform sets of a context by name; equal ones are those of the old templates."""
    before = {item.name: item for template in old for payload in template.payloads for item in payload.transform_sets}
    return {
        node["name"]: keep(_ipsec_set(node), before.get(node["name"]))
        for node in entries(context, "ipsec", "transform-set")
    }


def _ike_set(node: Node) -> IkeTransformSet:
    encr, key_bits = ENCRYPTION[local_name(node["encryption"])]
    return IkeTransformSet(
        name=node["name"],
        encr=encr,
        key_bits=key_bits,
        prf=PRF[local_name(node["prf"])],
        integ=HMAC[local_name(node["hmac"])],
        ke_method=GROUP[local_name(node["group"])],
        lifetime_s=node["lifetime"],
    )


def _ipsec_set(node: Node) -> IpsecTransformSet:
    encr, key_bits = ENCRYPTION[local_name(node["encryption"])]
    return IpsecTransformSet(
        name=node["name"],
        encr=encr,
        key_bits=key_bits,
        integ=HMAC[local_name(node["hmac"])],
        ke_method=GROUP[local_name(node["group"])],
        mode=node["mode"],
        esn=node["esn"],
    )
