"""Certificate payload (RFC 7296 section 3.6)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">B")


class CertPayload(Struct, frozen=True, gc=False):
    """encoding: a CertEncoding or any other number. data: opaque here.

    A certificate in the form of that encoding.
    """

    payload_type: ClassVar[PayloadType] = PayloadType.CERT

    encoding: int
    data: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> CertPayload:
        """Raise WireError when `body` is empty."""
        (encoding,) = head(_HEAD, body, "CERT")
        return cls(encoding, body[1:])

    def encode(self) -> bytes:
        """The payload body."""
        return _HEAD.pack(self.encoding) + self.data
