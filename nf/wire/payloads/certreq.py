"""Certificate Request payload (RFC 7296 section 3.7)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">B")


class CertReqPayload(Struct, frozen=True, gc=False):
    """encoding: a CertEncoding or any other number. authorities: opaque here.

    For X.509 forms concatenated 20-octet SHA-1 hashes of trust anchors' SubjectPublicKeyInfo.
    """

    payload_type: ClassVar[PayloadType] = PayloadType.CERTREQ

    encoding: int
    authorities: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> CertReqPayload:
        """Raise WireError when `body` is empty."""
        (encoding,) = head(_HEAD, body, "CERTREQ")
        return cls(encoding, body[1:])

    def encode(self) -> bytes:
        """The payload body."""
        return _HEAD.pack(self.encoding) + self.authorities
