"""Extensible Authentication Protocol payload (RFC 7296 section 3.16)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class EapPayload:
    """One EAP packet (RFC 3748 section 4). data: what follows the length; empty in Success and Failure."""

    payload_type: ClassVar[PayloadType] = PayloadType.EAP

    code: int
    identifier: int
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> EapPayload:
        """Raise WireError when the EAP length is not the length of the payload body."""
        r = Reader(body, "EAP")
        code = r.u8()
        identifier = r.u8()
        if r.u16() != len(body):
            raise WireError("EAP", "EAP length is not the payload's")
        return cls(code, identifier, r.rest())

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u8(self.code)
        w.u8(self.identifier)
        w.u16(4 + len(self.data))
        w.put(self.data)
