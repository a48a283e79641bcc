"""Authentication payload (RFC 7296 section 3.8)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">B3x")


class AuthPayload(Struct, frozen=True, gc=False):
    """method: an AuthMethod or any other number; data: in the form of that method."""

    payload_type: ClassVar[PayloadType] = PayloadType.AUTH

    method: int
    data: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> AuthPayload:
        """Raise WireError when `body` is under 4 octets."""
        (method,) = head(_HEAD, body, "AUTH")
        return cls(method, body[4:])

    def encode(self) -> bytes:
        """The payload body."""
        return _HEAD.pack(self.method) + self.data

    def __repr__(self) -> str:
        return f"AuthPayload(method={self.method})"
