"""Vendor ID payload (RFC 7296 section 3.12)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits


class VendorIdPayload(Struct, frozen=True, gc=False):
    """Opaque octets by which an implementation is known."""

    payload_type: ClassVar[PayloadType] = PayloadType.VENDOR_ID

    vendor_id: bytes

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> VendorIdPayload:
        """Any octets, none included."""
        return cls(body)

    def encode(self) -> bytes:
        """The payload body."""
        return self.vendor_id
