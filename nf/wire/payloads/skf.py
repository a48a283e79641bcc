"""Encrypted Fragment payload as it is on the wire, still sealed (RFC 7383 section 2.5)."""

from __future__ import annotations

import struct
from typing import ClassVar, Final

from msgspec import Struct

from nf.wire.cursor import head
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType

NUMBERS_OCTETS: Final = 4
_NUMBERS = struct.Struct(">HH")


class SkfPayload(Struct, frozen=True, gc=False):
    """One piece of a message.

    first_inner: type of the first payload inside, in the piece with number 1; 0 in the others. number: from 1 to
    total. sealed: IV, ciphertext, ICV (see `nf.wire.skf`).
    """

    payload_type: ClassVar[PayloadType] = PayloadType.SKF

    first_inner: int
    number: int
    total: int
    sealed: bytes

    @classmethod
    def decode(cls, body: bytes, first_inner: int) -> SkfPayload:
        """first_inner: the Next Payload field of its generic header, which is no part of the body.

        Raise WireError when it is too short, or the numbers cannot be (RFC 7383 section 2.6).
        """
        number, total = head(_NUMBERS, body, "SKF")
        if not 1 <= number <= total:
            raise WireError("SKF", f"fragment {number} of {total}")
        if number > 1 and first_inner:
            raise WireError("SKF", f"next payload {first_inner} in fragment {number}")
        return cls(first_inner, number, total, body[NUMBERS_OCTETS:])

    def encode(self) -> bytes:
        """The payload body. Raise ValueError for numbers that do not fit."""
        if not 1 <= self.number <= self.total <= 0xFFFF:
            raise ValueError(f"fragment {self.number} of {self.total}")
        return _NUMBERS.pack(self.number, self.total) + self.sealed

    def __repr__(self) -> str:
        return f"SkfPayload(first_inner={self.first_inner}, number={self.number}, total={self.total})"
