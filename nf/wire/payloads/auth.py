"""Authentication payload (RFC 7296 section 3.8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class AuthPayload:
    """method: an AuthMethod or any other number; data: in the form of that method."""

    payload_type: ClassVar[PayloadType] = PayloadType.AUTH

    method: int
    data: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> AuthPayload:
        """Raise WireError when `body` is under 4 octets."""
        r = Reader(body, "AUTH")
        method = r.u8()
        r.skip(3)
        return cls(method, r.rest())

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u8(self.method)
        w.zeros(3)
        w.put(self.data)
