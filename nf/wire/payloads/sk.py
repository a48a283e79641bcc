"""Encrypted payload as it is on the wire, still sealed (RFC 7296 section 3.14)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from nf.wire.iana import PayloadType


class SkPayload(Struct, frozen=True, gc=False):
    """first_inner: type of the first payload inside, 0 for none; sealed: IV, ciphertext, ICV (see `nf.wire.sk`)."""

    payload_type: ClassVar[PayloadType] = PayloadType.SK

    first_inner: int
    sealed: bytes

    def encode(self) -> bytes:
        """The payload body."""
        return self.sealed

    def __repr__(self) -> str:
        return f"SkPayload(first_inner={self.first_inner})"
