"""Identification payloads (RFC 7296 section 3.5)."""

from __future__ import annotations

import struct
from typing import ClassVar, Self

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">B3s")


class IdPayload(Struct, frozen=True, gc=False):
    """An identity: id_type is any number, data is in the octets that type defines.

    reserved: the three RESERVED octets as they were received. They mean nothing, but AUTH covers them as sent (section
    2.15), so `body` must give back what was on the wire.
    """

    id_type: int
    data: bytes
    reserved: bytes = b"\0\0\0"

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Raise WireError when `body` is under 4 octets."""
        id_type, reserved = head(_HEAD, body, "ID")
        return cls(id_type, body[4:], reserved)

    def encode(self) -> bytes:
        """The payload body."""
        return self.body

    @property
    def body(self) -> bytes:
        """RestOfInitIDPayload or RestOfRespIDPayload of section 2.15: what prf(SK_p, ...) is taken of."""
        return bytes((self.id_type,)) + self.reserved + self.data


class IdiPayload(IdPayload, frozen=True, gc=False):
    """IDi: the identity of the original initiator."""

    payload_type: ClassVar[PayloadType] = PayloadType.IDI


class IdrPayload(IdPayload, frozen=True, gc=False):
    """IDr: the identity of the original responder, or which one the initiator asks for."""

    payload_type: ClassVar[PayloadType] = PayloadType.IDR
