"""Seal and open fragments of protected messages (RFC 7383 section 2.5)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nf.crypto.sk_cipher import SkCipher
from nf.wire import sk
from nf.wire.errors import InvalidMajorVersion, WireError
from nf.wire.iana import PayloadType
from nf.wire.message import GENERIC_HEADER_OCTETS, HEADER_OCTETS, Header, encode_chain, first_type
from nf.wire.payloads import Payload
from nf.wire.payloads.skf import NUMBERS_OCTETS, SkfPayload

MAXIMUM_FRAGMENTS: Final = 255
"""In one message (FRG-14); the field would allow 65,535."""

SEALED_AT: Final = HEADER_OCTETS + GENERIC_HEADER_OCTETS + NUMBERS_OCTETS
_SKF = int(PayloadType.SKF)
_GENERIC = struct.Struct(">BBH")
_NUMBERS = struct.Struct(">HH")


@dataclass(frozen=True, slots=True)
class Fragment:
    """One piece, its ICV verified. first_inner: see SkfPayload. content: its octets of the payload chain, unpadded."""

    header: Header
    first_inner: int
    number: int
    total: int
    content: bytes = field(repr=False)


def is_fragment(header: Header) -> bool:
    """Whether the message is a fragment of one, going by its header alone."""
    return header.next_payload == _SKF


def room(octets: int, cipher: SkCipher) -> int:
    """Octets of the payload chain that fit into a fragment of at most `octets` octets; below 1 when none do."""
    ciphertext = octets - SEALED_AT - cipher.iv_octets - cipher.icv_octets
    return ciphertext // cipher.block_octets * cipher.block_octets - 1


def seal(
    header: Header, payloads: tuple[Payload, ...], cipher: SkCipher, octets: int, random: Callable[[int], bytes]
) -> tuple[bytes, ...]:
    """The fragments of a message, each a datagram of at most `octets` octets from the IKE header on.

    The payloads are cut without regard to their borders (FRG-05). random: gives the octets of each IV, see `sk.seal`.
    Raise ValueError when nothing fits into a fragment, or there would be more than MAXIMUM_FRAGMENTS.
    """
    content = encode_chain(payloads)
    step = room(octets, cipher)
    total = max(-(-len(content) // step), 1) if step > 0 else 0
    if not 1 <= total <= MAXIMUM_FRAGMENTS:
        raise ValueError(f"{len(content)} octets in fragments of {octets}")
    first_inner = first_type(payloads)
    return tuple(
        _seal_one(header, first_inner if number == 1 else 0, number, total, piece, cipher, random)
        for number in range(1, total + 1)
        for piece in (content[(number - 1) * step : number * step],)
    )


def _seal_one(
    header: Header,
    first_inner: int,
    number: int,
    total: int,
    piece: bytes,
    cipher: SkCipher,
    random: Callable[[int], bytes],
) -> bytes:
    plaintext = sk.padded(piece, cipher)
    octets = SEALED_AT + cipher.iv_octets + len(plaintext) + cipher.icv_octets
    aad = (
        header.encode(_SKF, octets)
        + _GENERIC.pack(first_inner, 0, octets - HEADER_OCTETS)
        + _NUMBERS.pack(number, total)
    )
    return aad + cipher.seal(aad, random(cipher.iv_octets), plaintext)


def peek(datagram: bytes, header: Header) -> SkfPayload:
    """The Encrypted Fragment payload, which is the only one of its message; nothing is verified yet.

    Raise WireError when it is not there or not well-formed.
    """
    if header.major != 2:
        raise InvalidMajorVersion(header.major)
    if header.next_payload != _SKF or len(datagram) < SEALED_AT:
        raise WireError("SKF", "no Encrypted Fragment payload")
    first_inner, _, length = _GENERIC.unpack_from(datagram, HEADER_OCTETS)
    if length != len(datagram) - HEADER_OCTETS:
        raise WireError("SKF", f"length {length} in a datagram of {len(datagram)} octets")
    return SkfPayload.decode(datagram[HEADER_OCTETS + GENERIC_HEADER_OCTETS :], first_inner)


def open(datagram: bytes, header: Header, cipher: SkCipher) -> Fragment:
    """One fragment, its ICV verified (FRG-17).

    Raise IntegrityError when the ICV is wrong, another WireError when it is no fragment. A single piece is never
    answered, so none of them is an InvalidSyntax that would be.
    """
    payload = peek(datagram, header)
    plaintext = sk.verified(datagram, SEALED_AT, cipher)
    end = len(plaintext) - 1 - plaintext[-1]
    if end < 0:
        raise WireError("SKF", "more padding than octets")
    return Fragment(header, payload.first_inner, payload.number, payload.total, plaintext[:end])
