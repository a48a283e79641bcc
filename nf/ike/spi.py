"""SPIs carry their owner, so that no dispatcher is needed (architecture section 2).

An IKE SPI that we choose begins with the octet of the worker's index; a Child SA SPI that we choose begins with index +
1, which keeps clear of the reserved values 0 to 255 (RFC 4303 section 2.1). Hence at most 255 workers.
"""

from __future__ import annotations

from collections.abc import Container

from nf.crypto.random import Random

MAXIMUM_WORKERS = 255

_IKE_HEADER_OCTETS = 28
_FLAG_INITIATOR = 0x08


class SpiExhausted(Exception):
    """No free SPI after many draws: the random source is broken or the worker holds an absurd number of SAs."""


def new_ike_spi(worker_index: int, random: Random, *taken: Container[bytes]) -> bytes:
    """8 octets, unique among `taken`: the worker index and 7 random octets that are never all zero."""
    for _ in range(64):
        tail = random.octets(7)
        spi = bytes((worker_index,)) + tail
        if any(tail) and not any(spi in table for table in taken):
            return spi
    raise SpiExhausted("no free IKE SPI")


def new_child_spi(worker_index: int, random: Random, *taken: Container[int]) -> int:
    """A 32-bit inbound SPI, unique among `taken`: worker index + 1 in the top octet, 24 random bits below."""
    for _ in range(64):
        spi = (worker_index + 1) << 24 | int.from_bytes(random.octets(3), "big")
        if not any(spi in table for table in taken):
            return spi
    raise SpiExhausted("no free Child SA SPI")


def owner_of(datagram: bytes) -> int | None:
    """The worker that an IKE datagram (without the non-ESP marker) belongs to, or None for a new IKE SA and for a
    stump.

    The I flag says who sent it: the original initiator (our SPI is then the responder's) or the responder (ours is the
    initiator's, RFC 7296 section 3.1). The reuseport program cannot know all; a receiver hands a datagram that is not
    its own to this worker.
    """
    if len(datagram) < _IKE_HEADER_OCTETS:
        return None
    if datagram[19] & _FLAG_INITIATOR:
        return datagram[8] if any(datagram[8:16]) else None
    return datagram[0]
