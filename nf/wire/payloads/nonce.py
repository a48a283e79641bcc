"""Nonce payload (RFC 7296 section 3.9)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from nf.wire.errors import WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

MIN_NONCE_OCTETS = 16
MAX_NONCE_OCTETS = 256


class NoncePayload(Struct, frozen=True, gc=False):
    """Ni or Nr: 16 to 256 octets. That it has half the PRF's key size (section 2.10) is for the task to see to."""

    payload_type: ClassVar[PayloadType] = PayloadType.NONCE

    nonce: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> NoncePayload:
        """Raise WireError when the nonce is under 16 or over 256 octets."""
        if not MIN_NONCE_OCTETS <= len(body) <= MAX_NONCE_OCTETS:
            raise WireError("Nonce", f"{len(body)} octets")
        return cls(body)

    def encode(self) -> bytes:
        """The payload body."""
        return self.nonce

    def __repr__(self) -> str:
        return "NoncePayload()"
