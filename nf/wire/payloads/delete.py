"""Delete payload (RFC 7296 section 3.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType, ProtocolId
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class DeletePayload:
    """protocol IKE with no SPIs is the IKE SA itself; else spis are the sender's inbound SPIs, as numbers."""

    payload_type: ClassVar[PayloadType] = PayloadType.DELETE

    protocol: int
    spis: tuple[int, ...] = ()

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> DeletePayload:
        """Raise WireError when the SPI size is not 0 (IKE) or 4, or count and length disagree, or past the limit."""
        r = Reader(body, "D")
        protocol = r.u8()
        spi_octets = r.u8()
        count = r.u16()
        if protocol == ProtocolId.IKE:
            if spi_octets or count:
                raise WireError("D", "SPIs with protocol IKE")
        elif spi_octets != 4:
            raise WireError("D", f"SPI of {spi_octets} octets")
        if count > limits.spis:
            raise WireError("D", f"more than {limits.spis} SPIs")
        spis = tuple(r.u32() for _ in range(count))
        r.expect_end()
        return cls(protocol, spis)

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u8(self.protocol)
        w.u8(0 if self.protocol == ProtocolId.IKE else 4)
        w.u16(len(self.spis))
        for spi in self.spis:
            w.u32(spi)
