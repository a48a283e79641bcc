"""Certificate payload (RFC 7296 section 3.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class CertPayload:
    """encoding: a CertEncoding or any other number. data: opaque here.

    A certificate in the form of that encoding.
    """

    payload_type: ClassVar[PayloadType] = PayloadType.CERT

    encoding: int
    data: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> CertPayload:
        """Raise WireError when `body` is empty."""
        r = Reader(body, "CERT")
        return cls(r.u8(), r.rest())

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u8(self.encoding)
        w.put(self.data)
