"""Configuration payloads: inner addresses and name servers (RFC 7296 section 3.15; TPL-13, TPL-76, WSG-05, WSG-07)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from nf.ike.core import Core
from nf.ike.errors import AddressFailure
from nf.ike.ike_sa import IkeSa
from nf.policy.pools import PoolPlan
from nf.wire.iana import CfgType, CpAttributeType
from nf.wire.payloads import CpAttribute, CpPayload

_A = CpAttributeType


def handle_request(core: Core, sa: IkeSa, request: CpPayload | None) -> CpPayload | None:
    """Give a remote-access peer what it asks for; None when there is nothing to answer.

    Raises AddressFailure when it asks for addresses and gets none. With two families asked for and one to be had, it
    gets that one; the selectors of the other are then dropped (TPL-76).
    """
    service = sa.service
    if request is None or request.cfg_type != CfgType.REQUEST or not service.remote_access:
        return None
    attributes: list[CpAttribute] = []
    asked = {attribute.attribute_type for attribute in request.attributes}
    wants4, wants6 = _A.INTERNAL_IP4_ADDRESS in asked, _A.INTERNAL_IP6_ADDRESS in asked
    if wants4 and service.pool4 is not None:
        lease = core.lease(sa, service.pool4, _wanted(request, _A.INTERNAL_IP4_ADDRESS, 4))
        if lease is not None:
            attributes.append(CpAttribute(_A.INTERNAL_IP4_ADDRESS, lease.address.to_bytes(4, "big")))
            if _A.INTERNAL_IP4_NETMASK in asked:
                attributes.append(CpAttribute(_A.INTERNAL_IP4_NETMASK, _netmask(service.pool4)))
    if wants6 and service.pool6 is not None:
        lease = core.lease(sa, service.pool6, _wanted(request, _A.INTERNAL_IP6_ADDRESS, 16))
        if lease is not None:
            attributes.append(CpAttribute(_A.INTERNAL_IP6_ADDRESS, lease.address.to_bytes(16, "big") + b"\x80"))
    if (wants4 or wants6) and not attributes:
        raise AddressFailure("no inner address to give")
    always = service.template.dns_custom
    if always or _A.INTERNAL_IP4_DNS in asked:
        attributes.extend(CpAttribute(_A.INTERNAL_IP4_DNS, server) for server in service.dns4)
    if always or _A.INTERNAL_IP6_DNS in asked:
        attributes.extend(CpAttribute(_A.INTERNAL_IP6_DNS, server) for server in service.dns6)
    return CpPayload(CfgType.REPLY, tuple(attributes))


def build_request(families: tuple[int, ...]) -> CpPayload:
    """Ask for an address and the name servers of each family."""
    attributes: list[CpAttribute] = []
    if 4 in families:
        attributes += [CpAttribute(_A.INTERNAL_IP4_ADDRESS), CpAttribute(_A.INTERNAL_IP4_DNS)]
    if 6 in families:
        attributes += [CpAttribute(_A.INTERNAL_IP6_ADDRESS), CpAttribute(_A.INTERNAL_IP6_DNS)]
    return CpPayload(CfgType.REQUEST, tuple(attributes))


def handle_reply(sa: IkeSa, reply: CpPayload | None) -> None:
    """Note the addresses that we were given."""
    if reply is None or reply.cfg_type != CfgType.REPLY:
        return
    given: list[str] = []
    for attribute in reply.attributes:
        if attribute.attribute_type == _A.INTERNAL_IP4_ADDRESS and len(attribute.value) == 4:
            given.append(str(IPv4Address(attribute.value)))
        elif attribute.attribute_type == _A.INTERNAL_IP6_ADDRESS and len(attribute.value) in (16, 17):
            given.append(str(IPv6Address(attribute.value[:16])))
    sa.inner_addresses = tuple(given)


def _wanted(request: CpPayload, attribute_type: int, octets: int) -> int | None:
    """The address that the peer would like; zero is none in particular."""
    value = request.of(attribute_type)[0].value[:octets]
    return int.from_bytes(value, "big") or None if len(value) == octets else None


def _netmask(plan: PoolPlan) -> bytes:
    mask = (0xFFFFFFFF << 32 - plan.prefix_length) & 0xFFFFFFFF
    return IPv4Address(mask).packed
