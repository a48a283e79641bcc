"""Security Association payload (RFC 7296 section 3.3): proposals, transforms, attributes."""

from __future__ import annotations

import functools
import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import Reader
from nf.wire.errors import WireError
from nf.wire.iana import AttributeType, PayloadType, ProtocolId
from nf.wire.limits import DEFAULT_LIMITS, Limits

_MORE_PROPOSALS = 2
_MORE_TRANSFORMS = 3
_FIXED_FORMAT = 0x8000
_CACHED_OCTETS = 512
_PROPOSAL = struct.Struct(">BxHBBBB")
_TRANSFORM = struct.Struct(">BxHBxH")
_ATTRIBUTE = struct.Struct(">HH")
_SPI_OCTETS = {int(ProtocolId.IKE): (0, 8), int(ProtocolId.AH): (4,), int(ProtocolId.ESP): (4,)}
_ANY_SPI = range(256)
_KEY_LENGTH = int(AttributeType.KEY_LENGTH)


class Attribute(Struct, frozen=True, gc=False):
    """An attribute that is no usable Key Length; value: an int in the two-octet format, else octets (section 3.3.5)."""

    attribute_type: int
    value: int | bytes


class Transform(Struct, frozen=True, gc=False):
    """One transform (RFC 7296 section 3.3.2).

    transform_type, transform_id: any number; unknown ones are kept.
    key_bits: the Key Length attribute, 0 without one.
    attributes: everything else; a transform that has any must not be chosen (section 3.3.6). A Key Length of 0 is here.
    """

    transform_type: int
    transform_id: int
    key_bits: int = 0
    attributes: tuple[Attribute, ...] = ()


class Proposal(Struct, frozen=True, gc=False):
    """One proposal (RFC 7296 section 3.3.1). spi: no octets (IKE_SA_INIT), 8 (IKE rekey) or 4 (ESP, AH)."""

    number: int
    protocol: int
    spi: bytes
    transforms: tuple[Transform, ...]

    def of(self, transform_type: int) -> tuple[Transform, ...]:
        """The transforms of one type, in the sender's order of preference."""
        return tuple(t for t in self.transforms if t.transform_type == transform_type)


class SaPayload(Struct, frozen=True, gc=False):
    """Proposals, in the sender's order of preference."""

    payload_type: ClassVar[PayloadType] = PayloadType.SA

    proposals: tuple[Proposal, ...]

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> SaPayload:
        """Raise WireError on inconsistent lengths, counts or chain flags, on no proposal, and past the limits.

        Proposal numbers must go up by one from 1 in a request (section 3.3.1); a response has one with any number of
        ours, so only the task can judge them: they are kept as they are.
        """
        r = Reader(body, "SA")
        proposals: list[Proposal] = []
        more = _MORE_PROPOSALS
        while more:
            if len(proposals) == limits.proposals:
                raise WireError("SA", f"more than {limits.proposals} proposals")
            more, length, number, protocol, spi_octets, count = r.fields(_PROPOSAL)
            if more not in (0, _MORE_PROPOSALS):
                raise WireError("SA", f"proposal chain flag {more}")
            if spi_octets not in _SPI_OCTETS.get(protocol, _ANY_SPI):
                raise WireError("SA", f"SPI of {spi_octets} octets for protocol {protocol}")
            if count > limits.transforms:
                raise WireError("SA", f"more than {limits.transforms} transforms")
            spi = r.take(spi_octets)
            octets = r.take(length - _PROPOSAL.size - spi_octets)
            decode = _decode_transforms_cached if len(octets) <= _CACHED_OCTETS else _decode_transforms
            proposals.append(Proposal(number, protocol, spi, decode(octets, count, limits.attributes)))
        r.expect_end()
        return cls(tuple(proposals))

    def encode(self) -> bytes:
        """The payload body."""
        parts: list[bytes] = []
        last = len(self.proposals) - 1
        for index, p in enumerate(self.proposals):
            transforms = _encode_transforms(p.transforms)
            length = _PROPOSAL.size + len(p.spi) + len(transforms)
            more = 0 if index == last else _MORE_PROPOSALS
            parts.append(_PROPOSAL.pack(more, length, p.number, p.protocol, len(p.spi), len(p.transforms)))
            parts.append(p.spi)
            parts.append(transforms)
        return b"".join(parts)


def _decode_transforms(octets: bytes, count: int, most_attributes: int) -> tuple[Transform, ...]:
    """`count` transforms that fill `octets`."""
    r = Reader(octets, "SA transform")
    transforms: list[Transform] = []
    for left in range(count - 1, -1, -1):
        more, length, transform_type, transform_id = r.fields(_TRANSFORM)
        if more != (_MORE_TRANSFORMS if left else 0):
            raise WireError("SA transform", "count and chain disagree")
        if length == _TRANSFORM.size:
            transforms.append(Transform(transform_type, transform_id))
        else:
            attributes = r.sub(length - _TRANSFORM.size, "SA attribute")
            transforms.append(Transform(transform_type, transform_id, *_decode_attributes(attributes, most_attributes)))
    r.expect_end()
    return tuple(transforms)


_decode_transforms_cached = functools.lru_cache(maxsize=256)(_decode_transforms)
"""Peers of one make offer the same octets each time; at most 256 entries of 512 octets each are kept."""


def _decode_attributes(r: Reader, most: int) -> tuple[int, tuple[Attribute, ...]]:
    """(key bits, other attributes)."""
    key_bits = 0
    others: list[Attribute] = []
    count = 0
    while r.remaining:
        if count == most:
            raise WireError(r.where, f"more than {most} attributes")
        count += 1
        tag, value = r.fields(_ATTRIBUTE)
        if not tag & _FIXED_FORMAT:
            others.append(Attribute(tag, r.take(value)))
        elif tag == _FIXED_FORMAT | _KEY_LENGTH and value and not key_bits:
            key_bits = value
        else:
            others.append(Attribute(tag & ~_FIXED_FORMAT, value))
    return key_bits, tuple(others)


def _encode_transforms(transforms: tuple[Transform, ...]) -> bytes:
    parts: list[bytes] = []
    last = len(transforms) - 1
    for index, t in enumerate(transforms):
        attributes = b""
        if t.key_bits:
            attributes = _ATTRIBUTE.pack(_FIXED_FORMAT | _KEY_LENGTH, t.key_bits)
        for attribute in t.attributes:
            if isinstance(attribute.value, int):
                attributes += _ATTRIBUTE.pack(_FIXED_FORMAT | attribute.attribute_type, attribute.value)
            else:
                attributes += _ATTRIBUTE.pack(attribute.attribute_type, len(attribute.value)) + attribute.value
        more = 0 if index == last else _MORE_TRANSFORMS
        parts.append(_TRANSFORM.pack(more, _TRANSFORM.size + len(attributes), t.transform_type, t.transform_id))
        parts.append(attributes)
    return b"".join(parts)
