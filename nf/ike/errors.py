"""What a handler raises to refuse a request: each error knows its Notify (style section 5).

The IKE SA turns them into a response in one place. `why` is for our log and counters; the wire carries only `notify`
and `data`.
"""

from __future__ import annotations

from typing import ClassVar

from nf.wire.iana import NotifyType, ProtocolId


class ProtocolError(Exception):
    """A request that we refuse. fatal: the IKE SA ends with the response."""

    notify: ClassVar[NotifyType] = NotifyType.INVALID_SYNTAX
    fatal: ClassVar[bool] = False

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.data = b""
        self.protocol = 0
        self.spi = b""


class InvalidSyntaxError(ProtocolError):
    """A message that cannot be what it claims to be; fatal once authenticated (RFC 7296 section 2.21.3)."""

    fatal = True


class AuthenticationFailed(ProtocolError):
    """The peer has not proved itself; one face on the wire whatever the reason."""

    notify = NotifyType.AUTHENTICATION_FAILED
    fatal = True


class NoProposal(ProtocolError):
    """No proposal fits."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class InvalidKe(ProtocolError):
    """The KE payload is not of the chosen method; `data` names the one we want (RFC 7296 section 1.2)."""

    notify = NotifyType.INVALID_KE_PAYLOAD

    def __init__(self, method: int) -> None:
        super().__init__(f"key exchange method {method} wanted")
        self.data = method.to_bytes(2, "big")


class TsUnacceptable(ProtocolError):
    """Nothing is left of the traffic selectors after narrowing."""

    notify = NotifyType.TS_UNACCEPTABLE


class NoAdditionalSas(ProtocolError):
    """The IKE SA has as many Child SAs as it may, or none of that kind is wanted."""

    notify = NotifyType.NO_ADDITIONAL_SAS


class AddressFailure(ProtocolError):
    """No inner address can be given (RFC 7296 section 3.15.4)."""

    notify = NotifyType.INTERNAL_ADDRESS_FAILURE


class CpRequired(ProtocolError):
    """The peer wants inner addresses of our pool without asking for one (RFC 7296 section 3.10.1)."""

    notify = NotifyType.FAILED_CP_REQUIRED


class TemporaryFailure(ProtocolError):
    """Try later: this crosses an exchange of ours (RFC 7296 section 2.25, RKY-32)."""

    notify = NotifyType.TEMPORARY_FAILURE


class RekeyRateExceeded(TemporaryFailure):
    """More rekeys a second than `ddos rekey-rate` allows (DOS-07); `use-rfc5996-notification` does not matter to it."""


class ChildSaNotFound(ProtocolError):
    """A rekey of a Child SA that we do not have (RFC 7296 section 2.25, RKY-40)."""

    notify = NotifyType.CHILD_SA_NOT_FOUND

    def __init__(self, spi: bytes) -> None:
        super().__init__(f"no Child SA with outbound SPI {spi.hex()}")
        self.protocol = int(ProtocolId.ESP)
        self.spi = spi
