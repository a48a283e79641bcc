"""Encrypted payload as it is on the wire, still sealed (RFC 7296 section 3.14)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nf.wire.iana import PayloadType


@dataclass(frozen=True, slots=True)
class SkPayload:
    """first_inner: type of the first payload inside, 0 for none; sealed: IV, ciphertext, ICV (see `nf.wire.sk`)."""

    payload_type: ClassVar[PayloadType] = PayloadType.SK

    first_inner: int
    sealed: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The payload body."""
        return self.sealed
