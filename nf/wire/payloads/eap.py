"""Extensible Authentication Protocol payload (RFC 7296 section 3.16)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">BBH")


class EapPayload(Struct, frozen=True, gc=False):
    """One EAP packet (RFC 3748 section 4). data: what follows the length; empty in Success and Failure."""

    payload_type: ClassVar[PayloadType] = PayloadType.EAP

    code: int
    identifier: int
    data: bytes = b""

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> EapPayload:
        """Raise WireError when the EAP length is not the length of the payload body."""
        code, identifier, length = head(_HEAD, body, "EAP")
        if length != len(body):
            raise WireError("EAP", "EAP length is not the payload's")
        return cls(code, identifier, body[4:])

    def encode(self) -> bytes:
        """The payload body."""
        return _HEAD.pack(self.code, self.identifier, 4 + len(self.data)) + self.data

    def __repr__(self) -> str:
        return f"EapPayload(code={self.code}, identifier={self.identifier})"
