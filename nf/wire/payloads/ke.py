"""Key Exchange payload (RFC 7296 section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class KePayload:
    """method: Transform Type 4 ID, any 16-bit value; key_data: opaque octets, possibly empty."""

    payload_type: ClassVar[PayloadType] = PayloadType.KE

    method: int
    key_data: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> KePayload:
        """Raise WireError when `body` is under 4 octets."""
        r = Reader(body, "KE")
        method = r.u16()
        r.skip(2)  # RESERVED: ignored on receipt (section 2.5)
        return cls(method, r.rest())

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u16(self.method)
        w.zeros(2)
        w.put(self.key_data)
