"""Delete payload (RFC 7296 section 3.11)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType, ProtocolId
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">BBH")


class DeletePayload(Struct, frozen=True, gc=False):
    """protocol IKE with no SPIs is the IKE SA itself; else spis are the sender's inbound SPIs, as numbers."""

    payload_type: ClassVar[PayloadType] = PayloadType.DELETE

    protocol: int
    spis: tuple[int, ...] = ()

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> DeletePayload:
        """Raise WireError when the SPI size is not 0 (IKE) or 4, or count and length disagree, or past the limit."""
        protocol, spi_octets, count = head(_HEAD, body, "D")
        if protocol == ProtocolId.IKE:
            if spi_octets or count:
                raise WireError("D", "SPIs with protocol IKE")
        elif spi_octets != 4:
            raise WireError("D", f"SPI of {spi_octets} octets")
        if count > limits.spis:
            raise WireError("D", f"more than {limits.spis} SPIs")
        if len(body) != _HEAD.size + 4 * count:
            raise WireError("D", f"{count} SPIs in {len(body)} octets")
        return cls(protocol, struct.unpack_from(f">{count}I", body, _HEAD.size))

    def encode(self) -> bytes:
        """The payload body."""
        count = len(self.spis)
        spi_octets = 0 if self.protocol == ProtocolId.IKE else 4
        return _HEAD.pack(self.protocol, spi_octets, count) + struct.pack(f">{count}I", *self.spis)
