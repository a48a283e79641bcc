"""What is wrong with received octets, with the Notify that says so to the peer (RFC 7296 sections 2.21 and 3.10.1)."""

from __future__ import annotations

from typing import ClassVar

from nf.wire.iana import NotifyType


class WireError(Exception):
    """Octets that are no IKE message or payload. The only exception a decoder of `nf.wire` raises for bad input.

    where: the structure being read ("KE", "SA transform"). reason: a short text without peer octets.
    notify: what to answer if the message was authenticated, or is an IKE_SA_INIT request. notify_data: its data.
    """

    notify: ClassVar[NotifyType] = NotifyType.INVALID_SYNTAX

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason

    @property
    def notify_data(self) -> bytes:
        """Notification data to send with `notify`."""
        return b""


class InvalidSyntax(WireError):
    """A well-formed message whose payloads do not fit its exchange (`nf.wire.rules`)."""


class UnsupportedCriticalPayload(WireError):
    """A payload of unknown type with the critical bit set (RFC 7296 section 2.5); the whole message is refused."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD

    def __init__(self, payload_type: int) -> None:
        super().__init__("payload chain", f"unknown critical payload {payload_type}")
        self.payload_type = payload_type

    @property
    def notify_data(self) -> bytes:
        """The one-octet payload type (RFC 7296 section 3.10.1)."""
        return bytes((self.payload_type,))


class InvalidMajorVersion(WireError):
    """A major version other than 2 (RFC 7296 section 2.5)."""

    notify = NotifyType.INVALID_MAJOR_VERSION

    def __init__(self, major: int) -> None:
        super().__init__("IKE header", f"major version {major}")
        self.major = major


class IntegrityError(WireError):
    """The ICV of an Encrypted payload does not verify: drop the datagram, tell nobody (RFC 7296 section 2.21.3)."""

    def __init__(self) -> None:
        super().__init__("SK", "integrity check failed")
