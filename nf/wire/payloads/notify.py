"""Notify payload (RFC 7296 section 3.10)."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from nf.wire.cursor import Reader, head
from nf.wire.iana import FIRST_STATUS_NOTIFY, PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">BBH")


class NotifyPayload(Struct, frozen=True, gc=False):
    """notify_type: a NotifyType or any other number. protocol and spi name an existing SA, else 0 and empty.

    A Child SA's SPI is 4 octets, with REKEY_SA and CHILD_SA_NOT_FOUND; a wrong size is for the task to refuse.
    """

    payload_type: ClassVar[PayloadType] = PayloadType.NOTIFY

    notify_type: int
    data: bytes = b""
    protocol: int = 0
    spi: bytes = b""

    @property
    def is_error(self) -> bool:
        """Whether the type is in the error range; unknown error types count as errors (section 3.10.1)."""
        return self.notify_type < FIRST_STATUS_NOTIFY

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> NotifyPayload:
        """Raise WireError when `body` is under 4 octets or the SPI size is more than what follows."""
        protocol, spi_octets, notify_type = head(_HEAD, body, "N")
        if not spi_octets:
            return cls(notify_type, body[4:], protocol)
        r = Reader(body, "N", 4)
        spi = r.take(spi_octets)
        return cls(notify_type, r.rest(), protocol, spi)

    def encode(self) -> bytes:
        """The payload body."""
        return _HEAD.pack(self.protocol, len(self.spi), self.notify_type) + self.spi + self.data
