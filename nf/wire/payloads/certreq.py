"""Certificate Request payload (RFC 7296 section 3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class CertReqPayload:
    """encoding: a CertEncoding or any other number. authorities: opaque here.

    For X.509 forms concatenated 20-octet SHA-1 hashes of trust anchors' SubjectPublicKeyInfo.
    """

    payload_type: ClassVar[PayloadType] = PayloadType.CERTREQ

    encoding: int
    authorities: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> CertReqPayload:
        """Raise WireError when `body` is empty."""
        r = Reader(body, "CERTREQ")
        return cls(r.u8(), r.rest())

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u8(self.encoding)
        w.put(self.authorities)
