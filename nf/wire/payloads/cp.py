"""Configuration payload (RFC 7296 section 3.15)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import Reader, head
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">B3x")
_ATTRIBUTE = struct.Struct(">HH")


class CpAttribute(Struct, frozen=True, gc=False):
    """attribute_type: a CpAttributeType or any number to 32767; value: octets, empty in most requests."""

    attribute_type: int
    value: bytes = b""


class CpPayload(Struct, frozen=True, gc=False):
    """cfg_type: a CfgType or any other number; attributes in the order sent, a type may come twice."""

    payload_type: ClassVar[PayloadType] = PayloadType.CP

    cfg_type: int
    attributes: tuple[CpAttribute, ...] = ()

    def of(self, attribute_type: int) -> tuple[CpAttribute, ...]:
        """The attributes of one type."""
        return tuple(a for a in self.attributes if a.attribute_type == attribute_type)

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> CpPayload:
        """Raise WireError on inconsistent lengths and past the limit."""
        (cfg_type,) = head(_HEAD, body, "CP")
        r = Reader(body, "CP", _HEAD.size)
        attributes: list[CpAttribute] = []
        while r.remaining:
            if len(attributes) == limits.cp_attributes:
                raise WireError("CP", f"more than {limits.cp_attributes} attributes")
            attribute_type, octets = r.fields(_ATTRIBUTE)
            # the top bit is RESERVED here: there is no short format as in transforms
            attributes.append(CpAttribute(attribute_type & 0x7FFF, r.take(octets)))
        return cls(cfg_type, tuple(attributes))

    def encode(self) -> bytes:
        """The payload body."""
        parts = [_HEAD.pack(self.cfg_type)]
        for attribute in self.attributes:
            parts.append(_ATTRIBUTE.pack(attribute.attribute_type, len(attribute.value)))
            parts.append(attribute.value)
        return b"".join(parts)
