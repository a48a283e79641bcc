"""Security Association payload (RFC 7296 section 3.3): proposals, transforms, attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nf.wire.cursor import Reader, Writer
from nf.wire.errors import WireError
from nf.wire.iana import AttributeType, PayloadType, ProtocolId
from nf.wire.limits import DEFAULT_LIMITS, Limits

_MORE_PROPOSALS = 2
_MORE_TRANSFORMS = 3
_FIXED_FORMAT = 0x8000
_KEY_LENGTH = int(AttributeType.KEY_LENGTH)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that is no usable Key Length; value: an int in the two-octet format, else octets (section 3.3.5)."""

    attribute_type: int
    value: int | bytes


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform (RFC 7296 section 3.3.2).

    transform_type, transform_id: any number; unknown ones are kept.
    key_bits: the Key Length attribute, 0 without one.
    attributes: everything else; a transform that has any must not be chosen (section 3.3.6). A Key Length of 0 is here.
    """

    transform_type: int
    transform_id: int
    key_bits: int = 0
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal (RFC 7296 section 3.3.1). spi: no octets (IKE_SA_INIT), 8 (IKE rekey) or 4 (ESP, AH)."""

    number: int
    protocol: int
    spi: bytes
    transforms: tuple[Transform, ...]

    def of(self, transform_type: int) -> tuple[Transform, ...]:
        """The transforms of one type, in the sender's order of preference."""
        return tuple(t for t in self.transforms if t.transform_type == transform_type)


@dataclass(frozen=True, slots=True)
class SaPayload:
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
        more = True
        while more:
            if len(proposals) == limits.proposals:
                raise WireError("SA", f"more than {limits.proposals} proposals")
            more = _chain_flag(r, _MORE_PROPOSALS)
            r.skip(1)
            proposals.append(_decode_proposal(r.sub(r.u16() - 4, "SA proposal"), limits))
        r.expect_end()
        return cls(tuple(proposals))

    def encode(self, w: Writer) -> None:
        """Append the payload body."""
        last = len(self.proposals) - 1
        for index, proposal in enumerate(self.proposals):
            start = len(w)
            w.u8(0 if index == last else _MORE_PROPOSALS)
            w.zeros(3)
            w.u8(proposal.number)
            w.u8(proposal.protocol)
            w.u8(len(proposal.spi))
            w.u8(len(proposal.transforms))
            w.put(proposal.spi)
            final = len(proposal.transforms) - 1
            for position, transform in enumerate(proposal.transforms):
                _encode_transform(w, transform, last=position == final)
            w.set_u16(start + 2, len(w) - start)


def _chain_flag(r: Reader, more: int) -> bool:
    """The "Last Substruc" octet: 0 for the last, `more` otherwise (a leftover of v1 next payload numbers)."""
    flag = r.u8()
    if flag not in (0, more):
        raise WireError(r.where, f"substructure flag {flag}")
    return flag == more


def _decode_proposal(r: Reader, limits: Limits) -> Proposal:
    number = r.u8()
    protocol = r.u8()
    spi_octets = r.u8()
    count = r.u8()
    if count > limits.transforms:
        raise WireError(r.where, f"more than {limits.transforms} transforms")
    if protocol in (ProtocolId.ESP, ProtocolId.AH) and spi_octets != 4:
        raise WireError(r.where, f"SPI of {spi_octets} octets for protocol {protocol}")
    if protocol == ProtocolId.IKE and spi_octets not in (0, 8):
        raise WireError(r.where, f"SPI of {spi_octets} octets for IKE")
    spi = r.take(spi_octets)
    transforms: list[Transform] = []
    for index in range(count):
        more = _chain_flag(r, _MORE_TRANSFORMS)
        if more == (index == count - 1):
            raise WireError(r.where, "transform count and chain disagree")
        r.skip(1)
        transforms.append(_decode_transform(r.sub(r.u16() - 4, "SA transform"), limits))
    r.expect_end()
    return Proposal(number, protocol, spi, tuple(transforms))


def _decode_transform(r: Reader, limits: Limits) -> Transform:
    transform_type = r.u8()
    r.skip(1)
    transform_id = r.u16()
    if not r.remaining:
        return Transform(transform_type, transform_id)
    key_bits = 0
    others: list[Attribute] = []
    count = 0
    while r.remaining:
        if count == limits.attributes:
            raise WireError(r.where, f"more than {limits.attributes} attributes")
        count += 1
        tag = r.u16()
        if tag & _FIXED_FORMAT:
            attribute_type = tag & ~_FIXED_FORMAT
            value = r.u16()
            if attribute_type == _KEY_LENGTH and value and not key_bits:
                key_bits = value
            else:
                others.append(Attribute(attribute_type, value))
        else:
            others.append(Attribute(tag, r.take(r.u16())))
    return Transform(transform_type, transform_id, key_bits, tuple(others))


def _encode_transform(w: Writer, transform: Transform, *, last: bool) -> None:
    start = len(w)
    w.u8(0 if last else _MORE_TRANSFORMS)
    w.zeros(3)
    w.u8(transform.transform_type)
    w.u8(0)
    w.u16(transform.transform_id)
    if transform.key_bits:
        w.u16(_FIXED_FORMAT | _KEY_LENGTH)
        w.u16(transform.key_bits)
    for attribute in transform.attributes:
        if isinstance(attribute.value, int):
            w.u16(_FIXED_FORMAT | attribute.attribute_type)
            w.u16(attribute.value)
        else:
            w.u16(attribute.attribute_type)
            w.u16(len(attribute.value))
            w.put(attribute.value)
    w.set_u16(start + 2, len(w) - start)
