"""Key Exchange payload (RFC 7296 section 3.4)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">H2x")


class KePayload(Struct, frozen=True, gc=False):
    """method: Transform Type 4 ID, any 16-bit value; key_data: opaque octets, possibly empty."""

    payload_type: ClassVar[PayloadType] = PayloadType.KE

    method: int
    key_data: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> KePayload:
        """Raise WireError when `body` is under 4 octets."""
        (method,) = head(_HEAD, body, "KE")  # RESERVED is ignored on receipt (section 2.5)
        return cls(method, body[4:])

    def encode(self) -> bytes:
        """The payload body."""
        return _HEAD.pack(self.method) + self.key_data
