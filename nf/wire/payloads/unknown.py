"""A payload of a type that we do not know (RFC 7296 section 2.5)."""

from __future__ import annotations

from msgspec import Struct


class UnknownPayload(Struct, frozen=True, gc=False):
    """A non-critical payload that was passed over; kept so that a message can be shown and encoded again."""

    payload_type: int
    body: bytes

    def encode(self) -> bytes:
        """The payload body."""
        return self.body
