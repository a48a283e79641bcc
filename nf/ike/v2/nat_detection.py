"""NAT detection in IKE_SA_INIT (RFC 7296 section 2.23; QOS-20, QOS-25)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from ipaddress import ip_address

from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import NetworkPath
from nf.wire.iana import NotifyType
from nf.wire.message import Message
from nf.wire.payloads import NotifyPayload


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return ip_address(address).packed


def address_hash(spi_i: bytes, spi_r: bytes, address: str, port: int) -> bytes:
    """SHA-1 of the SPIs, the address and the port; no secret is in it, and its strength does not matter."""
    data = spi_i + spi_r + _packed(address) + port.to_bytes(2, "big")
    return hashlib.sha1(data, usedforsecurity=False).digest()


def payloads(spi_i: bytes, spi_r: bytes, path: NetworkPath) -> tuple[NotifyPayload, ...]:
    """The two Notify payloads for a message that we send along `path`."""
    return (
        NotifyPayload(NotifyType.NAT_DETECTION_SOURCE_IP, address_hash(spi_i, spi_r, path.local, path.local_port)),
        NotifyPayload(
            NotifyType.NAT_DETECTION_DESTINATION_IP, address_hash(spi_i, spi_r, path.remote, path.remote_port)
        ),
    )


def detect(sa: IkeSa, message: Message, spi_r: bytes, path: NetworkPath) -> bool:
    """Compare what the peer says of the addresses with what we see; False when it says nothing.

    Several source hashes are several addresses of the peer: one that fits is enough. A peer that wants UDP
    encapsulation without a NAT sends a hash that fits nothing, which looks like a NAT in front of it.
    """
    spi_i = message.header.spi_i
    sources = message.notifies(NotifyType.NAT_DETECTION_SOURCE_IP)
    destinations = message.notifies(NotifyType.NAT_DETECTION_DESTINATION_IP)
    if not sources or not destinations:
        return False
    remote = address_hash(spi_i, spi_r, path.remote, path.remote_port)
    local = address_hash(spi_i, spi_r, path.local, path.local_port)
    sa.nat_remote = all(source.data != remote for source in sources)
    sa.nat_local = all(destination.data != local for destination in destinations)
    return True
