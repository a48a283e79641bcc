"""Configuration payload (RFC 7296 section 3.15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class CpAttribute:
    """attribute_type: a CpAttributeType or any number to 32767; value: octets, empty in most requests."""

    attribute_type: int
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class CpPayload:
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
        r = Reader(body, "CP")
        cfg_type = r.u8()
        r.skip(3)
        attributes: list[CpAttribute] = []
        while r.remaining:
            if len(attributes) == limits.cp_attributes:
                raise WireError("CP", f"more than {limits.cp_attributes} attributes")
            attribute_type = r.u16() & 0x7FFF  # the top bit is RESERVED here: no short format as in transforms
            attributes.append(CpAttribute(attribute_type, r.take(r.u16())))
        return cls(cfg_type, tuple(attributes))

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        w.u8(self.cfg_type)
        w.zeros(3)
        for attribute in self.attributes:
            w.u16(attribute.attribute_type)
            w.u16(len(attribute.value))
            w.put(attribute.value)
